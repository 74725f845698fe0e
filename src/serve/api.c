/* Streams and the server, for programs that look after them.
 * SPDX-License-Identifier: MIT */
#include "serve/api.h"

#include "codec/stream_rules.h"
#include "serve/door.h"
#include "serve/gather.h"
#include "serve/text.h"
#include "stream/census.h"

#include <duplex/duplex.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ROWS_DEFAULT = 100,
    ROWS_MAX = 1000,
    LIST_WAIT_MS = 10000,
    DRAIN_MS_DEFAULT = 10000,
    DRAIN_MS_MAX = 3600000,
    BODY_BYTES_MAX = 1048576,
    PREFIX_SIZE = sizeof "/api/v1/streams" - 1,
};

static void answer_json(dx_exchange *x, dx_text *text)
{
    static const dx_header headers[] = {{DX_BYTES("Cache-Control"), DX_BYTES("no-store")}};

    if (text->is_cut)
        dx_door_no_memory(x);
    else
        dx_exchange_respond(x, &(dx_response){.type = DX_BYTES("application/json"),
                                              .headers = headers,
                                              .headers_count = DX_COUNT(headers),
                                              .body = dx_buffer_view(&text->buffer)});
    dx_buffer_clear(&text->buffer);
}

/* ---- a stream as JSON ------------------------------------------------------------------------- */

static void add_offset(dx_text *t, const char *name, dx_offset offset)
{
    uint8_t text[DX_OFFSET_SIZE];

    dx_offset_write(offset, text);
    dx_text_add(t, ",\"%s\":\"%.*s\"", name, (int)sizeof text, (const char *)text);
}

/* A bound that there is none of is left out. */
static void add_bound(dx_text *t, const char *before, const char *name, uint64_t bound,
                      uint64_t none)
{
    if (bound < none)
        dx_text_add(t, "%s\"%s\":%" PRIu64, before, name, bound);
    else
        dx_text_add(t, "%s\"%s\":null", before, name);
}

static void add_stream(dx_text *t, dx_bytes path, const dx_listed *row)
{
    const dx_retention *kept = &row->ns->retention;
    dx_bytes durability = dx_door_durability(row->ns);

    dx_text_add(t, "{\"path\":");
    dx_text_add_json(t, path);
    dx_text_add(t, ",\"type\":");
    dx_text_add_json(t, dx_stream_info_type(&row->info));
    add_offset(t, "start", row->info.start);
    add_offset(t, "tail", row->info.tail);
    dx_text_add(t, ",\"messages\":%" PRIu64 ",\"memory_bytes\":%" PRIu64,
                row->info.tail.sequence - row->info.start.sequence, row->memory_bytes);
    dx_text_add(t, ",\"subscribers\":%" PRIu32 ",\"closed\":%s,\"durability\":\"%.*s\"",
                row->info.subscribers_count, row->info.is_closed ? "true" : "false",
                DX_FORMAT(durability));
    dx_text_add(t, ",\"prefix\":");
    dx_text_add_json(t, dx_bytes_of(row->ns->prefix));
    add_bound(t, ",\"kept\":{", "count", kept->count_max, UINT32_MAX - 1);
    add_bound(t, ",", "bytes", kept->bytes_max, UINT64_MAX);
    add_bound(t, ",", "age_ms", kept->age_ms_max, UINT64_MAX);
    dx_text_add(t, "}}");
}

/* ---- the list --------------------------------------------------------------------------------- */

typedef struct list_op {
    dx_exchange *x; /* NULL: the client has gone */
    uint32_t limit;
    dx_bytes after, prefix; /* behind this struct */
    uint8_t bytes[];
} list_op;

static bool visit_list(dx_gather_part *part)
{
    const list_op *op = part->gather->question.context;
    dx_listing *listing = part->found;
    const dx_worker *w = part->worker;

    listing->after = op->after;
    listing->prefix = op->prefix;
    listing->count_max = op->limit;
    return dx_hub_list(dx_streams_hub(w->server->streams, w->index), listing);
}

static dx_bytes path_of(const dx_listed *row)
{
    return dx_bytes_at(row->path, row->path_size);
}

static bool is_before(const dx_listed *a, const dx_listed *b)
{
    int order = memcmp(a->path, b->path, dx_min_size(a->path_size, b->path_size));

    return order < 0 || (order == 0 && a->path_size < b->path_size);
}

/* The first of all rows that were not taken yet; `taken` by part. NULL: there is none. */
static const dx_listed *take_first(dx_gather *g, size_t *taken)
{
    const dx_listed *first = NULL;
    uint32_t of = 0;

    for (uint32_t i = 0; i < g->parts_count; i++) {
        const dx_listing *l = g->parts[i].found;
        const dx_listed *row = taken[i] < l->count ? l->rows[taken[i]] : NULL;
        if (row && (first == NULL || is_before(row, first)))
            first = row, of = i;
    }
    if (first)
        taken[of]++;
    return first;
}

