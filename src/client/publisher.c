/* Publishing to a stream of another server: each message once, whatever is lost on the way.
 * Is:     a producer: messages are numbered within an epoch, and sent again under their number. The first goes
 *         by POST, which also says of which type the stream is to be; those that follow by WebSocket, many at
 *         once; what that cannot take, or refuses, by POST, which says why.
 * Is not: requests (request.c), WebSockets (socket.c).
 * Source: Durable Streams 1.0 (idempotent producers); docs/streams.md for duplex.v1.
 * SPDX-License-Identifier: MIT */
#include "base/backoff.h"
#include "base/random.h"
#include "base/sized.h"
#include "client/publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_COUNT_MAX = 1000,
    QUEUE_BYTES_MAX = 16 << 20,
    UNDER_WAY_MAX = 64,
    FRAME_BYTES_MAX = 16000, /* beyond it goes by POST: the server's WebSocket may take less */
};

static dx_pub_message *first_of(const dx_publisher *p)
{
    return DX_CONTAINER(p->waiting.next, dx_pub_message, link);
}

/* ---- what became of a message ------------------------------------------------------------------ */

/* The first: it waits no more. The last thing to do: `done` may end the publisher. */
static void settle_first(dx_publisher *p, const dx_published *what)
{
    dx_pub_message *m = first_of(p);

    if (p->unsent == &m->link)
        p->unsent = m->link.next;
    dx_list_remove(&m->link);
    p->count--;
    p->bytes -= m->size;
    if (m->done)
        m->done(what, m->context);
    free(m);
}

void dx_pub_taken(dx_publisher *p, dx_bytes offset)
{
    p->base++;
    p->failures = 0;
    settle_first(p, &(dx_published){.err = DX_OK, .offset = offset, .text = dx_err_text(DX_OK)});
}

/* A number that was given and is known not to be taken ends its epoch: nothing that is on its way in that epoch
 * can be taken any more. */
void dx_pub_next_epoch(dx_publisher *p)
{
    p->epoch++;
    p->base = 0;
}

void dx_pub_refused(dx_publisher *p, unsigned status, const char *text)
{
    dx_pub_next_epoch(p);
    settle_first(p, &(dx_published){.err = dx_remote_err(status), .status = status, .text = text});
}

/* ---- waiting ----------------------------------------------------------------------------------- */

static void on_hold(void *context, dx_err err)
{
    dx_publisher *p = context;

    p->hold = NULL;
    if (err == DX_OK)
        dx_pub_flush(p);
}

void dx_pub_hold(dx_publisher *p, uint32_t after_ms)
{
    uint32_t wait_ms = dx_backoff_ms(++p->failures);

    if (p->hold == NULL && dx_client_after(p->client, after_ms > wait_ms ? after_ms : wait_ms,
                                           on_hold, p, &p->hold) != DX_OK)
        p->hold = NULL; /* the next message wakes it */
}

/* ---- by WebSocket ------------------------------------------------------------------------------ */

/* What was under way is not known to be taken: it is sent again, under its numbers. */
void dx_pub_cut(dx_publisher *p)
{
    p->sent = p->unanswered = 0;
    p->unsent = p->waiting.next;
    p->is_stalled = false;
}

static void on_open(dx_ws *ws, void *context)
{
    dx_publisher *p = context;

    if (dx_ws_subprotocol(ws).size == 0) {
        dx_socket_abandon(p->socket);
        p->socket = NULL;
        p->is_by_post = true;
    } else {
        p->ws = ws;
    }
    dx_pub_flush(p);
}

static void on_answer(dx_publisher *p, const dx_v1_server_frame *f)
{
    uint8_t offset[DX_OFFSET_SIZE];
    uint64_t epoch = 0, number = 0;
    bool is_number = dx_v1_number_read(dx_bytes_at(f->id, f->id_size), &epoch, &number);
    bool is_first = is_number && epoch == p->epoch && number == p->base && p->sent > 0;

    p->unanswered -= p->unanswered > 0;
    if (f->kind ==
        DX_V1_ERROR) /* it is put to HTTP, which says more, once all others are answered */
        p->is_stalled = true;
    bool is_taken = f->kind == DX_V1_ACK && is_first;
    bool is_settled = p->is_stalled && p->unanswered == 0;
    if (is_taken) {
        p->sent--;
        dx_offset_write(f->offset, offset);
    }
    if (is_settled)
        p->is_post_due = true;
    if (is_settled && !is_taken)
        dx_pub_cut(p);
    p->is_inside = true;
    if (is_taken)
        dx_pub_taken(p, dx_bytes_at(offset, f->is_duplicate ? 0 : sizeof offset));
    if (is_settled && is_taken)
        dx_pub_cut(p);
    dx_pub_leave(p);
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    dx_v1_server_frame frame;

    (void)ws;
    if (dx_v1_server_read(message->payload, &frame) == DX_V1_OK &&
        (frame.kind == DX_V1_ACK || frame.kind == DX_V1_ERROR))
        on_answer(context, &frame);
}

