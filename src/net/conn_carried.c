/* Connections that are carried by another one.
 * SPDX-License-Identifier: MIT */
#include "net/conn_carried.h"

#include "base/assert.h"
#include "net/conn_out.h"

bool dx_conn_carried_init(dx_conn_carried *cc, dx_conn *under, const dx_conn_carrier *carrier,
                          const dx_conn_ops *ops, void *protocol)
{
    dx_conn *c = &cc->conn;
    dx_net *net = under->net;

    dx_assert(ops->on_bytes && ops->on_closed && carrier->wake && carrier->close);
    if (net->conns_count >= net->limits.conns_count_max)
        return false;
    cc->carrier = carrier;
    cc->under = under;
    c->is_carried = true;
    c->state = DX_CONN_OPEN;
    c->ops = ops;
    c->protocol = protocol;
    c->io.fd = -1;
    dx_conn_join(c, net);
    return true;
}

void dx_conn_carried_over(dx_conn_carried *c)
{
    dx_conn_leave(&c->conn);
}

void dx_conn_carried_turn(dx_conn_carried *cc)
{
    dx_conn *c = &cc->conn;

    dx_conn_catch_up_input(c);
    if (dx_conn_can_send(c))
        dx_conn_tell_room(c);
}

void dx_conn_carried_input(dx_conn_carried *c, uint8_t *at, size_t size)
{
    if (c->conn.state != DX_CONN_CLOSED)
        dx_conn_on_input(&c->conn, at, size);
}

void dx_conn_carried_input_end(dx_conn_carried *c)
{
    if (c->conn.state != DX_CONN_CLOSED)
        dx_conn_on_input_end(&c->conn);
}

static size_t copy_load(const dx_conn_load *load, uint8_t *to, size_t max)
{
    size_t size = 0;

    for (uint32_t i = 0; i < load->count && size < max; i++) {
        size_t part = dx_min_size(load->iov[i].iov_len, max - size);
        dx_copy(to + size, load->iov[i].iov_base, part);
        size += part;
    }
    return size;
}

size_t dx_conn_carried_read(dx_conn_carried *cc, uint8_t *to, size_t max)
{
    dx_conn *c = &cc->conn;
    dx_conn_load load;

    c->is_blocked = false;
    if (!dx_conn_can_send(c))
        return 0;
    dx_conn_gather(c, max, &load);
    if (load.count == 0 || !dx_conn_can_send(c)) /* pull has ended it */
        return 0;
    size_t size = copy_load(&load, to, max);
    dx_conn_took(c, &load, size);
    if (c->is_room_wanted || c->pauses)
        dx_conn_wake(c);
    return size;
}

bool dx_conn_carried_has_output(dx_conn_carried *cc)
{
    dx_conn *c = &cc->conn;
    struct iovec one;

    if (!dx_conn_can_send(c))
        return false;
    if (c->out_first || c->is_pull_cut || c->state == DX_CONN_FLUSHING)
        return true;
    if (c->ops->pull == NULL || c->ops->pull(c, &one, 1) == 0)
        return false;
    c->is_pull_cut = c->ops->pulled(c, 0); /* only asked */
    return true;
}

bool dx_conn_carried_is_spent(const dx_conn_carried *c)
{
    return c->conn.state == DX_CONN_FLUSHING && c->conn.out_first == NULL && !c->conn.is_pull_cut;
}

void dx_conn_carried_end_sent(dx_conn_carried *c)
{
    dx_conn_linger(&c->conn);
}
