/* What the tests of the doors share: a server in this process, and clients with blocking sockets.
 * Is:     servers on a port that the kernel chose; HTTP requests; WebSocket frames, one at a time.
 * Is not: checks of the protocols themselves (codec, tests/conformance). A wait is over after 10 s.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TEST_PEER_H
#define DX_SERVE_TEST_PEER_H

#include "base/bytes.h"

#include <duplex/duplex.h>

/* "epoll", and "io_uring" where it works; NULL at the end. */
extern const char *const *loop_names(void);

/* A server with streams at /live/ (as `kept` says, NULL: defaults), at /s/ (the same, but made by PUT only) and
 * at /typed/ (the same, but all of them application/json), started; it listens on TCP and on the
 * unix socket peer_connect_unix goes to. Aborts if it cannot. */
dx_server *server_start(const char *loop, uint32_t workers, const dx_stream_options *kept);
/* Stops and frees it. */
void server_end(dx_server *server);

/* ---- HTTP ---- */

typedef struct answer {
    unsigned status; /* 0: no answer */
    char head[4096];
    char *body; /* ends with NUL, beyond `size` */
    size_t size;
} answer;

int peer_connect(uint16_t port);
/* To the server that was started last: its kernel buffers are small, and TCP's timers are not in it. */
int peer_connect_unix(void);
void peer_write(int fd, const void *at, size_t size);

/* The answer to what was written. */
answer http_answer(int fd, bool is_head);

/* One request on a connection of its own. fields: lines with CRLF, or "". */
answer http(dx_server *server, const char *method, const char *path, const char *fields,
            dx_bytes body);
answer http_get(dx_server *server, const char *path);
answer http_post(dx_server *server, const char *path, const char *type, const char *body);
void answer_free(answer *a);
/* The value of a field, in static memory; "" if there is none. */
const char *answer_field(const answer *a, const char *name);

/* Status of one request, and nothing else of it. */
unsigned http_status(dx_server *server, const char *method, const char *path, const char *type,
                     const char *body);

/* ---- WebSocket ---- */

typedef struct frame {
    unsigned opcode; /* 0x100: the connection has ended, 0x200: nothing came in time */
    size_t size;
    uint8_t payload[70000]; /* ends with NUL, beyond `size` */
} frame;

enum { FRAME_END = 0x100, FRAME_NONE = 0x200 };

/* A WebSocket, or -1 with the status of the answer in *status. */
int ws_open(dx_server *server, const char *path, unsigned *status);
/* The same on a connection (taken). */
int ws_open_on(int fd, const char *path, unsigned *status);
/* ws_open; aborts if refused. */
int ws_must_open(dx_server *server, const char *path);
void ws_send(int fd, unsigned opcode, dx_bytes payload);
void ws_send_text(int fd, const char *text);
/* The next frame that is not a Ping; in static memory of this thread. */
const frame *ws_next(int fd);
const frame *ws_next_within(int fd, int wait_ms);
/* Checks with the tap header's means are the caller's: these tell. */
bool ws_next_is(int fd, const char *text);
/* Code of the Close that comes next, 0 if something else comes. */
unsigned ws_close_code(int fd);

/* Resident bytes of this process. */
size_t resident_bytes(void);

#endif