static void on_room(dx_ws *ws, void *context)
{
    dx_publisher *p = context;

    (void)ws;
    p->is_full = false;
    dx_pub_flush(p);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_publisher *p = context;

    (void)ws, (void)reason;
    p->ws = NULL;
    p->socket = NULL;
    p->is_full = false;
    dx_pub_cut(p);
    if (dx_remote_is_passing_close(code))
        dx_pub_hold(p, 0);
    else
        p->is_post_due = true; /* it says why */
    dx_pub_flush(p);
}

static void on_failed(void *context, dx_err err, unsigned status, const char *text)
{
    dx_publisher *p = context;

    (void)err, (void)text;
    p->socket = NULL;
    if (status == 101 || dx_remote_is_passing(status))
        dx_pub_hold(p, 0);
    else
        p->is_by_post = true;
    dx_pub_flush(p);
}

static dx_err open_socket(dx_publisher *p)
{
    static const char *const subprotocols[] = {DX_V1_NAME};
    char *silent = dx_remote_url(p->url, "read", "0");
    char *url = silent ? dx_remote_url(silent, "producer", p->id) : NULL;
    dx_ws_handler handler = {.open = on_open,
                             .message = on_message,
                             .room = on_room,
                             .close = on_close,
                             .context = p,
                             .failed = on_failed};
    dx_err err = url ? dx_socket_open(p->client, url, &handler,
                                      &(dx_connect_options){.subprotocols = subprotocols,
                                                            .subprotocols_count = 1,
                                                            .headers = p->headers + 1,
                                                            .headers_count = p->headers_count - 1},
                                      &p->socket)
                     : DX_ERR_MEMORY;
    free(silent);
    free(url);
    return err;
}

static bool fits(const dx_publisher *p)
{
    return DX_CONTAINER(p->unsent, dx_pub_message, link)->size <= FRAME_BYTES_MAX;
}

/* False: there is no room just now. */
static bool send_next(dx_publisher *p)
{
    uint8_t frame[DX_V1_ID_BYTES_MAX + 1 + FRAME_BYTES_MAX];
    char id[DX_V1_ID_BYTES_MAX];
    const dx_pub_message *m = DX_CONTAINER(p->unsent, dx_pub_message, link);
    int id_size = snprintf(id, sizeof id, "%" PRIu64 ".%" PRIu64, p->epoch, p->base + p->sent);
    size_t head = dx_v1_publish_write(dx_bytes_at(id, (size_t)id_size), frame);

    dx_copy(frame + head, m->bytes, m->size);
    p->is_full = dx_ws_send(p->ws, p->is_text ? DX_WS_MESSAGE_TEXT : DX_WS_MESSAGE_BINARY,
                            dx_bytes_at(frame, head + m->size)) != DX_SEND_QUEUED;
    if (p->is_full)
        return false;
    p->sent++;
    p->unanswered++;
    p->unsent = p->unsent->next;
    return true;
}

void dx_pub_flush(dx_publisher *p)
{
    if (p->is_inside || p->is_over || p->count == 0 || p->hold || p->request || p->is_stalled)
        return;
    bool is_post = !p->is_agreed || p->is_by_post || p->is_post_due;
    if (!is_post && p->socket == NULL && open_socket(p) != DX_OK)
        is_post = true;
    while (!is_post && p->ws && !p->is_full && p->unsent != &p->waiting &&
           p->sent < UNDER_WAY_MAX && fits(p) && send_next(p))
        ;
    bool is_too_large = p->ws && p->sent == 0 && !p->is_full && !fits(p);
    if ((is_post || is_too_large) && p->unanswered == 0)
        dx_pub_post(p);
}

/* ---- the program's ---------------------------------------------------------------------------- */

/* Until now it could not be freed. */
void dx_pub_leave(dx_publisher *p)
{
    p->is_inside = false;
    if (p->is_over)
        dx_pub_free(p);
    else
        dx_pub_flush(p);
}

