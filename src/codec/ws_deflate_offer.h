/* Negotiation of permessage-deflate, both sides.
 * Is:     every rule of RFC 7692 §5 and §7.1; reads offers and answers, writes them.
 * Is not: compressing (deflate).
 * Memory: allocates nothing.   Threads: any.
 * Source: RFC 7692 §5, §7.1; RFC 6455 §9.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_DEFLATE_OFFER_H
#define DX_CODEC_WS_DEFLATE_OFFER_H

#include "codec/ws_field.h"

/* What a side wants. All zeros is the default: no context is kept, windows of 15 bits. */
typedef struct dx_ws_deflate_policy {
    bool server_takeover;    /* the server's messages may refer to earlier ones */
    bool client_takeover;    /* the client's messages may */
    uint8_t server_bits_max; /* largest window of the server's deflater, 9-15; 0: 15 */
    uint8_t
        client_bits_max; /* largest window of the client's deflater, 9-15; 0: 15. A server can ask
                                for less than 15 only of clients that offer client_max_window_bits */
} dx_ws_deflate_policy;

/* What both sides have agreed on. */
typedef struct dx_ws_deflate_params {
    bool server_takeover, client_takeover; /* false: that side forgets after each message */
    uint8_t server_bits, client_bits;      /* windows: 8-15. client_bits 8 is possible: the deflater
                                              here can do it, see deflate.h; server_bits 9-15 as server */
} dx_ws_deflate_params;

#define DX_WS_DEFLATE_TEXT_MAX 144

/* A value of Sec-WebSocket-Extensions. */
typedef struct dx_ws_deflate_text {
    uint8_t size;
    char at[DX_WS_DEFLATE_TEXT_MAX];
} dx_ws_deflate_text;

typedef enum dx_ws_deflate_result {
    DX_WS_DEFLATE_NONE, /* no compression: nothing is answered (server), was answered (client) */
    DX_WS_DEFLATE_ACCEPTED, /* params and, at a server, text hold */
    DX_WS_DEFLATE_BAD,      /* client only: fail the connection (DX_WS_REFUSED_ANSWER_EXTENSION) */
} dx_ws_deflate_result;

/* Server: takes the first offer that can be taken, over all lines of Sec-WebSocket-Extensions. An
 * offer with an unknown, repeated or wrong parameter, or with server_max_window_bits=8, is passed over,
 * as are other extensions. Never DX_WS_DEFLATE_BAD. `*params` and `*text` are untouched unless
 * accepted. Cost: linear in the lines. */
dx_ws_deflate_result dx_ws_deflate_accept(dx_ws_lines offered, const dx_ws_deflate_policy *policy,
                                          dx_ws_deflate_params *params, dx_ws_deflate_text *text);

/* Client: writes the offer for `policy`. */
void dx_ws_deflate_offer(const dx_ws_deflate_policy *policy, dx_ws_deflate_text *ret);

/* Client: judges the server's answer. policy: what was offered with dx_ws_deflate_offer, NULL if
 * nothing was. */
DX_MUST_USE dx_ws_deflate_result dx_ws_deflate_check(dx_ws_lines answered,
                                                     const dx_ws_deflate_policy *policy,
                                                     dx_ws_deflate_params *ret);

#endif
