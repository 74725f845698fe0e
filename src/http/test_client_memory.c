/* Every allocation of the client fails once, by HTTP/1.1 and by HTTP/2: each request comes to one end, an answer that
 * is told to be whole is, and nothing leaks (a sanitized build sees that).
 * SPDX-License-Identifier: MIT */
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

#include "http/test_client_scene.h"

#include <sys/socket.h>

enum { TURNS = 400, BODY_BYTES = 20000 };

static dx_http_version version; /* of the scenario */

/* SETTINGS and the acknowledgement of the client's; on streams 1 and 3 200, a field, and "hello" in two pieces. */
static const char http2_answer[] = "\0\0\0\4\0\0\0\0\0"
                                   "\0\0\0\4\1\0\0\0\0"
                                   "\0\0\5\1\4\0\0\0\1\x88\0\1x\0"
                                   "\0\0\3\0\0\0\0\0\1hel"
                                   "\0\0\2\0\1\0\0\0\1lo"
                                   "\0\0\1\1\4\0\0\0\3\x88"
                                   "\0\0\5\0\1\0\0\0\3hello";
static const char http1_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static dx_bytes answer(void)
{
    return version == DX_HTTP_VERSION_2 ? dx_bytes_at(http2_answer, sizeof http2_answer - 1)
                                        : dx_bytes_at(http1_answer, sizeof http1_answer - 1);
}

static void ask(scene *s, dx_bytes body)
{
    static const uint8_t large[BODY_BYTES];
    dx_http_client_request request = {.method = DX_BYTES("POST"),
                                      .target = DX_BYTES("/live/x"),
                                      .authority = DX_BYTES("test"),
                                      .body =
                                          body.size > 0 ? dx_bytes_at(large, sizeof large) : body,
                                      .timeout_ms = 2000,
                                      .keep_alive = true};
    dx_err err;
    bool ok = dx_buffer_reserve(&s->body, 64); /* what the test notes must not fail */

    CHECK(ok);
    FAILING(err = dx_http_client_send(s->client, &request));
    if (err == DX_OK)
        return;
    CHECK_INT(err, DX_ERR_MEMORY);
    CHECK(failmalloc_has_failed());
    s->faileds_count++;
    s->err = err;
}

static void check(scene *s)
{
    CHECK_INT(s->dones_count + s->faileds_count, 1);
    if (s->dones_count == 1)
        CHECK_BYTES(dx_buffer_view(&s->body), "hello");
    else
        CHECK(failmalloc_has_failed());
    if (s->faileds_count == 1)
        CHECK(s->err != DX_OK);
}

static bool is_over(const scene *s, const scene *beside)
{
    return scene_is_told(s) && scene_is_told(beside);
}

/* What the peer says comes byte by byte at first: everything is cut somewhere. */
static void serve(scene *s, scene *beside)
{
    dx_bytes left = answer();

    for (int i = 0; i < TURNS && !is_over(s, beside); i++) {
        FAILING(dx_loop_step(s->loop, 1));
        peer_read(s);
        if (s->peer < 0 || s->asked.size < 40)
            continue;
        ssize_t sent = send(s->peer, left.at, dx_min_size(left.size, 7), MSG_NOSIGNAL);
        if (sent > 0)
            dx_bytes_skip(&left, (size_t)sent);
    }
}

static void scenario(void)
{
    scene s, beside;

    scene_init(&s, version);
    scene_init_beside(&beside, &s);
    ask(&s, (dx_bytes){NULL, 0});
    if (version == DX_HTTP_VERSION_2)
        ask(&beside, DX_BYTES("large"));
    else
        beside.dones_count = 1; /* it would have a connection of its own */
    serve(&s, &beside);
    check(&s);
    if (version == DX_HTTP_VERSION_2)
        check(&beside);
    scene_deinit(&beside);
    scene_deinit(&s);
}

TEST("F2 HTTP/1.1: a request whose allocations fail, each in its turn")
{
    version = DX_HTTP_VERSION_1_1;
    CHECK(failmalloc_sweep(scenario) > 3);
}

TEST("F2 HTTP/2: requests side by side whose allocations fail, each in its turn, nghttp2's too")
{
    version = DX_HTTP_VERSION_2;
    CHECK(failmalloc_sweep(scenario) > 20);
}
