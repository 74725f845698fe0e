/* duplex compare without a server: statistics, messages, and what the writers make of figures.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"
#include "codec/json.h"
#include "tests/tap.h"

/* ---- samples ---------------------------------------------------------------------------------- */

static dx_samples samples_of(const uint64_t *ns, size_t count)
{
    dx_samples s = {0};

    for (size_t i = 0; i < count; i++)
        CHECK(dx_samples_add(&s, ns[i]));
    return s;
}

TEST("a quantile is the nearest rank: a sample that came, with at least so many at or below it")
{
    static const uint64_t five[] = {50, 20, 40, 10, 30};
    dx_samples s = samples_of(five, DX_COUNT(five));

    CHECK_INT(dx_samples_quantile(&s, 0), 10);
    CHECK_INT(dx_samples_quantile(&s, 200), 10);
    CHECK_INT(dx_samples_quantile(&s, 201), 20);
    CHECK_INT(dx_samples_quantile(&s, 500), 30);
    CHECK_INT(dx_samples_quantile(&s, 990), 50);
    CHECK_INT(dx_samples_quantile(&s, 1000), 50);
    CHECK_INT(s.at[0], 50); /* the order of coming stays */
    dx_samples_clear(&s);
    CHECK_INT(s.count, 0);
}

TEST("p99 of 1000 is the 990th, of one the one, of none 0")
{
    dx_samples s = {0};

    CHECK_INT(dx_samples_quantile(&s, 990), 0);
    for (uint64_t i = 1000; i > 0; i--)
        CHECK(dx_samples_add(&s, i));
    CHECK_INT(dx_samples_quantile(&s, 990), 990);
    CHECK_INT(dx_samples_quantile(&s, 500), 500);
    dx_samples_clear(&s);
    CHECK(dx_samples_add(&s, UINT64_MAX));
    CHECK(dx_samples_quantile(&s, 1) == UINT64_MAX);
    dx_samples_clear(&s);
}

/* ---- messages --------------------------------------------------------------------------------- */

TEST("a message is JSON of exactly its size, and tells its number")
{
    static const size_t sizes[] = {64, 65, 78, 79, 80, 94, 95, 96, 200, 1000, 60000};
    uint8_t *memory = malloc(60000);
    size_t error_at;
    uint64_t number;

    for (size_t i = 0; i < DX_COUNT(sizes); i++)
        for (uint64_t n = 0; n < 3000; n += 733) {
            dx_compare_message_write(n, memory, sizes[i]);
            dx_bytes message = dx_bytes_at(memory, sizes[i]);
            CHECK_INT(dx_json_check(message, DX_JSON_DEPTH_DEFAULT, &error_at), DX_JSON_OK);
            CHECK_INT(message.at[message.size - 1], '}');
            CHECK(dx_compare_message_number(message, &number));
            CHECK_INT(number, n);
        }
    free(memory);
}

TEST("no two messages are the same, and what is none has no number")
{
    uint8_t one[200], two[200];
    uint64_t number = 7;

    dx_compare_message_write(1, one, sizeof one);
    dx_compare_message_write(2, two, sizeof two);
    CHECK(memcmp(one + 20, two + 20, sizeof one - 20) != 0);
    CHECK(!dx_compare_message_number(DX_BYTES("{\"n\":10000"), &number));
    CHECK(!dx_compare_message_number(DX_BYTES("{\"n\":10000x,"), &number));
    CHECK(!dx_compare_message_number(DX_BYTES("{\"n\":099999,"), &number));
    CHECK(!dx_compare_message_number(DX_BYTES("[]"), &number));
    CHECK_INT(number, 7);
}

/* ---- what comes through a line ---------------------------------------------------------------- */

static dx_bytes message_of(uint64_t number)
{
    static uint8_t memory[DX_COMPARE_MESSAGE_MIN];

    dx_compare_message_write(number, memory, sizeof memory);
    return dx_bytes_at(memory, sizeof memory);
}

TEST("each message counts from when it was due, not from when the one before came")
{
    dx_samples samples = {0};
    dx_compare_line line = {.samples = &samples, .due_ns = 1000, .interval_ns = 500};

    dx_compare_got(&line, message_of(0));
    dx_compare_got(&line, message_of(1));
    CHECK(!line.is_failed);
    CHECK_INT(line.next, 2);
    CHECK_INT(samples.count, 2);
    CHECK(samples.at[1] + 500 >=
          samples.at[0]); /* both are since the machine began: its clock counts from there */
    line.due_ns = UINT64_MAX / 2;
    dx_compare_got(&line, message_of(2));
    CHECK_INT(samples.at[2], 0); /* before it was due: no time at all */
    dx_samples_clear(&samples);
}

