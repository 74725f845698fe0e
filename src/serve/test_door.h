/* What the tests of the HTTP doors share.
 * Is:     one request and what is expected of its answer, in a line.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TEST_DOOR_H
#define DX_SERVE_TEST_DOOR_H

#include "codec/offset.h"
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <stdarg.h>

/* Each on every backend with 1 and 2 workers: streams are at home here or there. */
#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

#define TEXT "Content-Type: text/plain\r\n"
#define JSON "Content-Type: application/json\r\n"
#define BINARY "Content-Type: application/octet-stream\r\n"
#define CLOSING "Stream-Closed: true\r\n"

/* The answer; to be freed. */
static inline answer ask(dx_server *s, const char *method, const char *path, const char *fields,
                         const char *body)
{
    return http(s, method, path, fields, dx_bytes_of(body));
}

/* Its status. */
static inline unsigned status_of(dx_server *s, const char *method, const char *path,
                                 const char *fields, const char *body)
{
    answer a = ask(s, method, path, fields, body);
    answer_free(&a);
    return a.status;
}

#define CHECK_FIELD(a, name, want)                                                                 \
    do {                                                                                           \
        if (strcmp(answer_field(a, name), want) != 0)                                              \
            TAP_FAIL("%s is \"%s\", expected \"%s\"", name, answer_field(a, name), want);          \
    } while (0)

/* Status and content of a GET. */
#define CHECK_GET(s, path, want_status, want_body)                                                 \
    do {                                                                                           \
        answer got = http_get(s, path);                                                            \
        CHECK_INT(got.status, want_status);                                                        \
        CHECK_MEM(got.body, got.size, want_body, strlen(want_body));                               \
        answer_free(&got);                                                                         \
    } while (0)

typedef struct text {
    char at[512];
} text;

__attribute__((format(printf, 1, 2))) static inline text text_of(const char *format, ...)
{
    text made;
    va_list values;

    va_start(values, format);
    vsnprintf(made.at, sizeof made.at, format, values);
    va_end(values);
    return made;
}

/* The value of one field of the answer to this request. */
static inline text field_of(dx_server *s, const char *method, const char *path, const char *fields,
                            const char *body, const char *name)
{
    answer a = ask(s, method, path, fields, body);
    text value;

    snprintf(value.at, sizeof value.at, "%s", answer_field(&a, name));
    answer_free(&a);
    return value;
}

/* Where the stream ends. */
static inline text tail_of(dx_server *s, const char *path)
{
    return field_of(s, "HEAD", path, "", "", "Stream-Next-Offset");
}

static inline bool holds(const answer *a, const char *part)
{
    return a->body && strstr(a->body, part) != NULL;
}

#endif
