/* The opening handshake, both sides: decides, and makes the values of the header fields.
 * Is:     the rules of RFC 6455 §4 on plain values; accept keys; choice of a subprotocol.
 * Is not: HTTP messages (http_*), Host and Origin checks (http, serve), extensions (ws_deflate_offer).
 * Memory: allocates nothing; results are views of the caller's values.   Threads: any.
 * Source: RFC 6455 §4.1, §4.2; RFC 9110 §7.8.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_HANDSHAKE_H
#define DX_CODEC_WS_HANDSHAKE_H

#include "codec/ws_field.h"

#define DX_WS_KEY_BYTES 24    /* the text of Sec-WebSocket-Key */
#define DX_WS_ACCEPT_BYTES 28 /* the text of Sec-WebSocket-Accept */
#define DX_WS_VERSION "13"    /* the value of Sec-WebSocket-Version in a 426 */

/* What is wrong with a handshake. */
typedef enum dx_ws_refusal {
    DX_WS_ACCEPTED,
    /* of a request */
    DX_WS_REFUSED_METHOD,       /* 405, Allow: GET */
    DX_WS_REFUSED_HTTP_VERSION, /* 400: HTTP/1.0 cannot be upgraded */
    DX_WS_REFUSED_NO_UPGRADE,   /* 426: an ordinary request where only a WebSocket is served */
    DX_WS_REFUSED_CONNECTION,   /* 400: Connection does not list upgrade */
    DX_WS_REFUSED_BODY,         /* 400 */
    DX_WS_REFUSED_VERSION,      /* 426 with Sec-WebSocket-Version: 13; also none, or several */
    DX_WS_REFUSED_KEY_COUNT,    /* 400: none, or several */
    DX_WS_REFUSED_KEY,          /* 400: not the base64 of 16 bytes */
    DX_WS_REFUSED_SUBPROTOCOL,  /* 400: an empty list, not a token, or twice the same */
    /* of an answer: a client fails the connection */
    DX_WS_REFUSED_STATUS,             /* not 101; to an extended CONNECT not 2xx */
    DX_WS_REFUSED_ANSWER_UPGRADE,     /* Upgrade is not websocket */
    DX_WS_REFUSED_ANSWER_CONNECTION,  /* Connection does not list upgrade */
    DX_WS_REFUSED_ACCEPT,             /* missing, several, or not made from our key */
    DX_WS_REFUSED_ANSWER_SUBPROTOCOL, /* one we did not ask for, or several */
    DX_WS_REFUSED_ANSWER_EXTENSION,   /* one we did not offer, or with wrong parameters */
} dx_ws_refusal;
#define DX_WS_REFUSAL_COUNT (DX_WS_REFUSED_ANSWER_EXTENSION + 1)

/* The HTTP status for what is wrong with a request: 101, 400, 405 or 426. For an answer's fault 502. */
uint16_t dx_ws_refusal_status(dx_ws_refusal refusal);

/* One English sentence that says what was wrong and what is allowed; static. */
const char *dx_ws_refusal_text(dx_ws_refusal refusal);

/* ---- server ----------------------------------------------------------------------------------- */

/* A request as far as the handshake needs it: the raw values of its header fields (empty lines lists
 * where a field is absent). All borrowed. */
typedef struct dx_ws_request {
    bool
        is_tunnel; /* an extended CONNECT: only the body and the version are left to check (RFC 8441 §5) */
    bool is_get;
    uint8_t http_minor; /* of HTTP/1.x */
    bool has_body;      /* Content-Length above 0, or any Transfer-Encoding */
    dx_ws_lines upgrade;
    dx_ws_lines connection;
    dx_ws_lines key;     /* Sec-WebSocket-Key */
    dx_ws_lines version; /* Sec-WebSocket-Version */
} dx_ws_request;

/* True if the request asks for a WebSocket at all (Upgrade lists websocket): before the rest is
 * judged, to choose between doors. */
bool dx_ws_request_is_upgrade(const dx_ws_request *request);

/* DX_WS_ACCEPTED, or the first rule that the request breaks, in the order of the enum. */
DX_MUST_USE dx_ws_refusal dx_ws_request_check(const dx_ws_request *request);

/* Sec-WebSocket-Accept for a key that was checked (blanks at its ends do not count). No NUL. */
void dx_ws_accept_key(dx_bytes key, char out[DX_WS_ACCEPT_BYTES]);

/* Chooses the first subprotocol in the client's order that is also in `supported`; compared with
 * case. asked: the lines of Sec-WebSocket-Protocol. `*ret` is then the one of `supported`, or empty
 * when there is none in common (the handshake goes on without).
 * Gives DX_WS_ACCEPTED or DX_WS_REFUSED_SUBPROTOCOL (`*ret` untouched).
 * Cost: linear in the lines for up to 32 subprotocols; more than 32 are refused. */
DX_MUST_USE dx_ws_refusal dx_ws_subprotocol_choose(dx_ws_lines asked, const dx_bytes *supported,
                                                   size_t supported_count, dx_bytes *ret);

/* ---- client ----------------------------------------------------------------------------------- */

/* The text of Sec-WebSocket-Key for 16 random bytes. No NUL. */
void dx_ws_key_write(const uint8_t random[16], char out[DX_WS_KEY_BYTES]);

/* An answer as far as the handshake needs it. All borrowed. */
typedef struct dx_ws_answer {
    bool
        is_tunnel; /* to an extended CONNECT: only the status and the subprotocol are judged (RFC 8441 §5) */
    uint16_t status;
    dx_ws_lines upgrade;
    dx_ws_lines connection;
    dx_ws_lines accept;      /* Sec-WebSocket-Accept */
    dx_ws_lines subprotocol; /* Sec-WebSocket-Protocol */
    /* Sec-WebSocket-Extensions is judged by dx_ws_deflate_check (ws_deflate_offer.h), also when
     * nothing was offered. */
} dx_ws_answer;

/* Judges the answer to a request with `key` (24 bytes of text) that asked for `asked` subprotocols
 * (count 0: none). `*subprotocol` is a view of the answer, or empty.
 * Gives DX_WS_ACCEPTED or the first rule broken (`*subprotocol` untouched). */
DX_MUST_USE dx_ws_refusal dx_ws_answer_check(const dx_ws_answer *answer,
                                             const char key[DX_WS_KEY_BYTES], const dx_bytes *asked,
                                             size_t asked_count, dx_bytes *subprotocol);

#endif
