/* The output half of a connection: a queue of chunks, and one write per turn for all of it.
 * Is:     gathering what is queued and what the protocol lets us pull into one send; short sends.
 * Is not: when the connection ends (conn.c).
 * SPDX-License-Identifier: MIT */
#include "net/conn_tls.h"

#include "base/assert.h"
#include "net/conn_carried.h"

#include <stdlib.h>

enum {
    IOV_HALF_MAX = 40,             /* of them for what goes first, so that the other gets a share */
    SEND_BYTES_MAX = 16 * 1048576, /* in each part of a send: keeps its counters in 32 bits */
};

/* ---- chunks ----------------------------------------------------------------------------------- */

void dx_chunk_free(dx_net *net, dx_chunk *chunk)
{
    if (chunk->is_pooled)
        dx_pool_give(&net->chunks, chunk);
    else
        free(chunk);
}

static void out_append(dx_conn *c, dx_chunk *chunk)
{
    chunk->next = NULL;
    if (c->out_last)
        c->out_last->next = chunk;
    else
        c->out_first = chunk;
    c->out_last = chunk;
}

/* A chunk with room for `size` bytes, from the pool if it fits there. */
dx_chunk *dx_chunk_new(dx_net *net, size_t size)
{
    bool is_pooled = size <= DX_CHUNK_POOLED_BYTES - sizeof(dx_chunk);
    dx_chunk *chunk = is_pooled ? dx_pool_take_raw(&net->chunks) : malloc(sizeof(dx_chunk) + size);

    if (chunk == NULL)
        return NULL;
    *chunk = (dx_chunk){
        .at = chunk->bytes,
        .room = is_pooled ? DX_CHUNK_POOLED_BYTES - sizeof(dx_chunk) : size,
        .is_pooled = is_pooled,
    };
    return chunk;
}

static dx_chunk *chunk_new(dx_conn *c, size_t size)
{
    dx_chunk *chunk = dx_chunk_new(c->net, size);

    if (chunk == NULL)
        dx_conn_abort(c, DX_ERR_MEMORY, true);
    return chunk;
}

static dx_chunk *out_chunk_new(dx_conn *c, size_t size)
{
    dx_chunk *chunk = chunk_new(c, size);

    if (chunk)
        out_append(c, chunk);
    return chunk;
}

/* The last chunk if it has room for `size` bytes, else a new one. */
static dx_chunk *out_room(dx_conn *c, size_t size)
{
    if (c->out_last && c->out_last->room >= size)
        return c->out_last;
    return out_chunk_new(c, size);
}

static void out_grow(dx_conn *c, dx_chunk *chunk, size_t size)
{
    dx_assert(size <= chunk->room);
    chunk->size += size;
    chunk->room -= size;
    c->out_bytes += (uint32_t)size;
}

static void out_consume(dx_conn *c, size_t size)
{
    dx_assert(size <= c->out_bytes);
    c->out_bytes -= (uint32_t)size;
    while (size > 0 || (c->out_first && c->out_first->size == 0)) {
        dx_chunk *first = c->out_first;
        size_t part = dx_min_size(size, first->size);
        first->at += part;
        first->size -= part;
        size -= part;
        if (first->size > 0)
            break;
        c->out_first = first->next;
        if (c->out_first == NULL)
            c->out_last = NULL;
        dx_chunk_free(c->net, first);
    }
}

void dx_conn_drop_output(dx_conn *c)
{
    while (c->out_first) {
        dx_chunk *first = c->out_first;
        c->out_first = first->next;
        dx_chunk_free(c->net, first);
    }
    c->out_last = NULL;
    c->out_bytes = 0;
}

/* ---- queueing --------------------------------------------------------------------------------- */

static bool takes_output(const dx_conn *c)
{
    return c->state == DX_CONN_OPEN || c->state == DX_CONN_CONNECTING;
}

void dx_conn_wake(dx_conn *c)
{
    if (c->state == DX_CONN_CLOSED)
        return;
    if (c->is_carried)
        ((dx_conn_carried *)c)->carrier->wake(c);
    else
        dx_task_queue(c->net->loop, &c->flush);
}

