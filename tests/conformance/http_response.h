/* A strict HTTP/1.1 response reader: a second opinion that shares no code with the server.
 * Is:     status line, fields, body by Content-Length, chunks or close; several responses in a row;
 *         what RFC 9110 and 9112 demand of every response, whatever the request was.
 * Is not: what a certain case expects (http_expect).
 * Memory: a response owns its bytes; dx_probe_response_deinit frees them.
 * Threads: as its dx_peer.
 * Source: RFC 9112 §2.2, §4-§7; RFC 9110 §5.5, §5.6.7, §6.6.1, §8.6, §15.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_case.h"
#include "tests/conformance/peer.h"

enum { DX_PROBE_FIELDS_MAX = 64 };

typedef struct dx_probe_field {
    dx_probe_text name, value;
} dx_probe_field;

typedef struct dx_probe_response {
    int status;
    char *head; /* status line and fields; the field views point into it */
    size_t head_size;
    dx_probe_field fields[DX_PROBE_FIELDS_MAX];
    size_t fields_count;
    char *body; /* decoded; NUL after its last octet */
    size_t body_size;
    bool says_close, says_keep_alive;
    bool ends_by_close; /* the body had no other end: nothing can follow */
} dx_probe_response;

typedef enum dx_probe_read {
    DX_PROBE_GOT,
    DX_PROBE_NONE,   /* nothing came before the deadline */
    DX_PROBE_CLOSED, /* FIN, and no octet before it */
    DX_PROBE_RESET,  /* RST, and no octet before it */
    DX_PROBE_BROKEN, /* octets came, but they are no response: `fault` says why */
} dx_probe_read;

typedef struct dx_probe_asked {
    bool head;   /* the request was HEAD: no body may follow */
    bool http10; /* the client cannot read chunks or 1xx */
    int timeout_ms;
} dx_probe_asked;

/* Reads the next response from `peer`. *ret is filled for GOT only (given; deinit it).
 * fault: given to BROKEN, one line, at least 160 octets of room. */
dx_probe_read dx_probe_response_read(dx_peer *peer, const dx_probe_asked *asked,
                                     dx_probe_response *ret, char *fault);

void dx_probe_response_deinit(dx_probe_response *response);

/* The value of the first field of that name (any case), or {NULL, 0}. */
dx_probe_text dx_probe_response_field(const dx_probe_response *response, const char *name);

/* True if a comma-separated field of that name holds the token (any case). */
bool dx_probe_response_lists(const dx_probe_response *response, const char *name,
                             const char *token);
