/* Requests for streams on the admin listener, on their way to a worker and back.
 * SPDX-License-Identifier: MIT */
#include "serve/admin_streams.h"

#include "base/assert.h"
#include "codec/http_list.h"
#include "serve/door.h"

#include <stdlib.h>

enum { VISITS_COUNT_MAX = 256, BODY_BYTES_MAX = 1048576, ANSWER_BYTES_MAX = 64 * 1048576 };

/* A prefix of streams, as the admin listener serves it. */
struct dx_admin_door {
    dx_admin_door *next;
    dx_stream_route route; /* with its prefix */
};

typedef struct visit {
    dx_post post; /* there, and back */
    dx_list link; /* in worker->visits, while it is there */
    dx_admin *admin;
    dx_worker *worker;
    dx_exchange *asked; /* the admin thread's; NULL: the client has gone */
    dx_exchange x;      /* what the worker answers, with copies of what was asked */
    dx_conn conn;       /* that it says it came on: of that only the loop is looked at */
    dx_response response;
    uint64_t length;
    dx_buffer body; /* of the response */
    bool is_short;  /* memory is out, or it is too large */
} visit;

static void visit_free(visit *v)
{
    dx_arena_deinit(&v->x.arena);
    dx_buffer_clear(&v->body);
    free(v);
}

/* ---- back on the admin thread ----------------------------------------------------------------- */

static void on_gone(dx_exchange *asked, void *context)
{
    visit *v = context;

    (void)asked;
    v->asked = NULL;
}

static void give(visit *v)
{
    dx_exchange *x = v->asked;

    dx_exchange_on_gone(x, NULL, NULL);
    if (v->is_short) {
        dx_exchange_problem(x, 503, "The answer takes more memory than there is for it.");
        return;
    }
    if (v->response.status == 0)
        v->response.status = 200;
    bool has_body =
        x->head.method != DX_HTTP_HEAD && v->response.status != 204 && v->response.status != 304;
    dx_exchange_start(x, &v->response, has_body ? v->body.size : DX_LENGTH_UNKNOWN);
    if (has_body)
        dx_exchange_put(x, dx_buffer_view(&v->body));
    dx_exchange_end(x);
}

static void on_back(dx_post *post)
{
    visit *v = DX_CONTAINER(post, visit, post);

    v->admin->visits_count--;
    if (v->asked)
        give(v);
    visit_free(v);
}

/* ---- the worker's exchange: what a carrier does, into memory ---------------------------------- */

static visit *visit_of(const dx_exchange *x)
{
    return x->carrier;
}

/* From here on it is the admin thread's. */
static void go_back(visit *v)
{
    dx_list_remove(&v->link);
    if (v->x.user) /* who asks, as the worker knows it */
        v->x.user_free(v->x.user);
    v->x.user = NULL;
    v->post.run = on_back;
    dx_err err = dx_loop_post(v->admin->loop, &v->post);
    dx_assert(err == DX_OK); /* there are fewer of them than a mailbox has places */
}

static void on_start(dx_exchange *x, const dx_response *response, uint64_t length)
{
    visit *v = visit_of(x);
    dx_header *headers = dx_arena_take(&x->arena, (response->headers_count + 1) * sizeof *headers);

    v->length = length;
    v->response.status = response->status;
    v->is_short = headers == NULL || !dx_arena_copy(&x->arena, response->type, &v->response.type);
    for (size_t i = 0; i < response->headers_count && !v->is_short; i++)
        v->is_short = !dx_arena_copy(&x->arena, response->headers[i].name, &headers[i].name) ||
                      !dx_arena_copy(&x->arena, response->headers[i].value, &headers[i].value);
    v->response.headers = headers;
    v->response.headers_count = response->headers_count;
}

static dx_send_result on_write(dx_exchange *x, dx_bytes piece)
{
    visit *v = visit_of(x);

    if (!v->is_short)
        v->is_short =
            v->body.size + piece.size > ANSWER_BYTES_MAX || !dx_buffer_append(&v->body, piece);
    return DX_SEND_QUEUED;
}

static bool on_is_busy(const dx_exchange *x)
{
    (void)x;
    return false;
}

static void on_end(dx_exchange *x)
{
    go_back(visit_of(x));
}

