/* What a console shows, gathered while somebody looks.
 * SPDX-License-Identifier: MIT */
#include "serve/console.h"

#include "base/clock.h"
#include "codec/json.h"
#include "net/socket.h"
#include "serve/door.h"
#include "stream/look.h"

#include <duplex/duplex.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 1000,
    WANTED_TICKS = 5, /* somebody asks again and again, and now and then nobody waits */
    KEPT = 5,
    ROWS_MAX = 200,    /* of each kind that are told */
    LOOKS_MAX = 20000, /* that a worker looks at, of each kind */
    ROW_BYTES = 320,   /* without a path */
    PATH_BYTES = 6 * DX_PATH_BYTES_MAX + 2,
};

/* Rows of JSON, those with the highest rank. */
typedef struct rows {
    struct {
        uint64_t rank;
        char *text;
    } at[ROWS_MAX];
    size_t count;
} rows;

struct dx_console {
    dx_server_owned owned;
    dx_server *server;
    dx_worker *worker; /* the first one, whose timer it is */
    dx_timer tick;
    dx_read read; /* is there somebody? */
    dx_post post; /* as in stats.c */
    atomic_bool is_allowed, is_under_way, is_over;
    uint32_t at, wanted_ticks;
    uint64_t streams_count, connections_count;
    rows streams, subscribers, connections;
};

/* ---- rows ------------------------------------------------------------------------------------- */

static void rows_clear(rows *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->at[i].text);
    r->count = 0;
}

/* Where one of that rank would be; ROWS_MAX: nowhere. */
static size_t rows_place(const rows *r, uint64_t rank)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->at[middle].rank >= rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void rows_add(rows *r, uint64_t rank, const char *text)
{
    size_t place = rows_place(r, rank);
    char *copy = place < ROWS_MAX ? strdup(text) : NULL;

    if (copy == NULL)
        return;
    if (r->count == ROWS_MAX)
        free(r->at[--r->count].text);
    memmove(&r->at[place + 1], &r->at[place], (r->count - place) * sizeof r->at[0]);
    r->at[place].rank = rank;
    r->at[place].text = copy;
    r->count++;
}

static bool rows_take(const rows *r, uint64_t rank)
{
    return rows_place(r, rank) < ROWS_MAX;
}

static const char *quoted(dx_bytes text, char to[PATH_BYTES])
{
    size_t size = dx_json_write_string(text, (uint8_t *)to, PATH_BYTES - 1);

    to[size < PATH_BYTES ? size : 0] = '\0';
    return to;
}

