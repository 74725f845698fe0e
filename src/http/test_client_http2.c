/* The client against a bare server of HTTP/2: requests, answers, side by side, windows.
 * Is not: the ways to fail (test_client_http2_end.c).
 * Source: RFC 9113.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_client_far.h"

#include <stdlib.h>
#include <sys/socket.h>

static const dx_bytes nothing = {NULL, 0};

/* ---- requests --------------------------------------------------------------------------------- */

TEST("§8.3.1 a request goes out as its fields say, and pushes are not wanted")
{
    scene s;
    far f;

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "POST", DX_BYTES("hello"), false);
    FAR_AWAIT(&f, 1);
    CHECK(strcmp(far_of(&f, 1)->head, ":method: POST\n"
                                      ":scheme: http\n"
                                      ":authority: test:80\n"
                                      ":path: /live/x?y=1\n"
                                      "content-type: text/plain\n"
                                      "content-length: 5\n") == 0);
    CHECK_BYTES(dx_buffer_view(&far_of(&f, 1)->body), "hello");
    CHECK_INT(f.settings, 1);
    CHECK(f.is_push_off);
    far_deinit(&f);
    scene_deinit(&s);
}

TEST("§8.3 a field that would end its line is refused, and the client can go on")
{
    scene s;
    far f;
    dx_header bad = {DX_BYTES("X-Bad"), DX_BYTES("a\r\nInjected: yes")};
    dx_http_client_request request = {.method = DX_BYTES("GET"),
                                      .target = DX_BYTES("/"),
                                      .authority = DX_BYTES("test"),
                                      .headers = &bad,
                                      .headers_count = 1,
                                      .timeout_ms = 1000};

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    CHECK_INT(dx_http_client_send(s.client, &request), DX_ERR_NAME);
    request.headers_count = 0;
    request.target = DX_BYTES("/with blank");
    CHECK_INT(dx_http_client_send(s.client, &request), DX_ERR_NAME);
    scene_send(&s, "GET", nothing, false);
    FAR_AWAIT(&f, 1);
    far_deinit(&f);
    scene_deinit(&s);
}

TEST("§6.9 a large body waits for the server's window, and for no 100 Continue")
{
    enum { SIZE = 200000, WINDOW = 65535 };
    scene s;
    far f;
    uint8_t *body = calloc(1, SIZE);

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "POST", dx_bytes_at(body, SIZE), false);
    FAR_UNTIL(&f, far_of(&f, 1)->body.size == WINDOW);
    CHECK(strstr(far_of(&f, 1)->head, "expect") == NULL);
    far_settings(&f);
    run_turns(&s, 5);
    far_read(&f);
    CHECK_INT(far_of(&f, 1)->body.size, WINDOW);
    far_window(&f, 0, SIZE);
    far_window(&f, 1, SIZE);
    FAR_AWAIT(&f, 1);
    CHECK_INT(far_of(&f, 1)->body.size, SIZE);
    far_ok(&f, 1, true);
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    far_deinit(&f);
    scene_deinit(&s);
    free(body);
}

TEST("§8.1 an answer that is whole before the request is: the rest of that is not sent")
{
    enum { SIZE = 200000 };
    scene s;
    far f;
    uint8_t *body = calloc(1, SIZE);

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "POST", dx_bytes_at(body, SIZE), true);
    FAR_UNTIL(&f, far_of(&f, 1)->body.size == 65535);
    far_settings(&f);
    far_head(&f, 1, 0, ":status", "413", NULL);
    far_data(&f, 1, ES, "no!");
    far_reset(&f, 1, NGHTTP2_NO_ERROR);
    run_until_told(&s);
    CHECK_INT(s.code, 413);
    CHECK_INT(s.dones_count, 1);
    CHECK_BYTES(dx_buffer_view(&s.body), "no!");
    s.dones_count = 0;
    scene_send(&s, "GET", nothing, true); /* the connection goes on */
    FAR_AWAIT(&f, 3);
    far_deinit(&f);
    scene_deinit(&s);
    free(body);
}

/* ---- answers ---------------------------------------------------------------------------------- */

typedef struct canned {
    const char *about;
    void (*say)(far *f); /* after SETTINGS */
    unsigned code;
    const char *body;
} canned;

static void say_whole(far *f)
{
    far_head(f, 1, 0, ":status", "200", "content-length", "5", "stream-next-offset", "0_7", NULL);
    far_data(f, 1, ES, "hello");
}

static void say_pieces(far *f)
{
    far_ok(f, 1, false);
    far_data(f, 1, 0, "hel");
    far_data(f, 1, 0, "");
    far_data(f, 1, 0, "lo");
    far_data(f, 1, ES, "");
}

