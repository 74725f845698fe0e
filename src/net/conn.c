/* One connection: input, deadlines and the end of it. The output queue is in conn_out.c.
 * SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "base/assert.h"
#include "net/conn_carried.h"
#include "net/conn_tls.h"
#include "net/socket.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    PAUSE_PROTOCOL = 1, /* it asked */
    PAUSE_OUTPUT = 2,   /* its answers are not taken: reading on would only make more */
    PAUSE_SLOW = 4,     /* what has come is still given: only what would come is not fetched */
    OUTPUT_HIGH_BYTES = 256 * 1024,
};

/* Rows: from. Bits: where it may go. A move that is not here is our bug, never the peer's. */
static const uint8_t legal_moves[] = {
    [DX_CONN_CONNECTING] =
        DX_BIT(DX_CONN_OPEN) | DX_BIT(DX_CONN_LINGERING) | DX_BIT(DX_CONN_CLOSED),
    [DX_CONN_OPEN] = DX_BIT(DX_CONN_FLUSHING) | DX_BIT(DX_CONN_CLOSED),
    [DX_CONN_FLUSHING] = DX_BIT(DX_CONN_LINGERING) | DX_BIT(DX_CONN_CLOSED),
    [DX_CONN_LINGERING] = DX_BIT(DX_CONN_CLOSED),
    [DX_CONN_CLOSED] = 0,
};

void dx_conn_enter(dx_conn *c, dx_conn_state to)
{
    dx_assert(legal_moves[c->state] & DX_BIT(to));
    c->state = (uint8_t)to;
}

/* ---- the connections of a loop ---------------------------------------------------------------- */

void dx_net_init(dx_net *net, dx_loop *loop, const dx_net_limits *limits, const dx_log *log)
{
    *net = (dx_net){.loop = loop, .log = log, .limits = *limits};
    dx_pool_init(&net->conns, sizeof(dx_conn));
    dx_pool_init(&net->conns_tls, sizeof(dx_conn_tls));
    dx_pool_init(&net->chunks, DX_CHUNK_POOLED_BYTES);
    dx_list_init(&net->live);
}

