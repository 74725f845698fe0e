/* For tests of handlers: HTTP on a loop in the test, asked through socket pairs.
 * Is:     a server with one route, requests as text, responses taken apart.
 * Is not: a test.
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_SERVED_H
#define DX_HTTP_TEST_SERVED_H

#include "http/http1.h"

enum { SERVED_FIELDS_MAX = 100 };

typedef struct served {
    dx_loop *loop;
    dx_net net;
    dx_router router;
    dx_http http;
} served;

/* Aborts the test program if it cannot. */
void served_init(served *s, const dx_route *route);
void served_deinit(served *s);

/* A connection to the server: the client's end, non-blocking. Close it before served_deinit. */
int served_connect(served *s);

/* Sends all of `text`, turning the loop as needed. */
void served_send(served *s, int fd, dx_bytes text);

/* Appends what comes to `to` until it has `size` bytes, the end, or nothing comes for a second. False
 * at the end. */
bool served_receive(served *s, int fd, size_t size, dx_buffer *to);

typedef struct served_response {
    dx_buffer bytes;
    dx_http_field fields[SERVED_FIELDS_MAX];
    dx_http_response_head head;
    dx_bytes body;
} served_response;

/* Connects, sends `request`, reads to the end (so it must ask for Connection: close) and takes the
 * response apart; code is 0 if there was no whole one. */
void served_ask(served *s, dx_bytes request, served_response *ret);
void served_response_deinit(served_response *r);

/* The value of a field of the response; "" if it has none. */
dx_bytes served_field(const served_response *r, const char *name);

#endif