bool dx_conn_write(dx_conn *c, dx_bytes bytes)
{
    if (!takes_output(c) || bytes.size == 0)
        return true;
    dx_assert(bytes.size < UINT32_MAX - c->out_bytes);
    /* What is left of the last chunk is used up first, so that small pieces share one. */
    if (c->out_last && c->out_last->room > 0 && c->out_last->room < bytes.size) {
        size_t part = c->out_last->room;
        memcpy((uint8_t *)c->out_last->at + c->out_last->size, bytes.at, part);
        out_grow(c, c->out_last, part);
        dx_bytes_skip(&bytes, part);
    }
    dx_chunk *chunk = out_room(c, bytes.size);
    if (chunk == NULL)
        return false;
    memcpy((uint8_t *)chunk->at + chunk->size, bytes.at, bytes.size);
    out_grow(c, chunk, bytes.size);
    dx_conn_wake(c);
    return true;
}

bool dx_conn_write_rest(dx_conn *c, dx_bytes rest)
{
    if ((c->state != DX_CONN_OPEN && c->state != DX_CONN_FLUSHING) || rest.size == 0)
        return true;
    dx_assert((c->is_tls || !c->is_sending) && rest.size < UINT32_MAX - c->out_bytes);
    dx_chunk *chunk = chunk_new(c, rest.size);
    if (chunk == NULL)
        return false;
    c->is_pull_cut = false;
    chunk->next = c->out_first;
    c->out_first = chunk;
    if (c->out_last == NULL)
        c->out_last = chunk;
    memcpy(chunk->bytes, rest.at, rest.size);
    out_grow(c, chunk, rest.size);
    dx_conn_wake(c);
    return true;
}

uint8_t *dx_conn_write_room(dx_conn *c, size_t size)
{
    dx_assert(size <= 1024);
    dx_chunk *chunk = takes_output(c) ? out_room(c, size) : NULL;
    return chunk ? (uint8_t *)chunk->at + chunk->size : NULL;
}

void dx_conn_wrote(dx_conn *c, size_t size)
{
    out_grow(c, c->out_last, size);
    dx_conn_wake(c);
}

/* ---- sending ---------------------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

static uint32_t pull(dx_conn *c, struct iovec *iov, uint32_t max)
{
    return c->ops->pull ? c->ops->pull(c, iov, max) : 0;
}

/* Cuts the entries to `max` bytes; gives how many they have then. */
static uint32_t iov_cut(struct iovec *iov, uint32_t *count, size_t max)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < *count; i++) {
        iov[i].iov_len = dx_min_size(iov[i].iov_len, max - bytes);
        bytes += iov[i].iov_len;
        if (bytes == max)
            *count = i + 1;
    }
    return (uint32_t)bytes;
}

static uint32_t gather_out(const dx_conn *c, struct iovec *iov, uint32_t max)
{
    uint32_t count = 0;

    for (dx_chunk *chunk = c->out_first; chunk && count < max; chunk = chunk->next)
        iov[count++] = (struct iovec){(void *)chunk->at, chunk->size};
    return count;
}

bool dx_conn_can_send(const dx_conn *c)
{
    return !c->is_sending && !c->is_blocked && c->state != DX_CONN_CONNECTING &&
           c->state != DX_CONN_LINGERING && c->state != DX_CONN_CLOSED;
}

bool dx_conn_write_large(dx_conn *c, dx_bytes head, dx_bytes body)
{
    struct iovec iov[DX_CONN_IOV_MAX];
    size_t sent = 0;

    /* Only on an open way where nothing goes before it; else it is queued like any other. */
    if (c->is_tls) {
        struct iovec both[2] = {{(void *)head.at, head.size}, {(void *)body.at, body.size}};
        sent = dx_conn_tls_write(c, both, 2);
    } else if (c->state == DX_CONN_OPEN && !c->is_carried && dx_conn_can_send(c) &&
               !c->is_pull_cut) {
        size_t queued = c->out_bytes;
        uint32_t count = gather_out(c, iov, DX_CONN_IOV_MAX - 2);
        if (iov_bytes(iov, count) == queued) {
            iov[count++] = (struct iovec){(void *)head.at, head.size};
            iov[count++] = (struct iovec){(void *)body.at, body.size};
            dx_err err = dx_io_send_now(&c->io, iov, count, &sent);
            if (err != DX_OK) {
                dx_conn_abort(c, err, false);
                return true;
            }
            c->net->bytes_out += sent;
            out_consume(c, dx_min_size(sent, queued));
            sent -= dx_min_size(sent, queued);
        }
    }
    size_t of_head = dx_min_size(sent, head.size);
    dx_bytes_skip(&head, of_head);
    dx_bytes_skip(&body, sent - of_head);
    return dx_conn_write(c, head) && dx_conn_write(c, body);
}

static bool is_drained(const dx_conn *c)
{
    return !c->is_sending && !c->is_blocked && c->out_first == NULL;
}

