/* One message to many streams.
 * SPDX-License-Identifier: MIT */
#include "serve/api.h"

#include "codec/json.h"
#include "serve/door.h"
#include "serve/text.h"

#include <duplex/stream.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    STREAMS_MAX = 1000,
    DEPTH_MAX = 64,
    UNDER_WAY_MAX = 32768, /* for all requests together: half of what waits in a mailbox */
};

struct publish_op;

typedef struct target {
    dx_post post;
    struct publish_op *op;
    dx_bytes path; /* in op->text */
    dx_err err;
    uint8_t offset[DX_OFFSET_SIZE];
} target;

typedef struct publish_op {
    dx_api *api;
    dx_server *server;
    dx_exchange *x; /* NULL: the client has gone */
    uint8_t *text;  /* what strings in the body mean */
    size_t text_size;
    dx_bytes type, payload;
    size_t targets_count, left_count;
    size_t places_count; /* of api->publishes_count */
    target targets[];
} publish_op;

static void op_free(publish_op *op)
{
    op->api->publishes_count -= op->places_count;
    free(op->text);
    free(op);
}

/* ---- the answer ------------------------------------------------------------------------------- */

typedef struct verdict {
    unsigned status;
    const char *detail;
} verdict;

static verdict verdict_of(dx_err err)
{
    switch ((int)err) {
    case DX_OK: return (verdict){200, NULL};
    case DX_ERR_NAME: return (verdict){404, "No namespace has streams of this name."};
    case DX_ERR_NOT_FOUND: return (verdict){404, "There is no such stream; it is made by PUT."};
    case DX_ERR_TOO_LARGE: return (verdict){413, "The namespace takes no message of this size."};
    case DX_ERR_CONFLICT:
        return (verdict){409, "The stream has another type, or this is not what the type says."};
    case DX_ERR_CLOSED: return (verdict){409, "The stream is closed, or the server is going away."};
    case DX_ERR_BUSY: return (verdict){429, "Too many at once; try again later."};
    case DX_ERR_MEMORY: return (verdict){503, "Out of memory, try again later."};
    }
    return (verdict){503, "It could not be kept on disk; what became of it is not known."};
}

static void add_result(dx_text *t, const target *of)
{
    verdict v = verdict_of(of->err);

    dx_text_add(t, "{\"stream\":");
    dx_text_add_json(t, of->path);
    dx_text_add(t, ",\"status\":%u", v.status);
    if (v.detail)
        dx_text_add(t, ",\"detail\":\"%s\"}", v.detail);
    else
        dx_text_add(t, ",\"offset\":\"%.*s\"}", DX_OFFSET_SIZE, (const char *)of->offset);
}

static void answer(publish_op *op)
{
    dx_text text = {0};

    dx_text_add(&text, "{\"results\":[");
    for (size_t i = 0; i < op->targets_count; i++) {
        dx_text_add(&text, i > 0 ? "," : "");
        add_result(&text, &op->targets[i]);
    }
    dx_text_add(&text, "]}");
    if (text.is_cut)
        dx_door_no_memory(op->x);
    else
        dx_exchange_respond(op->x, &(dx_response){.type = DX_BYTES("application/json"),
                                                  .body = dx_buffer_view(&text.buffer)});
    dx_buffer_clear(&text.buffer);
}

static void leave(publish_op *op)
{
    if (--op->left_count > 0)
        return;
    if (op->x)
        answer(op);
    op_free(op);
}

static void on_back(dx_post *post)
{
    leave(DX_CONTAINER(post, target, post)->op);
}

/* On the stream's home. */
static void on_published(dx_err err, dx_bytes offset, void *context)
{
    target *t = context;

    t->err = err;
    memcpy(t->offset, offset.at, sizeof t->offset);
    t->post.run = on_back;
    if (dx_loop_post(t->op->server->admin.loop, &t->post) != DX_OK)
        dx_unreachable("more publishes under way than a mailbox takes");
}

/* ---- the request ------------------------------------------------------------------------------ */

static bool bad(dx_exchange *x, const char *detail)
{
    dx_exchange_problem(x, 400, detail);
    return false;
}

