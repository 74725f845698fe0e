/* Tests of the log: what a line looks like, and that nobody waits for its reader.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/log.h"
#include "base/log_line.h"
#include "tests/tap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *written(dx_log_format format, dx_bytes message, const dx_log_field *fields,
                           size_t count)
{
    static uint8_t line[DX_LOG_LINE_BYTES + 1];
    const dx_log_event event = {1781524615123, DX_LOG_WARN, 3, message, fields, count};
    size_t size = dx_log_line_write(&event, format, line);

    CHECK(size <= DX_LOG_LINE_BYTES && line[size - 1] == '\n');
    line[size] = '\0';
    return (const char *)line;
}

static void check_line(dx_log_format format, dx_bytes message, const char *expected)
{
    const char *line = written(format, message, NULL, 0);
    const char *msg = strstr(line, "msg");

    CHECK(msg != NULL);
    CHECK_MEM(msg, strlen(msg), expected, strlen(expected));
}

TEST("log: a line of logfmt, a line of JSON")
{
    const dx_log_field fields[] = {
        DX_LOG_TEXT("path", DX_BYTES("/live/a b")), DX_LOG_TEXT("absent", ((dx_bytes){NULL, 0})),
        DX_LOG_TEXT("empty", DX_BYTES("")), DX_LOG_NUMBER("status", 404)};
    const char *logfmt =
        "time=2026-06-15T11:56:55.123Z level=warn msg=gone worker=3 path=\"/live/a b\" "
        "empty=\"\" status=404\n";
    const char *json =
        "{\"time\":\"2026-06-15T11:56:55.123Z\",\"level\":\"warn\",\"msg\":\"gone\",\"worker\":3,"
        "\"path\":\"/live/a b\",\"empty\":\"\",\"status\":404}\n";

    const char *line = written(DX_LOG_LOGFMT, DX_BYTES("gone"), fields, DX_COUNT(fields));
    CHECK_MEM(line, strlen(line), logfmt, strlen(logfmt));
    line = written(DX_LOG_JSON, DX_BYTES("gone"), fields, DX_COUNT(fields));
    CHECK_MEM(line, strlen(line), json, strlen(json));
}

TEST("log: control bytes, quotes and bytes that are no UTF-8 are escaped: no line can be forged")
{
    check_line(DX_LOG_LOGFMT, DX_BYTES("/a\nlevel=error"), "msg=\"/a\\nlevel=error\" worker=3\n");
    check_line(DX_LOG_LOGFMT, DX_BYTES("\x1b[2J\x7f"), "msg=\"\\u001b[2J\\u007f\" worker=3\n");
    check_line(DX_LOG_LOGFMT, DX_BYTES("a=b"), "msg=\"a=b\" worker=3\n");
    check_line(DX_LOG_JSON, DX_BYTES("\"},{\""), "msg\":\"\\\"},{\\\"\",\"worker\":3}\n");
    check_line(DX_LOG_JSON, DX_BYTES("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x88"),
               "msg\":\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x88\",\"worker\":3}\n");
    check_line(DX_LOG_JSON, DX_BYTES("\xc0\xaf \xed\xa0\x80 \xff \xc2\x9b \xf4\x90\x80\x80"),
               "msg\":\"\\u00c0\\u00af \\u00ed\\u00a0\\u0080 \\u00ff \\u00c2\\u009b "
               "\\u00f4\\u0090\\u0080\\u0080\",\"worker\":3}\n");
    check_line(DX_LOG_JSON, DX_BYTES("\xe2\x82"), "msg\":\"\\u00e2\\u0082\",\"worker\":3}\n");
}

TEST("log: the longest texts leave a whole line")
{
    char text[5000];
    dx_log_field fields[20];

    memset(text, '\n', sizeof text);
    for (size_t i = 0; i < DX_COUNT(fields); i++)
        fields[i] = DX_LOG_TEXT("path", dx_bytes_at(text, sizeof text));
    const char *line =
        written(DX_LOG_JSON, dx_bytes_at(text, sizeof text), fields, DX_COUNT(fields));
    size_t size = strlen(line), quotes = 0;
    CHECK(strcmp(line + size - 5, "...\"}") != 0 && strcmp(line + size - 3, "\"}\n") == 0);
    for (const char *c = line; *c; c++)
        quotes += *c == '"';
    CHECK_INT(quotes % 2, 0);
}

static size_t read_some(int fd, char *to, size_t room)
{
    ssize_t got = read(fd, to, room - 1);

    to[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

TEST("log: levels, at the start and changed; the last error is remembered")
{
    int fds[2];
    char got[2000], last[DX_LOG_LAST_BYTES];
    CHECK(pipe(fds) == 0);
    dx_log log = {dx_log_sink_new(fds[1]), -1};

    dx_log_write(&log, DX_LOG_DEBUG, "dropped");
    dx_log_write(NULL, DX_LOG_ERROR, "nowhere");
    dx_log_sink_set_level(log.sink, DX_LOG_DEBUG);
    CHECK(dx_log_is_on(&log, DX_LOG_DEBUG));
    dx_log_write(&log, DX_LOG_DEBUG, "%s", "kept");
    dx_log_write(&log, DX_LOG_ERROR, "port %d", 80);
    dx_log_sink_last_error(log.sink, last);
    CHECK(strcmp(last, "port 80") == 0);
    read_some(fds[0], got, sizeof got);
    CHECK(strstr(got, "\"level\":\"debug\",\"msg\":\"kept\"}\n") && !strstr(got, "dropped"));
    dx_log_sink_free(log.sink);
    close(fds[0]);
    close(fds[1]);
}

typedef struct reading {
    int fd;
    size_t lines, lost;
} reading;

/* Counts the lines of a log that was not read at first, and those that it says were lost. */
static void *count_lines(void *context)
{
    reading *r = context;
    char text[65536];
    FILE *in = fdopen(r->fd, "r");

    while (fgets(text, sizeof text, in)) {
        const char *number = strstr(text, "\"lines\":");
        CHECK(text[0] == '{' && strcmp(text + strlen(text) - 2, "}\n") == 0);
        r->lost += number ? strtoul(number + 8, NULL, 10) : 0;
        r->lines += number ? 0 : 1;
    }
    fclose(in);
    return NULL;
}

