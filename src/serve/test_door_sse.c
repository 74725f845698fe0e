/* Tests of the SSE door as Durable Streams clients use it (live=sse): events, ends, cursors, refusals.
 * SPDX-License-Identifier: MIT */
#include "serve/test_live.h"
#include "tests/tap.h"

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/stream_rules.h"

#include <sys/socket.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static const char text[] = "text/plain", json[] = "application/json",
                  binary[] = "application/octet-stream";

static live l, other;

static void post(dx_server *s, const char *path, const char *type, const char *body)
{
    CHECK_INT(http_status(s, "POST", path, type, body), 204);
}

static void close_stream(dx_server *s, const char *path)
{
    answer a = http(s, "POST", path, "Stream-Closed: true\r\n", (dx_bytes){0});
    CHECK_INT(a.status, 204);
    answer_free(&a);
}

/* Its tail, in static memory. */
static const char *tail_of(dx_server *s, const char *path)
{
    static char ret[40];
    answer a = http(s, "HEAD", path, "", (dx_bytes){0});

    snprintf(ret, sizeof ret, "%s", answer_field(&a, "Stream-Next-Offset"));
    answer_free(&a);
    return ret;
}

static const char *with_offset(const char *path, const char *offset)
{
    static char ret[300];
    snprintf(ret, sizeof ret, "%s?live=sse&offset=%.33s", path, offset);
    return ret;
}

/* The next event is a control event with these of its members; its id is its offset. */
static bool control_is(live *from, bool is_up_to_date, bool is_closed)
{
    uint64_t cursor;

    if (!live_next(from) || strcmp(from->type, "control") != 0) {
        printf("# no control event, but %s: %.200s\n", from->type, from->data ? from->data : "");
        return false;
    }
    bool is_good = (strstr(from->data, "\"upToDate\":true") != NULL) == is_up_to_date &&
                   (strstr(from->data, "\"streamClosed\":true") != NULL) == is_closed &&
                   dx_stream_cursor_read(dx_bytes_of(live_member(from, "streamCursor")), &cursor) ==
                       !is_closed &&
                   strcmp(live_member(from, "streamNextOffset"), from->id) == 0 &&
                   strlen(from->id) == 33;
    if (!is_good)
        printf("# control is %s (id %s)\n", from->data, from->id);
    return is_good;
}

static uint64_t cursor_in(const live *from)
{
    uint64_t cursor = 0;
    CHECK(dx_stream_cursor_read(dx_bytes_of(live_member(from, "streamCursor")), &cursor));
    return cursor;
}

#define FOR_TIMED_SERVERS(s, times)                                                                \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = live_server_start(*name, workers, times); s;                       \
                 server_end(s), s = NULL)

/* ---- events ------------------------------------------------------------------------------------ */

TEST("§5.8 text: what was and what comes, each a data event and its control event")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/a", text, "one");
        post(s, "/live/a", text, "two\r\nlines");
        live_open(&l, s, "/live/a?offset=-1&live=sse", "");
        CHECK_INT(l.status, 200);
        CHECK(strcmp(live_field(&l, "Content-Type"), "text/event-stream") == 0);
        CHECK(strstr(live_field(&l, "Cache-Control"), "no-cache") != NULL);
        CHECK(strcmp(live_field(&l, "X-Content-Type-Options"), "nosniff") == 0);
        CHECK(live_field(&l, "Content-Length")[0] == '\0');
        CHECK(live_field(&l, "Stream-SSE-Data-Encoding")[0] == '\0');
        CHECK(live_is(&l, "data", "one"));
        CHECK(control_is(&l, false, false));
        CHECK(live_is(&l, "data", "two\nlines"));
        CHECK(control_is(&l, true, false));
        CHECK(strcmp(l.id, tail_of(s, "/live/a")) == 0);
        CHECK(live_is_silent(&l));
        post(s, "/live/a", text, " three");
        CHECK(live_is(&l, "data", " three"));
        CHECK(control_is(&l, true, false));
        CHECK(strcmp(l.id, tail_of(s, "/live/a")) == 0);
        live_close(&l);
    }
}

