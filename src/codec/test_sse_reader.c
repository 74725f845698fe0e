/* Tests of sse.h: reading a stream of events, whole, cut at every place, and byte by byte.
 * SPDX-License-Identifier: MIT */
#include "codec/sse.h"

#include "tests/tap.h"

static dx_sse_reader r;

/* Reads `in` and appends what comes as "type|data|id;" to `out`. */
static dx_sse_status feed(dx_bytes in, char *out, size_t out_size)
{
    dx_sse_status status;
    dx_sse_event event;

    while ((status = dx_sse_read(&r, &in, &event)) == DX_SSE_EVENT) {
        size_t used = strlen(out);
        snprintf(out + used, out_size - used, "%.*s|%.*s|%.*s;", DX_FORMAT(event.type),
                 DX_FORMAT(event.data), DX_FORMAT(dx_sse_last_id(&r)));
    }
    return status;
}

/* Expects `want` of the stream, however it is cut in two, and byte by byte. */
static void check_bytes(dx_bytes in, const char *want)
{
    char got[1024];

    for (size_t cut = 0; cut <= in.size; cut++) {
        got[0] = 0;
        dx_sse_reader_init(&r, 1000);
        CHECK_INT(feed(dx_bytes_at(in.at, cut), got, sizeof got), DX_SSE_MORE);
        CHECK_INT(feed(dx_bytes_at(in.at + cut, in.size - cut), got, sizeof got), DX_SSE_MORE);
        dx_sse_reader_deinit(&r);
        CHECK_MEM(got, strlen(got), want, strlen(want));
    }
    got[0] = 0;
    dx_sse_reader_init(&r, 1000);
    for (size_t i = 0; i < in.size; i++)
        CHECK_INT(feed(dx_bytes_at(in.at + i, 1), got, sizeof got), DX_SSE_MORE);
    dx_sse_reader_deinit(&r);
    CHECK_MEM(got, strlen(got), want, strlen(want));
}

static void check(const char *in, const char *want)
{
    check_bytes(dx_bytes_of(in), want);
}

TEST("§9.2.6 the standard's examples")
{
    check("data: YHOO\ndata: +2\ndata: 10\n\n", "message|YHOO\n+2\n10|;");
    check(
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
        "message|first event|1;message|second event|;");
    check("data\n\ndata\ndata\n\ndata:", "message||;message|\n|;");
    check("data:test\n\ndata: test\n\n", "message|test|;message|test|;");
}

TEST("§9.2.5 lines end with LF, CR or CRLF, also mixed")
{
    check("data:a\n\n", "message|a|;");
    check("data:a\r\r", "message|a|;");
    check("data:a\r\n\r\n", "message|a|;");
    check("data:a\r\ndata:b\rdata:c\n\r\r\n", "message|a\nb\nc|;");
    check("data:a\r\n\ndata:b\n\r", "message|a|;message|b|;");
}

TEST("§9.2.6 a byte order mark is left out at the start only")
{
    check("\xef\xbb\xbf"
          "data:a\n\n",
          "message|a|;");
    check("\xef\xbb\xbf\n\ndata:a\n\n", "message|a|;");
    check("data:a\n\n\xef\xbb\xbf"
          "data:b\n\ndata:c\n\n",
          "message|a|;message|c|;");
    check("\xef\xbb\xbf\xef\xbb\xbf"
          "data:a\n\ndata:b\n\n",
          "message|b|;");
    check("\xef\xbb"
          "data:a\ndata:b\n\n",
          "message|b|;");
    check("\xef"
          "\ndata:b\n\n",
          "message|b|;");
}

TEST("§9.2.6 a colon splits name and value, one blank goes, an unknown name is nothing")
{
    check("data:a:b\n\n", "message|a:b|;");
    check("data::\n\n", "message|:|;");
    check("data:\ta\n\n", "message|\ta|;");
    check("data :a\n dat:b\nDATA:c\ndatabase:d\ndata-and-more:e\nda:f\ndata:g\n\n", "message|g|;");
    check(":data:a\n:\ndata:b\n: c\n\n", "message|b|;");
}

TEST("§9.2.6 event names one event only; an event without data is none")
{
    check("event:one\ndata:a\n\ndata:b\n\n", "one|a|;message|b|;");
    check("event:one\n\ndata:b\n\n", "message|b|;");
    check("event:one\nevent:two\ndata:a\n\nevent\ndata:b\n\n", "two|a|;message|b|;");
}

