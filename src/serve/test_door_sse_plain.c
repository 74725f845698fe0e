/* Tests of the SSE door as a plain EventSource uses it: ids, resuming, gaps and ends told in the stream.
 * SPDX-License-Identifier: MIT */
#include "serve/test_live.h"
#include "tests/tap.h"

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static const char text[] = "text/plain", json[] = "application/json",
                  binary[] = "application/octet-stream";
static const char accept_events[] = "Accept: text/event-stream\r\n";

static live l, other;

static void post(dx_server *s, const char *path, const char *type, const char *body)
{
    CHECK_INT(http_status(s, "POST", path, type, body), 204);
}

static const char *resume_fields(const char *id)
{
    static char ret[200];
    snprintf(ret, sizeof ret, "%sLast-Event-ID: %s\r\n", accept_events, id);
    return ret;
}

static const char *tail_of(dx_server *s, const char *path)
{
    static char ret[40];
    answer a = http(s, "HEAD", path, "", (dx_bytes){0});

    snprintf(ret, sizeof ret, "%s", answer_field(&a, "Stream-Next-Offset"));
    answer_free(&a);
    return ret;
}

/* The next event says where the response begins. */
static bool ready_is(live *from, const char *offset)
{
    bool is_good = live_next(from) && strcmp(from->type, "ready") == 0 &&
                   strcmp(live_member(from, "offset"), offset) == 0 &&
                   strcmp(from->id, offset) == 0;
    if (!is_good)
        printf("# %s: %s (id %s), expected ready at %s\n", from->type, from->data ? from->data : "",
               from->id, offset);
    return is_good;
}

TEST(
    "§9.2 from now on by default: where it begins, then one event a message, with its offset as id")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/a", text, "old");
        live_open(&l, s, "/live/a", accept_events);
        CHECK_INT(l.status, 200);
        CHECK(strcmp(live_field(&l, "Content-Type"), "text/event-stream") == 0);
        CHECK(ready_is(&l, tail_of(s, "/live/a")));
        CHECK(l.events.has_retry && l.events.retry_ms >= 1000 && l.events.retry_ms < 3000);
        post(s, "/live/a", text, "new\nline");
        CHECK(live_is(&l, "message", "new\nline"));
        CHECK(strcmp(l.id, tail_of(s, "/live/a")) == 0);
        CHECK(live_is_silent(&l));
        live_close(&l);
        live_open(&l, s, "/live/a?offset=-1", "Accept: text/html;q=0.5, text/event-stream\r\n");
        CHECK(live_next(&l) && strcmp(l.type, "ready") == 0);
        CHECK(live_is(&l, "message", "old"));
        CHECK(live_is(&l, "message", "new\nline"));
        live_close(&l);
    }
}

TEST("JSON goes as it is, one event a message; binary as base64, and a head says so")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/j", json, "[{\"n\":1},2]");
        live_open(&l, s, "/live/j?offset=-1", accept_events);
        CHECK(live_next(&l));
        CHECK(live_is(&l, "message", "{\"n\":1}"));
        CHECK(live_is(&l, "message", "2"));
        post(s, "/live/j", json, "\"x\"");
        CHECK(live_is(&l, "message", "\"x\""));
        live_close(&l);
        post(s, "/live/b", binary, "\xff\xfe");
        live_open(&l, s, "/live/b?offset=-1", accept_events);
        CHECK(strcmp(live_field(&l, "Stream-SSE-Data-Encoding"), "base64") == 0);
        CHECK(live_next(&l));
        CHECK(live_is(&l, "message", "//4="));
        live_close(&l);
    }
}

TEST("§9.2.4 Last-Event-ID resumes, and goes before the offset of the URL")
{
    FOR_SERVERS(s, NULL) {
        char id[40];
        live_open(&l, s, "/live/a", accept_events); /* nothing yet: its first id is the start */
        live_open(&other, s, "/live/a",
                  accept_events); /* what nobody wrote to lives while it is read */
        CHECK(live_next(&l) && strcmp(l.type, "ready") == 0);
        snprintf(id, sizeof id, "%.33s", l.id);
        live_close(&l);
        post(s, "/live/a", text, "one");
        post(s, "/live/a", text, "two");
        live_open(&l, s, "/live/a?offset=now", resume_fields(id));
        CHECK(ready_is(&l, id));
        CHECK(live_is(&l, "message", "one"));
        snprintf(id, sizeof id, "%.33s", l.id);
        live_close(&l);
        live_open(&l, s, "/live/a?offset=-1", resume_fields(id));
        CHECK(ready_is(&l, id));
        CHECK(live_is(&l, "message", "two"));
        live_close(&l);
        live_close(&other);
        answer bad = http(s, "GET", "/live/a", resume_fields("17"), (dx_bytes){0});
        CHECK_INT(bad.status, 400);
        answer_free(&bad);
    }
}

