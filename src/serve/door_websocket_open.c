/* The WebSocket door: from the request to the 101.
 * Is:     the query, who may, waiting for the stream and for the position. What is wrong is told by HTTP
 *         status; a gap to who speaks duplex.v1 once it is open, because a page cannot see a status.
 * Is not: the handshake of RFC 6455 (ws/server.h), the life that follows (door_websocket.c).
 * Memory: a waiting_room meanwhile.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"
#include "serve/door_websocket.h"

#include "base/assert.h"
#include "base/mutant.h"

#include <stdlib.h>

/* What the query asks for. */
typedef struct ws_wish {
    dx_position position;
    dx_on_slow on_slow;
    bool is_echo_off, is_read_off, is_write_off;
    bool is_present, may_see;
    bool is_personal, is_write_unwanted;
    bool has_depth; /* as in dx_read */
    uint32_t depth_max;
    dx_bytes member, data,
        producer; /* views of the exchange; of the waiting room, once it is there */
} ws_wish;

/* First the stream is watched, so that nothing is missed, then the position is looked up. */
typedef struct waiting_room {
    dx_watch watch;
    dx_read read;
    dx_exchange *x; /* NULL once the client has gone */
    dx_worker *worker;
    dx_principal *who; /* counted; NULL: it is for anyone */
    const dx_stream_route *route;
    dx_ws_handshake handshake;
    ws_wish wish;
    uint8_t bytes[]; /* of the wish's */
} waiting_room;

static dx_hub *hub_of(const waiting_room *r)
{
    return dx_streams_hub(r->worker->server->streams, r->worker->index);
}

static bool is_v1(const waiting_room *r)
{
    return r->handshake.subprotocol != 0; /* the endpoint has one */
}

static void waiting_room_free(waiting_room *r)
{
    dx_read_release(&r->read);
    if (r->watch.topic)
        dx_watch_end(&r->watch);
    dx_principal_unref(r->who);
    free(r);
}

/* ---- letting in ------------------------------------------------------------------------------- */

static const dx_encoding *encoding_for(const waiting_room *r)
{
    if (!is_v1(r))
        return &dx_raw_encoding;
    return r->wish.is_present ? &dx_v1_notes_encoding : &dx_v1_encoding;
}

static void begin_reading(dx_ws_door *d, const waiting_room *r, uint64_t next)
{
    dx_subscription wish = {
        .encoding = encoding_for(r),
        .variant = r->handshake.is_deflate ? r->handshake.params.server_bits : 0,
        .next = next + DX_MUTANT("join_misses_one") - (DX_MUTANT("join_repeats_one") && next > 1),
        .origin = r->wish.is_echo_off ? dx_origin_new(hub_of(r)) : 0,
        .on_slow = r->wish.on_slow,
    };

    if (d->is_v1)
        dx_wide_door_of(d)->is_caught_up_owed = true;
    dx_ws_door_read(d, &wish);
}

static bool wide_door_init(dx_wide_door *wide, const ws_wish *wish)
{
    wide->may_see = wish->may_see;
    wide->is_write_unwanted = wish->is_write_unwanted;
    wide->id_size = (uint8_t)wish->member.size;
    dx_copy(wide->id, wish->member.at, wish->member.size);
    return dx_buffer_append(&wide->producer, wish->producer);
}

static dx_ws_door *door_new(const waiting_room *r)
{
    dx_ws_door *d = dx_ws_door_new(r->worker, is_v1(r) || r->wish.is_present || r->who);

    if (d == NULL)
        return NULL;
    if (d->is_wide && !wide_door_init(dx_wide_door_of(d), &r->wish)) {
        dx_ws_door_free(r->worker, d);
        return NULL;
    }
    d->is_v1 = is_v1(r);
    d->is_write_off = r->wish.is_write_off;
    d->is_gap_ok = r->wish.on_slow == DX_ON_SLOW_LATEST;
    return d;
}

