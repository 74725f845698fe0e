/* duplex compare, as its files see it: one exchange, measured by each way that a stream has.
 * Is:     a line: one way to one stream, with its counters; what a way has to do; the plan.
 * Is not: the ways (compare_http.c, compare_http2.c, compare_wait.c, compare_sse.c, compare_ws.c), the measuring
 *         (compare_run.c), the report (compare_report.c, compare_svg.c), the command (command_compare.c).
 * Memory: a line holds the messages' times; a report is constant in size.
 * Threads: the main thread's; the publisher of what is pushed has one of its own (compare_push.c).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_COMPARE_H
#define DX_CLI_COMPARE_H

#include "cli/compare_report.h"
#include "cli/remote.h"
#include "codec/sse.h"
#include "http/client.h"
#include "ws/client.h"

#include <sys/types.h>

enum {
    DX_COMPARE_CURSOR_BYTES = 256,
    DX_COMPARE_URL_BYTES = 1024,
    DX_COMPARE_WHY_BYTES = 1200,
    DX_COMPARE_PATIENCE_MS = 10000, /* for anything that a server is to do */
};

typedef struct dx_compare_line dx_compare_line;

/* A way to publish and to receive. */
typedef struct dx_compare_way {
    const char *id, *name;
    void (*open)(dx_compare_line *line); /* begins to receive; sets is_open, at once or later */
    void (*say)(dx_compare_line *line,
                dx_bytes message);      /* publishes it; is_busy until that is over */
    void (*ask)(dx_compare_line *line); /* one that is not told has to ask; NULL: it is told */
    void (*close)(dx_compare_line *line);
    bool is_1_0, is_http2, is_deflated;
    bool is_deaf;        /* it only publishes */
} dx_compare_way;

/* Those that were built in, in the order of the report; NULL at the end. A further way is a file with one of
 * these, and a line in compare_run.c. */
extern const dx_compare_way *const dx_compare_ways[];
extern const dx_compare_way dx_compare_http_1_0, dx_compare_http_1_1, dx_compare_http_2;
extern const dx_compare_way dx_compare_long_poll;
extern const dx_compare_way dx_compare_sse, dx_compare_ws, dx_compare_ws_deflated;
extern const dx_compare_way dx_compare_ws_publisher; /* of compare_push.c */

/* One request after the other, by the library's own client (compare_http.c). */
typedef struct dx_compare_requests {
    dx_compare_line *line;
    dx_http_client *client;
    void (*done)(dx_compare_line *line); /* the answer was a good one; it is in `body` */
    dx_buffer body;
    unsigned status;
    bool
        is_reading; /* what is under way is to bring messages: the answer's cursor is the line's next */
    bool is_under_way;
} dx_compare_requests;

struct dx_compare_line {
    const dx_compare_way *way;
    dx_cli_remote remote;
    char cursor[DX_COMPARE_CURSOR_BYTES];
    uint64_t requests_count; /* sent; a handshake is one */
    /* messages, as they come: numbers from 0, each once */
    uint64_t next;
    uint64_t due_ns, interval_ns; /* when number n was due: due_ns + n * interval_ns */
    dx_samples *samples;
    bool is_open, is_busy, is_failed;
    const char *missing; /* not failed, but there is no such thing at this server: why */
    char why[DX_COMPARE_WHY_BYTES];
    /* the ways' own */
    dx_compare_requests reads, writes;
    dx_http_waiter waiter; /* for HTTP/2's connection */
    dx_sse_reader events;
    dx_ws_worker worker;
    dx_ws_endpoint endpoint;
    dx_ws *ws;
    unsigned status;
};

/* ---- for ways (compare_line.c) ---- */

/* It has failed, for this reason; the first one stays. */
void dx_compare_fail(dx_compare_line *line, const char *format, ...) DX_PRINTF(2, 3);
/* The same for what a client of HTTP or WebSocket says. */
void dx_compare_fail_by(dx_compare_line *line, dx_err err, const char *text);
/* A message has come: notes how long it took. One out of turn is a failure. */
void dx_compare_got(dx_compare_line *line, dx_bytes message);
/* The messages of a JSON array. */
void dx_compare_got_array(dx_compare_line *line, dx_bytes body);
/* The query parameter `name` behind the path, in the place of those before. */
void dx_compare_target(dx_compare_line *line, const char *name, const char *value);