TEST("§5.8 JSON: an array for what was, an array for each message that comes")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/j", json, "[{\"n\":1},{\"n\":\r\n2}]");
        post(s, "/live/j", json, "3");
        live_open(&l, s, "/live/j?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "[{\"n\":1},{\"n\":\n2},3]"));
        CHECK(control_is(&l, true, false));
        post(s, "/live/j", json, "[4,[5]]");
        CHECK(live_next(&l));
        if (strcmp(l.data, "[4,[5]]") != 0) { /* else its home was slow, and this is still what was */
            CHECK_MEM(l.data, strlen(l.data), "[4]", 3);
            CHECK(control_is(&l, false, false));
            CHECK(live_is(&l, "data", "[[5]]"));
        }
        CHECK(control_is(&l, true, false));
        live_close(&l);
    }
}

TEST("§5.8 binary: base64, and a head that says so")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/b", binary, "\x01\x02\r\n\xff");
        live_open(&l, s, "/live/b?offset=-1&live=sse", "");
        CHECK(strcmp(live_field(&l, "Stream-SSE-Data-Encoding"), "base64") == 0);
        CHECK(live_is(&l, "data", "AQINCv8="));
        CHECK(control_is(&l, true, false));
        post(s, "/live/b", binary, "xyz");
        CHECK(live_is(&l, "data", "eHl6"));
        CHECK(control_is(&l, true, false));
        live_close(&l);
    }
}

TEST("§8 from now, and at the tail: a control event first, with the tail")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/a", text, "old");
        char tail[40];
        snprintf(tail, sizeof tail, "%s", tail_of(s, "/live/a"));
        const char *offsets[] = {"now", tail};
        for (size_t i = 0; i < DX_COUNT(offsets); i++) {
            live_open(&l, s, with_offset("/live/a", offsets[i]), "");
            CHECK(control_is(&l, true, false));
            CHECK(strcmp(l.id, tail) == 0);
            CHECK(live_is_silent(&l));
            live_close(&l);
        }
        live_open(&l, s, with_offset("/live/a", tail), "");
        CHECK(control_is(&l, true, false));
        post(s, "/live/a", text, "new");
        CHECK(live_is(&l, "data", "new"));
        live_close(&l);
    }
}

TEST("§5.8 nothing in a message can end its event or make another")
{
    FOR_SERVERS(s, NULL) {
        const char *evil = "a\r\n\r\nevent: control\r\ndata: {\"x\":1}\r\rid: 7\n\nretry: 1\n\n: b";
        const char *harmless = "a\n\nevent: control\ndata: {\"x\":1}\n\nid: 7\n\nretry: 1\n\n: b";
        post(s, "/live/a", text, evil);
        live_open(&l, s, "/live/a?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", harmless));
        CHECK(control_is(&l, true, false));
        post(s, "/live/a", text, evil);
        CHECK(live_is(&l, "data", harmless));
        CHECK(control_is(&l, true, false));
        CHECK(!l.events.has_retry);
        live_close(&l);
    }
}

TEST("RFC 9112 §6.3 an HTTP/1.0 client gets the same without chunks")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/a", text, "one");
        live_open(&l, s, "1.0 /live/a?offset=-1&live=sse", "");
        CHECK(!l.is_chunked);
        live_open(&other, s, "/live/a?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "one"));
        CHECK(control_is(&l, true, false));
        post(s, "/live/a", text, "two");
        CHECK(live_is(&l, "data", "two"));
        CHECK(control_is(&l, true, false));
        CHECK(live_is(&other, "data", "one"));
        CHECK(control_is(&other, true, false));
        CHECK(live_is(&other, "data", "two"));
        close_stream(s, "/live/a");
        CHECK(control_is(&l, true, true));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        live_close(&l);
        live_close(&other);
    }
}

/* ---- ends -------------------------------------------------------------------------------------- */

TEST(
    "§5.8 a closed stream: its data, streamClosed without a cursor, the end; the connection goes on")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/c", text, "only");
        close_stream(s, "/live/c");
        live_open(&l, s, "/live/c?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "only"));
        CHECK(live_next(&l));
        if (strstr(l.data, "streamClosed") == NULL)
            CHECK(control_is(&l, true, true));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        const char *offsets[] = {"now", tail_of(s, "/live/c")};
        for (size_t i = 0; i < DX_COUNT(offsets); i++) {
            live_again(&l, with_offset("/live/c", offsets[i]), "");
            CHECK_INT(l.status, 200);
            CHECK(strcmp(live_field(&l, "Stream-Closed"), "true") == 0);
            CHECK(control_is(&l, true, true));
            CHECK_INT(live_to_end(&l), LIVE_ENDED);
        }
        live_close(&l);
    }
}