TEST("a message that is lost, doubled or nobody's is a failure, and the first one is told")
{
    dx_compare_line lost = {0}, doubled = {0}, nobodys = {0};

    dx_compare_got(&lost, message_of(0));
    dx_compare_got(&lost, message_of(2));
    CHECK(lost.is_failed);
    CHECK(strcmp(lost.why, "message 2 came where 1 was due") == 0);
    dx_compare_fail(&lost, "later");
    CHECK(strcmp(lost.why, "message 2 came where 1 was due") == 0);
    dx_compare_got(&doubled, message_of(0));
    dx_compare_got(&doubled, message_of(0));
    CHECK(doubled.is_failed);
    dx_compare_got(&nobodys, DX_BYTES("hello"));
    CHECK(nobodys.is_failed);
}

TEST("an array is its messages in order; what is none is a failure")
{
    uint8_t memory[3 * DX_COMPARE_MESSAGE_MIN];
    dx_compare_line line = {0}, bad = {0}, none = {0};
    size_t size = 0;

    memory[size++] = '[';
    for (uint64_t n = 0; n < 2; n++) {
        memcpy(memory + size, message_of(n).at, DX_COMPARE_MESSAGE_MIN);
        size += DX_COMPARE_MESSAGE_MIN;
        memory[size++] = n == 0 ? ',' : ']';
    }
    dx_compare_got_array(&line, dx_bytes_at(memory, size));
    CHECK(!line.is_failed);
    CHECK_INT(line.next, 2);
    dx_compare_got_array(&bad, dx_bytes_at(memory, size - 1));
    CHECK(bad.is_failed);
    dx_compare_got_array(&none, DX_BYTES("[]"));
    CHECK(!none.is_failed);
    CHECK_INT(none.next, 0);
}

/* ---- the report ------------------------------------------------------------------------------- */

static const dx_compare_report report = {
    .has_cpu = true,
    .message_bytes = 200,
    .rate = 200,
    .ask_ms = 100,
    .rows =
        {{.id = "http-1.0",
          .name = "HTTP/1.0",
          .figures = {{.messages = 10,
                       .requests = 20,
                       .connections = 20,
                       .up = 4535,
                       .down = 11095,
                       .p50_ns = 163400,
                       .p99_ns = 8282000,
                       .max_ns = 9000000,
                       .cpu_ns = 927000},
                      {.messages = 30,
                       .requests = 3,
                       .connections = 3,
                       .p50_ns = 50000000,
                       .p99_ns = 99000000}}},
         {.id = "http-1.1",
          .name = "HTTP/1.1",
          .figures = {{.messages = 10, .requests = 20, .connections = 1, .up = 4530, .down = 10710},
                      {.messages = 30, .requests = 3, .connections = 1}}},
         {.id = "http-2", .name = "HTTP/2", .missing = "not today"},
         {.id = "websocket",
          .name = "WebSocket",
          .figures =
              {{.messages = 10,
                .requests = 1,
                .connections = 1,
                .open_up = 180,
                .open_down = 220,
                .up = 2080,
                .down = 2040,
                .p50_ns = 19000,
                .p99_ns = 354000},
               {.messages = 30, .requests = 1, .connections = 1, .down = 6120, .p50_ns = 1}}}},
    .rows_count = 4,
};

typedef void writer(const dx_compare_report *r, FILE *to);

static char *text_of(writer *write_it, const dx_compare_report *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    write_it(r, to);
    fclose(to);
    return text;
}

static void check_has(const char *text, const char *part)
{
    CHECK(strstr(text, part) != NULL);
    if (strstr(text, part) == NULL)
        printf("# no \"%s\" in:\n# %s\n", part, text);
}

