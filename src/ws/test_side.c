/* Sessions under test.
 * SPDX-License-Identifier: MIT */
#include "ws/test_side.h"

#include "codec/ws_mask.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void tell(side *of, side_event event)
{
    if (of->hook && (of->hook_events & (unsigned)event))
        of->hook(of, event);
}

static void on_open(dx_ws *ws, void *context)
{
    side *of = context;

    of->ws = ws;
    of->opens++;
    tell(of, SIDE_OPEN);
}

static void note(side *of, const dx_ws_message *m)
{
    bool ok =
        dx_buffer_append(&of->in, m->type == DX_WS_MESSAGE_TEXT ? DX_BYTES("t") : DX_BYTES("b")) &&
        dx_buffer_append(&of->in, m->payload) && dx_buffer_append(&of->in, DX_BYTES("|"));
    dx_assert(ok);
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    side *of = context;

    of->messages++;
    if (of->echoes)
        dx_ws_send(ws, m->type, m->payload);
    else
        note(of, m);
    tell(of, SIDE_MESSAGE);
}

static void on_room(dx_ws *ws, void *context)
{
    side *of = context;

    (void)ws;
    of->rooms++;
    tell(of, SIDE_ROOM);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    side *of = context;

    (void)ws;
    of->closes++;
    of->code = code;
    snprintf(of->reason, sizeof of->reason, "%.*s", DX_FORMAT(reason));
    tell(of, SIDE_CLOSE);
}

static void on_freed(dx_ws *ws)
{
    side *of = ws->endpoint->handler.context;

    of->freed++;
    of->ws = NULL;
}

void side_init(side *of, const dx_ws_config *config)
{
    dx_ws_config quiet = DX_WS_CONFIG_DEFAULT;

    quiet.ping_ms = 0;
    *of = (side){.endpoint = {.handler = {.open = on_open,
                                          .message = on_message,
                                          .room = on_room,
                                          .close = on_close,
                                          .context = of},
                              .config = config ? *config : quiet,
                              .freed = on_freed}};
}

void side_deinit(side *of)
{
    dx_assert(of->ws == NULL && of->freed == of->opens && of->closes == of->opens);
    dx_buffer_clear(&of->in);
}

static size_t never_on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at, (void)size;
    return 0;
}

static void never_on_closed(dx_conn *conn, dx_err why)
{
    (void)conn, (void)why;
}

void side_begin(side *of, dx_ws_worker *worker, int fd, dx_ws_role role,
                const dx_ws_deflate_params *params)
{
    static const dx_conn_ops ops = {.on_bytes = never_on_bytes, .on_closed = never_on_closed};
    dx_conn *conn = dx_conn_accept(worker->net, fd, &ops, NULL);
    dx_ws *ws = dx_ws_new(worker, &of->endpoint, role, params);

    dx_assert(conn && ws);
    dx_ws_begin(ws, conn);
}

/* ---- one session and a bare peer -------------------------------------------------------------- */

void stage_init(stage *s, dx_ws_role role, const dx_ws_config *config, const dx_net_limits *limits)
{
    int fds[2];

    memset(s, 0, sizeof *s);
    s->role = role;
    world_init(&s->w, limits);
    dx_ws_worker_init(&s->worker, &s->w.net);
    side_init(&s->us, config);
    tcp_pair(fds);
    dx_socket_tune(fds[1]); /* what the peer writes leaves at once */
    peer_open(&s->other, fds[1]);
    side_begin(&s->us, &s->worker, fds[0], role, NULL);
}

void stage_deinit(stage *s)
{
    if (s->us.ws)
        dx_conn_abort(s->us.ws->conn, DX_OK, false);
    for (int i = 0; i < 1000 && s->w.net.conns_count > 0; i++)
        dx_loop_step(s->w.loop, 10);
    dx_ws_worker_deinit(&s->worker);
    world_deinit(&s->w);
    side_deinit(&s->us);
    peer_close(&s->other);
}

void stage_send(stage *s, uint8_t first, const void *payload, size_t size)
{
    static const uint8_t key[4] = {0x11, 0x9a, 0x00, 0xff};
    uint8_t head[14];
    size_t head_size = 0;
    uint8_t mask_bit = s->role == DX_WS_SERVER ? 0x80 : 0;
    uint8_t *frame = malloc(sizeof head + size);

    dx_assert(frame != NULL);
    head[head_size++] = first;
    if (size < 126) {
        head[head_size++] = (uint8_t)(mask_bit | size);
    } else if (size < 65536) {
        head[head_size++] = mask_bit | 126;
        head[head_size++] = (uint8_t)(size >> 8);
        head[head_size++] = (uint8_t)size;
    } else {
        head[head_size++] = mask_bit | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[head_size++] = (uint8_t)((uint64_t)size >> shift);
    }
    if (mask_bit) {
        memcpy(head + head_size, key, 4);
        head_size += 4;
    }
    memcpy(frame, head, head_size);
    dx_copy(frame + head_size, payload, size);
    for (size_t i = 0; mask_bit && i < size; i++)
        frame[head_size + i] ^= key[i & 3];
    peer_write(&s->w, &s->other, dx_bytes_at(frame, head_size + size));
    free(frame);
}