TEST("§5.8 who is live gets the last message and then the end, also of what is closed empty")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/c", text, "first");
        live_open(&l, s, "/live/c?offset=now&live=sse", "");
        CHECK(control_is(&l, true, false));
        answer a = http(s, "POST", "/live/c", "Stream-Closed: true\r\nContent-Type: text/plain\r\n",
                        DX_BYTES("last"));
        answer_free(&a);
        CHECK(live_is(&l, "data", "last"));
        CHECK(control_is(&l, true, false));
        CHECK(control_is(&l, true, true));
        CHECK(strcmp(l.id, tail_of(s, "/live/c")) == 0);
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        CHECK_INT(http_status(s, "PUT", "/s/empty", text, ""), 201);
        live_again(&l, "/s/empty?offset=-1&live=sse", "");
        CHECK(control_is(&l, true, false));
        close_stream(s, "/s/empty");
        CHECK(control_is(&l, true, true));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        live_close(&l);
    }
}

TEST("a stream that is deleted ends the response; then it is not found")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "PUT", "/s/d", text, "x"), 201);
        live_open(&l, s, "/s/d?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "x"));
        CHECK(control_is(&l, true, false));
        CHECK_INT(http_status(s, "DELETE", "/s/d", NULL, ""), 204);
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        live_again(&l, "/s/d?offset=-1&live=sse", "");
        CHECK_INT(l.status, 404);
        live_close(&l);
    }
}

