/* What a conformance case is: a row of a table, with steps that are run as a script, or a function.
 * Is:      the words in which ws_cases_*.c are written, and the state of one run of one case.
 * Is not:  the script runner (ws_script.c) or the program (ws_main.c).
 * Memory:  rows are constant or live in a wst_case_list.
 * Threads: a wst_run belongs to one thread; wst_config is read only.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_CASE_H
#define DX_CONFORMANCE_WS_CASE_H

#include "tests/conformance/ws_client.h"

/* Autobahn's grades, from best to worst. */
typedef enum wst_grade { WST_OK, WST_INFORMATIONAL, WST_NON_STRICT, WST_FAILED } wst_grade;

typedef enum wst_step_kind {
    WST_STOP,      /* the end of the steps */
    WST_SEND,      /* a frame, or a message in fragments */
    WST_AWAIT,     /* everything expected so far must have come before the next step is sent */
    WST_QUIET,     /* nothing must come within `ms` */
    WST_AWAIT_END, /* the server must fail the connection now: later is NON-STRICT */
    WST_FIN,       /* half-close */
} wst_step_kind;

typedef struct wst_step {
    wst_step_kind kind;
    wst_frame frame;
    const char
        *text; /* the payload, or NULL with `fill`: that many octets of made-up text or binary */
    size_t size, fill;
    size_t fragment; /* 0: one frame */
    int ms;
    /* This frame breaks a rule: the server fails the connection with this code, and answers nothing
     * that comes after. `or_bad` is as good. */
    uint16_t bad, or_bad;
    const char *means; /* the payload is deflated: what it is a part of, inflated; NULL: itself */
    size_t means_size;
} wst_step;

/* A step's words. Each takes fields of wst_step after it: TEXT("Hello", .bad = 1007). */
#define WST_FRAME_STEP(op, s, ...)                                                                 \
    {                                                                                              \
        .kind = WST_SEND, .frame.opcode = (op), .text = "" s, .size = sizeof("" s) - 1,            \
        __VA_ARGS__                                                                                \
    }
#define TEXT(s, ...) WST_FRAME_STEP(WST_TEXT, s, __VA_ARGS__)
#define BINARY(s, ...) WST_FRAME_STEP(WST_BINARY, s, __VA_ARGS__)
#define PING(s, ...) WST_FRAME_STEP(WST_PING, s, __VA_ARGS__)
#define PONG(s, ...) WST_FRAME_STEP(WST_PONG, s, __VA_ARGS__)
#define CLOSE(s, ...) WST_FRAME_STEP(WST_CLOSE, s, __VA_ARGS__)
#define CONTINUATION(s, ...) WST_FRAME_STEP(WST_CONTINUATION, s, __VA_ARGS__)
#define FRAME(op, s, ...) WST_FRAME_STEP(op, s, __VA_ARGS__)
#define FILL(op, octets, ...)                                                                      \
    {                                                                                              \
        .kind = WST_SEND, .frame.opcode = (op), .fill = (octets), __VA_ARGS__                      \
    }
#define AWAIT                                                                                      \
    {                                                                                              \
        .kind = WST_AWAIT                                                                          \
    }
#define AWAIT_END                                                                                  \
    {                                                                                              \
        .kind = WST_AWAIT_END                                                                      \
    }
#define QUIET(milliseconds)                                                                        \
    {                                                                                              \
        .kind = WST_QUIET, .ms = (milliseconds)                                                    \
    }
#define STEPS(...) ((const wst_step[]){__VA_ARGS__, {.kind = WST_STOP}})
/* A row's steps and how they are written to the socket. */
#define SCRIPT(how, ...) .piece = (how), .steps = STEPS(__VA_ARGS__)
#define MORE .frame.more = true
#define MEANS(s) .means = "" s, .means_size = sizeof("" s) - 1
#define RSV(n) .frame.rsv = (n)

/* How a case divides what it sends into writes. */
enum {
    AT_ONCE = 0,   /* all of it, up to the next wait, in one write */
    BY_FRAME = -1, /* a write for each frame; any other number: writes of so many octets */
};

/* A server that fails at the bad octet does so in far less, even on a busy machine. */
enum { WST_FAIL_FAST_MS = 3000 };

