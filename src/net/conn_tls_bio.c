/* What OpenSSL reads from and writes to.
 * SPDX-License-Identifier: MIT */
#include "net/conn_tls_bio.h"

#include "base/assert.h"

#include <openssl/err.h>
#include <stdlib.h>

/* ---- encrypted bytes -------------------------------------------------------------------------- */

bool dx_tls_out_reserve(dx_conn_tls *t, size_t size)
{
    if (t->last && t->last->room >= size)
        return true;
    dx_chunk *chunk = dx_chunk_new(t->conn.net, size);
    if (chunk == NULL)
        return false;
    chunk->next = NULL;
    if (t->last)
        t->last->next = chunk;
    else
        t->first = chunk;
    t->last = chunk;
    return true;
}

bool dx_tls_out_append(dx_conn_tls *t, dx_bytes bytes)
{
    if (!dx_tls_out_reserve(t, bytes.size))
        return false;
    dx_chunk *last = t->last;
    memcpy((uint8_t *)last->at + last->size, bytes.at, bytes.size);
    last->size += bytes.size;
    last->room -= bytes.size;
    t->conn.flight_out += (uint32_t)bytes.size;
    return true;
}

void dx_tls_out_drop_first(dx_conn_tls *t)
{
    dx_chunk *first = t->first;

    t->first = first->next;
    if (t->first == NULL)
        t->last = NULL;
    dx_chunk_free(t->conn.net, first);
}

void dx_tls_out_consume(dx_conn_tls *t, size_t size)
{
    dx_assert(size <= t->conn.flight_out);
    t->conn.flight_out -= (uint32_t)size;
    while (t->first && (size > 0 || t->first->size == 0)) {
        size_t part = dx_min_size(size, t->first->size);
        t->first->at += part;
        t->first->size -= part;
        size -= part;
        if (t->first->size > 0)
            break;
        dx_tls_out_drop_first(t);
    }
}

/* ---- the BIO ---------------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *to, int size)
{
    dx_net_tls *n = BIO_get_data(bio);
    size_t part = dx_min_size((size_t)size, n->in.size);

    BIO_clear_retry_flags(bio);
    if (part == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, n->in.at, part);
    dx_bytes_skip(&n->in, part);
    return (int)part;
}

static int bio_write(BIO *bio, const char *from, int size)
{
    dx_net_tls *n = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (dx_tls_out_append(n->to, dx_bytes_at(from, (size_t)size)))
        return size;
    n->is_out_of_memory = true;
    return -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static void net_tls_free(dx_net_tls *n)
{
    if (n == NULL)
        return;
    BIO_free(n->bio);
    BIO_meth_free(n->method);
    OPENSSL_cleanse(n->scratch, sizeof n->scratch);
    free(n);
}

dx_net_tls *dx_net_tls_new(void)
{
    dx_net_tls *n = calloc(1, sizeof *n);

    if (n == NULL)
        return NULL;
    dx_list_init(&n->shaking);
    n->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "connection");
    if (n->method && BIO_meth_set_read(n->method, bio_read) && BIO_meth_set_write(n->method, bio_write) &&
        BIO_meth_set_ctrl(n->method, bio_control))
        n->bio = BIO_new(n->method);
    if (n->bio) {
        BIO_set_data(n->bio, n);
        BIO_set_init(n->bio, 1);
        return n;
    }
    net_tls_free(n);
    ERR_clear_error();
    return NULL;
}

void dx_conn_tls_net_deinit(dx_net *net)
{
    net_tls_free(net->tls);
    net->tls = NULL;
}

dx_net_tls *dx_net_tls_enter(dx_conn_tls *t, dx_bytes in)
{
    dx_net_tls *n = t->conn.net->tls;

    n->to = t;
    n->in = in;
    n->is_out_of_memory = false;
    return n;
}
