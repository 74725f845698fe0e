/* duplex pub by POST: one after the other, each with what makes a second try no second message.
 * Source: RFC 9110 §9.2.2 (retrying), Durable Streams 1.0 (idempotent producers).
 * SPDX-License-Identifier: MIT */
#include "cli/pub.h"

#include <inttypes.h>

enum { TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 65536, HEADERS_MAX = 4 };

static void on_head(void *context, const dx_http_response_head *head)
{
    dx_pub *p = context;
    const dx_http_field *retry = dx_http_fields_find(&head->fields, DX_BYTES("Retry-After"));
    uint64_t seconds = 0;

    p->status = head->code;
    if (retry && dx_bytes_decimal(retry->value, 3600, &seconds))
        p->retry_after_ms = (uint32_t)seconds * 1000;
    if (!dx_buffer_append(&p->next_offset,
                          dx_http_fields_value(&head->fields, DX_HTTP_STREAM_NEXT_OFFSET)))
        dx_buffer_clear(&p->next_offset);
}

static void on_body(void *context, dx_bytes piece)
{
    dx_pub *p = context;

    piece.size = dx_min_size(piece.size, ANSWER_BYTES_MAX - p->answer.size);
    if (!dx_buffer_append(&p->answer, piece))
        dx_buffer_clear(&p->answer); /* it is for an error message only */
}

static void on_done(void *context)
{
    dx_pub *p = context;

    p->is_over = true;
    p->was_open = true;
}

static void on_failed(void *context, dx_err err, const char *text)
{
    dx_pub *p = context;

    p->is_over = true;
    p->status = 0;
    dx_cli_remote_failure_write(&p->remote, err, text, p->why);
}

/* Sends one request and waits for what becomes of it: p->status, 0 if no answer came. False: it cannot be
 * sent at all. */
static bool exchange(dx_pub *p, const dx_http_client_request *request)
{
    p->is_over = false;
    p->status = 0;
    p->retry_after_ms = 0;
    dx_buffer_clear(&p->next_offset);
    dx_buffer_clear(&p->answer);
    if (p->client == NULL)
        p->client =
            dx_http_client_new(&p->remote.origin, &(dx_http_client_handler){.head = on_head,
                                                                            .body = on_body,
                                                                            .done = on_done,
                                                                            .failed = on_failed,
                                                                            .context = p});
    dx_loop_step(p->remote.loop, 0); /* hears of a kept connection that has ended meanwhile */
    dx_err err = p->client ? dx_http_client_send(p->client, request) : DX_ERR_MEMORY;
    if (err != DX_OK) {
        dx_pub_say(p, p->sent_count,
                   err == DX_ERR_NAME ? "the type may hold only visible characters and blanks"
                                      : dx_err_text(err));
        return false;
    }
    while (!p->is_over)
        dx_loop_step(p->remote.loop, -1);
    return true;
}

static bool is_passing(unsigned status)
{
    static const unsigned passing[] = {0, 408, 425, 429, 500, 502, 503, 504};

    for (size_t i = 0; i < DX_COUNT(passing); i++)
        if (passing[i] == status)
            return true;
    return false;
}

/* Until there is an answer that counts. */
static bool exchange_for_good(dx_pub *p, const dx_http_client_request *request)
{
    char text[DX_CLI_REFUSAL_BYTES];

    for (;;) {
        if (!exchange(p, request))
            return false;
        if (p->status >= 200 && p->status <= 299)
            return true;
        if (p->status == 0)
            snprintf(text, sizeof text, "%s", p->why);
        else
            dx_cli_refusal_write(p->status, dx_buffer_view(&p->answer), text);
        if (!is_passing(p->status)) {
            dx_pub_say(p, p->sent_count, text);
            return false;
        }
        if (!dx_pub_may_retry(p, text, p->retry_after_ms))
            return false;
    }
}

/* A series is a producer's; a message by itself has a key. */
static size_t add_identity(const dx_pub *p, dx_header *headers, char number[24])
{
    dx_bytes key = dx_bytes_of(p->key);

    if (!p->is_series) {
        headers[0] = (dx_header){DX_BYTES("Idempotency-Key"), key};
        return 1;
    }
    int size = snprintf(number, 24, "%" PRIu64, p->sent_count - 1);
    headers[0] = (dx_header){DX_BYTES("Producer-Id"), key};
    headers[1] = (dx_header){DX_BYTES("Producer-Epoch"), DX_BYTES("0")};
    headers[2] = (dx_header){DX_BYTES("Producer-Seq"), dx_bytes_at(number, (size_t)size)};
    return 3;
}

static bool publish(dx_pub *p, dx_bytes message)
{
    char number[24];
    dx_header headers[HEADERS_MAX] = {{DX_BYTES("Content-Type"), dx_bytes_of(p->options->type)}};

    p->sent_count++;
    size_t count = 1 + add_identity(p, headers + 1, number);
    if (!exchange_for_good(p, &(dx_http_client_request){
                                  .method = DX_BYTES("POST"),
                                  .target = dx_buffer_view(&p->remote.target),
                                  .authority = p->remote.url.authority,
                                  .headers = headers,
                                  .headers_count = count,
                                  .body = message,
                                  .timeout_ms = TIMEOUT_MS,
                                  .keep_alive = p->is_series,
                              }))
        return false;
    dx_pub_done(p, dx_buffer_view(&p->next_offset), message.size);
    return true;
}

static bool finish(dx_pub *p)
{
    (void)p;
    return true;
}

bool dx_pub_create(dx_pub *p)
{
    dx_header type = {DX_BYTES("Content-Type"), dx_bytes_of(p->options->type)};

    return exchange_for_good(p, &(dx_http_client_request){
                                    .method = DX_BYTES("PUT"),
                                    .target = dx_buffer_view(&p->remote.target),
                                    .authority = p->remote.url.authority,
                                    .headers = &type,
                                    .headers_count = 1,
                                    .timeout_ms = TIMEOUT_MS,
                                    .keep_alive = true,
                                });
}

const dx_pub_door dx_pub_http = {publish, finish};