void dx_pub_free(dx_publisher *p)
{
    dx_arena_deinit(&p->arena);
    dx_buffer_clear(&p->answer);
    free(p);
}

/* All that waits is told so. */
static void end_it(dx_publisher *p, dx_err err)
{
    dx_published what = {.err = err, .text = dx_err_text(err)};
    bool was_inside = p->is_inside;

    dx_list_remove(&p->begun.link);
    p->is_over = true;
    dx_alarm_cancel(p->hold);
    dx_socket_abandon(p->socket);
    dx_request_cancel(p->request);
    p->request = NULL;
    while (!dx_list_is_empty(&p->waiting))
        settle_first(p, &what);
    if (!was_inside)
        dx_pub_free(p);
}

static void on_end(dx_begun *begun, dx_err err)
{
    end_it(DX_CONTAINER(begun, dx_publisher, begun), err);
}

/* The URL, and fields of requests: first the type, then the program's. */
static bool copy_texts(dx_publisher *p, const char *url, const dx_publisher_options *o)
{
    dx_bytes copy;
    dx_header *headers = calloc(o->headers_count + 1, sizeof *headers);

    if (headers == NULL ||
        !dx_arena_copy(&p->arena, (dx_bytes){(const uint8_t *)url, strlen(url) + 1}, &copy)) {
        free(headers);
        return false;
    }
    p->url = (const char *)copy.at;
    headers[0] = (dx_header){DX_BYTES("Content-Type"), dx_bytes_of(o->type)};
    for (size_t i = 0; i < o->headers_count; i++)
        headers[i + 1] = o->headers[i];
    p->headers_count = o->headers_count + 1;
    p->headers = dx_headers_copy(&p->arena, headers, p->headers_count);
    free(headers);
    return p->headers != NULL;
}

static dx_err begin(dx_publisher *p, const char *url, const dx_publisher_options *o)
{
    uint8_t random[(DX_PUB_ID_BYTES - 1) / 2];
    dx_place place;

    if (o->type == NULL || o->type[0] == '\0')
        return DX_ERR_NAME;
    if (!copy_texts(p, url, o))
        return DX_ERR_MEMORY;
    dx_random_fill(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(p->id + 2 * i, 3, "%02x", random[i]);
    p->is_json = strstr(o->type, "json") != NULL;
    p->is_text = p->is_json || strncmp(o->type, "text/", 5) == 0;
    p->queue_count_max = o->queue_count_max ? o->queue_count_max : QUEUE_COUNT_MAX;
    p->queue_bytes_max = o->queue_bytes_max ? o->queue_bytes_max : QUEUE_BYTES_MAX;
    return dx_place_read(p->client, url, &p->arena,
                         &place); /* only to tell now what is wrong with it */
}

dx_err dx_client_publisher_sized(dx_client *client, const char *url,
                                 const dx_publisher_options *options, size_t options_size,
                                 dx_publisher **ret)
{
    dx_publisher_options o;
    dx_publisher *p = calloc(1, sizeof *p);

    if (p == NULL)
        return DX_ERR_MEMORY;
    p->client = client;
    dx_list_init(&p->waiting);
    p->unsent = &p->waiting;
    dx_client_begin(client, &p->begun, on_end);
    dx_err err =
        dx_sized_copy(&o, sizeof o, options, options_size) ? begin(p, url, &o) : DX_ERR_UNSUPPORTED;
    if (err != DX_OK) {
        dx_list_remove(&p->begun.link);
        dx_pub_free(p);
        return err;
    }
    *ret = p;
    return DX_OK;
}

dx_err dx_publisher_send(dx_publisher *p, dx_bytes payload, dx_published_done *done, void *context)
{
    if (p->count >= p->queue_count_max || payload.size > p->queue_bytes_max - p->bytes)
        return DX_ERR_BUSY;
    dx_pub_message *m = malloc(sizeof *m + payload.size);
    if (m == NULL)
        return DX_ERR_MEMORY;
    *m = (dx_pub_message){.done = done, .context = context, .size = payload.size};
    dx_copy(m->bytes, payload.at, payload.size);
    dx_list_init(&m->link);
    dx_list_append(&p->waiting, &m->link);
    if (p->unsent == &p->waiting)
        p->unsent = &m->link;
    p->count++;
    p->bytes += m->size;
    dx_pub_flush(p);
    return DX_OK;
}

size_t dx_publisher_waiting(const dx_publisher *p)
{
    return p->count;
}

void dx_publisher_free(dx_publisher *p)
{
    if (p)
        end_it(p, DX_ERR_CLOSED);
}
