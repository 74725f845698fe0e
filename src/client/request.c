/* HTTP requests of a client, on connections that are kept for the next.
 * SPDX-License-Identifier: MIT */
#include "client/client.h"

#include "base/sized.h"
#include "http/client.h"

#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, IDLE_MAX = 8, HEADERS_MAX = 100 };

/* One connection: to a server and as which. */
typedef struct line {
    dx_list link; /* in client->lines, the last used first */
    dx_client *client;
    dx_http_origin origin;
    dx_http_client *http;
    dx_request *request; /* NULL: idle */
    bool was_used;       /* so it may have ended meanwhile */
    char *host;
    size_t name_size;
    char name[]; /* how it is reached and the authority; behind it the host */
} line;

struct dx_request {
    dx_begun begun;
    dx_client *client;
    dx_arena arena;
    dx_place place;
    dx_lookup *lookup;          /* NULL: done */
    line *line;                 /* NULL: not on its way */
    dx_request_options options; /* copies */
    dx_request_handler handler;
    dx_bytes method;
    bool is_answered; /* a head has come */
    bool is_on_used;  /* went out on a connection that was used before */
};

dx_bytes dx_reply_header(const dx_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->headers_count; i++)
        if (dx_bytes_equal_nocase(reply->headers[i].name, dx_bytes_of(name)))
            return reply->headers[i].value;
    return (dx_bytes){NULL, 0};
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void line_free(line *l)
{
    dx_list_remove(&l->link);
    dx_http_client_free(l->http);
    dx_http_origin_deinit(&l->origin);
    free(l);
}

static void line_rest(line *l)
{
    dx_client *c = l->client;

    l->request = NULL;
    l->was_used = true;
    dx_list_remove(&l->link);
    dx_list_insert_before(c->lines.next, &l->link);
    if (c->idle_count++ < IDLE_MAX)
        return;
    for (dx_list *at = c->lines.prev; at != &c->lines; at = at->prev) {
        line *oldest = DX_CONTAINER(at, line, link);
        if (oldest->request == NULL) {
            c->idle_count--;
            line_free(oldest);
            return;
        }
    }
}

static void request_free(dx_request *r)
{
    dx_list_remove(&r->begun.link);
    dx_lookup_forget(r->lookup);
    dx_arena_deinit(&r->arena);
    free(r);
}

/* The line is free for another one when `done` is called, which may send one. */
static void finish(dx_request *r, dx_err err, const char *text)
{
    dx_request_handler handler = r->handler;
    line *l = r->line;

    r->line = NULL;
    if (l)
        line_rest(l);
    dx_list_remove(&r->begun.link);
    if (handler.done)
        handler.done(r, err, text, handler.context);
    request_free(r);
}

static void send_it(dx_request *r, bool is_fresh);

/* RFC 9110 §9.2.2: what may be repeated by itself when the connection was lost. */
static bool is_harmless(dx_bytes method)
{
    static const char *const harmless[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < DX_COUNT(harmless); i++)
        if (dx_bytes_equal(method, dx_bytes_of(harmless[i])))
            return true;
    return false;
}

static void on_head(void *context, const dx_http_response_head *head)
{
    line *l = context;
    dx_request *r = l->request;
    dx_header headers[HEADERS_MAX];
    dx_reply reply = {.status = head->code, .headers = headers};

    r->is_answered = true;
    for (size_t i = 0; i < head->fields.count && i < HEADERS_MAX; i++)
        headers[reply.headers_count++] =
            (dx_header){head->fields.at[i].name, head->fields.at[i].value};
    if (r->handler.head)
        r->handler.head(r, &reply, r->handler.context);
}

static void on_body(void *context, dx_bytes piece)
{
    dx_request *r = ((line *)context)->request;

    if (r && r->handler.body)
        r->handler.body(r, piece, r->handler.context);
}

static void on_done(void *context)
{
    finish(((line *)context)->request, DX_OK, dx_err_text(DX_OK));
}

static void on_failed(void *context, dx_err err, const char *text)
{
    line *l = context;
    dx_request *r = l->request;

    if (err == DX_ERR_RESET && r->is_on_used && !r->is_answered && is_harmless(r->method)) {
        r->line = NULL;
        line_rest(l);
        send_it(r, true);
        return;
    }
    finish(r, err, text);
}

