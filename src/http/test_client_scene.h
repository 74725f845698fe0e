/* A client of HTTP and the bare other end of its connection, on one loop.
 * Is:     struct scene: a client, a listening socket, what the client was told, what the peer has read.
 * Is not: what the peer says (each test's own; test_client_far.h for HTTP/2).
 * Include tests/tap.h first.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_CLIENT_SCENE_H
#define DX_HTTP_TEST_CLIENT_SCENE_H

#include "http/client.h"

enum { TURNS_MAX = 1500, WAIT_MS = 2 };

/* One loop with a client, a listening socket, and what the client was told. */
typedef struct scene {
    dx_loop *loop;
    dx_net net;
    dx_http_origin origin;
    dx_http_client *client;
    struct scene *first; /* whose loop, origin and peer it uses; itself, but for one beside it */
    int listener, peer;  /* peer: -1 until accepted */
    dx_buffer asked;     /* what the peer has read */
    unsigned code;
    char next_offset[32];
    dx_buffer body;
    unsigned heads_count, dones_count, faileds_count;
    dx_err err;
    char why[160];
    bool frees_on_head, frees_on_body, frees_on_done, sends_again, pauses;
} scene;

void scene_init(scene *s, dx_http_version version);
/* Another client of the same origin. */
void scene_init_beside(scene *s, scene *first);
/* Those beside it first. */
void scene_deinit(scene *s);
void scene_free_client(scene *s);

/* To /live/x?y=1, with a field if there is a body. */
void scene_send(scene *s, const char *method, dx_bytes body, bool keep_alive);
static inline bool scene_is_told(const scene *s)
{
    return s->dones_count + s->faileds_count > 0;
}
void run_until_told(scene *s);
void run_turns(scene *s, int count);

/* Accepts, if there is something to accept, and reads what there is. */
void peer_read(scene *s);
/* Turns until the peer has read all of a request that ends in `end`. */
void peer_await(scene *s, const char *end);
void peer_say(scene *s, dx_bytes text);
void peer_close(scene *s);

#endif
