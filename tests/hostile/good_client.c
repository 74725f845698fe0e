/* A client that means well.
 * SPDX-License-Identifier: MIT */
#include "tests/hostile/good_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *good_kind_name(good_kind kind)
{
    static const char *const names[] = {"h1", "h2", "ws"};
    return names[kind];
}

const char *good_open(good_client *g, const char *host, const char *port)
{
    dx_peer_url url;
    char text[300];

    memset(g, 0, sizeof *g);
    g->http1.fd = g->http2.peer.fd = g->ws.peer.fd = -1;
    snprintf(text, sizeof text, "ws://%s:%s/live/x", host, port);
    if (!dx_peer_url_parse(text, &url))
        return "no URL";
    const char *wrong = wst_client_connect(&g->ws, &url, NULL, GOOD_ANSWER_MS);
    if (wrong == NULL)
        wrong = wst_client_handshake(&g->ws, NULL);
    if (wrong)
        return wrong;
    if (dx_peer_connect(&g->http1, host, port, GOOD_ANSWER_MS) != DX_PEER_OK)
        return "cannot connect";
    return hw_open(&g->http2, host, port, 65535) ? NULL : "no HTTP/2";
}

void good_close(good_client *g)
{
    dx_peer_deinit(&g->http1);
    hw_close(&g->http2);
    wst_client_deinit(&g->ws);
}

static bool ask_http1(good_client *g)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: good\r\n\r\n";
    static const char status[] = "HTTP/1.1 200 ";
    size_t size;

    if (dx_peer_send(&g->http1, request, sizeof request - 1, GOOD_ANSWER_MS) != DX_PEER_OK ||
        dx_peer_need_mark(&g->http1, "\"ok\"}", &size, GOOD_ANSWER_MS) != DX_PEER_OK)
        return false;
    bool ok = memcmp(dx_peer_input(&g->http1), status, sizeof status - 1) == 0;
    dx_peer_skip(&g->http1, size);
    return ok;
}

static bool is_answered(const hw_conn *c)
{
    return c->ended_id == c->id;
}

static bool ask_http2(good_client *g)
{
    static const uint8_t ok = 0x88; /* RFC 7541 appendix A: :status 200 */
    hw_conn *c = &g->http2;
    uint8_t frame[256];
    size_t size = hw_get(frame, HW_END_STREAM | HW_END_HEADERS, c->id, "/healthz", NULL, 0);

    c->first_byte = 0;
    bool is_good = hw_send(c, frame, size, GOOD_ANSWER_MS) &&
                   hw_wait(c, is_answered, GOOD_ANSWER_MS) && c->first_byte == ok;
    c->id += 2;
    return is_good && c->resets == 0;
}

static bool ask_ws(good_client *g)
{
    char text[32];
    wst_buffer out = {0};
    size_t size = (size_t)snprintf(text, sizeof text, "message %zu", g->asked);

    wst_client_message(&g->ws, WST_TEXT, (const uint8_t *)text, size, 0, &out);
    dx_peer_status sent = dx_peer_send(&g->ws.peer, out.at, out.size, GOOD_ANSWER_MS);
    wst_buffer_deinit(&out);
    if (sent != DX_PEER_OK)
        return false;
    wst_event event = wst_client_next(&g->ws, GOOD_ANSWER_MS);
    return event.kind == WST_EVENT_MESSAGE && event.size == size &&
           memcmp(event.at, text, size) == 0;
}

bool good_ask(good_client *g)
{
    static bool (*const ask[])(good_client *) = {ask_http1, ask_http2, ask_ws};
    bool ok = true;

    for (int i = 0; i < GOOD_KINDS_COUNT; i++) {
        int64_t began_us = now_us();
        if (!ask[i](g))
            ok = false;
        else if (g->answered[i] < GOOD_WAITS_MAX)
            g->waits_us[i][g->answered[i]++] = now_us() - began_us;
    }
    g->asked++;
    return ok;
}

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

double good_wait_ms(good_client *g, good_kind kind, int of)
{
    size_t count = g->answered[kind];

    if (count == 0)
        return -1;
    qsort(g->waits_us[kind], count, sizeof(int64_t), compare_us);
    size_t index = count * (size_t)of / 100;
    return (double)g->waits_us[kind][index < count ? index : count - 1] / 1e3;
}