static bool find_string(publish_op *op, dx_bytes body, const char *name, dx_bytes *ret)
{
    dx_bytes value;

    if (!dx_json_object_find(body, dx_bytes_of(name), &value) ||
        dx_json_type_of(value) != DX_JSON_TEXT)
        return false;
    uint8_t *to = op->text + op->text_size;
    *ret = dx_bytes_at(to, dx_json_string_read(dx_json_trim(value), to));
    op->text_size += ret->size;
    return true;
}

/* "payload" is text, "json" any value. */
static bool read_message(publish_op *op, dx_bytes body)
{
    dx_bytes json;
    bool has_json = dx_json_object_find(body, DX_BYTES("json"), &json);
    bool has_payload = find_string(op, body, "payload", &op->payload);

    if (has_json == has_payload)
        return bad(op->x, "One of payload (a string) and json (any value) must be there.");
    op->type = has_json ? DX_BYTES("application/json") : DX_BYTES("text/plain");
    if (has_json)
        op->payload = dx_json_trim(json);
    dx_bytes type;
    if (find_string(op, body, "type", &type))
        op->type = type;
    else if (dx_json_object_find(body, DX_BYTES("type"), &type))
        return bad(op->x, "type must be a string: a media type.");
    return true;
}

static bool read_targets(publish_op *op, dx_bytes streams)
{
    dx_json_items items;
    dx_bytes element;

    if (!dx_json_items_init(&items, streams))
        return true;
    while (dx_json_array_next(&items, &element)) {
        if (dx_json_type_of(element) != DX_JSON_TEXT)
            return bad(op->x, "streams must be an array of paths.");
        uint8_t *to = op->text + op->text_size;
        dx_bytes path = dx_bytes_at(to, dx_json_string_read(dx_json_trim(element), to));
        op->text_size += path.size;
        op->targets[op->targets_count++] = (target){.op = op, .path = path};
    }
    return true;
}

/* How many elements `streams` has; 0: it is no array of 1 to STREAMS_MAX. */
static size_t count_targets(dx_bytes body, dx_bytes *streams)
{
    dx_json_items items;
    dx_bytes element;
    size_t count = 0;

    if (!dx_json_object_find(body, DX_BYTES("streams"), streams) ||
        dx_json_type_of(*streams) != DX_JSON_ARRAY || !dx_json_items_init(&items, *streams))
        return 0;
    while (count <= STREAMS_MAX && dx_json_array_next(&items, &element))
        count++;
    return count <= STREAMS_MAX ? count : 0;
}

static publish_op *op_new(dx_exchange *x, dx_api *api, size_t count)
{
    publish_op *op = calloc(1, sizeof *op + count * sizeof op->targets[0]);
    uint8_t *text =
        op ? malloc(2 * x->body.size + 1) : NULL; /* each string is read once, but for `type` */

    if (text == NULL) {
        free(op);
        return NULL;
    }
    op->server = api->server;
    op->x = x;
    op->text = text;
    op->places_count = count;
    op->api = api;
    api->publishes_count += count;
    return op;
}

static void publish(publish_op *op)
{
    op->left_count = op->targets_count + 1;
    for (size_t i = 0; i < op->targets_count; i++) {
        target *t = &op->targets[i];
        /* Once it is taken, `t` is the home's, who may have answered before this returns. */
        dx_err err = dx_publish(
            op->server,
            &(dx_publication){.stream = t->path, .type = op->type, .payload = op->payload},
            on_published, t);
        if (err == DX_OK)
            continue;
        t->err = err;
        op->left_count--;
    }
    leave(op);
}

void dx_api_publish(dx_exchange *x, void *api)
{
    size_t at, count;
    dx_bytes streams;

    if (dx_json_check(x->body, DEPTH_MAX, &at) != DX_JSON_OK ||
        dx_json_type_of(x->body) != DX_JSON_OBJECT) {
        bad(x, "The body must be a JSON object with streams and payload or json.");
        return;
    }
    count = count_targets(x->body, &streams);
    if (count == 0) {
        bad(x, "streams must be an array of 1 to 1000 paths.");
        return;
    }
    if (((const dx_api *)api)->publishes_count + count > UNDER_WAY_MAX) {
        dx_exchange_problem(x, 503, "Too many messages are under way from here; try again later.");
        return;
    }
    publish_op *op = op_new(x, api, count);
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    if (!read_message(op, x->body) || !read_targets(op, streams)) {
        op_free(op);
        return;
    }
    /* the views in x->body end with the handler: what is published is copied before */
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    publish(op);
}