void dx_net_deinit(dx_net *net)
{
    dx_assert(dx_list_is_empty(&net->live));
    dx_pool_deinit(&net->conns);
    dx_pool_deinit(&net->conns_tls);
    dx_conn_tls_net_deinit(net);
    dx_pool_deinit(&net->chunks);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

static uint32_t now32(const dx_conn *c)
{
    return (uint32_t)dx_conn_now_ms(c);
}

static uint32_t due_in(const dx_conn *c, uint32_t delay_ms)
{
    uint32_t due = now32(c) + delay_ms;
    return due ? due : 1; /* 0 means none */
}

/* Milliseconds left until `due`, 0 if it passed. */
static uint32_t left_until(const dx_conn *c, uint32_t due)
{
    int32_t left = (int32_t)(due - now32(c));
    return left > 0 ? (uint32_t)left : 0;
}

/* Sees that the timer fires at the earlier deadline or before: one that moved away is found out when
 * it fires, which is cheaper than moving the timer with every message. */
static void conn_arm(dx_conn *c)
{
    uint32_t left = UINT32_MAX;

    if (c->protocol_due_ms)
        left = left_until(c, c->protocol_due_ms);
    if (c->write_due_ms && left_until(c, c->write_due_ms) < left)
        left = left_until(c, c->write_due_ms);
    if (left == UINT32_MAX)
        return;
    if (!dx_timer_is_set(&c->timer) || c->timer.due_ms > dx_conn_now_ms(c) + left)
        dx_timer_set(c->net->loop, &c->timer, left);
}

static void conn_on_timer(dx_timer *timer)
{
    dx_conn *c = DX_CONTAINER(timer, dx_conn, timer);

    if (c->write_due_ms && left_until(c, c->write_due_ms) == 0) {
        /* There is no room yet; but a peer behind a slow line may have taken a part of much. A handshake
         * has no such excuse. */
        if (c->state == DX_CONN_CONNECTING || dx_socket_unsent(c->io.fd) >= c->write_unsent) {
            c->net->counts.stalled++;
            dx_conn_abort(c, DX_ERR_TIMEOUT, true);
            return;
        }
        dx_conn_write_progress(c, true);
    }
    if (c->protocol_due_ms && left_until(c, c->protocol_due_ms) == 0) {
        c->protocol_due_ms = 0;
        if (c->state == DX_CONN_LINGERING) /* no RST: a slow reader gets what the kernel holds */
            dx_conn_abort(c, DX_OK, false);
        else if (c->state != DX_CONN_OPEN || c->ops->on_deadline == NULL)
            dx_conn_abort(c, DX_ERR_TIMEOUT, true);
        else
            c->ops->on_deadline(c);
    }
    if (c->state != DX_CONN_CLOSED)
        conn_arm(c);
}

void dx_conn_set_deadline(dx_conn *c, uint32_t delay_ms)
{
    if (c->state == DX_CONN_FLUSHING || c->state == DX_CONN_LINGERING || c->state == DX_CONN_CLOSED)
        return; /* the end has its own */
    c->protocol_due_ms = delay_ms ? due_in(c, delay_ms) : 0;
    conn_arm(c);
}

/* While hands are shaken nothing of the protocol's is sent: the deadline for that is free. */
void dx_conn_set_handshake_deadline(dx_conn *c)
{
    dx_assert(c->state == DX_CONN_CONNECTING);
    c->write_due_ms = due_in(c, c->net->limits.handshake_ms);
    conn_arm(c);
}

void dx_conn_write_progress(dx_conn *c, bool is_waiting)
{
    if (c->state == DX_CONN_CONNECTING)
        return;
    c->write_due_ms = 0;
    if (!is_waiting)
        return;
    c->write_due_ms = due_in(c, c->net->limits.write_stalled_ms);
    c->write_unsent = dx_socket_unsent(c->io.fd);
    conn_arm(c);
}

/* ---- input ------------------------------------------------------------------------------------ */

/* What a carried connection does not take stays with it; its carrier lets no more come then. */
static void conn_recv_stop(dx_conn *c)
{
    if (!c->is_carried)
        dx_io_recv_stop(&c->io);
}

static void conn_recv_start(dx_conn *c)
{
    if (!c->is_carried)
        dx_io_recv_start(&c->io);
}

static void conn_stop_reading(dx_conn *c, uint8_t why)
{
    if (c->pauses == 0 && c->state != DX_CONN_CONNECTING) /* shaking hands goes on */
        conn_recv_stop(c);
    c->pauses |= why;
}

/* The kept bytes come again, from the flush task: never from inside the caller, and never just because
 * something was written. */
static void conn_offer_later(dx_conn *c)
{
    c->is_offer_due = true;
    dx_conn_wake(c);
}

static void conn_go_on_reading(dx_conn *c, uint8_t why)
{
    if (!(c->pauses & why))
        return;
    c->pauses &= (uint8_t)~why;
    if (c->pauses == 0 && c->state == DX_CONN_OPEN) {
        if (!c->is_fin_seen)
            conn_recv_start(c);
        conn_offer_later(c);
    }
}

void dx_conn_pause(dx_conn *c)
{
    conn_stop_reading(c, PAUSE_PROTOCOL);
}

void dx_conn_resume(dx_conn *c)
{
    conn_go_on_reading(c, PAUSE_PROTOCOL);
    conn_offer_later(c);
}

void dx_conn_slow(dx_conn *c, bool is_slow)
{
    if (is_slow)
        conn_stop_reading(c, PAUSE_SLOW);
    else
        conn_go_on_reading(c, PAUSE_SLOW);
}

static void conn_keep(dx_conn *c, const uint8_t *at, size_t size)
{
    if (c->state != DX_CONN_OPEN)
        return;
    if (c->kept == NULL)
        c->kept = calloc(1, sizeof *c->kept);
    if (c->kept == NULL || !dx_buffer_append(c->kept, dx_bytes_at(at, size)))
        dx_conn_abort(c, DX_ERR_MEMORY, true);
}

static void conn_drop_kept(dx_conn *c)
{
    if (c->kept)
        dx_buffer_clear(c->kept);
    free(c->kept);
    c->kept = NULL;
}

static void conn_after_input(dx_conn *c)
{
    if (c->state == DX_CONN_OPEN && c->out_bytes > OUTPUT_HIGH_BYTES)
        conn_stop_reading(c, PAUSE_OUTPUT);
}

/* Offers the kept bytes; a protocol that changes hands or consumes a part is offered the rest. */
static void conn_offer_kept(dx_conn *c)
{
    c->is_offer_due = false;
    while (c->kept && c->pauses == 0 && c->state == DX_CONN_OPEN) {
        const dx_conn_ops *ops = c->ops;
        size_t consumed = ops->on_bytes(c, c->kept->at, c->kept->size);
        dx_assert(consumed <= c->kept->size);
        dx_buffer_consume(c->kept, consumed);
        if (c->kept->size == 0)
            conn_drop_kept(c);
        conn_after_input(c);
        if (ops == c->ops && consumed == 0)
            break;
    }
    if (c->state != DX_CONN_OPEN) /* not before: the end may come while on_bytes looks at them */
        conn_drop_kept(c);
}

static void conn_tell_end(dx_conn *c)
{
    if (c->is_fin_told)
        return;
    c->is_fin_told = true;
    if (c->ops->on_end)
        c->ops->on_end(c);
    else
        dx_conn_finish(c);
}

/* A peer that does not stop sending: our last bytes are still to leave, so it only has to wait; once
 * they and our FIN have left, it is reset. */
void dx_conn_discard(dx_conn *c, size_t size)
{
    c->linger_bytes = (uint32_t)dx_min_size(c->linger_bytes + size, UINT32_MAX);
    if (c->linger_bytes <= c->net->limits.linger_bytes_max)
        return;
    if (c->state == DX_CONN_FLUSHING && !c->is_carried)
        dx_io_recv_stop(&c->io);
    else
        dx_conn_abort(c, DX_OK, true);
}

void dx_conn_on_input(dx_conn *c, uint8_t *at, size_t size)
{
    if (c->state == DX_CONN_FLUSHING || c->state == DX_CONN_LINGERING) {
        dx_conn_discard(c, size);
        return;
    }
    if (c->kept || (c->pauses & ~PAUSE_SLOW)) {
        conn_keep(c, at, size);
        conn_offer_kept(c);
        return;
    }
    const dx_conn_ops *ops = c->ops;
    size_t consumed = ops->on_bytes(c, at, size);
    dx_assert(consumed <= size);
    if (consumed < size)
        conn_keep(c, at + consumed, size - consumed);
    conn_after_input(c);
    if (ops != c->ops)
        conn_offer_kept(c);
}

static void conn_on_recv(dx_io *io, uint8_t *at, size_t size)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);

    c->net->bytes_in += size;
    dx_conn_on_input(c, at, size);
}