enum {
    WST_HANDSHAKE_TOO = 1, /* --split divides the request as well, not only the frames */
    WST_SLOW = 2,          /* takes seconds by its nature: one run for each kind of split */
    WST_IS_INFORMATIONAL = 4,
    WST_STREAM_ONLY = 8,
    WST_ECHO_ONLY = 16,
    WST_IS_BINARY = 32, /* a function's messages are binary: --url-binary (a script shows it) */
};

typedef struct wst_run wst_run;

typedef struct wst_case {
    char id[16];
    const char *section;
    char title[120];
    int piece;                                           /* AT_ONCE, BY_FRAME, octets */
    const wst_step *steps;                               /* a script, */
    void (*run)(wst_run *run, const struct wst_case *c); /* or a function */
    const char *offers; /* Sec-WebSocket-Extensions of the request */
    unsigned flags;
    const void *data; /* the function's own */
    size_t number[2];
} wst_case;

typedef struct wst_case_list {
    wst_case *at;
    size_t count, capacity;
} wst_case_list;

void wst_case_add(wst_case_list *list, const wst_case *one);
void wst_case_add_rows(wst_case_list *list, const wst_case *rows, size_t count);

typedef struct wst_config {
    dx_peer_url url, url_binary;
    bool stream_mode, quick;
    size_t message_max; /* the server's limit */
    int wait_ms;
} wst_config;

/* One run of one case: its verdict. */
struct wst_run {
    const wst_config *config;
    dx_peer_split_rule split;
    wst_grade grade;
    char detail[2048]; /* what was expected and what came; lines end in \n */
    size_t sent_bytes; /* by the last connection, divided as `split` says */
    unsigned ends_by_reset;
};

/* Makes the grade worse and notes why. */
void wst_run_grade(wst_run *run, wst_grade grade, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define wst_fail(run, ...) wst_run_grade(run, WST_FAILED, __VA_ARGS__)

/* Connects to the URL of this case: in stream mode a new stream each time. False: failed, and
 * noted. Call wst_close whatever it returned. */
bool wst_connect(wst_run *run, wst_client *client, const wst_case *c);
/* Connects and shakes hands with the case's offers. */
bool wst_open(wst_run *run, wst_client *client, const wst_case *c);
void wst_close(wst_run *run, wst_client *client);

/* Sends; a server that has gone is no fault here (what it said before decides). */
void wst_send(wst_run *run, wst_client *client, const wst_buffer *out, int piece);

/* Ends well: Close 1000, the same back, the server closes TCP first. */
void wst_end_clean(wst_run *run, wst_client *client);
/* The server must answer our Close with `code` (0: empty; or 1000 if `or_1000`) and close TCP. */
void wst_expect_close(wst_run *run, wst_client *client, unsigned code, bool or_1000);
/* The server must fail with this code, then close TCP; what comes before is passed over. */
void wst_expect_fail(wst_run *run, wst_client *client, unsigned code);
/* After the server's Close: EOF, nothing else. */
void wst_expect_end(wst_run *run, wst_client *client, bool reset_is_fine);
/* The next event must be this message, octet by octet. */
bool wst_expect_message(wst_run *run, wst_client *client, uint8_t opcode, const void *at,
                        size_t size);

/* For messages: "text message of 5 octets 'Hello'". */
void wst_event_text(const wst_client *client, const wst_event *event, char ret[static 200]);

/* Fills with text (valid UTF-8, some of two and three octets) or binary, by `seed`. */
void wst_fill(uint8_t *at, size_t size, uint64_t seed, bool is_text);

/* Runs the steps of a case. */
void wst_script_run(wst_run *run, const wst_case *c);

/* The groups. */
void wst_cases_framing(wst_case_list *list);   /* 1 to 5, 7, 10 */
void wst_cases_utf8(wst_case_list *list);      /* 6 */
void wst_cases_load(wst_case_list *list);      /* 9 */
void wst_cases_deflate(wst_case_list *list);   /* 12, 13 */
void wst_cases_handshake(wst_case_list *list); /* WX-HS */
void wst_cases_extra(wst_case_list *list);     /* WX-MASK, WX-LEN, WX-CLOSE, stream mode */
void wst_cases_pmd(wst_case_list *list);       /* WX-PMD */
void wst_cases_limits(wst_case_list *list);    /* WX-LIM */

#endif