bool stage_next(stage *s, uint8_t *first, dx_buffer *payload)
{
    dx_bytes in = dx_buffer_view(&s->other.in);
    dx_ws_rules rules = {.payload_bytes_max = 1 << 30,
                         .role = s->role == DX_WS_SERVER ? DX_WS_CLIENT : DX_WS_SERVER,
                         .deflate = true};
    dx_ws_head head;
    uint8_t first_byte = in.size ? in.at[0] : 0;

    if (dx_ws_head_read(&in, &rules, &head) != DX_WS_OK || in.size < head.payload_size)
        return false;
    size_t size = (size_t)head.payload_size;
    payload->size = 0;
    bool ok = dx_buffer_append(payload, (dx_bytes){in.at, size});
    dx_assert(ok);
    if (head.masked)
        dx_ws_mask(payload->at, size, head.mask, 0);
    *first = first_byte;
    dx_buffer_consume(&s->other.in, s->other.in.size - in.size + size);
    return true;
}

void stage_expect(stage *s, uint8_t first, const void *payload, size_t size)
{
    dx_buffer got = {0};
    uint8_t byte = 0;
    bool found = false;

    for (int i = 0; i < 1000 && !found && !s->other.is_reset; i++) {
        peer_read(&s->other, SIZE_MAX);
        found = stage_next(s, &byte, &got);
        if (!found)
            dx_loop_step(s->w.loop, 5);
    }
    dx_assert(found);
    dx_assert(byte == first && got.size == size &&
              (size == 0 || memcmp(got.at, payload, size) == 0));
    dx_buffer_clear(&got);
}

uint16_t stage_expect_close(stage *s)
{
    dx_buffer got = {0};
    uint8_t byte = 0;
    bool found = false;

    for (int i = 0; i < 1000 && !found && !s->other.is_reset; i++) {
        peer_read(&s->other, SIZE_MAX);
        found = stage_next(s, &byte, &got);
        if (!found)
            dx_loop_step(s->w.loop, 5);
    }
    dx_assert(found && byte == 0x88);
    uint16_t code = DX_WS_CLOSE_NO_CODE;
    if (got.size >= 2)
        code = (uint16_t)(got.at[0] << 8 | got.at[1]);
    dx_buffer_clear(&got);
    return code;
}

void stage_expect_end(stage *s)
{
    for (int i = 0; i < 2000 && !s->other.is_ended && !s->other.is_reset; i++) {
        dx_loop_step(s->w.loop, 5);
        peer_read(&s->other, SIZE_MAX);
    }
    dx_assert(s->other.is_ended || s->other.is_reset);
    dx_assert(s->other.in.size == 0);
}

/* ---- two sessions ----------------------------------------------------------------------------- */

void pair_init(pair *p, const dx_ws_config *config, const dx_ws_deflate_params *params)
{
    int fds[2];

    memset(p, 0, sizeof *p);
    p->bytes_max = 4000;
    p->seed = 1;
    world_init(&p->w, NULL);
    dx_ws_worker_init(&p->worker, &p->w.net);
    side_init(&p->server, config);
    side_init(&p->client, config);
    socket_pair(fds);
    p->relay[0] = fds[1];
    side_begin(&p->server, &p->worker, fds[0], DX_WS_SERVER, params);
    socket_pair(fds);
    p->relay[1] = fds[1];
    side_begin(&p->client, &p->worker, fds[0], DX_WS_CLIENT, params);
}

/* Moves a piece from one to the other; what cannot be taken now waits. */
static void relay(pair *p, int from, int to)
{
    uint8_t piece[65536];
    dx_buffer *waiting = &p->waiting[from];
    size_t size = dx_min_size(1 + next_random(&p->seed) % p->bytes_max, sizeof piece);

    if (p->relay[from] < 0 || p->relay[to] < 0)
        return;
    if (waiting->size == 0) {
        ssize_t got = recv(p->relay[from], piece, size, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            shutdown(p->relay[to], SHUT_WR);
            return;
        }
        bool ok = dx_buffer_append(waiting, dx_bytes_at(piece, (size_t)got));
        dx_assert(ok);
    }
    ssize_t sent = send(p->relay[to], waiting->at, waiting->size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        dx_buffer_consume(waiting, (size_t)sent);
    else if (errno != EAGAIN)
        dx_buffer_clear(waiting); /* the other end is gone; so will this be */
}

void pair_turn(pair *p)
{
    relay(p, 0, 1);
    relay(p, 1, 0);
    dx_loop_step(p->w.loop, 0);
}

void pair_deinit(pair *p)
{
    side *sides[] = {&p->server, &p->client};

    for (size_t i = 0; i < 2; i++)
        if (sides[i]->ws)
            dx_conn_abort(sides[i]->ws->conn, DX_OK, false);
    for (int i = 0; i < 1000 && p->w.net.conns_count > 0; i++)
        dx_loop_step(p->w.loop, 10);
    dx_ws_worker_deinit(&p->worker);
    world_deinit(&p->w);
    side_deinit(&p->server);
    side_deinit(&p->client);
    for (size_t i = 0; i < 2; i++) {
        if (p->relay[i] >= 0)
            close(p->relay[i]);
        dx_buffer_clear(&p->waiting[i]);
    }
}
