/* What the tests of HTTP/1.1 share: a loop with a server and its routes, and responses taken apart.
 * Is:     struct site, its routes below, responses. Include tests/tap.h first.
 * Is not: the other end of a connection (net/test_peer.h).
 *
 * Routes: GET /hello; GET /n/{n} answers its n; POST /echo (1000 bytes at most); /later and /stream are
 * answered by the test; GET /204, /304; GET /bad has a field that cannot be sent; GET and POST /both
 * beside a WebSocket; /upgrade and /upgrade-later hand the connection to site.upgraded.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_SITE_H
#define DX_HTTP_TEST_SITE_H

#include "http/http1.h"
#include "net/test_probe.h"

enum { SITE_LATER_MAX = 128 };

typedef struct site {
    world w;
    dx_router router;
    dx_http http;
    dx_exchange *later[SITE_LATER_MAX]; /* handed over and not answered */
    size_t later_count;
    int handled, gone, rooms;
    char seen[64];  /* the path of the last request that was handled */
    probe upgraded; /* the protocol of an upgraded connection */
} site;

/* config, limits: NULL for the defaults. */
void site_init(site *s, const dx_http_config *config, const dx_net_limits *limits);
/* Every connection must be going. */
void site_deinit(site *s);

/* A connection to the site: `p` is the client's end. */
void site_connect(site *s, peer *p);
void site_connect_tcp(site *s, peer *p);

/* The oldest exchange that waits; NULL if there is none. It is the test's from here on. */
dx_exchange *site_take_later(site *s);
/* Answers it with `text`. */
void site_answer(site *s, const char *text);

/* Sends `request` on a new connection, finishes sending, reads to the end. The answer is in `p`
 * (close it). split: the request is sent in two parts, the first so long; 0: in one. */
void site_ask(site *s, peer *p, dx_bytes request, size_t split);

/* ---- responses -------------------------------------------------------------------------------- */

typedef struct response {
    unsigned code;
    bool keep_alive;
    dx_bytes head, body; /* views; the body without chunks' heads is not made: see is_chunked */
    bool is_chunked;
} response;

/* Takes the next whole response off `*in`. to_head: it answers HEAD. False if there is none. */
bool response_next(dx_bytes *in, bool to_head, response *ret);
/* How often `text` is in what the peer received. */
int count_text(peer *p, const char *text);

#endif
