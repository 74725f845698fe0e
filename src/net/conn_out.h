/* The output half of a connection, as conn.c sees it.
 * Is:     the chunk that queued bytes live in, and the calls between the two halves.
 * Is not: for anyone outside net (conn.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_OUT_H
#define DX_NET_CONN_OUT_H

#include "net/conn.h"

/* A chunk with its room, as the pool gives it. */
#define DX_CHUNK_POOLED_BYTES 2048

/* Bytes in the queue. */
struct dx_chunk {
    dx_chunk *next;
    const uint8_t *at;
    size_t size;
    size_t room; /* still free behind at + size */
    bool is_pooled;
    uint8_t bytes[];
};

/* conn_out.c, called by conn.c */
void dx_conn_on_sent(dx_io *io, size_t sent, dx_err err);
void dx_conn_on_writable(dx_io *io);
void dx_conn_on_flush(dx_task *task);
void dx_conn_drop_output(dx_conn *conn);

/* conn_out.c, called by conn_tls.c and conn_carried.c */
enum {
    DX_CONN_IOV_MAX = 64, /* what dx_io_send takes */
};
/* Whether bytes of the protocol may leave now. */
bool dx_conn_can_send(const dx_conn *conn);
void dx_conn_tell_room(dx_conn *conn);
/* What is queued and what is pulled. */
typedef struct dx_conn_load {
    struct iovec iov[DX_CONN_IOV_MAX];
    uint32_t count;
    uint32_t out, pulled; /* bytes */
} dx_conn_load;
/* Gathers at most `bytes_max` in each of the two. */
void dx_conn_gather(dx_conn *conn, size_t bytes_max, dx_conn_load *load);
/* So many bytes of it left. The connection may be closed after that. */
void dx_conn_took(dx_conn *conn, const dx_conn_load *load, size_t sent);
/* Chunks that are in no queue. */
dx_chunk *dx_chunk_new(dx_net *net, size_t size);
void dx_chunk_free(dx_net *net, dx_chunk *chunk);

/* conn.c, called by conn_out.c, conn_tls.c and conn_carried.c */
void dx_conn_enter(dx_conn *conn, dx_conn_state to);
/* Among the connections of `net`, and out of them again: tells on_closed. */
void dx_conn_join(dx_conn *conn, dx_net *net);
void dx_conn_leave(dx_conn *conn);
void dx_conn_on_input(dx_conn *conn, uint8_t *at, size_t size);
/* The peer will send no more. */
void dx_conn_on_input_end(dx_conn *conn);
void dx_conn_discard(dx_conn *conn, size_t size);
void dx_conn_on_open(dx_conn *conn);
void dx_conn_on_io_closed(dx_io *io);
void dx_conn_set_handshake_deadline(dx_conn *conn);
void dx_conn_write_progress(dx_conn *conn, bool is_waiting);
void dx_conn_catch_up_input(dx_conn *conn);
void dx_conn_linger(dx_conn *conn);

#endif