void dx_conn_on_input_end(dx_conn *c)
{
    c->is_fin_seen = true;
    if (c->state == DX_CONN_LINGERING)
        dx_conn_abort(c, DX_OK, false);
    else if (c->state == DX_CONN_OPEN && c->pauses == 0 && !c->is_offer_due)
        conn_tell_end(c);
}

static void conn_on_recv_end(dx_io *io, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);

    if (err != DX_OK)
        dx_conn_abort(c, err, false);
    else
        dx_conn_on_input_end(c);
}

/* What a paused connection was not told: kept bytes first, then the end. */
void dx_conn_catch_up_input(dx_conn *c)
{
    if (c->out_bytes <= OUTPUT_HIGH_BYTES / 2)
        conn_go_on_reading(c, PAUSE_OUTPUT);
    if (c->pauses || c->state != DX_CONN_OPEN)
        return;
    if (c->is_offer_due)
        conn_offer_kept(c);
    if (c->is_fin_seen && c->pauses == 0 && c->state == DX_CONN_OPEN)
        conn_tell_end(c);
}

/* ---- birth and death -------------------------------------------------------------------------- */

void dx_conn_on_open(dx_conn *c)
{
    dx_conn_enter(c, DX_CONN_OPEN);
    if (c->pauses == 0)
        dx_io_recv_start(&c->io);
    else
        dx_io_recv_stop(&c->io); /* a handshake does not ask the protocol */
    dx_conn_wake(c);             /* what was queued while connecting */
    if (c->ops->on_open)
        c->ops->on_open(c);
}

