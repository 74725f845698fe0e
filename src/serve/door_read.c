/* GET and HEAD of a stream: what has happened, at once; what goes on is handed to other doors.
 * Is:     Durable Streams 1.0 §5.5, §5.6, §10.1; of ours `last` and the choice among the live doors.
 * Is not: waiting (door_wait.c), SSE (door_sse.c), presence (door_presence.c).
 * Memory: one operation while a request waits for the stream's home worker.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "base/clock.h"
#include "codec/http_conditions.h"
#include "codec/http_list.h"
#include "codec/stream_rules.h"
#include "codec/stream_time.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_COUNT_MAX = 10000, READ_BYTES_MAX = 1048576, FRESH_S = 60 };

typedef struct get_op {
    dx_read read;
    const dx_stream_route *route;
    dx_exchange *x; /* NULL once the client has gone */
    uint8_t path[];
} get_op;

/* ---- history ---------------------------------------------------------------------------------- */

static bool is_at_end(const dx_read *read)
{
    return read->next.sequence == read->info.tail.sequence;
}

/* Where what is given begins. */
static dx_offset begin_of(const dx_read *read)
{
    if (read->last > 0 && read->count > 0)
        return (dx_offset){read->messages[0]->epoch, read->messages[0]->sequence - 1};
    if (read->last == 0 && read->position.kind == DX_OFFSET_AT)
        return read->position.at;
    return read->last == 0 && read->position.kind == DX_OFFSET_START ? read->info.start
                                                                     : read->next;
}

/* Seconds for which the answer stays what this URL means: not when the next message changes it, and not
 * beyond the stream's life. */
static uint64_t fresh_s(const dx_read *read)
{
    const dx_lifetime *life = &read->info.lifetime;
    bool is_from_cursor = read->last == 0 && read->position.kind == DX_OFFSET_AT;
    bool is_final = read->info.is_closed || (read->last == 0 && !is_at_end(read));
    uint64_t now_ms;

    /* A client that follows cursors goes on from what it gets; an empty answer would hold it up. */
    if (!is_final && !(is_from_cursor && read->count > 0))
        return 0;
    switch (life->kind) {
    case DX_LIFETIME_FOR_EVER: return FRESH_S;
    case DX_LIFETIME_IDLE: return dx_min_u64(FRESH_S, life->idle_s);
    case DX_LIFETIME_UNTIL:
        now_ms = dx_clock_wall_ms();
        return life->until_ms > now_ms ? dx_min_u64(FRESH_S, (life->until_ms - now_ms) / 1000) : 0;
    }
    dx_unreachable("dx_lifetime_kind outside its enum");
}

static void add_cache_control(dx_door_headers *h, const dx_stream_route *route, const dx_read *read)
{
    char text[80];
    bool is_public = route->access.may[DX_ACTION_READ] == DX_MAY_ANYONE;
    uint64_t seconds = fresh_s(read);
    int size;

    if (read->last == 0 && read->position.kind == DX_OFFSET_NOW) {
        dx_door_add(h, "Cache-Control", DX_BYTES("no-store"));
        return;
    }
    if (seconds > 0)
        size = snprintf(text, sizeof text, "%s, max-age=%u, stale-while-revalidate=%u",
                        is_public ? "public" : "private", (unsigned)seconds, (unsigned)seconds * 5);
    else
        size = snprintf(text, sizeof text, "%s, no-cache", is_public ? "public" : "private");
    dx_door_add_copy(h, "Cache-Control", dx_bytes_at(text, (size_t)size));
    /* An EventSource at the same URL gets events (RFC 9110 §12.5.5). */
    dx_door_add(h, "Vary", DX_BYTES("Accept"));
}

/* §10.1: none for `now`. Empty then. */
static dx_bytes add_etag(dx_door_headers *h, const dx_read *read)
{
    uint8_t text[DX_STREAM_ETAG_MAX];
    dx_stream_etag etag = {.identity = read->info.identity,
                           .start = begin_of(read),
                           .end = read->next,
                           .is_closed = read->info.is_closed && is_at_end(read)};

    if (read->last == 0 && read->position.kind == DX_OFFSET_NOW)
        return (dx_bytes){0};
    dx_door_add_copy(h, "ETag", dx_bytes_at(text, dx_stream_etag_write(&etag, text)));
    return h->at[h->count - 1].value;
}