static line *line_new(dx_request *r)
{
    dx_bytes authority = r->place.url.authority;
    size_t host_bytes = strlen(r->place.host) + 1;
    line *l = calloc(1, sizeof *l + authority.size + 1 + host_bytes);
    dx_conn_target to = r->place.to;

    if (l == NULL)
        return NULL;
    l->client = r->client;
    l->name[0] = r->place.url.is_secure ? 's' : 'p';
    dx_copy(l->name + 1, authority.at, authority.size);
    l->name_size = authority.size + 1;
    l->host = l->name + l->name_size;
    memcpy(l->host, r->place.host, host_bytes);
    to.host = l->host;
    dx_http_origin_init(&l->origin, &r->client->net, &to, DX_HTTP_VERSION_1_1);
    l->http = dx_http_client_new(
        &l->origin,
        &(dx_http_client_handler){
            .head = on_head, .body = on_body, .done = on_done, .failed = on_failed, .context = l});
    if (l->http == NULL) {
        free(l);
        return NULL;
    }
    dx_list_init(&l->link);
    dx_list_insert_before(r->client->lines.next, &l->link);
    return l;
}

static bool leads_there(const line *l, const dx_place *place)
{
    return l->request == NULL && (l->name[0] == 's') == place->url.is_secure &&
           dx_bytes_equal(dx_bytes_at(l->name + 1, l->name_size - 1), place->url.authority);
}

static line *line_to(dx_request *r, bool is_fresh)
{
    for (dx_list *at = r->client->lines.next; at != &r->client->lines && !is_fresh; at = at->next) {
        line *l = DX_CONTAINER(at, line, link);
        if (leads_there(l, &r->place)) {
            r->client->idle_count--;
            return l;
        }
    }
    return line_new(r);
}

void dx_lines_free(dx_client *c)
{
    while (!dx_list_is_empty(&c->lines))
        line_free(DX_CONTAINER(c->lines.next, line, link));
}

/* ---- sending ---------------------------------------------------------------------------------- */

static void send_it(dx_request *r, bool is_fresh)
{
    const dx_request_options *o = &r->options;
    line *l = line_to(r, is_fresh);
    dx_err err = DX_ERR_MEMORY;

    if (l) {
        r->line = l;
        l->request = r;
        r->is_on_used = l->was_used;
        err = dx_http_client_send(l->http, &(dx_http_client_request){
                                               .method = r->method,
                                               .target = r->place.target,
                                               .authority = r->place.url.authority,
                                               .headers = o->headers,
                                               .headers_count = o->headers_count,
                                               .body = o->body,
                                               .timeout_ms = o->timeout_ms,
                                               .silence_ms = o->silence_ms,
                                               .keep_alive = true,
                                           });
    }
    if (err != DX_OK)
        finish(r, err, dx_err_text(err));
}

static void on_found(void *context, dx_err err, const dx_address *address)
{
    dx_request *r = context;

    r->lookup = NULL;
    if (err != DX_OK) {
        finish(r, err, "the host was not found");
        return;
    }
    r->place.to.address = *address;
    send_it(r, false);
}

static dx_err copy_options(dx_request *r, const dx_request_options *o)
{
    const char *otherwise = o->body.size > 0 ? "POST" : "GET";

    if (o->body.size > DX_HTTP_CLIENT_BODY_MAX)
        return DX_ERR_TOO_LARGE;
    r->options = *o;
    r->options.timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    r->options.headers = dx_headers_copy(&r->arena, o->headers, o->headers_count);
    bool ok =
        r->options.headers &&
        dx_arena_copy(&r->arena, dx_bytes_of(o->method ? o->method : otherwise), &r->method) &&
        dx_arena_copy(&r->arena, o->body, &r->options.body);
    return ok ? DX_OK : DX_ERR_MEMORY;
}

static void on_end(dx_begun *begun, dx_err err)
{
    dx_request *r = DX_CONTAINER(begun, dx_request, begun);
    line *l = r->line;

    if (l) { /* what is under way on it is nobody's */
        r->line = NULL;
        line_free(l);
    }
    finish(r, err, dx_err_text(err));
}

dx_err dx_client_request_sized(dx_client *c, const char *url, const dx_request_options *options,
                               size_t options_size, const dx_request_handler *handler,
                               size_t handler_size, dx_request **ret)
{
    dx_request_options o;
    dx_request *r = calloc(1, sizeof *r);

    if (r == NULL)
        return DX_ERR_MEMORY;
    r->client = c;
    dx_client_begin(c, &r->begun, on_end);
    dx_err err = dx_sized_copy(&o, sizeof o, options, options_size) &&
                         dx_sized_copy(&r->handler, sizeof r->handler, handler, handler_size)
                     ? copy_options(r, &o)
                     : DX_ERR_UNSUPPORTED;
    if (err == DX_OK)
        err = dx_place_read(c, url, &r->arena, &r->place);
    if (err == DX_OK)
        err = dx_lookup_begin(c, &r->place, on_found, r, &r->lookup);
    if (err != DX_OK) {
        request_free(r);
        return err;
    }
    if (ret)
        *ret = r;
    return DX_OK;
}

void dx_request_cancel(dx_request *r)
{
    if (r == NULL)
        return;
    line *l = r->line;
    if (l) {
        l->request = NULL;
        line_free(l);
    }
    request_free(r);
}