static void conn_on_connect(dx_io *io, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);

    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
        return;
    }
    dx_socket_tune(io->fd);
    dx_conn_on_open(c);
}

/* A TLS connection lives in a larger object. */
static dx_pool *pool_of(dx_net *net, bool is_tls)
{
    return is_tls ? &net->conns_tls : &net->conns;
}

void dx_conn_join(dx_conn *c, dx_net *net)
{
    c->net = net;
    dx_list_init(&c->link);
    dx_list_append(&net->live, &c->link);
    dx_timer_init(&c->timer, conn_on_timer);
    dx_task_init(&c->flush, dx_conn_on_flush);
    net->conns_count++;
    net->carried_count += c->is_carried;
}

void dx_conn_leave(dx_conn *c)
{
    dx_assert(c->state == DX_CONN_CLOSED);
    c->ops->on_closed(c, c->why);
    dx_conn_drop_output(c);
    conn_drop_kept(c);
    dx_list_remove(&c->link);
    c->net->conns_count--;
    c->net->carried_count -= c->is_carried;
}

void dx_conn_on_io_closed(dx_io *io)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);

    dx_conn_leave(c);
    if (c->is_tls)
        dx_conn_tls_deinit((dx_conn_tls *)c);
    dx_pool_give(pool_of(c->net, c->is_tls), c);
}

static const dx_io_ops io_ops = {
    .on_recv = conn_on_recv,
    .on_recv_end = conn_on_recv_end,
    .on_sent = dx_conn_on_sent,
    .on_writable = dx_conn_on_writable,
    .on_connect = conn_on_connect,
    .on_closed = dx_conn_on_io_closed,
};

static dx_conn *conn_take(dx_net *net, bool is_tls)
{
    if (net->conns_count >= net->limits.conns_count_max) {
        net->counts.full++;
        return NULL;
    }
    dx_conn *c = dx_pool_take(pool_of(net, is_tls));
    if (c)
        c->is_tls = is_tls;
    return c;
}

static void conn_use(dx_conn *c, const dx_conn_ops *ops, void *protocol)
{
    dx_assert(ops->on_bytes && ops->on_closed);
    c->ops = ops;
    c->protocol = protocol;
}

/* Puts `c` (taken, also on failure) and `fd` (taken on success) into the loop. */
static dx_err conn_start(dx_net *net, dx_conn *c, int fd)
{
    bool is_tls = c->is_tls;
    dx_err err = dx_io_open(&c->io, net->loop, fd, is_tls ? &dx_conn_tls_io_ops : &io_ops);

    if (err != DX_OK) {
        if (is_tls)
            dx_conn_tls_deinit((dx_conn_tls *)c);
        dx_pool_give(pool_of(net, is_tls), c);
        return err;
    }
    dx_conn_join(c, net);
    net->conns_begun_count++;
    return DX_OK;
}

static dx_err conn_new(dx_net *net, int fd, dx_conn **ret)
{
    dx_conn *c = conn_take(net, false);
    dx_err err = c ? conn_start(net, c, fd) : DX_ERR_MEMORY;

    if (err == DX_OK)
        *ret = c;
    return err;
}

static dx_err conn_new_tls(dx_net *net, int fd, dx_tls *tls, const dx_conn_target *to,
                           dx_conn **ret)
{
    dx_conn *c = conn_take(net, true);

    if (c == NULL)
        return DX_ERR_MEMORY;
    c->net = net;
    dx_err err = dx_conn_tls_init((dx_conn_tls *)c, tls, to);
    if (err != DX_OK)
        dx_pool_give(&net->conns_tls, c);
    else
        err = conn_start(net, c, fd);
    if (err == DX_OK)
        *ret = c;
    return err;
}

