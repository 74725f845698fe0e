/* What the tests of sessions share: sides that note what happens to them, frames for bare peers, and two
 * sessions that talk through a relay which splits as it likes.
 * Is:     struct side, frame_write, struct pair. Include tests/tap.h first.
 * Is not: the opening handshake (test_handshake.c).
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_TEST_SIDE_H
#define DX_WS_TEST_SIDE_H

#include "net/test_peer.h"
#include "ws/session.h"

typedef enum side_event {
    SIDE_OPEN = 1,
    SIDE_MESSAGE = 2,
    SIDE_ROOM = 4,
    SIDE_CLOSE = 8
} side_event;

/* One end: the endpoint and everything that was told. */
typedef struct side side;
struct side {
    dx_ws_endpoint endpoint;
    dx_ws *ws; /* NULL when it is over */
    int opens, messages, rooms, closes, freed;
    dx_buffer in; /* of each message: 't' or 'b', its payload, '|' */
    uint16_t code;
    char reason[128];
    bool echoes;
    void (*hook)(side *of, side_event event); /* called last */
    unsigned hook_events;
    int fails; /* of a client that was not accepted */
    unsigned failed_status;
    dx_err failed_err;
    char failed_text[256];
};

/* config: NULL for the default with no pings. */
void side_init(side *of, const dx_ws_config *config);
void side_deinit(side *of);

/* Puts a session of `role` on `fd`. */
void side_begin(side *of, dx_ws_worker *worker, int fd, dx_ws_role role,
                const dx_ws_deflate_params *params);

/* ---- one session and a bare peer -------------------------------------------------------------- */

typedef struct stage {
    world w;
    dx_ws_worker worker;
    side us;
    peer other;
    dx_ws_role role; /* ours */
} stage;

void stage_init(stage *s, dx_ws_role role, const dx_ws_config *config, const dx_net_limits *limits);
/* The session is aborted if it still lives. */
void stage_deinit(stage *s);

/* Sends one frame as the peer would: masked with a key that is not 0 if we are the server. first: the first
 * byte, FIN, RSV and opcode. */
void stage_send(stage *s, uint8_t first, const void *payload, size_t size);
/* The next frame that came whole from us: first byte and payload (unmasked). False if there is none. It
 * is taken off stage.other.in. */
bool stage_next(stage *s, uint8_t *first, dx_buffer *payload);
/* Waits for a frame and checks it. */
void stage_expect(stage *s, uint8_t first, const void *payload, size_t size);
/* Waits for a Close and gives its code (1005 for none). */
uint16_t stage_expect_close(stage *s);
/* Waits for the end of the connection; no frame may come before it. */
void stage_expect_end(stage *s);

/* ---- two sessions ----------------------------------------------------------------------------- */

typedef struct pair {
    world w;
    dx_ws_worker worker;
    side server, client;
    int relay[2];         /* to the server, to the client */
    dx_buffer waiting[2]; /* read from there, not taken yet */
    size_t bytes_max;     /* a piece of the relay's is 1 to this many */
    uint64_t seed;
} pair;

void pair_init(pair *p, const dx_ws_config *config, const dx_ws_deflate_params *params);
void pair_turn(pair *p);
void pair_deinit(pair *p);

#define PAIR_UNTIL(p, condition)                                                                   \
    do {                                                                                           \
        uint64_t turn_end_ms = dx_clock_ms() + 20000;                                              \
        while (!(condition) && dx_clock_ms() < turn_end_ms)                                        \
            pair_turn(p);                                                                          \
        CHECK(condition);                                                                          \
    } while (0)

#endif