static void add_position(dx_door_headers *h, const dx_read *read, const dx_wait_fields *wait)
{
    dx_door_add_offset(h, "Stream-Next-Offset", read->next);
    if (is_at_end(read))
        dx_door_add(h, "Stream-Up-To-Date", DX_BYTES("true"));
    if (is_at_end(read) && read->info.is_closed)
        dx_door_add(h, "Stream-Closed", DX_BYTES("true"));
    if (wait)
        dx_door_add_number(h, "Stream-Cursor", wait->cursor);
    if (wait && wait->is_preferred)
        dx_door_add(h, "Preference-Applied", DX_BYTES("wait"));
}

static uint64_t body_size(const dx_read *read, bool is_json)
{
    uint64_t size = is_json ? 2 + (read->count > 0 ? read->count - 1 : 0) : 0;

    for (size_t i = 0; i < read->count; i++)
        size += read->messages[i]->size;
    return size;
}

/* A JSON stream reads as an array, any other as its bytes in a row. */
static void write_body(dx_exchange *x, const dx_read *read, bool is_json)
{
    if (is_json)
        dx_exchange_put(x, DX_BYTES("["));
    for (size_t i = 0; i < read->count; i++) {
        if (is_json && i > 0)
            dx_exchange_put(x, DX_BYTES(","));
        dx_exchange_put(x, dx_message_payload(read->messages[i]));
    }
    if (is_json)
        dx_exchange_put(x, DX_BYTES("]"));
}

static dx_http_condition condition_of(const dx_exchange *x, dx_bytes etag)
{
    bool use_range;

    if (etag.size == 0)
        return DX_HTTP_CONDITION_PROCEED;
    return dx_http_conditions_check(DX_HTTP_GET, &x->head.fields,
                                    &(dx_http_validators){.exists = true, .etag = etag},
                                    &use_range);
}

void dx_door_answer_read(dx_exchange *x, const dx_stream_route *route, const dx_read *read,
                         const dx_wait_fields *wait)
{
    bool is_json = read->info.kind == DX_STREAM_JSON;
    dx_door_headers h = {0};

    add_position(&h, read, wait);
    add_cache_control(&h, route, read);
    dx_bytes etag = add_etag(&h, read);
    /* What anybody may have published is data, also to who opens its URL in a browser. */
    dx_door_add(&h, "Content-Security-Policy", DX_BYTES("default-src 'none'; sandbox"));
    dx_response response = {
        .type = dx_stream_info_type(&read->info), .headers = h.at, .headers_count = h.count};
    switch (condition_of(x, etag)) {
    case DX_HTTP_CONDITION_PROCEED: break;
    case DX_HTTP_CONDITION_NOT_MODIFIED:
        response.status = 304;
        dx_exchange_respond(x, &response);
        return;
    case DX_HTTP_CONDITION_FAILED:
        dx_exchange_problem(x, 412, "If-Match does not name what is here.");
        return;
    }
    dx_exchange_start(x, &response, body_size(read, is_json));
    write_body(x, read, is_json);
    dx_exchange_end(x);
}

/* ---- HEAD ------------------------------------------------------------------------------------- */

