/* A small WebSocket echo server that is right, or wrong in one way on purpose.
 * Is:      what the suite is tried on, simple and slow: a thread for each connection, blocking.
 * Is not:  the server of the project, nor anything to learn a server from.
 * Memory:  buffers of the connections; all given back by wst_model_stop.
 * Threads: wst_model_start makes them, wst_model_stop waits for them.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_MODEL_H
#define DX_CONFORMANCE_WS_MODEL_H

#include "tests/conformance/ws_wire.h"

typedef enum wst_fault {
    WST_FAULT_NONE,
    WST_FAULT_WRONG_ACCEPT,
    WST_FAULT_ANY_ORIGIN,
    WST_FAULT_BARE_426, /* no Sec-WebSocket-Version */
    WST_FAULT_BODY_ACCEPTED,
    WST_FAULT_UNASKED_EXTENSION,
    WST_FAULT_WRONG_OCTET, /* the last octet of an echo */
    WST_FAULT_WRONG_KIND,  /* text comes back as binary */
    WST_FAULT_MASKED,
    WST_FAULT_LONG_LENGTH,
    WST_FAULT_LATE_PONG, /* only after the message around it */
    WST_FAULT_EMPTY_PONG,
    WST_FAULT_LAST_PONG_ONLY,
    WST_FAULT_ECHO_LOST,  /* replies of one read are dropped when it ends in a failure */
    WST_FAULT_WRONG_CODE, /* 1008 for 1002 */
    WST_FAULT_NO_CLOSE,   /* drops TCP instead */
    WST_FAULT_UNKNOWN_OPCODE_OK,
    WST_FAULT_UNMASKED_OK,
    WST_FAULT_LENGTH_OK, /* any form of a length */
    WST_FAULT_STRAY_OK,  /* a continuation of nothing starts a message */
    WST_FAULT_UTF8_UNCHECKED,
    WST_FAULT_UTF8_LATE,     /* at the end of the message */
    WST_FAULT_UTF8_BY_FRAME, /* each frame must be whole */
    WST_FAULT_UTF8_SURROGATES_OK,
    WST_FAULT_CODE_UNCHECKED,
    WST_FAULT_REASON_UNCHECKED,
    WST_FAULT_CLOSE_TWICE,
    WST_FAULT_PONG_AFTER_CLOSE,
    WST_FAULT_SENDS_1005,
    WST_FAULT_NEVER_CLOSES_TCP,
    WST_FAULT_RST, /* instead of FIN */
    WST_FAULT_FIN_IGNORED,
    WST_FAULT_SIZE_UNLIMITED,
    WST_FAULT_SIZE_AT_END, /* the limit is applied when all octets are there */
    WST_FAULT_BOMB_OK,
    WST_FAULT_FRAGMENTS_OK,
    WST_FAULT_CONTROLS_OK,
    WST_FAULT_WIDE_WINDOW,    /* deflates with 15 bits, whatever was agreed */
    WST_FAULT_KEEPS_CONTEXT,  /* though it said that it would not */
    WST_FAULT_FORGETS_WINDOW, /* after BFINAL=1 */
    WST_FAULT_RSV1_ANYWHERE,
    WST_FAULT_BAD_DEFLATE_1002,
    WST_FAULT_WHOLE_HEADS, /* a head must come in one read: only a split shows it */
    WST_FAULTS_COUNT,
} wst_fault;

typedef struct wst_model wst_model;

typedef struct wst_model_options {
    wst_fault fault;
    size_t message_max;
    bool keeps_context; /* agrees to permessage-deflate with context on both sides */
} wst_model_options;

/* Listens on 127.0.0.1 at a port of the kernel's choice; NULL: it cannot. */
wst_model *wst_model_start(const wst_model_options *options);
unsigned wst_model_port(const wst_model *model);
void wst_model_stop(wst_model *model);

/* The answer to a request's head (NUL-terminated). True: it is a 101, and `ret_extension` is what
 * was agreed ("" if nothing). */
bool wst_model_answer(const wst_model_options *options, const char *head, wst_buffer *out,
                      char ret_extension[static 256]);

#endif
