/* The bare other end of an HTTP/2 connection: frames written by hand, and what comes back noted.
 * Is:     struct h2 over a site (test_site.h), frames out, what the server answered; H2_CASE.
 * Is not: a client that keeps to the rules: it sends what it is told to. Heads are read by nghttp2's HPACK.
 * Include tests/tap.h first.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_H2_H
#define DX_HTTP_TEST_H2_H

#include "http/http2_conn.h"
#include "http/test_site.h"

enum { H2_STREAMS_MAX = 512, H2_GOAWAYS_MAX = 4 };

/* Flags, in short. */
enum {
    ES = NGHTTP2_FLAG_END_STREAM,
    EH = NGHTTP2_FLAG_END_HEADERS,
    PADDED = NGHTTP2_FLAG_PADDED,
    PRIO = NGHTTP2_FLAG_PRIORITY,
    ACK = NGHTTP2_FLAG_ACK
};

typedef struct h2_stream {
    int status;      /* of the last head; 0: none came */
    int infos;       /* heads with a status below 200 */
    char head[2048]; /* "name: value\n", of the last head */
    size_t head_size;
    dx_buffer body;
    int data_frames;
    bool is_ended, is_reset;
    uint32_t reset_code;
    uint64_t window; /* given to us by WINDOW_UPDATE */
} h2_stream;

typedef struct h2 {
    site s;
    peer p;
    size_t parsed;   /* of p.in */
    dx_buffer block; /* of a head that goes on */
    nghttp2_hd_inflater *inflater;
    h2_stream streams[H2_STREAMS_MAX]; /* by id / 2 */
    int frames;                        /* that came */
    int first_type;
    int goaways, settings, settings_acks, pongs, pings, resets;
    uint32_t goaway_codes[H2_GOAWAYS_MAX];
    int32_t goaway_last[H2_GOAWAYS_MAX];
    uint8_t pong[8], ping[8];
    uint64_t window; /* of the connection, by WINDOW_UPDATE */
    bool is_broken;  /* what came is no HTTP/2 */
} h2;

/* A site and a connection to it; no byte is sent. config: NULL for the defaults. */
void h2_open(h2 *c, const dx_http_config *config);
/* Preface, SETTINGS, and the server's acknowledged; false: it did not answer. */
bool h2_greet(h2 *c);
void h2_close(h2 *c);
/* One more connection to the same site: `to` is another struct, of which `s` is not used. */
void h2_open_beside(h2 *to, h2 *c);
void h2_close_beside(h2 *to, h2 *c);

/* The server's side of the first connection; NULL if there is none (any more). */
dx_conn *h2_server_conn(h2 *c);

/* ---- out; the loop turns meanwhile ---- */

void h2_bytes(h2 *c, const void *at, size_t size);
/* A frame's head, with whatever length. */
void h2_frame_head(h2 *c, size_t length, uint8_t type, uint8_t flags, int32_t id);
void h2_frame(h2 *c, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t size);
#define H2_FRAME(c, type, flags, id, text)                                                         \
    h2_frame((c), (type), (flags), (id), (text), sizeof(text) - 1)

/* A head in HPACK's plainest form: "name", "value", ... NULL. Gives its size. */
size_t h2_block(uint8_t *to, size_t max, ...);
void h2_headers(h2 *c, int32_t id, int flags, ...);
/* :method, :scheme, :path, :authority. */
void h2_request(h2 *c, int32_t id, uint8_t flags, const char *method, const char *path);
void h2_get(h2 *c, int32_t id, const char *path); /* whole */
void h2_data(h2 *c, int32_t id, uint8_t flags, const char *text);
void h2_window(h2 *c, int32_t id, uint32_t increment);
void h2_setting(h2 *c, uint16_t setting, uint32_t value);
void h2_reset(h2 *c, int32_t id, uint32_t code);
void h2_ping(h2 *c);

/* ---- in ---- */

/* Reads and notes what has come. */
void h2_read(h2 *c);
h2_stream *h2_of(h2 *c, int32_t id);
bool h2_is_over(const h2 *c);
/* The value of a field of the last head; "" if there is none. A view until the next call. */
const char *h2_field(h2 *c, int32_t id, const char *name);

#define H2_UNTIL(c, condition)                                                                     \
    do {                                                                                           \
        uint64_t turn_end_ms = dx_clock_ms() + 10000;                                              \
        while (h2_read(c), !(condition) && dx_clock_ms() < turn_end_ms)                            \
            dx_loop_step((c)->s.w.loop, 20);                                                       \
        CHECK(condition);                                                                          \
    } while (0)

/* A ping goes through: the connection is alive, and all before it was looked at. */
bool h2_is_alive(h2 *c);
#define h2_check_alive(c) CHECK(h2_is_alive(c))

/* ---- cases by RFC section: one table row is one test --------------------------------------------- */

typedef enum h2_want_kind {
    H2_ALIVE,    /* nothing happens; a ping is answered */
    H2_ANSWERED, /* stream `id` is answered with `status` */
    H2_STREAM,   /* stream `id` is reset with one of `codes`, or the connection ends with one */
    H2_CONN,     /* GOAWAY with one of `codes`, then the end */
} h2_want_kind;

typedef struct h2_want {
    h2_want_kind kind;
    int32_t id;
    int status;
    uint32_t codes; /* bits of error codes */
} h2_want;

/* NULL if that happens (within 10 s), else what did not; static. */
const char *h2_complaint(h2 *c, h2_want want);
#define h2_expect(c, want)                                                                         \
    do {                                                                                           \
        const char *complaint = h2_complaint((c), (want));                                         \
        if (complaint)                                                                             \
            TAP_FAIL("%s", complaint);                                                             \
    } while (0)

#define C(code) DX_BIT(NGHTTP2_##code)
#define ALIVE ((h2_want){.kind = H2_ALIVE})
#define ANSWERED(stream, code) ((h2_want){.kind = H2_ANSWERED, .id = (stream), .status = (code)})
#define RESET(stream, bits) ((h2_want){.kind = H2_STREAM, .id = (stream), .codes = (bits)})
#define GOAWAY(bits) ((h2_want){.kind = H2_CONN, .codes = (bits)})

/* H2_CASE("§5.1 …", GOAWAY(C(PROTOCOL_ERROR))) { … what `c` sends … } */
#define H2_CASE(sentence, wanted)                                                                  \
    static void TAP_JOIN(h2_case_, __LINE__)(h2 * c);                                              \
    LOOP_TEST(sentence)                                                                            \
    {                                                                                              \
        static h2 c;                                                                               \
        h2_open(&c, NULL);                                                                         \
        CHECK(h2_greet(&c));                                                                       \
        TAP_JOIN(h2_case_, __LINE__)(&c);                                                          \
        h2_expect(&c, (wanted));                                                                   \
        h2_close(&c);                                                                              \
    }                                                                                              \
    static void TAP_JOIN(h2_case_, __LINE__)(h2 * c)

#endif
