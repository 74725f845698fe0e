/* HTTP/2 connections that keep a server busy for nothing.
 * Is:     the price of resets and of frames that bring nothing; GOAWAY with ENHANCE_YOUR_CALM.
 * Is not: the limits of a head (http2_head.c, http2_frames.c), of time (http2.c).
 * Source: RFC 9113 §10.5; CVE-2019-9511 to -9518, CVE-2023-44487, CVE-2025-8671.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

enum { USELESS_BYTES_FREE = 1048576, USELESS_FACTOR = 8 };

static uint64_t now_us(const dx_http2 *h)
{
    return dx_loop_now_ns(h->conn->net->loop) / 1000;
}

bool dx_http2_pay_frame(dx_http2 *h)
{
    const dx_http2_config *config = &h->http->config.http2;

    if (dx_http2_bucket_pay(&h->frames, now_us(h), config->frames_burst,
                            config->frames_per_second) >= 0)
        return true;
    dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that bring nothing");
    return false;
}

/* The client's resets, and ours, which it may have provoked. One who has used up half of them is slowed
 * down: a page that goes away resets all that it had, and does not notice. */
bool dx_http2_pay_reset(dx_http2 *h)
{
    const dx_http2_config *config = &h->http->config.http2;
    int64_t left =
        dx_http2_bucket_pay(&h->resets, now_us(h), config->resets_burst, config->resets_per_second);

    if (left < 0) {
        dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "too many streams were reset");
        return false;
    }
    if (left < config->resets_burst / 2 && h->slowed_due_ms == 0 && h->state != H2_OVER) {
        h->slowed_due_ms = dx_conn_now_ms(h->conn) + config->slowed_ms;
        dx_conn_slow(h->conn, true);
        dx_http2_wake(h);
    }
    return true;
}

void dx_http2_earn_frames(dx_http2 *h, uint32_t count)
{
    dx_http2_bucket_earn(&h->frames, count, h->http->config.http2.frames_per_second);
}

/* More than an eighth of what came has to be of use, but for the first megabyte. */
bool dx_http2_check_useful(dx_http2 *h)
{
    if (h->in_bytes / USELESS_FACTOR <= h->useful_bytes + USELESS_BYTES_FREE)
        return true;
    dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "too many bytes that bring nothing");
    return false;
}
