/* What pub and sub have in common: a URL made into an address, and a loop to reach it from.
 * Is:     one loop on the main thread, its connections, the words for what is wrong with a URL.
 * Is not: requests (http/client), sessions (ws/client), which HTTP it comes to (http/origin).
 * Memory: one struct of the caller's; opened and closed once.
 * Threads: the main thread.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_REMOTE_H
#define DX_CLI_REMOTE_H

#include "base/buffer.h"
#include "codec/url.h"
#include "http/origin.h"

/* How to reach a server: by which HTTP, whom to believe, and by what to be believed; a part of the options of a
 * command. */
typedef struct dx_cli_reach {
    const char *http; /* one of dx_cli_versions; NULL: auto */
    const char *cacert, *cert, *key;
    bool insecure;
} dx_cli_reach;

extern const char *const dx_cli_versions[];

#define DX_CLI_HTTP_OPTION(struct_name, member)                                                    \
    {                                                                                              \
        .name = "http", .value = "VERSION",                                                        \
        .help = "auto (default): https and wss as the server likes, the others by HTTP/1.1;\n"     \
                "1.1; 2: in clear with prior knowledge",                                           \
        .kind = DX_CLI_TEXT, .at = offsetof(struct_name, member.http), .choices = dx_cli_versions  \
    }

#define DX_CLI_TRUST_OPTIONS(struct_name, member)                                                  \
    {.name = "cacert",                                                                             \
     .value = "FILE",                                                                              \
     .help = "believe https and wss servers by the authorities in this file (PEM)",                \
     .kind = DX_CLI_TEXT,                                                                          \
     .at = offsetof(struct_name, member.cacert)},                                                  \
        {.name = "cert",                                                                           \
         .value = "FILE",                                                                          \
         .help = "show this certificate (PEM) to servers that ask who you are",                    \
         .kind = DX_CLI_TEXT,                                                                      \
         .at = offsetof(struct_name, member.cert)},                                                \
        {.name = "key",                                                                            \
         .value = "FILE",                                                                          \
         .help = "its private key (PEM)",                                                          \
         .kind = DX_CLI_TEXT,                                                                      \
         .at = offsetof(struct_name, member.key)},                                                 \
    {                                                                                              \
        .name = "insecure", .help = "believe any https and wss server, whoever it may be",         \
        .kind = DX_CLI_FLAG, .at = offsetof(struct_name, member.insecure)                          \
    }

enum { DX_CLI_HOST_BYTES = 256 };

typedef struct dx_cli_remote {
    const char *command; /* who speaks */
    dx_loop *loop;
    dx_net net;
    dx_url url; /* views of the text given */
    dx_conn_target to;
    dx_http_origin origin; /* what requests and WebSockets go to */
    char host[DX_CLI_HOST_BYTES];
    dx_buffer target; /* path and query, as a request line wants them */
} dx_cli_remote;

/* Reads `url` (borrowed until close), looks its host up and makes the loop. Says what is wrong.
 * Returns an exit code; close it also if that is not 0. */
int dx_cli_remote_open(dx_cli_remote *r, const char *command, const char *url,
                       const dx_cli_reach *reach);

/* Adds `name=value` to the query, the value encoded. False when memory is out. */
DX_MUST_USE bool dx_cli_remote_add_argument(dx_cli_remote *r, const char *name, const char *value);

/* "the server answered 404 Not Found: There is no such stream." body: of the answer, perhaps a problem
 * (RFC 9457). */
enum { DX_CLI_REFUSAL_BYTES = 900 };
void dx_cli_refusal_write(unsigned status, dx_bytes body, char text[DX_CLI_REFUSAL_BYTES]);

/* What a connection or a request has failed with, in words: with the address where it could not be reached, and what
 * to do about that. text: of whoever has failed. */
enum { DX_CLI_FAILURE_BYTES = 700 };
void dx_cli_remote_failure_write(const dx_cli_remote *r, dx_err err, const char *text,
                                 char ret[DX_CLI_FAILURE_BYTES]);

/* Milliseconds to wait before the next try: random from half to all of what doubles with each failure, from
 * 250 ms to 15 s. failures: in a row, at least 1. */
uint32_t dx_cli_backoff_ms(uint64_t failures);

/* Closes what is still connected and frees the loop. */
void dx_cli_remote_close(dx_cli_remote *r);

#endif