static const char *offset_of(dx_offset offset, char to[DX_OFFSET_SIZE + 1])
{
    dx_offset_write(offset, (uint8_t *)to);
    to[DX_OFFSET_SIZE] = '\0';
    return to;
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void on_stream(void *context, const dx_stream_figures *f)
{
    dx_console *c = context;
    char text[ROW_BYTES + PATH_BYTES], path[PATH_BYTES], tail[DX_OFFSET_SIZE + 1],
        recent[DX_OFFSET_SIZE + 1];

    if (!rows_take(&c->streams, f->written_ms))
        return;
    snprintf(text, sizeof text,
             "{\"path\":%s,\"tail\":\"%s\",\"recent\":\"%s\",\"count\":%" PRIu64 ",\"at\":%" PRIu64
             ",\"kept\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"subscribers\":%u,\"closed\":%s}",
             quoted(f->path, path), offset_of(f->tail, tail), offset_of(f->recent, recent),
             f->tail.sequence, f->written_ms, f->kept_count, f->kept_bytes, f->subscribers_count,
             f->is_closed ? "true" : "false");
    rows_add(&c->streams, f->written_ms, text);
}

static void on_subscriber(void *context, const dx_subscriber_figures *f)
{
    dx_console *c = context;
    char text[ROW_BYTES + PATH_BYTES], path[PATH_BYTES], at[DX_OFFSET_SIZE + 1];

    if (!rows_take(&c->subscribers, f->behind_count))
        return;
    snprintf(text, sizeof text,
             "{\"path\":%s,\"at\":\"%s\",\"behind\":%" PRIu64 ",\"state\":\"%s\"}",
             quoted(f->path, path), offset_of(f->at, at), f->behind_count,
             f->is_catching_up ? "catching_up" : "live");
    rows_add(&c->subscribers, f->behind_count, text);
}

static void look_at_connection(dx_console *c, const dx_conn *conn)
{
    char text[ROW_BYTES], peer[DX_ADDRESS_TEXT_BYTES] = "";
    dx_address address;

    if (!rows_take(&c->connections, conn->out_bytes))
        return;
    if (dx_conn_fd(conn) >= 0 && dx_socket_peer(dx_conn_fd(conn), &address))
        dx_address_format(&address, peer);
    if (strpbrk(peer, "\"\\")) /* a Unix socket of such a name */
        peer[0] = '\0';
    snprintf(text, sizeof text, "{\"peer\":\"%s\",\"kind\":\"%s\",\"tls\":%s,\"unsent\":%u}", peer,
             dx_ws_of(conn) ? "websocket" : "http", dx_conn_is_secure(conn) ? "true" : "false",
             conn->out_bytes);
    rows_add(&c->connections, conn->out_bytes, text);
}

static void look_at_worker(dx_console *c, dx_worker *w)
{
    uint32_t left = LOOKS_MAX;
    const dx_hub_look look = {.streams_max = LOOKS_MAX,
                              .subscribers_max = LOOKS_MAX,
                              .stream = on_stream,
                              .subscriber = on_subscriber,
                              .context = c};

    c->streams_count += dx_hub_look_at(dx_streams_hub(c->server->streams, w->index), &look);
    c->connections_count += w->net.conns_count;
    for (const dx_list *l = w->net.live.next; l != &w->net.live && left > 0; l = l->next, left--)
        look_at_connection(c, DX_CONTAINER(l, dx_conn, link));
}

/* ---- the message ------------------------------------------------------------------------------ */

static bool add_text(dx_buffer *to, const char *text)
{
    return dx_buffer_append(to, dx_bytes_of(text));
}

static bool add_rows(dx_buffer *to, const char *name, const rows *r)
{
    bool is_whole = add_text(to, ",\"") && add_text(to, name) && add_text(to, "\":[");

    for (size_t i = 0; i < r->count && is_whole; i++)
        is_whole = add_text(to, i > 0 ? "," : "") && add_text(to, r->at[i].text);
    return is_whole && add_text(to, "]");
}

static void publish(const dx_console *c)
{
    char head[ROW_BYTES];
    dx_buffer text = {0};

    snprintf(head, sizeof head,
             "{\"t\":%" PRIu64 ",\"streams_count\":%" PRIu64 ",\"connections_count\":%" PRIu64,
             dx_clock_wall_ms(), c->streams_count, c->connections_count);
    if (add_text(&text, head) && add_rows(&text, "streams", &c->streams) &&
        add_rows(&text, "subscribers", &c->subscribers) &&
        add_rows(&text, "connections", &c->connections) && add_text(&text, "}")) {
        dx_err ignored = dx_publish(c->server,
                                    &(dx_publication){.stream = dx_bytes_of(DX_CONSOLE_PATH),
                                                      .type = dx_bytes_of("application/json"),
                                                      .payload = dx_buffer_view(&text)},
                                    NULL, NULL);
        (void)ignored; /* the next one is a second away */
    }
    dx_buffer_clear(&text);
}

static void forget(dx_console *c)
{
    rows_clear(&c->streams);
    rows_clear(&c->subscribers);
    rows_clear(&c->connections);
    c->streams_count = c->connections_count = 0;
}

/* ---- gathering -------------------------------------------------------------------------------- */

static void pass_on(dx_console *c, uint32_t to)
{
    c->at = to;
    if (dx_loop_post(dx_workers_loop(c->server->workers, to), &c->post) != DX_OK)
        atomic_store(&c->is_under_way, false); /* that worker is too busy: not this time */
}

static void on_post(dx_post *post)
{
    dx_console *c = DX_CONTAINER(post, dx_console, post);
    const dx_server *s = c->server;

    if (atomic_load(&c->is_over)) /* a loop that ends runs what waits, and no others run any more */
        return;
    look_at_worker(c, &s->worker[c->at]);
    if (c->at + 1 < s->workers_count) {
        pass_on(c, c->at + 1);
        return;
    }
    publish(c);
    atomic_store(&c->is_under_way, false);
}

static void on_read(dx_read *read)
{
    dx_console *c = DX_CONTAINER(read, dx_console, read);
    bool has_somebody = (read->status == DX_STREAM_OK || read->status == DX_STREAM_GONE) &&
                        read->info.subscribers_count > 0;

    dx_read_release(read);
    c->wanted_ticks = has_somebody ? WANTED_TICKS : c->wanted_ticks - (c->wanted_ticks > 0);
    if (c->wanted_ticks == 0) {
        atomic_store(&c->is_under_way, false);
        return;
    }
    forget(c);
    pass_on(c, 0);
}

static void on_tick(dx_timer *timer)
{
    dx_console *c = DX_CONTAINER(timer, dx_console, tick);
    const dx_stream_route *route = dx_stream_route_of(c->server, dx_bytes_of(DX_CONSOLE_PATH));

    dx_timer_set(c->worker->loop, timer, TICK_MS);
    if (!atomic_load(&c->is_allowed) || atomic_exchange(&c->is_under_way, true))
        return;
    c->read = (dx_read){.ns = &route->ns,
                        .path = dx_bytes_of(DX_CONSOLE_PATH),
                        .position = {.kind = DX_OFFSET_NOW},
                        .done = on_read};
    dx_hub_read(dx_streams_hub(c->server->streams, c->worker->index), &c->read);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void console_free(dx_server_owned *owned)
{
    dx_console *c = DX_CONTAINER(owned, dx_console, owned);

    forget(c);
    free(c);
}

dx_err dx_server_console(dx_server *s)
{
    const dx_stream_options options = {
        .kept_count_max = KEPT,
        .type = "application/json",
        .access = {.read = DX_MAY_NOBODY,
                   .publish = DX_MAY_NOBODY,
                   .create = DX_MAY_NOBODY,
                   .remove = DX_MAY_NOBODY,
                   .presence = DX_MAY_NOBODY},
    };
    dx_console *c = calloc(1, sizeof *c);

    if (c == NULL)
        return DX_ERR_MEMORY;
    c->server = s;
    dx_server_own(s, &c->owned, console_free);
    dx_err err = dx_server_streams(s, DX_CONSOLE_PREFIX, &options);
    if (err == DX_OK)
        s->console = c;
    return err;
}

void dx_console_allow(dx_console *c)
{
    if (c)
        atomic_store(&c->is_allowed, true);
}

void dx_console_begin(dx_console *c, dx_worker *worker)
{
    if (c == NULL)
        return;
    c->worker = worker;
    c->post.run = on_post;
    dx_timer_init(&c->tick, on_tick);
    dx_timer_set(worker->loop, &c->tick, TICK_MS);
}

void dx_console_end(dx_console *c)
{
    if (c == NULL || c->worker == NULL)
        return;
    atomic_store(&c->is_over, true);
    dx_timer_clear(&c->tick);
}
