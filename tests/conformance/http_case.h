/* One HTTP/1.1 conformance case: a row of a table.
 * Is:     the row's type, its vocabulary, and the tables that exist.
 * Is not: how a row is run (http_run), judged (http_expect) or printed (http_conformance).
 * Memory: constant data.   Threads: any.
 * Source: RFC 9110, RFC 9112; case names are those of h1spec and Http11Probe, the rows are ours.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that may hold NUL. */
typedef struct dx_probe_text {
    const char *at;
    size_t size;
} dx_probe_text;

#define DX_PROBE_TEXT(literal)                                                                     \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

typedef enum dx_probe_tier {
    DX_PROBE_MUST,
    DX_PROBE_SHOULD,
    DX_PROBE_MAY,
    DX_PROBE_H1SPEC,
    DX_PROBE_POLICY, /* the public set does not score it; our policy decides */
    DX_PROBE_OWN,    /* not in a public set */
} dx_probe_tier;
enum { DX_PROBE_TIERS = DX_PROBE_OWN + 1 };

typedef enum dx_probe_needs {
    DX_PROBE_ANY,
    DX_PROBE_ECHO,     /* only the server that answers 200 to everything */
    DX_PROBE_STREAM,   /* only the stream server: /healthz and /live/NAME */
    DX_PROBE_FILE,     /* group "files": a static file's URL */
    DX_PROBE_MODIFIED, /* group "files", and the file has a Last-Modified */
} dx_probe_needs;

/* What is done between `send` and `rest`. */
typedef enum dx_probe_pause {
    DX_PROBE_GO_ON,
    DX_PROBE_SILENCE, /* 150 ms in which the server must neither answer nor close */
    DX_PROBE_ANSWER,  /* one response, interim or final, is read first */
} dx_probe_pause;

enum {
    DX_PROBE_FINISH = 1, /* our FIN follows the last byte */
    DX_PROBE_RST_OK =
        2, /* more is sent than a server must drain: RST may follow the whole answer */
};

struct dx_probe_result;

/* Looks at the responses of a run; NULL, or what is wrong with them. */
typedef const char *dx_probe_check(const struct dx_probe_result *result);

/* `expect`, and `stream` where a stream rightly answers otherwise:
 *   expectation = way *( " / " way ); any one way is enough
 *   way         = *( item " " ) end
 *   item        = status *( "|" status ) [ "?" (it may be absent) / "*" count ]
 *   status      = three digits, or "2xx"
 *   end         = "!" the server closes by FIN, and sends nothing more
 *               / "+" the connection serves the next request
 *               / "?" the server does what its last answer says about the connection
 * `send` and `rest` are templates, see http_template.h. */
typedef struct dx_probe_case {
    const char *name;
    const char *section;
    dx_probe_tier tier;
    dx_probe_needs needs;
    const char *expect;
    const char *stream;
    dx_probe_text send;
    dx_probe_pause pause;
    dx_probe_text rest;
    uint32_t heads;     /* bit n: the nth final response answers a HEAD */
    uint32_t flags;     /* DX_PROBE_FINISH, ... */
    const char *stored; /* what a stream must hold afterwards */
    dx_probe_check *check;
} dx_probe_case;

#define DX_PROBE_ROW(tier_, name_, section_, expect_, send_, ...)                                  \
    {                                                                                              \
        .tier = (tier_), .name = (name_), .section = (section_), .expect = (expect_),              \
        .send = DX_PROBE_TEXT(send_), __VA_ARGS__                                                  \
    }

/* Requests that most rows begin with; each still lacks its blank line. */
#define DX_PROBE_GET "GET {get} HTTP/1.1\r\nHost: {host}\r\n"
#define DX_PROBE_POST "POST {post} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\n"
#define DX_PROBE_CHUNKED DX_PROBE_POST "Transfer-Encoding: chunked\r\n\r\n"

typedef struct dx_probe_table {
    const dx_probe_case *cases;
    size_t count;
} dx_probe_table;

#define DX_PROBE_TABLE(array)                                                                      \
    {                                                                                              \
        array, sizeof(array) / sizeof((array)[0])                                                  \
    }

extern const dx_probe_table dx_probe_h1spec;     /* http_cases_h1spec.c */
extern const dx_probe_table dx_probe_compliance; /* http_cases_compliance.c */
extern const dx_probe_table dx_probe_smuggling;  /* http_cases_smuggling.c */
extern const dx_probe_table dx_probe_malformed;  /* http_cases_malformed.c: and names, cookies */
extern const dx_probe_table dx_probe_own;        /* http_cases_own.c */
extern const dx_probe_table dx_probe_own_body;   /* http_cases_own_body.c */
extern const dx_probe_table dx_probe_files;      /* http_cases_files.c */