TEST("log: a reader that does not read keeps nobody waiting, and is told what it has missed")
{
    enum { LINES = 20000 };
    int fds[2];
    pthread_t reader;
    CHECK(pipe(fds) == 0);
    dx_log log = {dx_log_sink_new(fds[1]), 1};
    CHECK_INT(dx_log_sink_start(log.sink), DX_OK);
    CHECK_INT(dx_log_sink_start(log.sink), DX_OK);

    for (int i = 0; i < LINES; i++)
        dx_log_write(&log, DX_LOG_INFO,
                     "line %d of many that nobody reads, filling what there is of room", i);
    dx_log_write(&log, DX_LOG_ERROR, "an error still finds room");
    reading r = {.fd = fds[0]};
    CHECK(pthread_create(&reader, NULL, count_lines, &r) == 0);
    dx_log_sink_free(log.sink);
    close(fds[1]);
    pthread_join(reader, NULL);
    CHECK_INT(r.lines + r.lost, LINES + 1);
    CHECK(r.lost > 0 && r.lines > 1000);
}

TEST("log: a reader that never reads does not hold up the end for long")
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    dx_log log = {dx_log_sink_new(fds[1]), 1};
    CHECK_INT(dx_log_sink_start(log.sink), DX_OK);

    for (int i = 0; i < 5000; i++)
        dx_log_write(&log, DX_LOG_INFO,
                     "line %d of many that nobody reads, filling what there is of room", i);
    uint64_t began = dx_clock_ms();
    dx_log_sink_stop(log.sink);
    CHECK(dx_clock_ms() - began < 5000);
    dx_log_write(&log, DX_LOG_DEBUG, "not written");
    dx_log_sink_free(log.sink);
    close(fds[0]);
    close(fds[1]);
}