TEST("a position that was trimmed away is told as a gap in the stream, and what is left follows")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 2})) {
        char id[40];
        answer first = http_post(s, "/live/a", text, "1");
        snprintf(id, sizeof id, "%.33s", answer_field(&first, "Stream-Next-Offset"));
        answer_free(&first);
        for (const char *body = "23456"; *body; body++)
            post(s, "/live/a", text, (char[]){*body, '\0'});
        live_open(&l, s, "/live/a", resume_fields(id));
        CHECK_INT(l.status, 200);
        CHECK(live_next(&l) && strcmp(l.type, "gap") == 0);
        CHECK(strcmp(live_member(&l, "requested"), id) == 0);
        CHECK(strcmp(live_member(&l, "earliest"), l.id) == 0);
        CHECK(strstr(l.data, "\"lost\":3}") != NULL);
        CHECK(l.events.has_retry);
        CHECK(live_is(&l, "message", "5"));
        CHECK(live_is(&l, "message", "6"));
        live_close(&l);
    }
}

TEST("a position of another life of the stream, or of none, is told as a gap without a number")
{
    FOR_SERVERS(s, NULL) {
        const char *foreign[] = {"0000000000000001_0000000000000005",
                                 "fffffffffffffff0_0000000000000001"};
        post(s, "/live/a", text, "one");
        for (size_t i = 0; i < DX_COUNT(foreign); i++) {
            live_open(&l, s, "/live/a", resume_fields(foreign[i]));
            CHECK_INT(l.status, 200);
            CHECK(live_next(&l) && strcmp(l.type, "gap") == 0);
            CHECK(strcmp(live_member(&l, "requested"), foreign[i]) == 0);
            CHECK(strstr(l.data, "\"lost\":null}") != NULL);
            CHECK(live_is(&l, "message", "one"));
            live_close(&l);
        }
    }
}

TEST("closed is an event and the end; one who comes back then is told to stay away (204)")
{
    FOR_SERVERS(s, NULL) {
        char id[40];
        post(s, "/live/c", text, "one");
        live_open(&l, s, "/live/c?offset=-1", accept_events);
        CHECK(live_next(&l));
        CHECK(live_is(&l, "message", "one"));
        snprintf(id, sizeof id, "%.33s", l.id);
        answer a = http(s, "POST", "/live/c", "Stream-Closed: true\r\nContent-Type: text/plain\r\n",
                        DX_BYTES("two"));
        answer_free(&a);
        CHECK(live_is(&l, "message", "two"));
        CHECK(live_is(&l, "closed", "{\"closed\":true}"));
        CHECK(strcmp(l.id, tail_of(s, "/live/c")) == 0);
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        live_again(&l, "/live/c?offset=-1", resume_fields(id)); /* it had missed the last one */
        CHECK(live_next(&l) && strcmp(l.type, "ready") == 0);
        CHECK(live_is(&l, "message", "two"));
        CHECK(live_is(&l, "closed", "{\"closed\":true}"));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        snprintf(id, sizeof id, "%.33s", l.id);
        live_again(&l, "/live/c?offset=-1", resume_fields(id));
        CHECK_INT(l.status, 204);
        CHECK(strcmp(live_field(&l, "Stream-Closed"), "true") == 0);
        live_again(&l, "/live/c", accept_events); /* one that is new there is told why */
        CHECK_INT(l.status, 200);
        CHECK(live_next(&l) && strcmp(l.type, "ready") == 0);
        CHECK(live_is(&l, "closed", "{\"closed\":true}"));
        CHECK_INT(live_to_end(&l), LIVE_ENDED);
        live_close(&l);
        live_open(&l, s, "/live/c?live=sse&offset=-1", resume_fields(id));
        CHECK_INT(l.status, 204);
        live_close(&l);
    }
}

TEST("live=sse goes before Accept, and its ids resume an EventSource, too")
{
    FOR_SERVERS(s, NULL) {
        char id[40];
        post(s, "/live/a", text, "one");
        live_open(&l, s, "/live/a?live=sse&offset=-1", accept_events);
        CHECK(live_is(&l, "data", "one"));
        snprintf(id, sizeof id, "%.33s", l.id); /* cut here, before the control event */
        live_close(&l);
        post(s, "/live/a", text, "two");
        live_open(&l, s, "/live/a?live=sse&offset=-1", resume_fields(id));
        CHECK(live_is(&l, "data", "two"));
        live_close(&l);
        CHECK_INT(http_status(s, "GET", "/live/a?offset=-1", NULL, ""), 200);
    }
}

enum { BIG_BYTES = 20000, BIG_COUNT = 400 };

TEST("one who was trimmed away while it did not read is told the gap in the stream, and goes on")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 10})) {
        static char body[BIG_BYTES + 1];
        live_open_on(&l, peer_connect_unix(), "/live/big", accept_events);
        live_open(&other, s, "/live/big", accept_events);
        CHECK(live_next(&l));
        CHECK(live_next(&other));
        for (int i = 0; i < BIG_COUNT; i++) {
            memset(body, 'x', BIG_BYTES);
            body[snprintf(body, sizeof body, "%06d", i)] = '\n';
            post(s, "/live/big", text, body);
            CHECK(live_next(&other) && atoi(other.data) == i);
        }
        int next = 0, gaps = 0;
        while (next < BIG_COUNT && live_next(&l)) {
            if (strcmp(l.type, "gap") == 0) {
                gaps++;
                next += atoi(strstr(l.data, "\"lost\":") + 7);
                continue;
            }
            CHECK_INT(l.data_size, BIG_BYTES);
            CHECK_INT(atoi(l.data), next);
            next++;
        }
        CHECK_INT(next, BIG_COUNT);
        CHECK(gaps > 0);
        live_close(&l);
        live_close(&other);
    }
}