static void answer_head(dx_exchange *x, const dx_stream_info *info)
{
    uint8_t until[DX_STREAM_TIME_MAX];
    dx_door_headers h = {0};

    dx_door_add_offset(&h, "Stream-Next-Offset", info->tail);
    dx_door_add(&h, "Cache-Control", DX_BYTES("no-store"));
    if (info->is_closed)
        dx_door_add(&h, "Stream-Closed", DX_BYTES("true"));
    if (info->lifetime.kind == DX_LIFETIME_IDLE)
        dx_door_add_number(&h, "Stream-TTL", info->lifetime.idle_s);
    if (info->lifetime.kind == DX_LIFETIME_UNTIL)
        dx_door_add_copy(&h, "Stream-Expires-At",
                         dx_bytes_at(until, dx_stream_time_write(info->lifetime.until_ms, until)));
    dx_exchange_start(x,
                      &(dx_response){.type = dx_stream_info_type(info),
                                     .headers = h.at,
                                     .headers_count = h.count},
                      DX_LENGTH_UNKNOWN);
    dx_exchange_end(x);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void on_read(dx_read *read)
{
    get_op *op = DX_CONTAINER(read, get_op, read);
    dx_stream_status status = read->status;

    if (status == DX_STREAM_OK && read->info.kind == DX_STREAM_UNDECIDED && !read->info.is_closed)
        status = DX_STREAM_NOT_FOUND; /* somebody waits for it, but nothing was said yet */
    if (op->x && status != DX_STREAM_OK)
        dx_door_problem(op->x, status, &read->info);
    else if (op->x && op->x->head.method == DX_HTTP_HEAD)
        answer_head(op->x, &read->info);
    else if (op->x)
        dx_door_answer_read(op->x, op->route, read, NULL);
    dx_read_release(read);
    free(op);
}

static void read_now(dx_exchange *x, const dx_stream_route *route, const dx_read *what)
{
    get_op *op = malloc(sizeof *op + x->path.size);

    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    dx_copy(op->path, x->path.at, x->path.size);
    op->x = x;
    op->route = route;
    op->read = *what;
    op->read.ns = &route->ns;
    op->read.path = dx_bytes_at(op->path, x->path.size);
    op->read.done = on_read;
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    dx_hub_read(dx_door_hub(x), &op->read);
}

/* ---- the request ------------------------------------------------------------------------------ */

typedef enum wish_kind { WISH_BAD, WISH_HISTORY, WISH_WAIT, WISH_SSE } wish_kind;

static wish_kind bad(dx_exchange *x, const char *detail)
{
    dx_exchange_problem(x, 400, detail);
    return WISH_BAD;
}

/* RFC 7240 §4.3: Prefer: wait=10, among other preferences. What is no number is no preference. */
static void read_wait(const dx_exchange *x, dx_live_wish *wish)
{
    const dx_http_fields *f = &x->head.fields;
    dx_bytes list, element;

    for (const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_PREFER); field;
         field = dx_http_fields_next(f, field)) {
        list = field->value;
        while (!wish->has_wait && dx_http_list_next(&list, &element)) {
            dx_bytes name, value = dx_http_parameters_head(&element);
            if (dx_bytes_split(&value, '=', &name) && value.at &&
                dx_bytes_equal_nocase(dx_bytes_trim(name), DX_BYTES("wait")))
                wish->has_wait = dx_bytes_decimal(dx_bytes_trim(value), UINT32_MAX, &wish->wait_s);
        }
    }
}

/* Which door is meant: `live`, else what the client says it takes, else history. */
static wish_kind read_kind(dx_exchange *x, dx_bytes live, dx_live_wish *wish)
{
    read_wait(x, wish);
    if (dx_bytes_equal(live, DX_BYTES("long-poll")))
        return WISH_WAIT;
    if (dx_bytes_equal(live, DX_BYTES("sse")))
        return WISH_SSE;
    if (live.at)
        return bad(x, "live must be long-poll or sse.");
    wish->is_plain = dx_http_accepts_exactly(&x->head.fields, DX_BYTES("text/event-stream"));
    if (wish->is_plain)
        return WISH_SSE;
    return wish->has_wait ? WISH_WAIT : WISH_HISTORY;
}

/* Where an EventSource that has lost its connection goes on: the URL it opens again has the old offset. */
static bool read_last_event_id(dx_exchange *x, dx_live_wish *wish)
{
    dx_bytes id = dx_http_fields_value(&x->head.fields, DX_HTTP_LAST_EVENT_ID);

    if (id.size == 0)
        return true;
    wish->has_offset = true;
    wish->position.kind = dx_offset_read(id, &wish->position.at);
    if (wish->position.kind != DX_OFFSET_BAD)
        return true;
    dx_exchange_problem(x, 400, "Last-Event-ID must be the id of an event of this stream.");
    return false;
}

