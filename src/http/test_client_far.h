/* The bare server's end of an HTTP/2 connection: frames written by hand, and what the client sent noted.
 * Is:     struct far over a scene (test_client_scene.h).
 * Is not: a server that keeps to the rules: it sends what it is told to. Heads are read by nghttp2's HPACK.
 * Include tests/tap.h first.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_CLIENT_FAR_H
#define DX_HTTP_TEST_CLIENT_FAR_H

#include "http/test_client_scene.h"

#include <nghttp2/nghttp2.h>

enum { FAR_STREAMS_MAX = 32 };

/* Flags, in short. */
enum {
    ES = NGHTTP2_FLAG_END_STREAM,
    EH = NGHTTP2_FLAG_END_HEADERS,
    PADDED = NGHTTP2_FLAG_PADDED,
    ACK = NGHTTP2_FLAG_ACK
};

typedef struct far_stream {
    char head[2048]; /* "name: value\n" */
    size_t head_size;
    dx_buffer body;
    bool is_ended, is_reset;
    uint32_t reset_code;
    uint64_t window; /* given to us by WINDOW_UPDATE */
} far_stream;

typedef struct far {
    scene *s;
    size_t parsed; /* of s->asked */
    nghttp2_hd_inflater *inflater;
    far_stream streams[FAR_STREAMS_MAX]; /* by (id + 1) / 2 */
    int settings, settings_acks, pongs, goaways, requests;
    uint32_t goaway_code;
    bool is_push_off;
    uint32_t stream_window; /* the client's setting */
    bool is_over;
    bool is_held; /* what is to be sent is gathered in `out` */
    dx_buffer out;
} far;

void far_init(far *f, scene *s);
void far_deinit(far *f);
/* Forgets a connection: another one may be accepted. */
void far_hang_up(far *f);

/* ---- out ---- */

void far_frame(far *f, uint8_t type, uint8_t flags, int32_t id, dx_bytes payload);
/* A head in HPACK's plainest form: "name", "value", ... NULL. */
void far_head(far *f, int32_t id, int flags, ...);
size_t far_block(uint8_t *to, size_t max, ...);
/* :status 200, and perhaps the end. */
void far_ok(far *f, int32_t id, bool is_end);
void far_data(far *f, int32_t id, uint8_t flags, const char *text);
void far_settings(far *f);
void far_setting(far *f, uint16_t id, uint32_t value);
void far_reset(far *f, int32_t id, uint32_t code);
void far_goaway(far *f, int32_t last, uint32_t code);
void far_window(far *f, int32_t id, uint32_t increment);

/* ---- in ---- */

void far_read(far *f);
static inline far_stream *far_of(far *f, int32_t id)
{
    int32_t index = (id + 1) / 2;
    return &f->streams[index < FAR_STREAMS_MAX ? index : FAR_STREAMS_MAX - 1];
}

#define FAR_UNTIL(f, condition)                                                                    \
    do {                                                                                           \
        for (int turn_ = 0; turn_ < TURNS_MAX && (far_read(f), !(condition)); turn_++)             \
            dx_loop_step((f)->s->loop, WAIT_MS);                                                   \
        CHECK(condition);                                                                          \
    } while (0)

/* The scene's client has sent a request, whole, on stream `id`. */
#define FAR_AWAIT(f, id) FAR_UNTIL(f, far_of(f, id)->is_ended)

#endif