/* Before what is queued is gathered, so that what on_room writes leaves with this send. */
void dx_conn_tell_room(dx_conn *c)
{
    if (!c->is_room_wanted || c->out_first || c->state != DX_CONN_OPEN)
        return;
    c->is_room_wanted = false;
    if (c->ops->on_room)
        c->ops->on_room(c);
}

/* Gathers all that may leave in one send: what is queued, then what is pulled; but the rest of a
 * pulled message goes before the queue. The second part only follows the first when that is whole. */
void dx_conn_gather(dx_conn *c, size_t bytes_max, dx_conn_load *load)
{
    struct iovec *iov = load->iov;
    uint32_t out = 0, pulled = 0;

    load->out = load->pulled = 0;
    if (c->is_pull_cut) {
        pulled = pull(c, iov, IOV_HALF_MAX);
        load->pulled = iov_cut(iov, &pulled, bytes_max);
        if (load->pulled < bytes_max)
            out = gather_out(c, iov + pulled, DX_CONN_IOV_MAX - pulled);
        load->out = iov_cut(iov + pulled, &out, bytes_max);
    } else {
        out = gather_out(c, iov, IOV_HALF_MAX);
        load->out = iov_cut(iov, &out, bytes_max);
        if (load->out == c->out_bytes)
            pulled = pull(c, iov + out, DX_CONN_IOV_MAX - out);
        load->pulled = iov_cut(iov + out, &pulled, bytes_max);
    }
    load->count = out + pulled;
}

void dx_conn_flush(dx_conn *c)
{
    dx_conn_load load;

    if (c->is_tls) {
        dx_conn_tls_flush(c);
        return;
    }
    if (c->is_carried) { /* many of them leave together */
        dx_conn_wake(c);
        return;
    }
    if (!dx_conn_can_send(c))
        return;
    dx_conn_tell_room(c);
    if (!dx_conn_can_send(c)) /* on_room has ended it, or flushed */
        return;
    dx_conn_gather(c, SEND_BYTES_MAX, &load);
    if (!dx_conn_can_send(c)) /* so has pull */
        return;
    c->flight_out = load.out;
    c->flight_pulled = load.pulled;
    if (load.count > 0) {
        c->is_sending = true;
        dx_io_send(&c->io, load.iov, load.count);
    } else if (c->state == DX_CONN_FLUSHING) {
        dx_conn_linger(c);
    }
}

/* The first `sent` bytes of a load have left. */
static void took(dx_conn *c, uint32_t load_out, uint32_t load_pulled, size_t sent)
{
    size_t first = dx_min_size(sent, c->is_pull_cut ? load_pulled : load_out);
    size_t pulled = c->is_pull_cut ? first : sent - first;

    out_consume(c, sent - pulled);
    if (load_pulled > 0) {
        c->is_pull_cut = false;
        c->is_pull_cut = c->ops->pulled(c, pulled);
    }
}

void dx_conn_took(dx_conn *c, const dx_conn_load *load, size_t sent)
{
    took(c, load->out, load->pulled, sent);
}

void dx_conn_on_sent(dx_io *io, size_t sent, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    size_t given = (size_t)c->flight_out + c->flight_pulled;

    c->net->bytes_out += sent;
    c->is_sending = false;
    c->is_blocked = err == DX_OK && sent < given; /* before anything is called that may write */
    if (c->state == DX_CONN_CLOSED)
        return;
    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
        return;
    }
    took(c, c->flight_out, c->flight_pulled, sent);
    if (c->state == DX_CONN_CLOSED)
        return;
    if (sent < given) {
        if (sent > 0 || c->write_due_ms == 0)
            dx_conn_write_progress(c, true);
        return;
    }
    if (c->write_due_ms)
        dx_conn_write_progress(c, false);
    /* More of it, on_room, or the end: in the next turn, so that no connection holds up the others. */
    if (c->out_first || c->is_room_wanted || c->state == DX_CONN_FLUSHING || c->pauses)
        dx_conn_wake(c);
}

void dx_conn_on_writable(dx_io *io)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);

    c->is_blocked = false;
    if (c->write_due_ms) /* the peer has taken something; what to send next may be nothing */
        dx_conn_write_progress(c, false);
    dx_conn_wake(c);
}

/* The end of a turn in which something was queued, resumed or became possible. */
void dx_conn_on_flush(dx_task *task)
{
    dx_conn *c = DX_CONTAINER(task, dx_conn, flush);

    dx_conn_catch_up_input(c);
    dx_conn_flush(c);
}

void dx_conn_want_room(dx_conn *c)
{
    c->is_room_wanted = true;
    if (is_drained(c))
        dx_conn_wake(c);
}
