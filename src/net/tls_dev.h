/* A certificate for development: for this machine's own names, by an authority that is made with it.
 * Is:     making both, keeping them in a directory, making the certificate anew before it expires.
 * Is not: anything to serve strangers with. The authority may only vouch for localhost (RFC 5280
 *         §4.2.1.10), so that who trusts it does not trust it with more.
 * Memory: none is kept.   Threads: any, but one at a time per directory.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TLS_DEV_H
#define DX_NET_TLS_DEV_H

#include "net/tls.h"

enum { DX_TLS_DEV_PATH_BYTES = 1024 };

typedef struct dx_tls_dev {
    char ca[DX_TLS_DEV_PATH_BYTES]; /* the authority's certificate, to be trusted */
    char cert[DX_TLS_DEV_PATH_BYTES], key[DX_TLS_DEV_PATH_BYTES];
    bool is_new_ca; /* made just now */
} dx_tls_dev;

/* Makes what is missing or about to expire in `directory`, which is made if missing, and says where it is.
 * why: what is wrong, if it fails.
 * Errors: DX_ERR_DENIED, DX_ERR_NOT_FOUND, DX_ERR_TOO_LARGE (the path), DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_tls_dev_make(const char *directory, dx_tls_dev *ret, char why[DX_TLS_WHY_BYTES]);

#endif
