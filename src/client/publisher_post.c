/* A publisher's messages by POST, one after the other.
 * SPDX-License-Identifier: MIT */
#include "client/publisher.h"

#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_BYTES_MAX = 16384, RETRY_S_MAX = 3600, DETAIL_BYTES_MAX = 1000 };

static void on_head(dx_request *request, const dx_reply *reply, void *context)
{
    dx_publisher *p = context;
    dx_bytes offset = dx_reply_header(reply, "Stream-Next-Offset");
    uint64_t seconds = 0;

    (void)request;
    p->status = reply->status;
    if (dx_bytes_decimal(dx_reply_header(reply, "Retry-After"), RETRY_S_MAX, &seconds))
        p->after_ms = (uint32_t)seconds * 1000;
    p->is_expected_told = dx_reply_header(reply, "Producer-Expected-Seq").size > 0;
    snprintf(p->offset, sizeof p->offset, "%.*s", DX_FORMAT(offset));
}

static void on_body(dx_request *request, dx_bytes piece, void *context)
{
    dx_publisher *p = context;

    (void)request;
    piece.size = dx_min_size(piece.size, ANSWER_BYTES_MAX - p->answer.size);
    if (!dx_buffer_append(&p->answer, piece))
        dx_buffer_clear(&p->answer); /* it is for a sentence only */
}

/* The sentence in a problem (RFC 9457 §3.1.4), NUL-terminated. */
static void read_detail(dx_publisher *p, char text[DETAIL_BYTES_MAX])
{
    dx_bytes answer = dx_buffer_view(&p->answer), detail;
    size_t error_at, size = 0;
    uint8_t *memory = malloc(answer.size + 1);

    if (memory && dx_json_check(answer, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK &&
        dx_json_object_find(answer, DX_BYTES("detail"), &detail) &&
        dx_json_type_of(detail) == DX_JSON_TEXT)
        size = dx_json_string_read(detail, memory);
    snprintf(text, DETAIL_BYTES_MAX, "the server answered %u%s%.*s", p->status,
             size > 0 ? ": " : "", (int)dx_min_size(size, DETAIL_BYTES_MAX - 64),
             size > 0 ? (const char *)memory : "");
    free(memory);
}

static void on_refused(dx_publisher *p)
{
    char text[DETAIL_BYTES_MAX];

    if (p->status == 409 && p->is_expected_told) { /* the server has forgotten this producer */
        dx_pub_next_epoch(p);
        dx_pub_hold(p, 0);
        return;
    }
    read_detail(p, text);
    dx_pub_refused(p, p->status, text);
}

static void on_done(dx_request *request, dx_err err, const char *text, void *context)
{
    dx_publisher *p = context;
    bool is_good = err == DX_OK && p->status >= 200 && p->status <= 299;

    (void)request, (void)text;
    p->request = NULL;
    p->is_inside = true;
    if (is_good) {
        p->is_agreed = true;
        p->is_post_due = false;
        dx_pub_taken(p, dx_bytes_of(p->offset));
    } else if (err != DX_OK || dx_remote_is_passing(p->status)) {
        dx_pub_hold(p, p->after_ms);
    } else {
        p->is_post_due = false;
        on_refused(p);
    }
    if (!p->is_over)
        dx_pub_cut(p);
    dx_pub_leave(p);
}

/* The server takes one JSON array apart: this one. */
static bool write_body(const dx_publisher *p, const dx_pub_message *m, dx_buffer *ret)
{
    dx_bytes payload = dx_bytes_at(m->bytes, m->size);

    return (!p->is_json || dx_buffer_append(ret, DX_BYTES("["))) &&
           dx_buffer_append(ret, payload) && (!p->is_json || dx_buffer_append(ret, DX_BYTES("]")));
}

static dx_err send_it(dx_publisher *p, dx_bytes body)
{
    static const dx_request_handler slots = {.head = on_head, .body = on_body, .done = on_done};
    dx_request_handler handler = slots;
    char epoch[24], number[24];
    dx_header *headers = calloc(p->headers_count + 3, sizeof *headers);

    if (headers == NULL)
        return DX_ERR_MEMORY;
    handler.context = p;
    snprintf(epoch, sizeof epoch, "%" PRIu64, p->epoch);
    snprintf(number, sizeof number, "%" PRIu64, p->base);
    for (size_t i = 0; i < p->headers_count; i++)
        headers[i] = p->headers[i];
    headers[p->headers_count] = (dx_header){DX_BYTES("Producer-Id"), dx_bytes_of(p->id)};
    headers[p->headers_count + 1] = (dx_header){DX_BYTES("Producer-Epoch"), dx_bytes_of(epoch)};
    headers[p->headers_count + 2] = (dx_header){DX_BYTES("Producer-Seq"), dx_bytes_of(number)};
    dx_err err = dx_client_request(p->client, p->url,
                                   &(dx_request_options){.method = "POST",
                                                         .headers = headers,
                                                         .headers_count = p->headers_count + 3,
                                                         .body = body},
                                   &handler, &p->request);
    free(headers);
    return err;
}

void dx_pub_post(dx_publisher *p)
{
    const dx_pub_message *m = DX_CONTAINER(p->waiting.next, dx_pub_message, link);
    dx_buffer body = {0};

    p->status = 0;
    p->after_ms = 0;
    p->is_expected_told = false;
    p->offset[0] = '\0';
    dx_buffer_clear(&p->answer);
    dx_err err = write_body(p, m, &body) ? send_it(p, dx_buffer_view(&body)) : DX_ERR_MEMORY;
    dx_buffer_clear(&body);
    if (err != DX_OK)
        dx_pub_hold(p, 0);
}
