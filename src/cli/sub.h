/* duplex sub, as its files see it: one subscription, whatever door it goes through.
 * Is:     the cursor, what is printed, when it is over, when it is tried again; what a door has to do.
 * Is not: the doors (sub_ws.c, sub_sse.c, sub_http.c), the command (command_sub.c).
 * Memory: one dx_sub of the command's.
 * Threads: the main thread's loop.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_SUB_H
#define DX_CLI_SUB_H

#include "cli/remote.h"
#include "codec/sse.h"
#include "http/client.h"
#include "ws/client.h"

#include <stdio.h>

enum { DX_SUB_CURSOR_BYTES = 256 };

typedef struct dx_sub_options {
    const char *url, *offset, *via, *cursor_file;
    uint64_t last, count, retries; /* 0: none, without end, none */
    bool raw, json, no_retry;
    dx_cli_reach reach;
} dx_sub_options;

typedef struct dx_sub dx_sub;

/* A way to a stream. */
typedef struct dx_sub_door {
    /* Begins to read behind s->cursor ("": where the door begins by itself). */
    void (*connect)(dx_sub *s);
    /* Says goodbye; true if the server's answer is worth waiting for, dx_sub_gone follows then. */
    bool (*close)(dx_sub *s);
} dx_sub_door;

extern const dx_sub_door dx_sub_ws, dx_sub_sse, dx_sub_long_poll, dx_sub_history;

struct dx_sub {
    const dx_sub_options *options;
    const dx_sub_door *door;
    dx_cli_remote remote;
    size_t target_size; /* of remote.target, without what a door adds */
    /* where it is */
    char cursor[DX_SUB_CURSOR_BYTES];
    char saved[DX_SUB_CURSOR_BYTES]; /* as the cursor file has it */
    bool is_last_due;                /* --last was not asked for yet */
    /* life */
    uint64_t failures;  /* in a row */
    uint64_t opened_ms; /* loop time */
    uint32_t retry_ms;  /* not 0: what the server asked for */
    int code;
    bool was_open; /* once */
    bool is_over;  /* the exit code is settled */
    dx_timer again, goodbye, watch, progress;
    dx_task flush;
    dx_post stop;
    /* what was printed */
    uint64_t count, bytes, count_before; /* count_before: at the last line of progress */
    dx_buffer scratch;
    bool is_progress_shown;
    /* doors */
    dx_ws_worker worker;
    dx_ws_endpoint endpoint;
    dx_ws *ws;
    bool is_reconnect_told; /* by {"reconnect":…} */
    dx_http_client *client;
    unsigned status;
    uint32_t retry_after_ms;
    dx_buffer body;
    char next[DX_SUB_CURSOR_BYTES], turn[32]; /* Stream-Next-Offset, Stream-Cursor */
    bool is_json, is_base64, is_up_to_date, is_closed;
    dx_sse_reader events;
};

/* ---- for doors (command_sub.c) ---- */

/* remote.target with the query parameter `name` behind what there is. Memory out: it is over. */
void dx_sub_target_begin(dx_sub *s);
void dx_sub_target_add(dx_sub *s, const char *name, const char *value);

/* It is open. */
void dx_sub_opened(dx_sub *s);
/* There was progress: failures are forgotten. */
void dx_sub_progressed(dx_sub *s);
/* The connection is over, and not by our wish: it is tried again, or that was the last time. why: one line.
 * after_ms: not before; 0: as it is usual. */
void dx_sub_lost(dx_sub *s, const char *why, uint32_t after_ms);
/* The same for what a client of HTTP or WebSocket says. text: copied. */
void dx_sub_failed(dx_sub *s, dx_err err, const char *text, uint32_t after_ms);
/* The server answered with a status that is an error. body: perhaps a problem. */
void dx_sub_refused(dx_sub *s);
/* It is settled: ends with `code`. */
void dx_sub_finish(dx_sub *s, int code);
/* After door->close. */
void dx_sub_gone(dx_sub *s);

/* ---- printing (sub_print.c) ---- */

/* offset: behind the message; empty: not known. */
void dx_sub_print(dx_sub *s, dx_bytes offset, dx_bytes payload);
/* The cursor has moved without a message. */
void dx_sub_move(dx_sub *s, dx_bytes cursor);
/* Messages are missing. lost: empty if their number is not known. */
void dx_sub_gap(dx_sub *s, dx_bytes lost, dx_bytes goes_on);

/* Before anything else; after the loop was made. */
void dx_sub_print_prepare(dx_sub *s);
void dx_sub_print_init(dx_sub *s);
void dx_sub_print_deinit(dx_sub *s);
/* Reads the cursor file. False: it was complained about. */
DX_MUST_USE bool dx_sub_read_cursor(dx_sub *s);

#endif