static void on_nothing(dx_exchange *x)
{
    (void)x;
}

static dx_conn *conn_of(const dx_exchange *x)
{
    return &visit_of(x)->conn;
}

static const dx_exchange_ops ops = {
    .start = on_start,
    .write = on_write,
    .is_busy = on_is_busy,
    .end = on_end,
    .want_room = on_nothing,
    .conn = conn_of,
    .wake = on_nothing,
    .flush = on_nothing,
};

/* An answer that goes on does not come back before it ends. */
static void on_get(dx_exchange *x, void *context)
{
    dx_bytes live;

    if (!dx_door_argument(x, "live", &live))
        return;
    if (dx_bytes_equal(live, DX_BYTES("sse")) ||
        (live.at == NULL &&
         dx_http_accepts_exactly(&x->head.fields, DX_BYTES("text/event-stream"))))
        dx_exchange_problem(x, 406,
                            "On the admin listener what comes next is told by live=long-poll.");
    else
        dx_door_get(x, context);
}

static void on_there(dx_post *post)
{
    visit *v = DX_CONTAINER(post, visit, post);
    dx_worker *w = v->worker;

    dx_list_append(&w->visits, &v->link);
    if (w->visits_are_over) { /* it does not answer any more, but the listener is there, if anybody is */
        dx_exchange_abandon(&v->x);
        v->is_short = true;
        go_back(v);
        return;
    }
    v->conn = (dx_conn){.net = &w->net, .io = {.fd = -1}};
    v->x.state = DX_EXCHANGE_READING;
    dx_exchange_found found = dx_exchange_find(&v->x, &v->admin->streams);
    v->x.state = DX_EXCHANGE_HANDLING;
    if (found == DX_FOUND)
        v->x.match.route->handle(&v->x, v->x.match.route->context);
    else
        dx_exchange_answer_unfound(&v->x, found);
}

/* ---- on the way there ------------------------------------------------------------------------- */

static bool copy_head(dx_exchange *to, const dx_exchange *from, dx_bytes path)
{
    const dx_http_fields *fields = &from->head.fields;
    dx_http_field *copies = dx_arena_take(&to->arena, (fields->count + 1) * sizeof *copies);
    bool is_whole = copies != NULL;

    to->head = from->head;
    to->head.fields.at = copies;
    for (size_t i = 0; i < fields->count && is_whole; i++) {
        copies[i].id = fields->at[i].id;
        is_whole = dx_arena_copy(&to->arena, fields->at[i].name, &copies[i].name) &&
                   dx_arena_copy(&to->arena, fields->at[i].value, &copies[i].value);
    }
    to->head.path = path;
    dx_bytes *const views[] = {&to->head.method_text, &to->head.target, &to->head.path,
                               &to->head.query, &to->head.host};
    for (size_t i = 0; i < DX_COUNT(views) && is_whole; i++)
        is_whole = views[i]->at == NULL || dx_arena_copy(&to->arena, *views[i], views[i]);
    to->body = from->body;
    return is_whole && (from->body.size == 0 || dx_arena_copy(&to->arena, from->body, &to->body));
}

static visit *visit_new(dx_exchange *asked, dx_admin *a, dx_bytes path)
{
    visit *v = calloc(1, sizeof *v);

    if (v == NULL)
        return NULL;
    v->admin = a;
    v->worker = &a->server->worker[0];
    v->asked = asked;
    v->post.run = on_there;
    v->x.ops = &ops;
    v->x.carrier = v;
    dx_list_init(&v->link);
    if (copy_head(&v->x, asked, path))
        return v;
    visit_free(v);
    return NULL;
}

/* The path without the prefix, still encoded; size 0: that is encoded itself, which nobody needs. */
static dx_bytes path_behind_prefix(dx_bytes path)
{
    const dx_bytes prefix = DX_BYTES(DX_ADMIN_STREAMS_PREFIX);
    bool has_it = path.size > prefix.size && memcmp(path.at, prefix.at, prefix.size) == 0;

    return has_it ? dx_bytes_at(path.at + prefix.size, path.size - prefix.size) : (dx_bytes){0};
}

