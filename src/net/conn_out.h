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

/* conn.c, called by conn_out.c */
void dx_conn_write_progress(dx_conn *conn, bool is_waiting);
void dx_conn_catch_up_input(dx_conn *conn);
void dx_conn_linger(dx_conn *conn);

#endif
