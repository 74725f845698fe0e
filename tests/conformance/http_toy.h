/* A toy HTTP/1.1 server, to test the conformance client with: strict, small, slow, and able to err.
 * Is:     one thread for each connection; `echo` (200 to everything) or `stream` (/healthz and
 *         /live/NAME); one fault on demand, by name.
 * Is not: part of the product, and shares nothing with it.
 * Memory: a request's head in its connection; bodies and streams on the heap.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOY_LINE_MAX = 8192,
    TOY_SECTION_MAX = 16384,
    TOY_FIELDS_MAX = 100,
    TOY_BODY_MAX = 1 << 20,
};

typedef struct toy_field {
    char *name, *value;
    size_t value_size; /* a value may hold NUL on its way to a refusal */
} toy_field;

typedef struct toy_connection {
    int fd;
    bool sent_close;
    char input[4096];
    size_t at, end;
} toy_connection;

typedef struct toy_request {
    char line[TOY_LINE_MAX + 2];
    char *method, *target, *version;
    char section[TOY_SECTION_MAX + 2];
    toy_field fields[TOY_FIELDS_MAX];
    size_t fields_count;
    bool http10, close, chunked, sized, expects;
    uint64_t length;
    char *body;
    size_t body_size;
} toy_request;

/* What a step of reading found: go on, a status to refuse with, or that the client has gone. */
enum { TOY_OK = 0, TOY_GONE = -1 };

/* Is this the fault that was asked for? */
bool toy_errs(const char *fault);

/* http_toy_read.c: the next octet, or TOY_GONE. */
int toy_next(toy_connection *c);

/* http_toy_read.c: request line and fields into *r, with all that they decide. */
int toy_read_head(toy_connection *c, toy_request *r);

/* http_toy_read.c: the body into r->body (freed by the caller, whatever is returned). */
int toy_read_body(toy_connection *c, toy_request *r);

/* http_toy_read.c: the value of a field, NULL if absent; how often it is there. */
const char *toy_field_value(const toy_request *r, const char *name, size_t *ret_count);

/* http_toy_read.c: does the comma-separated field hold this token? */
bool toy_field_lists(const toy_request *r, const char *name, const char *token);
