/* The protocol of connections that belong to nobody any more.
 * SPDX-License-Identifier: MIT */
#include "net/conn.h"

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at;
    return size;
}

static void on_closed(dx_conn *conn, dx_err why)
{
    (void)conn, (void)why;
}

const dx_conn_ops dx_conn_nobody = {.on_bytes = on_bytes, .on_closed = on_closed};