TEST("the table has a line for each way and phase, and says what 10 requests are")
{
    char *text = text_of(dx_compare_table_write, &report);

    check_has(
        text,
        "HTTP/1.0                  20       20    453.5   1109.5    0.163    8.282     92.7\n");
    check_has(
        text,
        "HTTP/1.0                   3        3      0.0      0.0   50.000   99.000      0.0\n");
    check_has(
        text,
        "WebSocket                  1        1    208.0    204.0    0.019    0.354      0.0\n");
    check_has(text, "HTTP/2              not measured: not today\n");
    check_has(
        text,
        "By HTTP/1.0 10 requests are 10 connections (here 20 were 20); by HTTP/1.1 20 were 1.\n");
    check_has(
        text,
        "A message of 200 bytes there and back is 1524 bytes by HTTP/1.1 and 412 by WebSocket.\n");
    check_has(text, "When to take which:\n");
    free(text);
}

TEST("without the server's CPU the table says so, and JSON has null")
{
    dx_compare_report r = report;

    r.has_cpu = false;
    r.url = "http://test/\"live\"/";
    char *text = text_of(dx_compare_table_write, &r), *json = text_of(dx_compare_json_write, &r);
    CHECK(strstr(text, "CPU us") == NULL);
    check_has(text, "The server's CPU is left out");
    check_has(json, "{\"server\":\"http://test/\\\"live\\\"/\",");
    check_has(json, "\"server_cpu_us_per_message\":null}");
    free(text);
    free(json);
}

TEST("JSON has the same figures, and is JSON")
{
    char *text = text_of(dx_compare_json_write, &report);
    size_t error_at;

    CHECK_INT(dx_json_check(dx_bytes_of(text), DX_JSON_DEPTH_DEFAULT, &error_at), DX_JSON_OK);
    check_has(
        text,
        "{\"server\":null,\"message_bytes\":200,\"push_per_second\":200,\"asks_every_ms\":100,\"ways\":[");
    check_has(
        text,
        "{\"way\":\"http-1.0\",\"name\":\"HTTP/1.0\",\"talk\":{\"messages\":10,\"requests\":20,"
        "\"connections\":20,\"opening_bytes\":{\"up\":0,\"down\":0},"
        "\"bytes_per_message\":{\"up\":453.5,\"down\":1109.5},"
        "\"latency_ms\":{\"p50\":0.163,\"p99\":8.282,\"max\":9.000},"
        "\"server_cpu_us_per_message\":92.7},\"push\":{");
    check_has(text, "{\"way\":\"http-2\",\"name\":\"HTTP/2\",\"missing\":\"not today\"}");
    check_has(text, "\"opening_bytes\":{\"up\":180,\"down\":220}");
    free(text);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

TEST("the plot has a panel for each question and two bars for each way that was measured")
{
    dx_compare_report r = report;
    char *text = text_of(dx_compare_svg_write, &r);

    check_has(text, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    CHECK_INT(count_of(text, "class=\"t\""), 4);
    CHECK_INT(count_of(text, "<rect class=\"a\""), 4 * 3);
    CHECK_INT(count_of(text, "<rect class=\"b\""), 4 * 3);
    CHECK_INT(count_of(text, "<text"), 4 + 4 * 3 * 2);
    CHECK_INT(count_of(text, "</text>"), 4 + 4 * 3 * 2);
    check_has(text, "prefers-color-scheme:dark");
    CHECK_INT(count_of(text, "width=\"460.0\""),
              3 + 2); /* the largest fills its panel; CPU has one value */
    CHECK_INT(count_of(text, "nan"), 0);
    CHECK_INT(count_of(text, "width=\"-"), 0);
    free(text);
    r.has_cpu = false;
    text = text_of(dx_compare_svg_write, &r);
    CHECK_INT(count_of(text, "class=\"t\""), 3);
    free(text);
}

TEST("a report in which nothing was measured is still one")
{
    dx_compare_report r = {.rows = {{.id = "sse", .name = "SSE", .missing = "no"}},
                           .rows_count = 1};
    char *table = text_of(dx_compare_table_write, &r), *json = text_of(dx_compare_json_write, &r),
         *svg = text_of(dx_compare_svg_write, &r);

    check_has(table, "SSE                 not measured: no\n");
    CHECK(strstr(table, "10 connections") == NULL);
    check_has(json, "\"ways\":[{\"way\":\"sse\",\"name\":\"SSE\",\"missing\":\"no\"}]}");
    check_has(svg, "</svg>");
    CHECK(dx_compare_row_find(&r, "sse") == NULL);
    free(table);
    free(json);
    free(svg);
}