static void on_request(dx_exchange *x, void *context)
{
    dx_admin *a = context;
    dx_bytes path = path_behind_prefix(x->head.path);

    if (path.size == 0) {
        dx_exchange_problem(x, 404, "Behind /streams comes the path of a stream.");
        return;
    }
    visit *v = a->visits_count < VISITS_COUNT_MAX ? visit_new(x, a, path) : NULL;
    if (v == NULL || dx_loop_post(v->worker->loop, &v->post) != DX_OK) {
        if (v)
            visit_free(v);
        dx_exchange_problem(x, 503, "Too many requests for streams wait here; try again later.");
        return;
    }
    a->visits_count++;
    dx_exchange_on_gone(x, on_gone, v);
}

dx_err dx_server_admin_streams(dx_server *s)
{
    const uint32_t methods =
        DX_BIT(DX_HTTP_GET) | DX_BIT(DX_HTTP_PUT) | DX_BIT(DX_HTTP_POST) | DX_BIT(DX_HTTP_DELETE);

    return dx_server_admin_route(
        s,
        &(dx_route){DX_ADMIN_STREAMS_PREFIX "/**", methods, BODY_BYTES_MAX, on_request, &s->admin},
        DX_ADMIN_HOLDER);
}

/* ---- its beginning and its end ---------------------------------------------------------------- */

/* Who runs the server may do what anybody may; what the program alone does stays the program's. */
static dx_access access_of(const dx_access *own)
{
    dx_access access = *own;

    for (unsigned i = 0; i < DX_ACTIONS_COUNT; i++)
        if (access.may[i] != DX_MAY_NOBODY || i == DX_ACTION_READ || i == DX_ACTION_PRESENCE)
            access.may[i] = DX_MAY_ANYONE;
    return access;
}

static dx_err add_door(dx_admin *a, const dx_stream_route *own, const char *pattern)
{
    size_t prefix_bytes = strlen(own->prefix) + 1;
    dx_admin_door *door = calloc(1, sizeof *door + prefix_bytes);

    if (door == NULL)
        return DX_ERR_MEMORY;
    memcpy(&door->route, own, sizeof door->route);
    memcpy(door->route.prefix, own->prefix, prefix_bytes);
    door->route.access = access_of(&own->access);
    door->next = a->doors;
    a->doors = door;
    const dx_route routes[] = {
        {pattern, DX_BIT(DX_HTTP_GET), 0, on_get, &door->route},
        {pattern, DX_BIT(DX_HTTP_PUT), BODY_BYTES_MAX, dx_door_put, &door->route},
        {pattern, DX_BIT(DX_HTTP_POST), BODY_BYTES_MAX, dx_door_post, &door->route},
        {pattern, DX_BIT(DX_HTTP_DELETE), 0, dx_door_delete, &door->route},
    };
    dx_err err = DX_OK;
    for (size_t i = 0; i < DX_COUNT(routes) && err == DX_OK; i++)
        err = dx_router_add(&a->streams, &routes[i]);
    return err;
}

dx_err dx_admin_streams_begin(dx_admin *a)
{
    const dx_router *router = &a->server->router;
    dx_err err = DX_OK;

    for (size_t i = 0; i < router->count && err == DX_OK; i++) {
        const dx_route *route = &router->entries[i].route;
        if (route->handle == dx_door_post)
            err = add_door(a, route->context, route->pattern);
    }
    return err;
}

void dx_admin_streams_end(dx_admin *a)
{
    dx_router_deinit(&a->streams);
    a->streams = (dx_router){0};
    for (dx_admin_door *door = a->doors, *next; door; door = next) {
        next = door->next;
        free(door);
    }
    a->doors = NULL;
}

void dx_admin_visits_hurry(dx_worker *w)
{
    for (dx_list *l = w->visits.next, *next; l != &w->visits; l = next) {
        next = l->next;
        dx_exchange_hurry(&DX_CONTAINER(l, visit, link)->x);
    }
}

void dx_admin_visits_end(dx_worker *w)
{
    w->visits_are_over = true;
    for (dx_list *l; (l = w->visits.next) != &w->visits;) {
        visit *v = DX_CONTAINER(l, visit, link);
        dx_exchange_abandon(&v->x);
        v->is_short = true;
        go_back(v);
    }
}