static void say_no_content(far *f)
{
    far_head(f, 1, ES, ":status", "204", "stream-next-offset", "0_8", NULL);
}

static void say_interim(far *f)
{
    far_head(f, 1, 0, ":status", "100", NULL);
    far_head(f, 1, 0, ":status", "103", "link", "</a>", NULL);
    say_whole(f);
}

static void say_trailers(far *f)
{
    far_ok(f, 1, false);
    far_data(f, 1, 0, "hello");
    far_head(f, 1, ES, "a", "b", NULL);
}

static void say_padded(far *f)
{
    far_ok(f, 1, false);
    far_frame(f, NGHTTP2_DATA, PADDED | ES, 1, DX_BYTES("\x03hello\0\0\0"));
}

static void say_continued(far *f)
{
    uint8_t block[100];
    size_t size = far_block(block, sizeof block, ":status", "200", "x", "y", NULL);

    far_frame(f, NGHTTP2_HEADERS, 0, 1, dx_bytes_at(block, 3));
    far_frame(f, NGHTTP2_CONTINUATION, 0, 1, dx_bytes_at(block + 3, 4));
    far_frame(f, NGHTTP2_CONTINUATION, EH, 1, dx_bytes_at(block + 7, size - 7));
    far_data(f, 1, ES, "hello");
}

static void say_unknown_frames(far *f)
{
    far_frame(f, 0x77, 0x33, 1, DX_BYTES("?"));
    far_setting(f, 0x7777, 1);
    far_head(f, 1, 0, ":status", "404", "content-type", "application/problem+json", NULL);
    far_data(f, 1, ES, "{}");
}

static const canned rows[] = {
    {"a length", say_whole, 200, "hello"},
    {"pieces, some of them empty", say_pieces, 200, "hello"},
    {"204", say_no_content, 204, ""},
    {"100 and 103 before it", say_interim, 200, "hello"},
    {"trailers", say_trailers, 200, "hello"},
    {"padding", say_padded, 200, "hello"},
    {"a head in three frames", say_continued, 200, "hello"},
    {"frames and settings that nobody knows, and a problem", say_unknown_frames, 404, "{}"},
};

/* The answer in two pieces, cut after `cut` bytes; false: it has no more. */
static bool check_canned(const canned *row, size_t cut)
{
    scene s;
    far f;
    dx_bytes first;

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    f.is_held = true;
    far_settings(&f);
    row->say(&f);
    dx_bytes all = dx_buffer_view(&f.out);
    bool is_cut = dx_bytes_take(&all, cut, &first);
    if (is_cut) {
        peer_say(&s, first);
        run_turns(&s, 2);
    }
    peer_say(&s, all);
    run_until_told(&s);
    if (s.code != row->code || s.dones_count != 1 || s.faileds_count != 0)
        TAP_FAIL("%s, cut at %zu: code %u, %s", row->about, cut, s.code, s.why);
    CHECK_BYTES(dx_buffer_view(&s.body), row->body);
    far_deinit(&f);
    scene_deinit(&s);
    return is_cut;
}

TEST("§4, §8.1 answers of every form, cut at every byte")
{
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        for (size_t cut = 0; check_canned(&rows[i], cut); cut++)
            ;
}

TEST("§8.1 fields of an answer are found as in HTTP/1.1")
{
    scene s;
    far f;

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "HEAD", nothing, true);
    FAR_AWAIT(&f, 1);
    far_settings(&f);
    far_head(&f, 1, ES, ":status", "200", "content-length", "500", "stream-next-offset", "0_7",
             NULL);
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    CHECK(strcmp(s.next_offset, "0_7") == 0);
    CHECK_INT(s.body.size, 0);
    far_deinit(&f);
    scene_deinit(&s);
}

/* ---- one connection --------------------------------------------------------------------------- */

TEST("§5 requests go side by side on one connection, and are answered in any order")
{
    enum { COUNT = 5 };
    scene s[COUNT];
    far f;

    scene_init(&s[0], DX_HTTP_VERSION_2);
    far_init(&f, &s[0]);
    for (int i = 1; i < COUNT; i++)
        scene_init_beside(&s[i], &s[0]);
    for (int i = 0; i < COUNT; i++) /* none of them has a connection yet */
        scene_send(&s[i], "GET", nothing, true);
    FAR_AWAIT(&f, 2 * COUNT - 1);
    CHECK_INT(f.requests, COUNT);
    far_settings(&f);
    for (int i = COUNT - 1; i >= 0; i--) {
        char text[2] = {(char)('a' + i)};
        far_ok(&f, 2 * i + 1, false);
        far_data(&f, 2 * i + 1, ES, text);
        run_until_told(&s[i]);
        CHECK_INT(s[i].dones_count, 1);
        CHECK_INT(s[i].body.at[0], 'a' + i);
    }
    CHECK_INT(s[0].net.conns_begun_count, 1);
    far_deinit(&f);
    for (int i = COUNT - 1; i >= 0; i--)
        scene_deinit(&s[i]);
}

