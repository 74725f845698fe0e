/* Request templates. See http_template.h for the placeholders.
 * Memory: one growing buffer, handed over.   Threads: any.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    char *at;
    size_t size, capacity;
} buffer;

static void append(buffer *b, const char *at, size_t size)
{
    if (size == 0)
        return;
    if (b->capacity - b->size < size) {
        b->capacity = (b->size + size) * 2;
        b->at = realloc(b->at, b->capacity);
        if (!b->at)
            abort();
    }
    memcpy(b->at + b->size, at, size);
    b->size += size;
}

static void append_repeated(buffer *b, const char *spec, size_t size)
{
    char *colon;
    unsigned long count = strtoul(spec, &colon, 10);

    if (*colon != ':')
        abort();
    for (unsigned long i = 0; i < count; i++)
        append(b, colon + 1, size - (size_t)(colon + 1 - spec));
}

/* High bits set: neither a token nor a line end, from the first octet on. */
static void append_noise(buffer *b, const char *spec)
{
    unsigned long count = strtoul(spec, NULL, 10);
    uint32_t state = 42;

    for (unsigned long i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        char octet = (char)(0x80 | (state >> 24));
        append(b, &octet, 1);
    }
}

static const char *variable(const dx_probe_vars *vars, const char *name, size_t size)
{
    const struct {
        const char *name, *value;
    } known[] = {
        {"get", vars->get},           {"post", vars->post}, {"host", vars->host},
        {"etag", vars->etag},         {"weak", vars->weak}, {"bare", vars->bare},
        {"modified", vars->modified}, {"size", vars->size}, {"last", vars->last},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0)
            return known[i].value ? known[i].value : "";
    fprintf(stderr, "unknown placeholder {%.*s}\n", (int)size, name);
    abort();
}

static void expand_into(buffer *b, const dx_probe_vars *vars, dx_probe_text in);

/* {len}: the octets after the blank line, which do not depend on the digits of {len} itself. */
static void append_body_size(buffer *b, const dx_probe_vars *vars, dx_probe_text whole)
{
    const char *blank = memmem(whole.at, whole.size, "\r\n\r\n", 4);
    buffer body = {0};
    char digits[24];

    if (!blank)
        abort();
    expand_into(&body, vars,
                (dx_probe_text){blank + 4, whole.size - (size_t)(blank + 4 - whole.at)});
    append(b, digits, (size_t)snprintf(digits, sizeof digits, "%zu", body.size));
    free(body.at);
}

static void expand_into(buffer *b, const dx_probe_vars *vars, dx_probe_text in)
{
    const char *at = in.at, *end = in.at + in.size;

    while (at < end) {
        const char *open = memchr(at, '{', (size_t)(end - at));
        if (!open)
            open = end;
        append(b, at, (size_t)(open - at));
        if (open == end)
            return;
        const char *name = open + 1, *close = memchr(name, '}', (size_t)(end - name));
        if (!close)
            abort();
        size_t size = (size_t)(close - name);
        if (*name == '*')
            append_repeated(b, name + 1, size - 1);
        else if (size > 6 && memcmp(name, "noise:", 6) == 0)
            append_noise(b, name + 6);
        else if (size == 3 && memcmp(name, "len", 3) == 0)
            append_body_size(b, vars, in);
        else {
            const char *value = variable(vars, name, size);
            append(b, value, strlen(value));
        }
        at = close + 1;
    }
}

void dx_probe_expand(const dx_probe_vars *vars, dx_probe_text in, dx_probe_text *ret)
{
    buffer b = {0};

    expand_into(&b, vars, in);
    *ret = (dx_probe_text){b.at, b.size};
}
