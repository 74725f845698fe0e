/* The output half of a connection: a queue of chunks, and one write per turn for all of it.
 * Is:     gathering what is queued and what the protocol lets us pull into one send; short sends.
 * Is not: when the connection ends (conn.c).
 * SPDX-License-Identifier: MIT */
#include "net/conn_out.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    IOV_COUNT_MAX = 64,            /* what dx_io_send takes */
    IOV_OUT_MAX = 48,              /* of them for queued chunks, so that pulled bytes get a share */
    SEND_BYTES_MAX = 16 * 1048576, /* in one send: keeps the counters of flight in 32 bits */
};

/* ---- chunks ----------------------------------------------------------------------------------- */

static void chunk_free(dx_net *net, dx_chunk *chunk)
{
    if (chunk->release)
        chunk->release(chunk->owner);
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

/* A chunk at the end of the queue with room for `size` bytes, from the pool if it fits there. */
static dx_chunk *out_chunk_new(dx_conn *c, size_t size)
{
    bool is_pooled = size <= DX_CHUNK_POOLED_BYTES - sizeof(dx_chunk);
    dx_chunk *chunk =
        is_pooled ? dx_pool_take_raw(&c->net->chunks) : malloc(sizeof(dx_chunk) + size);

    if (chunk == NULL) {
        dx_conn_abort(c, DX_ERR_MEMORY, true);
        return NULL;
    }
    *chunk = (dx_chunk){
        .at = chunk->bytes,
        .room = is_pooled ? DX_CHUNK_POOLED_BYTES - sizeof(dx_chunk) : size,
        .is_pooled = is_pooled,
    };
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
        chunk_free(c->net, first);
    }
}

void dx_conn_drop_output(dx_conn *c)
{
    while (c->out_first) {
        dx_chunk *first = c->out_first;
        c->out_first = first->next;
        chunk_free(c->net, first);
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
    if (c->state != DX_CONN_CLOSED)
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

bool dx_conn_write_shared(dx_conn *c, dx_bytes bytes, void (*release)(void *owner), void *owner)
{
    dx_chunk *chunk = takes_output(c) && bytes.size > 0 ? dx_pool_take_raw(&c->net->chunks) : NULL;

    if (chunk == NULL) {
        release(owner);
        if (!takes_output(c) || bytes.size == 0)
            return true;
        dx_conn_abort(c, DX_ERR_MEMORY, true);
        return false;
    }
    dx_assert(bytes.size < UINT32_MAX - c->out_bytes);
    *chunk = (dx_chunk){.at = bytes.at,
                        .size = bytes.size,
                        .release = release,
                        .owner = owner,
                        .is_pooled = true};
    out_append(c, chunk);
    c->out_bytes += (uint32_t)bytes.size;
    dx_conn_wake(c);
    return true;
}

/* ---- sending ---------------------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

static uint32_t pull(dx_conn *c, dx_conn_part part, struct iovec *iov, uint32_t max)
{
    if (c->ops->pull == NULL || (part == DX_CONN_MORE && c->state != DX_CONN_OPEN))
        return 0;
    return c->ops->pull(c, part, iov, max);
}

static uint32_t gather_out(const dx_conn *c, struct iovec *iov, uint32_t max, size_t bytes_max)
{
    uint32_t count = 0;

    for (dx_chunk *chunk = c->out_first; chunk && count < max && bytes_max > 0;
         chunk = chunk->next) {
        size_t part = dx_min_size(chunk->size, bytes_max);
        iov[count++] = (struct iovec){(void *)chunk->at, part};
        bytes_max -= part;
    }
    return count;
}

static bool can_send(const dx_conn *c)
{
    return !c->is_sending && !c->is_blocked && c->state != DX_CONN_CONNECTING &&
           c->state != DX_CONN_LINGERING && c->state != DX_CONN_CLOSED;
}

bool dx_conn_write_large(dx_conn *c, dx_bytes head, dx_bytes body)
{
    struct iovec iov[IOV_COUNT_MAX];
    size_t sent = 0;

    /* Only an open way with nothing of another message half sent; else it is queued like any other. */
    if (c->state == DX_CONN_OPEN && can_send(c) && pull(c, DX_CONN_REST, iov, 1) == 0) {
        size_t queued = c->out_bytes;
        uint32_t count = gather_out(c, iov, IOV_COUNT_MAX - 2, SIZE_MAX);
        if (iov_bytes(iov, count) == queued) {
            iov[count++] = (struct iovec){(void *)head.at, head.size};
            iov[count++] = (struct iovec){(void *)body.at, body.size};
            dx_err err = dx_io_send_now(&c->io, iov, count, &sent);
            if (err != DX_OK) {
                dx_conn_abort(c, err, false);
                return true;
            }
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

/* Nothing is left to be sent: what waited for that goes on. */
static void conn_drained(dx_conn *c)
{
    if (c->state == DX_CONN_FLUSHING) {
        dx_conn_linger(c);
        return;
    }
    if (c->is_room_wanted && c->state == DX_CONN_OPEN) {
        c->is_room_wanted = false;
        if (c->ops->on_room)
            c->ops->on_room(c);
    }
}

void dx_conn_flush(dx_conn *c)
{
    struct iovec iov[IOV_COUNT_MAX];

    if (!can_send(c))
        return;
    uint32_t rest = pull(c, DX_CONN_REST, iov, 8);
    c->flight_rest = (uint32_t)iov_bytes(iov, rest);
    uint32_t out = gather_out(c, iov + rest, IOV_OUT_MAX, SEND_BYTES_MAX);
    c->flight_out = (uint32_t)iov_bytes(iov + rest, out);
    uint32_t more = 0;
    if (c->flight_out == c->out_bytes) /* whole messages only follow whole messages */
        more = pull(c, DX_CONN_MORE, iov + rest + out, IOV_COUNT_MAX - rest - out);
    c->flight_more = (uint32_t)iov_bytes(iov + rest + out, more);
    uint32_t count = rest + out + more;
    if (count == 0) {
        conn_drained(c);
        return;
    }
    c->is_sending = true;
    dx_io_send(&c->io, iov, count);
}

void dx_conn_on_sent(dx_io *io, size_t sent, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    size_t given = (size_t)c->flight_rest + c->flight_out + c->flight_more;
    size_t rest = dx_min_size(sent, c->flight_rest);
    size_t out = dx_min_size(sent - rest, c->flight_out);
    size_t more = sent - rest - out;

    c->is_sending = false;
    if (c->state == DX_CONN_CLOSED)
        return;
    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
        return;
    }
    out_consume(c, out);
    if (rest + more > 0)
        c->ops->pulled(c, rest + more);
    if (c->state == DX_CONN_CLOSED)
        return;
    c->is_blocked = sent < given;
    if (c->is_blocked) {
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