TEST("§5.1.2 more requests than the server allows at once wait for their turn")
{
    scene s, beside;
    far f;

    scene_init(&s, DX_HTTP_VERSION_2);
    scene_init_beside(&beside, &s);
    far_init(&f, &s);
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    far_setting(&f, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    FAR_UNTIL(&f, f.settings_acks == 1);
    scene_send(&beside, "GET", nothing, true);
    run_turns(&s, 5);
    far_read(&f);
    CHECK_INT(f.requests, 1);
    far_ok(&f, 1, true);
    FAR_AWAIT(&f, 3);
    far_ok(&f, 3, true);
    run_until_told(&beside);
    CHECK_INT(beside.dones_count, 1);
    far_deinit(&f);
    scene_deinit(&beside);
    scene_deinit(&s);
}

TEST(
    "§9.1 a kept connection carries the next request, sent from done; one that is not kept ends with GOAWAY")
{
    scene s;
    far f;

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    scene_send(&s, "POST", DX_BYTES("one"), true);
    FAR_AWAIT(&f, 1);
    far_settings(&f);
    s.sends_again = true;
    far_ok(&f, 1, true);
    FAR_AWAIT(&f, 3);
    s.dones_count = 0;
    far_ok(&f, 3, true);
    run_until_told(&s);
    CHECK_INT(s.net.conns_begun_count, 1);
    s.dones_count = 0;
    scene_send(&s, "GET", nothing, false);
    FAR_AWAIT(&f, 5);
    far_ok(&f, 5, true);
    FAR_UNTIL(&f, f.is_over);
    CHECK_INT(f.goaways, 1);
    CHECK_INT(f.goaway_code, NGHTTP2_NO_ERROR);
    CHECK_INT(s.faileds_count, 0);
    far_deinit(&f);
    scene_deinit(&s);
}

/* ---- windows ---------------------------------------------------------------------------------- */

TEST("§5.2 an answer that is not read holds no more than its window, and nobody else up")
{
    enum { WINDOW = 20000 };
    static char piece[10001];
    scene s, beside;
    far f;

    memset(piece, 'x', sizeof piece - 1);
    scene_init(&s, DX_HTTP_VERSION_2);
    s.origin.http2.stream_window_bytes = WINDOW;
    scene_init_beside(&beside, &s);
    far_init(&f, &s);
    s.pauses = true;
    scene_send(&s, "GET", nothing, true);
    scene_send(&beside, "GET", nothing, true);
    FAR_AWAIT(&f, 3);
    CHECK_INT(f.stream_window, WINDOW);
    far_settings(&f);
    far_ok(&f, 1, false);
    far_data(&f, 1, 0, piece);
    far_data(&f, 1, 0, piece); /* the window is used up */
    far_ok(&f, 3, false);
    far_data(&f, 3, ES, "beside");
    run_until_told(&beside);
    CHECK_BYTES(dx_buffer_view(&beside.body), "beside");
    far_read(&f);
    CHECK_INT(s.heads_count, 1);
    CHECK_INT(s.body.size, 0);
    CHECK_INT(far_of(&f, 1)->window, 0);
    s.pauses = false;
    dx_http_client_resume(s.client);
    FAR_UNTIL(&f, far_of(&f, 1)->window == WINDOW);
    CHECK_INT(s.body.size, WINDOW);
    far_data(&f, 1, ES, "end");
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    CHECK_INT(s.body.size, WINDOW + 3);
    far_deinit(&f);
    scene_deinit(&beside);
    scene_deinit(&s);
}

TEST("§5.2 what came before the end is read, even if the server has forgotten the request by then")
{
    scene s;
    far f;

    scene_init(&s, DX_HTTP_VERSION_2);
    far_init(&f, &s);
    s.pauses = true;
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    far_settings(&f);
    far_ok(&f, 1, false);
    far_data(&f, 1, 0, "hel");
    far_data(&f, 1, ES, "lo");
    run_turns(&s, 5);
    CHECK(!scene_is_told(&s));
    CHECK_INT(s.body.size, 0);
    s.pauses = false;
    dx_http_client_resume(s.client);
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    CHECK_BYTES(dx_buffer_view(&s.body), "hello");
    far_deinit(&f);
    scene_deinit(&s);
}