/* ---- requests (compare_http.c) ---- */

/* Sends `method` to the line's target. body: borrowed. content: its type; NULL: none. */
void dx_compare_request(dx_compare_requests *r, const char *method, dx_bytes body);
/* POST of a message; done: nothing but is_busy ends. */
void dx_compare_post(dx_compare_line *line, dx_compare_requests *r, dx_bytes message);
/* The same, and the answer to a GET after it is what brings the message back: `say` and `ask` of those ways that are
 * nothing but requests. */
void dx_compare_say_and_ask(dx_compare_line *line, dx_bytes message);
void dx_compare_ask(dx_compare_line *line);
/* GET of what is behind the cursor; `live`: "long-poll", or NULL. */
void dx_compare_get(dx_compare_line *line, dx_compare_requests *r, const char *live);

/* ---- lines (compare_line.c) ---- */

/* False: `why` is set; close it also then. url: borrowed until close. way: NULL for requests alone. */
DX_MUST_USE bool dx_compare_line_open(dx_compare_line *line, const char *url,
                                      const dx_cli_reach *reach, const dx_compare_way *way);
/* Turns for at most `wait_ms`. */
void dx_compare_line_step(dx_compare_line *line, int wait_ms);
/* What it came to stays. Again, it does nothing. */
void dx_compare_line_close(dx_compare_line *line);

/* ---- messages (compare_message.c) ---- */

enum { DX_COMPARE_MESSAGE_MIN = 64, DX_COMPARE_MESSAGE_MAX = 60000 };

/* A JSON object of exactly `size` bytes, like an order book: prices that a compressor finds something in, but
 * not the same twice. */
void dx_compare_message_write(uint64_t number, uint8_t *at, size_t size);
/* Its number; false: it is none of ours. */
DX_MUST_USE bool dx_compare_message_number(dx_bytes message, uint64_t *ret);

/* ---- pushing (compare_push.c) ---- */

/* Somebody else who publishes at a fixed rate, by a WebSocket of its own, on a thread of its own. */
typedef struct dx_compare_push dx_compare_push;

/* Connects. NULL: `why` is set. url: borrowed until the end. */
dx_compare_push *dx_compare_push_new(const char *url, const dx_cli_reach *reach,
                                     size_t message_bytes, char why[DX_COMPARE_WHY_BYTES]);
/* Begins: message n is due at due_ns + n * interval_ns of CLOCK_MONOTONIC. */
void dx_compare_push_start(dx_compare_push *push, uint64_t due_ns, uint64_t interval_ns,
                           uint64_t count);
/* Waits until all have left, and frees. False: `why` is set. */
DX_MUST_USE bool dx_compare_push_end(dx_compare_push *push, char why[DX_COMPARE_WHY_BYTES]);

/* ---- the server (compare_server.c) ---- */

/* A server of our own in a child process, on a port that the kernel chose. */
typedef struct dx_compare_server {
    pid_t pid; /* 0: none */
    char url[64];
} dx_compare_server;

/* Before there are threads. Says what is wrong. */
DX_MUST_USE bool dx_compare_server_start(dx_compare_server *server);
/* Nanoseconds of processor time that it has used; 0 where the kernel does not say. */
uint64_t dx_compare_server_cpu_ns(const dx_compare_server *server);
void dx_compare_server_stop(dx_compare_server *server);

/* ---- measuring (compare_run.c) ---- */

typedef struct dx_compare_plan {
    const char *url; /* below which streams may be made: http://HOST[:PORT]/PATH/ */
    const dx_cli_reach *reach;
    const dx_compare_server *server; /* NULL: somebody else's */
    size_t message_bytes;
    /* Both may be NULL. A row is over; a phase of it goes on, or is over. False: stop. */
    void (*on_row)(void *context, const dx_compare_report *report, const dx_compare_row *row);
    bool (*on_progress)(void *context, const dx_compare_row *row, dx_compare_phase phase,
                        const dx_samples *samples, bool is_over);
    void *context;
} dx_compare_plan;

/* Measures all ways, one after the other. False: it was said what failed. */
DX_MUST_USE bool dx_compare_run(const dx_compare_plan *plan, dx_compare_report *ret);

#endif
