/* One WebSocket client connection under test: the handshake, and what the server sends as events.
 * Is:      strict about the server: every rule it breaks becomes a WST_FAULT event with its text.
 * Is not:  what a case expects (ws_script, ws_cases_*); sending bad frames is up to the case.
 * Memory:  wst_client_deinit gives all back; the bytes of an event are a view until the next call.
 * Threads: as its dx_peer.
 * Source:  RFC 6455 §4, §5, §7; RFC 7692 §6.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_CLIENT_H
#define DX_CONFORMANCE_WS_CLIENT_H

#include "tests/conformance/peer.h"
#include "tests/conformance/ws_pmd.h"
#include "tests/conformance/ws_wire.h"

typedef enum wst_event_kind {
    WST_EVENT_MESSAGE, /* opcode, at, size */
    WST_EVENT_PONG,    /* at, size */
    WST_EVENT_CLOSE,   /* code, and the reason at, size */
    WST_EVENT_END,     /* status: EOF or RESET */
    WST_EVENT_TIMEOUT,
    WST_EVENT_FAULT, /* client.fault says which rule the server broke */
} wst_event_kind;

typedef struct wst_event {
    wst_event_kind kind;
    uint8_t opcode;
    uint16_t code; /* 0: the Close had none */
    dx_peer_status status;
    const uint8_t *at;
    size_t size;
    bool is_known;      /* it was client.known again: at and size are not set */
    const uint8_t *raw; /* of a deflated message: the octets as they came */
    size_t raw_size;
} wst_event;

typedef struct wst_client {
    dx_peer peer;
    int wait_ms;
    uint64_t random;
    char host[300], path[1100], key[32];
    int status;      /* of the HTTP response */
    wst_buffer head; /* the response's head, NUL-terminated */
    bool has_pmd;
    wst_pmd_terms terms;
    wst_pmd pmd;
    wst_buffer message, inflated;
    size_t skip;    /* octets of the last event, still in the input */
    uint8_t opcode; /* of the message that is being received; 0: none */
    bool is_deflated, close_seen;
    const uint8_t
        *known; /* a deflated reply already verified; a server without context sends it again */
    size_t known_size;
    char fault[256];
} wst_client;

/* Connects. `path_more`: a part added to the URL's path, or NULL. NULL, or what went wrong. */
const char *wst_client_connect(wst_client *client, const dx_peer_url *url, const char *path_more,
                               int wait_ms);
void wst_client_deinit(wst_client *client);

/* Appends `text` with $PATH, $HOST and $KEY replaced. */
void wst_client_expand(const wst_client *client, const char *text, wst_buffer *out);

/* Sends a request (with $PATH...) and reads the head of its response. NULL, or what went wrong. */
const char *wst_client_request(wst_client *client, const char *request);

/* Reads the head of the response to what was sent. */
const char *wst_client_response(wst_client *client);

/* How often a head has this field, and its first value; whether its values hold a token. */
int wst_field(const char *head, const char *name, char ret[static 256]);
bool wst_field_has(const char *head, const char *name, const char *token);

/* How often the response has this field, and its first value (cut at 255 octets). */
int wst_client_field(const wst_client *client, const char *name, char ret[static 256]);

/* Whether a field's comma-separated values, over all its lines, hold `token` in any case. */
bool wst_client_field_has(const wst_client *client, const char *name, const char *token);

/* Is the response a good 101 to `key`, to these offers (or NULL), without a subprotocol?
 * Takes up permessage-deflate if it was agreed. NULL, or what is wrong. */
const char *wst_client_check_101(wst_client *client, const char *offers);

/* All of it: the usual request with these offers (or NULL), then the check. */
const char *wst_client_handshake(wst_client *client, const char *offers);

/* The next thing the server sends; its pings are answered here. timeout_ms: without progress. */
wst_event wst_client_next(wst_client *client, int timeout_ms);

/* The next masking key. */
uint32_t wst_client_key(wst_client *client);

/* Appends a whole message in frames of `fragment` octets (0: one), deflated if that was agreed. */
void wst_client_message(wst_client *client, uint8_t opcode, const uint8_t *at, size_t size,
                        size_t fragment, wst_buffer *out);

/* Appends the payload's frames as they are; `rsv` on the first. */
void wst_client_frames(wst_client *client, const wst_frame *first, const uint8_t *at, size_t size,
                       size_t fragment, wst_buffer *out);

/* Sends a Close; code 0: empty. */
dx_peer_status wst_client_close(wst_client *client, uint16_t code, const char *reason);

/* A random number for keys and names. */
uint64_t wst_random(void);

#endif