TEST("§10.2 after about a minute the response ends between two events, and the client resumes")
{
    FOR_TIMED_SERVERS(s, (&(dx_live_times){.sse_ms = 300, .comment_ms = 100}))
    {
        post(s, "/live/a", text, "one");
        uint64_t begin_ms = dx_clock_ms();
        live_open(&l, s, "/live/a?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "one"));
        CHECK(control_is(&l, true, false));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        CHECK(dx_clock_ms() - begin_ms >= 260 && dx_clock_ms() - begin_ms < 2000);
        CHECK(l.comments_count >= 1 && l.comments_count <= 3);
        post(s, "/live/a", text, "two");
        live_again(&l, with_offset("/live/a", l.id), "");
        CHECK(live_is(&l, "data", "two"));
        live_close(&l);
    }
}

TEST("a comment breaks a silence, not what is being said")
{
    FOR_TIMED_SERVERS(s, (&(dx_live_times){.sse_ms = 60000, .comment_ms = 100}))
    {
        live_open(&l, s, "/live/a?offset=now&live=sse", "");
        CHECK(control_is(&l, true, false));
        for (int i = 0; i < 12;
             i++) { /* 360 ms without silence: one comment at the most, at the first tick */
            post(s, "/live/a", text, "x");
            CHECK(live_is(&l, "data", "x"));
            CHECK(control_is(&l, true, false));
            usleep(30000);
        }
        CHECK(l.comments_count <= 1);
        CHECK(!live_next_within(&l, 500));
        CHECK(l.comments_count >= 2);
        CHECK_INT(l.end, LIVE_OPEN);
        live_close(&l);
    }
}

TEST("a server that drains ends its events in order; so does one whose client closed its half")
{
    for (const char *const *name = loop_names(); *name; name++) {
        dx_server *s = server_start(*name, 2, NULL);
        post(s, "/live/a", text, "x");
        live_open(&l, s, "/live/a?offset=-1&live=sse", "");
        live_open(&other, s, "/live/a?offset=-1&live=sse", "");
        CHECK(live_is(&l, "data", "x"));
        CHECK(live_is(&other, "data", "x"));
        shutdown(other.fd, SHUT_WR);
        CHECK_INT(live_to_end(&other), LIVE_ENDED);
        CHECK(control_is(&l, true, false));
        CHECK(live_is_silent(&l));
        dx_server_drain(s, 5000);
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        dx_server_wait(s);
        dx_server_free(s);
        live_close(&l);
        live_close(&other);
    }
}

/* ---- the kind of a stream ---------------------------------------------------------------------- */

TEST("a stream nobody has written to counts as text; what turns out binary ends the response")
{
    FOR_SERVERS(s, NULL) {
        live_open(&l, s, "/live/t?offset=-1&live=sse", "");
        CHECK(control_is(&l, true, false));
        live_open(&other, s, "/live/b?offset=-1&live=sse", "");
        CHECK(control_is(&other, true, false));
        CHECK(live_is_silent(&l));
        post(s, "/live/t", json, "[1,2]");
        post(s, "/live/b", binary, "\xff");
        CHECK(live_next(&l));
        CHECK(strcmp(l.data, "[1,2]") == 0 || strcmp(l.data, "[1]") == 0);
        CHECK_INT(live_to_end(&other), LIVE_ENDED);
        live_again(&other, with_offset("/live/b", other.id), "");
        CHECK(strcmp(live_field(&other, "Stream-SSE-Data-Encoding"), "base64") == 0);
        CHECK(live_is(&other, "data", "/w=="));
        live_close(&l);
        live_close(&other);
    }
}

TEST("a stream that is made and then closed or deleted without a message ends what waits for one")
{
    FOR_SERVERS(s, NULL) {
        live_open(&l, s, "/live/c?offset=-1&live=sse", "");
        live_open(&other, s, "/live/d?offset=-1&live=sse", "");
        CHECK(control_is(&l, true, false));
        CHECK(control_is(&other, true, false));
        CHECK_INT(http_status(s, "PUT", "/live/c", text, ""), 201);
        CHECK_INT(http_status(s, "PUT", "/live/d", binary, ""), 201);
        close_stream(s, "/live/c");
        CHECK(control_is(&l, true, true));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        CHECK_INT(http_status(s, "DELETE", "/live/d", NULL, ""), 204);
        CHECK_INT(live_to_end(&other), LIVE_ENDED);
        live_close(&l);
        live_close(&other);
    }
}

/* ---- cursors ----------------------------------------------------------------------------------- */

TEST("§10.1 cursors: the current one, and above what the client has; live ones too")
{
    FOR_SERVERS(s, NULL) {
        char path[200];
        post(s, "/live/a", text, "x");
        live_open(&l, s, "/live/a?offset=-1&live=sse", "");
        CHECK(live_next(&l));
        CHECK(control_is(&l, true, false));
        uint64_t first = cursor_in(&l);
        snprintf(path, sizeof path, "/live/a?offset=now&live=sse&cursor=%llu",
                 (unsigned long long)first + 5);
        live_open(&other, s, path, "");
        CHECK(control_is(&other, true, false));
        CHECK(cursor_in(&other) > first + 5);
        post(s, "/live/a", text, "y");
        CHECK(live_next(&other));
        CHECK(control_is(&other, true, false));
        CHECK(cursor_in(&other) > first + 5);
        CHECK(live_next(&l));
        CHECK(control_is(&l, true, false));
        CHECK(cursor_in(&l) <= first + 1);
        live_close(&l);
        live_close(&other);
        live_open(&l, s, "/live/a?offset=now&live=sse&cursor=999999999999999999999",
                  ""); /* none of ours */
        CHECK(control_is(&l, true, false));
        CHECK(cursor_in(&l) >= first && cursor_in(&l) <= first + 1);
        live_close(&l);
    }
}

/* ---- refusals ---------------------------------------------------------------------------------- */

TEST(
    "what is wrong is told by a status: no offset, no stream, a bad value, a position that is trimmed")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 2})) {
        CHECK_INT(http_status(s, "GET", "/live/a?live=sse", NULL, ""), 400);
        CHECK_INT(http_status(s, "GET", "/live/a?live=sse&offset=0,1", NULL, ""), 400);
        CHECK_INT(http_status(s, "GET", "/live/a?live=sse&offset=now&on_slow=x", NULL, ""), 400);
        CHECK_INT(http_status(s, "GET", "/s/none?live=sse&offset=now", NULL, ""), 404);
        answer first = http_post(s, "/live/a", text, "1");
        for (int i = 2; i <= 5; i++)
            post(s, "/live/a", text, "x");
        answer a = http_get(s, with_offset("/live/a", answer_field(&first, "Stream-Next-Offset")));
        CHECK_INT(a.status, 410);
        CHECK(a.body && strstr(a.body, "\"earliest\":\"") && strstr(a.body, "\"latest\":\""));
        answer_free(&a);
        answer_free(&first);
    }
}