dx_conn *dx_conn_accept(dx_net *net, int fd, const dx_conn_ops *ops, void *protocol)
{
    dx_conn *c = NULL;

    if (conn_new(net, fd, &c) != DX_OK) {
        close(fd);
        return NULL;
    }
    c->state = DX_CONN_OPEN;
    conn_use(c, ops, protocol);
    dx_io_recv_start(&c->io);
    return c;
}

dx_conn *dx_conn_accept_tls(dx_net *net, int fd, dx_tls *tls, const dx_conn_ops *ops,
                            void *protocol)
{
    dx_conn *c = NULL;

    if (conn_new_tls(net, fd, tls, NULL, &c) != DX_OK) {
        close(fd);
        return NULL;
    }
    conn_use(c, ops, protocol);
    dx_conn_set_handshake_deadline(c);
    dx_io_recv_start(&c->io);
    return c;
}

dx_err dx_conn_connect_to(dx_net *net, const dx_conn_target *to, const dx_conn_ops *ops,
                          void *protocol, dx_conn **ret)
{
    int fd = -1;
    dx_conn *c = NULL;
    dx_err err = dx_socket_client(&to->address, &fd);

    if (err != DX_OK)
        return err;
    err = to->tls ? conn_new_tls(net, fd, to->tls, to, &c) : conn_new(net, fd, &c);
    if (err != DX_OK) {
        close(fd);
        return err;
    }
    conn_use(c, ops, protocol);
    dx_io_connect(&c->io, &to->address.any, to->address.size);
    *ret = c;
    return DX_OK;
}

dx_err dx_conn_connect(dx_net *net, const dx_address *address, const dx_conn_ops *ops,
                       void *protocol, dx_conn **ret)
{
    return dx_conn_connect_to(net, &(dx_conn_target){.address = *address}, ops, protocol, ret);
}

void dx_conn_set_protocol(dx_conn *c, const dx_conn_ops *ops, void *protocol)
{
    conn_use(c, ops, protocol);
    c->is_fin_told = false;
    conn_offer_later(c);
}

void dx_conn_finish(dx_conn *c)
{
    if (c->state == DX_CONN_CONNECTING) {
        dx_conn_abort(c, DX_ERR_CLOSED, false);
    } else if (c->state == DX_CONN_OPEN) {
        dx_conn_enter(c, DX_CONN_FLUSHING);
        c->protocol_due_ms = 0;
        dx_conn_wake(c);
    }
}

/* The queue is empty: FIN, and then only listen for the peer's, so that what was sent last is not
 * lost to a reset (RFC 9112 §9.6). */
void dx_conn_linger(dx_conn *c)
{
    dx_conn_enter(c, DX_CONN_LINGERING);
    if (c->is_fin_seen) { /* closing sends the FIN */
        dx_conn_abort(c, DX_OK, false);
        return;
    }
    if (!c->is_carried)
        dx_io_shutdown(&c->io);
    c->pauses = 0;
    c->linger_bytes = 0;
    conn_recv_start(c);
    c->protocol_due_ms = due_in(c, c->net->limits.linger_ms);
    conn_arm(c);
}

void dx_conn_abort(dx_conn *c, dx_err why, bool reset)
{
    if (c->state == DX_CONN_CLOSED)
        return;
    dx_conn_enter(c, DX_CONN_CLOSED);
    if (c->why == DX_OK) /* else it is known already, and this is the end of lingering */
        c->why = why;
    dx_timer_clear(&c->timer);
    dx_task_clear(&c->flush);
    if (c->is_carried)
        ((dx_conn_carried *)c)->carrier->close(c, reset);
    else
        dx_io_close(&c->io, reset);
}

const dx_conn *dx_conn_base(const dx_conn *c)
{
    while (c->is_carried)
        c = ((const dx_conn_carried *)c)->under;
    return c;
}

int dx_conn_fd(const dx_conn *c)
{
    return dx_conn_base(c)->io.fd;
}
