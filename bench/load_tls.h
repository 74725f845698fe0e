/* TLS for the load: a client that believes any certificate.
 * Is:     TLS 1.3 with AES-128-GCM and no other, so that all servers have the same work.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BENCH_LOAD_TLS_H
#define DX_BENCH_LOAD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* False: no memory, or OpenSSL lacks that cipher. */
bool load_tls_init(void);
/* NULL: no memory. `fd` is connected, or connecting. */
void *load_tls_new(int fd);
/* 1: hands are shaken; 0: wait for input; -1: refused. */
int load_tls_shake(void *tls);
/* As send and recv with MSG_DONTWAIT. */
ssize_t load_tls_send(void *tls, const void *bytes, size_t size);
ssize_t load_tls_recv(void *tls, void *bytes, size_t size);

#endif