TEST("§9.2.6 an id holds for the events that follow, counts without data, and not with NUL")
{
    check("id:1\ndata:a\n\ndata:b\n\nid\ndata:c\n\n", "message|a|1;message|b|1;message|c|;");
    check("id:1\n\ndata:a\n\n", "message|a|1;");
    check_bytes(DX_BYTES("id:1\ndata:a\n\nid:2\0003\ndata:b\n\n"), "message|a|1;message|b|1;");
    check("id: 1\ndata:a\nid: 2\n\n", "message|a|2;");
}

TEST("§9.2.6 retry is digits only")
{
    static const struct {
        const char *in;
        bool has;
        uint64_t ms;
    } rows[] = {
        {"retry: 1500\n", true, 1500}, {"retry:0\n", true, 0},
        {"retry: 15a\n", false, 0},    {"retry:\n", false, 0},
        {"retry\n", false, 0},         {"retry: -1\n", false, 0},
        {"retry:  1\n", false, 0},     {"retry:1\nretry:x\n", true, 1},
        {"retry:1\r", true, 1},        {"retry:99999999999999999999999\n", true, UINT64_MAX / 10},
        {"retry:12", false, 0},
    };
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
            char got[64] = "";
            dx_sse_reader_init(&r, 1000);
            feed(dx_bytes_at(rows[i].in, cut), got, sizeof got);
            feed(dx_bytes_of(rows[i].in + cut), got, sizeof got);
            CHECK_INT(r.has_retry, rows[i].has);
            CHECK_INT(r.retry_ms, rows[i].ms);
            dx_sse_reader_deinit(&r);
        }
}

TEST("§9.2.6 an event that is cut by the end is none, and its id does not count")
{
    char got[64] = "";

    dx_sse_reader_init(&r, 1000);
    feed(DX_BYTES("id:1\ndata:a\n\nid:2\nevent:x\ndata:b\ndat"), got, sizeof got);
    dx_sse_reader_restart(&r);
    CHECK_BYTES(dx_sse_last_id(&r), "1");
    feed(DX_BYTES("\xef\xbb\xbf"
                  "data:c\n\n"),
         got, sizeof got);
    CHECK(strcmp(got, "message|a|1;message|c|1;") == 0);
    dx_sse_reader_deinit(&r);
}

TEST("the data of an event has its limit, a type and an id have theirs")
{
    char line[1200], got[64];

    for (size_t size = 8; size <= 12; size++) {
        got[0] = 0;
        dx_sse_reader_init(&r, 11); /* an LF is counted with each line */
        snprintf(line, sizeof line, "data:%.*s\ndata:\n\n", (int)(size - 2), "0123456789ab");
        CHECK_INT(feed(dx_bytes_of(line), got, sizeof got),
                  size <= 11 ? DX_SSE_MORE : DX_SSE_TOO_LARGE);
        dx_sse_reader_deinit(&r);
    }
    static const struct {
        const char *name;
        int max;
    } fields[] = {{"event", DX_SSE_TYPE_BYTES_MAX}, {"id", DX_SSE_ID_BYTES_MAX}};
    for (size_t i = 0; i < DX_COUNT(fields); i++)
        for (int more = 0; more <= 1; more++) {
            dx_sse_reader_init(&r, 1000);
            snprintf(line, sizeof line, "%s:%0*d\n", fields[i].name, fields[i].max + more, 1);
            CHECK_INT(feed(dx_bytes_of(line), got, sizeof got),
                      more ? DX_SSE_TOO_LARGE : DX_SSE_MORE);
            dx_sse_reader_deinit(&r);
        }
    dx_sse_reader_init(&r, 0);
    CHECK_INT(feed(DX_BYTES("comment:xxxxxxxxxxxxxxxxxx\n:y\n\n"), got, sizeof got), DX_SSE_MORE);
    CHECK_INT(feed(DX_BYTES("data:\n"), got, sizeof got), DX_SSE_TOO_LARGE);
    dx_sse_reader_deinit(&r);
}

TEST("a large event's memory does not stay")
{
    static uint8_t in[200000];
    char got[64] = "";

    memset(in, 'x', sizeof in);
    memcpy(in, "data:", 5);
    dx_sse_reader_init(&r, sizeof in);
    feed(dx_bytes_at(in, sizeof in), got, sizeof got);
    feed(DX_BYTES("\n\n"), got, sizeof got);
    CHECK(strncmp(got, "message|xxxx", 12) == 0);
    feed(DX_BYTES(":"), got, sizeof got);
    CHECK(r.data.capacity <= 65536);
    dx_sse_reader_deinit(&r);
}