static void write_list(dx_gather *g, dx_text *t)
{
    const list_op *op = g->question.context;
    size_t taken[DX_WORKERS_MAX] = {0};
    const dx_listed *row, *last = NULL;
    uint32_t count = 0;

    dx_text_add(t, "{\"streams\":[");
    for (; count < op->limit && (row = take_first(g, taken)) != NULL; count++) {
        dx_text_add(t, count > 0 ? "," : "");
        add_stream(t, path_of(row), row);
        last = row;
    }
    dx_text_add(t, "],\"next\":");
    if (count == op->limit && last)
        dx_text_add_json(t, path_of(last));
    else
        dx_text_add(t, "null");
    dx_text_add(t, "}");
}

static void finish_list(dx_gather *g)
{
    list_op *op = g->question.context;
    dx_text text = {0};

    for (uint32_t i = 0; op->x && i < g->parts_count; i++) {
        if (!g->parts[i].is_back) {
            dx_exchange_problem(op->x, 503,
                                "A worker does not answer; try again later.");
            op->x = NULL;
        } else if (((const dx_listing *)g->parts[i].found)->is_out_of_memory) {
            dx_door_no_memory(op->x);
            op->x = NULL;
        }
    }
    if (op->x == NULL)
        return;
    write_list(g, &text);
    answer_json(op->x, &text);
    op->x = NULL;
}

static void release_list(dx_gather *g)
{
    for (uint32_t i = 0; i < g->parts_count; i++)
        dx_listing_release(g->parts[i].found);
    free(g->question.context);
}

static bool read_number(dx_exchange *x, const char *name, uint64_t max, uint64_t *ret)
{
    dx_bytes text;
    char detail[128];

    if (!dx_door_argument(x, name, &text))
        return false;
    if (text.at == NULL || (dx_stream_number_read(text, max, ret) && *ret > 0))
        return true;
    snprintf(detail, sizeof detail, "%s must be a number from 1 to %" PRIu64 ".", name, max);
    dx_exchange_problem(x, 400, detail);
    return false;
}

static list_op *list_op_new(dx_exchange *x, dx_bytes after, dx_bytes prefix)
{
    list_op *op = calloc(1, sizeof *op + after.size + prefix.size);

    if (op == NULL)
        return NULL;
    dx_copy(op->bytes, after.at, after.size);
    dx_copy(op->bytes + after.size, prefix.at, prefix.size);
    op->x = x;
    op->after = dx_bytes_at(op->bytes, after.size);
    op->prefix = dx_bytes_at(op->bytes + after.size, prefix.size);
    return op;
}

static void on_list(dx_exchange *x, void *context)
{
    dx_server *s = context;
    dx_bytes after, prefix;
    uint64_t limit = ROWS_DEFAULT;

    if (!dx_door_argument(x, "after", &after) || !dx_door_argument(x, "prefix", &prefix) ||
        !read_number(x, "limit", ROWS_MAX, &limit))
        return;
    list_op *op = list_op_new(x, after, prefix);
    if (op) {
        op->limit = (uint32_t)limit;
        dx_exchange_on_gone(x, dx_door_forget, &op->x);
        if (dx_gather_begin(s, &(dx_gather_question){.home = s->admin.loop,
                                                     .visit = visit_list,
                                                     .finish = finish_list,
                                                     .release = release_list,
                                                     .context = op,
                                                     .found_bytes = sizeof(dx_listing),
                                                     .wait_ms = LIST_WAIT_MS}))
            return;
        dx_exchange_on_gone(x, NULL, NULL);
        free(op);
    }
    dx_door_no_memory(x);
}

/* ---- one stream ------------------------------------------------------------------------------- */

/* From the admin thread to the stream's home and back. */
typedef struct stream_op {
    dx_post post;
    dx_server *server;
    dx_exchange *x; /* the admin thread's; NULL: the client has gone */
    dx_worker *home;
    dx_read read;
    dx_delete remove;
    dx_stream_status status;
    dx_listed *row; /* of malloc */
    size_t path_size;
    uint8_t path[];
} stream_op;

static dx_bytes op_path(const stream_op *op)
{
    return dx_bytes_at(op->path, op->path_size);
}

static void answer_status(stream_op *op)
{
    if (op->status != DX_STREAM_OK) {
        dx_door_problem(op->x, op->status, NULL);
        return;
    }
    if (op->row == NULL) {
        dx_exchange_respond(op->x, &(dx_response){.status = 204});
        return;
    }
    dx_text text = {0};
    add_stream(&text, op_path(op), op->row);
    answer_json(op->x, &text);
}

static void on_home_again(dx_post *post)
{
    stream_op *op = DX_CONTAINER(post, stream_op, post);

    if (op->x)
        answer_status(op);
    free(op->row);
    free(op);
}

static void go_back(stream_op *op)
{
    op->post.run = on_home_again;
    dx_err err = dx_loop_post(op->server->admin.loop, &op->post);
    dx_assert(err == DX_OK); /* its mailbox has room for far more than it may have connections */
}

static void on_deleted(dx_delete *done)
{
    stream_op *op = DX_CONTAINER(done, stream_op, remove);

    op->status = done->status;
    go_back(op);
}