static wish_kind read_wish(dx_exchange *x, dx_live_wish *wish)
{
    dx_bytes live, offset, cursor;

    if (!dx_door_argument(x, "live", &live))
        return WISH_BAD;
    wish_kind kind = read_kind(x, live, wish);
    if (kind == WISH_BAD || !dx_door_argument(x, "offset", &offset) ||
        !dx_door_argument(x, "cursor", &cursor) ||
        !dx_door_position(x, wish->is_plain ? DX_OFFSET_NOW : DX_OFFSET_START, &wish->position))
        return WISH_BAD;
    wish->has_offset = offset.at != NULL;
    wish->has_cursor = cursor.at && dx_stream_cursor_read(cursor, &wish->cursor);
    if (kind == WISH_SSE && !read_last_event_id(x, wish))
        return WISH_BAD;
    if (live.at && !wish->has_offset)
        return bad(x,
                   "To wait for what comes next, say where to begin: offset=-1, now, or a cursor.");
    return kind;
}

static bool read_last(dx_exchange *x, wish_kind kind, bool has_offset, uint64_t *ret)
{
    dx_bytes last;

    if (!dx_door_argument(x, "last", &last))
        return false;
    if (last.at == NULL)
        return true;
    if (kind != WISH_HISTORY || has_offset)
        bad(x, "last goes with history only, and without offset.");
    else if (!dx_stream_number_read(last, READ_COUNT_MAX, ret) || *ret == 0)
        bad(x, "last must be a number of messages from 1 to 10000.");
    else
        return true;
    return false;
}

static bool read_limit(dx_exchange *x, uint64_t last, uint64_t *ret)
{
    dx_bytes limit;

    if (!dx_door_argument(x, "limit", &limit))
        return false;
    if (limit.at == NULL)
        return true;
    if (last > 0)
        bad(x, "limit goes with offset; last is a limit itself.");
    else if (!dx_stream_number_read(limit, READ_COUNT_MAX, ret) || *ret == 0)
        bad(x, "limit must be a number of messages from 1 to 10000.");
    else
        return true;
    return false;
}

static void get(dx_exchange *x, const dx_stream_route *route, const dx_grant *grant)
{
    dx_live_wish wish = {.limit = READ_COUNT_MAX, .grant = *grant};
    dx_read what = {.is_touch = true, .bytes_max = READ_BYTES_MAX};
    wish_kind kind = read_wish(x, &wish);

    if (kind == WISH_BAD || !read_last(x, kind, wish.has_offset, &what.last) ||
        !read_limit(x, what.last, &wish.limit))
        return;
    what.count_max = wish.limit;
    what.position = wish.position;
    dx_grant_limit_read(grant, &what);
    if (kind == WISH_WAIT)
        dx_door_wait(x, route, &wish);
    else if (kind == WISH_SSE)
        dx_door_sse(x, route, &wish);
    else
        read_now(x, route, &what);
}

void dx_door_get(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_bytes presence;
    dx_grant grant;

    x->sort = x->head.method == DX_HTTP_HEAD ? DX_SORT_HEAD : DX_SORT_READ;
    if (!dx_door_enter(x, route))
        return;
    if (x->head.method == DX_HTTP_HEAD) {
        if (dx_door_may(x, route, DX_ACTION_READ, &grant))
            read_now(x, route, &(dx_read){.position = {.kind = DX_OFFSET_NOW}});
        return;
    }
    if (!dx_door_argument(x, "presence", &presence))
        return;
    if (presence.at) {
        x->sort = DX_SORT_PRESENCE;
        if (dx_door_may(x, route, DX_ACTION_PRESENCE, &grant))
            dx_door_presence(x, route);
        return;
    }
    if (dx_door_may(x, route, DX_ACTION_READ, &grant))
        get(x, route, &grant);
}