/* gap: NULL if there is none. */
static void let_in(waiting_room *r, uint64_t next, const dx_gap *gap)
{
    dx_ws_door *d = door_new(r);
    dx_exchange *x = r->x;

    r->x = NULL;
    if (d == NULL) {
        dx_door_no_memory(x);
        return;
    }
    dx_ws *ws = dx_ws_handshake_accept(x, &r->worker->ws, &r->route->endpoint, &r->handshake, d);
    if (ws == NULL) {
        dx_ws_door_free(r->worker, d);
        return;
    }
    d->ws = ws;
    d->topic = r->watch.topic; /* the watch is the door's from here on */
    r->watch.topic = NULL;
    if (gap)
        dx_v1_tell_gap(d, gap);
    if (!r->wish.is_read_off)
        begin_reading(d, r, next);
    if (r->who)
        dx_ws_door_hold(d, r->who);
    if (r->wish.is_present)
        dx_ws_door_join(d, r->wish.data);
    if (r->worker->drain_due_ms) /* it has begun since the request came */
        dx_door_websocket_drain(ws);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

static void on_position(dx_read *read)
{
    waiting_room *r = DX_CONTAINER(read, waiting_room, read);
    dx_gap gap = {r->wish.position.at, read->info.start, read->lost};

    if (r->x && read->status == DX_STREAM_OK)
        let_in(r, read->next.sequence + 1, NULL);
    else if (r->x && read->status == DX_STREAM_GONE && is_v1(r))
        let_in(r, gap.earliest.sequence + 1, &gap);
    else if (r->x)
        dx_door_problem(r->x, read->status, &read->info);
    waiting_room_free(r);
}

static void look_up(waiting_room *r)
{
    r->read = (dx_read){.ns = &r->route->ns,
                        .path = dx_topic_path(r->watch.topic),
                        .position = r->wish.position,
                        .has_depth = r->wish.has_depth,
                        .depth_max = r->wish.depth_max,
                        .is_touch = true,
                        .done = on_position};
    dx_hub_read(hub_of(r), &r->read);
}

static void on_watched(dx_watch *watch, dx_stream_status status)
{
    waiting_room *r = DX_CONTAINER(watch, waiting_room, watch);

    if (r->x && status != DX_STREAM_OK) {
        dx_door_problem(r->x, status, NULL);
        r->x = NULL;
    }
    if (r->x && r->wish.position.kind != DX_OFFSET_NOW && !r->wish.is_read_off) {
        look_up(r);
        return;
    }
    if (r->x)
        let_in(r, dx_topic_next(watch->topic), NULL);
    waiting_room_free(r);
}

static void on_gone(dx_exchange *x, void *context)
{
    waiting_room *r = context;

    r->x = NULL; /* freed when the stream answers */
}

/* ---- the request ------------------------------------------------------------------------------ */

static bool is_word(dx_bytes in, const char *word)
{
    return dx_bytes_equal(in, dx_bytes_of(word));
}

/* `name=0`; false: answered. */
static bool read_switch(dx_exchange *x, const char *name, bool *is_off)
{
    dx_bytes value;

    if (!dx_door_argument(x, name, &value))
        return false;
    if (value.at != NULL && !is_word(value, "0") && !is_word(value, "1")) {
        dx_exchange_problem(x, 400, "echo, read and write are 0 or 1.");
        return false;
    }
    *is_off = is_word(value, "0");
    return true;
}

static bool read_on_slow(dx_exchange *x, dx_on_slow *ret)
{
    dx_bytes value;

    if (!dx_door_argument(x, "on_slow", &value))
        return false;
    if (value.at == NULL || is_word(value, "catch_up")) {
        *ret = DX_ON_SLOW_CATCH_UP;
    } else if (is_word(value, "latest")) {
        *ret = DX_ON_SLOW_LATEST;
    } else if (is_word(value, "disconnect")) {
        *ret = DX_ON_SLOW_DISCONNECT;
    } else {
        dx_exchange_problem(x, 400, "on_slow is catch_up, latest or disconnect.");
        return false;
    }
    return true;
}

/* `presence` (with or without a value) joins; `member` alone is the id for later. */
static bool read_presence(dx_exchange *x, ws_wish *wish)
{
    if (!dx_door_argument(x, "presence", &wish->data) ||
        !dx_door_argument(x, "member", &wish->member))
        return false;
    wish->is_present = wish->data.at != NULL;
    switch (dx_presence_check(wish->member, wish->data)) {
    case DX_PRESENCE_BAD_ID:
        dx_exchange_problem(x, 400, "member is up to 64 bytes of UTF-8 without control bytes.");
        return false;
    case DX_PRESENCE_BAD_DATA:
        dx_exchange_problem(x, 400, "presence is up to 1024 bytes of JSON, or empty.");
        return false;
    case DX_PRESENCE_OK:
    case DX_PRESENCE_FULL:
    case DX_PRESENCE_MEMORY:
    case DX_PRESENCE_ENDED: return true;
    }
    dx_unreachable("dx_presence_status outside its enum");
}

/* Its numbers are what the ids of duplex.v1 are; a raw session has no ids. */
static bool read_producer(dx_exchange *x, dx_bytes *ret)
{
    if (!dx_door_argument(x, "producer", ret))
        return false;
    if (ret->at == NULL || dx_v1_id_is_good(*ret))
        return true;
    dx_exchange_problem(x, 400, "producer is 1 to 64 bytes of visible ASCII.");
    return false;
}

static bool read_wish(dx_exchange *x, ws_wish *ret)
{
    ws_wish wish = {0};

    if (!dx_door_position(x, DX_OFFSET_NOW, &wish.position) ||
        !read_switch(x, "echo", &wish.is_echo_off) || !read_switch(x, "read", &wish.is_read_off) ||
        !read_switch(x, "write", &wish.is_write_off) || !read_on_slow(x, &wish.on_slow) ||
        !read_presence(x, &wish) || !read_producer(x, &wish.producer))
        return false;
    *ret = wish;
    return true;
}

/* Who may only read gets a door that only reads; whoever wants what is refused is told. */
static bool check_access(dx_exchange *x, const dx_stream_route *route, ws_wish *wish)
{
    dx_grant read = {0}, publish = {0}, other = {0};

    if ((!wish->is_read_off && !dx_door_may(x, route, DX_ACTION_READ, &read)) ||
        (wish->is_present && !dx_door_may(x, route, DX_ACTION_PRESENCE, &other)))
        return false;
    if (read.by && read.by->has_history) {
        wish->has_depth = true;
        wish->depth_max = read.by->history_max;
    }
    wish->is_write_unwanted = wish->is_write_off;
    wish->may_see = dx_door_would(x, route, DX_ACTION_PRESENCE, &other);
    if (wish->is_read_off && !wish->is_write_off && !dx_door_may(x, route, DX_ACTION_PUBLISH, &publish))
        return false;
    bool may_write = dx_door_would(x, route, DX_ACTION_PUBLISH, &publish);
    if (!may_write && !wish->is_write_off && dx_asker_is_wrong(x)) /* it thinks that it may write */
        return dx_door_may(x, route, DX_ACTION_PUBLISH, &publish);
    wish->is_write_off |= !may_write;
    wish->is_personal = read.is_personal || publish.is_personal || other.is_personal;
    return true;
}

static waiting_room *room_new(dx_exchange *x, const dx_stream_route *route, const ws_wish *wish)
{
    waiting_room *r =
        calloc(1, sizeof *r + wish->member.size + wish->data.size + wish->producer.size);

    if (r == NULL)
        return NULL;
    r->watch.ready = on_watched;
    r->x = x;
    r->worker = dx_worker_of(x);
    r->route = route;
    r->wish = *wish;
    if (wish->is_personal)
        r->who = dx_principal_ref(dx_asker_of(x, route->server)->who);
    uint8_t *to = r->bytes;
    dx_bytes *const views[] = {&r->wish.member, &r->wish.data, &r->wish.producer};
    for (size_t i = 0; i < DX_COUNT(views); i++) {
        dx_copy(to, views[i]->at, views[i]->size);
        views[i]->at = to;
        to += views[i]->size;
    }
    return r;
}

void dx_door_websocket(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_ws_handshake handshake;
    ws_wish wish;

    x->sort = DX_SORT_WEBSOCKET;
    if (!dx_door_enter(x, route) || !dx_ws_handshake_check(x, &route->endpoint, &handshake) ||
        !read_wish(x, &wish) || !check_access(x, route, &wish))
        return;
    waiting_room *r = room_new(x, route, &wish);
    if (r == NULL) {
        dx_door_no_memory(x);
        return;
    }
    r->handshake = handshake;
    dx_exchange_on_gone(x, on_gone, r);
    if (dx_hub_watch(hub_of(r), &route->ns, x->path, &r->watch) == DX_OK)
        return;
    dx_principal_unref(r->who);
    free(r);
    dx_door_no_memory(x);
}