static void on_read(dx_read *done)
{
    stream_op *op = DX_CONTAINER(done, stream_op, read);

    op->status = done->status == DX_STREAM_GONE ? DX_STREAM_OK : done->status;
    dx_read_release(done);
    if (op->status == DX_STREAM_OK) {
        op->row = calloc(1, sizeof *op->row);
        if (op->row == NULL)
            op->status = DX_STREAM_MEMORY;
        else if (!dx_hub_find(dx_streams_hub(op->server->streams, op->home->index), op_path(op),
                              op->row))
            op->status = DX_STREAM_NOT_FOUND;
    }
    go_back(op);
}

/* It is loaded from the disk, if it is there. */
static void on_get_there(dx_post *post)
{
    stream_op *op = DX_CONTAINER(post, stream_op, post);

    op->read = (dx_read){.ns = dx_server_namespace_of(op->server, op_path(op)),
                         .path = op_path(op),
                         .position = {.kind = DX_OFFSET_NOW},
                         .done = on_read};
    dx_hub_read(dx_streams_hub(op->server->streams, op->home->index), &op->read);
}

static void on_delete_there(dx_post *post)
{
    stream_op *op = DX_CONTAINER(post, stream_op, post);

    op->remove = (dx_delete){.ns = dx_server_namespace_of(op->server, op_path(op)),
                             .path = op_path(op),
                             .done = on_deleted};
    dx_hub_delete(dx_streams_hub(op->server->streams, op->home->index), &op->remove);
}

static void begin_op(dx_exchange *x, dx_server *s, void (*there)(dx_post *))
{
    dx_bytes path = dx_bytes_at(x->path.at + PREFIX_SIZE, x->path.size - PREFIX_SIZE);

    if (path.size > DX_PATH_BYTES_MAX || dx_server_namespace_of(s, path) == NULL) {
        dx_exchange_problem(x, 404, "No namespace has streams of this name; see /api/v1/streams.");
        return;
    }
    stream_op *op = calloc(1, sizeof *op + path.size);
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    dx_copy(op->path, path.at, path.size);
    op->path_size = path.size;
    op->server = s;
    op->x = x;
    op->home = &s->worker[dx_streams_home(s->streams, path)];
    op->post.run = there;
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    if (dx_loop_post(op->home->loop, &op->post) == DX_OK)
        return;
    dx_exchange_on_gone(x, NULL, NULL);
    free(op);
    dx_exchange_problem(x, 503, "The worker that has this stream is too busy; try again later.");
}

static void on_get(dx_exchange *x, void *context)
{
    begin_op(x, context, on_get_there);
}

static void on_delete(dx_exchange *x, void *context)
{
    begin_op(x, context, on_delete_there);
}

/* ---- the server ------------------------------------------------------------------------------- */

static void on_server(dx_exchange *x, void *context)
{
    const dx_server *s = context;
    dx_text text = {0};

    dx_text_add(&text,
                "{\"version\":\"%s\",\"workers\":%" PRIu32
                ",\"loop\":\"%s\",\"draining\":%s,\"listen\":[",
                dx_version(), s->workers_count, dx_loop_name(s->worker[0].loop),
                atomic_load(&s->is_draining) ? "true" : "false");
    for (size_t i = 0; i < s->listens_count; i++) {
        char address[DX_ADDRESS_TEXT_BYTES];
        dx_address_format(&s->listens[i].address, address);
        dx_text_add(&text, i > 0 ? "," : "");
        dx_text_add_json(&text, dx_bytes_of(address));
    }
    dx_text_add(&text, "]}");
    answer_json(x, &text);
}

/* Once is enough; the answer is on its way before it begins. */
static void on_drain(dx_exchange *x, void *context)
{
    dx_server *s = context;
    uint64_t timeout_ms = DRAIN_MS_DEFAULT;

    if (!read_number(x, "timeout_ms", DRAIN_MS_MAX, &timeout_ms))
        return;
    dx_exchange_respond(x, &(dx_response){.status = 202});
    dx_server_drain(s, (uint32_t)timeout_ms);
}

static void api_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, dx_api, owned));
}

dx_err dx_server_api(dx_server *s)
{
    dx_api *api = calloc(1, sizeof *api);

    if (api == NULL)
        return DX_ERR_MEMORY;
    api->server = s;
    dx_server_own(s, &api->owned, api_free);
    const dx_route routes[] = {
        {"/api/v1/server", DX_BIT(DX_HTTP_GET), 0, on_server, s},
        {"/api/v1/drain", DX_BIT(DX_HTTP_POST), 0, on_drain, s},
        {"/api/v1/streams", DX_BIT(DX_HTTP_GET), 0, on_list, s},
        {"/api/v1/streams/**", DX_BIT(DX_HTTP_GET), 0, on_get, s},
        {"/api/v1/streams/**", DX_BIT(DX_HTTP_DELETE), 0, on_delete, s},
        {"/api/v1/publish", DX_BIT(DX_HTTP_POST), BODY_BYTES_MAX, dx_api_publish, api},
    };
    dx_err err = DX_OK;

    for (size_t i = 0; i < DX_COUNT(routes) && err == DX_OK; i++)
        err = dx_server_admin_route(s, &routes[i], DX_ADMIN_HOLDER);
    return err;
}
