/* The opening handshake at the server.
 * Source: RFC 6455 §4.2, §10.2.
 * SPDX-License-Identifier: MIT */
#include "ws/server.h"

#include "base/assert.h"
#include "codec/ws_handshake.h"

enum { LINES_MAX = 16 };

/* The values of the lines of one field; lines behind the 16th are not looked at. */
typedef struct lines {
    dx_bytes at[LINES_MAX];
    size_t count;
} lines;

static dx_ws_lines lines_of(const dx_exchange *x, dx_http_name id, lines *memory)
{
    const dx_http_fields *fields = &x->head.fields;
    const dx_http_field *f = dx_http_fields_get(fields, id);

    memory->count = 0;
    for (; f && memory->count < LINES_MAX; f = dx_http_fields_next(fields, f))
        memory->at[memory->count++] = f->value;
    return (dx_ws_lines){memory->at, memory->count};
}

static dx_ws_refusal check_request(const dx_exchange *x)
{
    lines upgrade, connection, key, version;
    const dx_http_framing *framing = &x->head.framing;

    return dx_ws_request_check(&(dx_ws_request){
        .is_tunnel = x->is_tunnel,
        .is_get = x->head.method == DX_HTTP_GET,
        .http_minor = (uint8_t)x->head.minor_version,
        .has_body = framing->body == DX_HTTP_BODY_CHUNKED || framing->content_length > 0,
        .upgrade = lines_of(x, DX_HTTP_UPGRADE, &upgrade),
        .connection = lines_of(x, DX_HTTP_CONNECTION, &connection),
        .key = lines_of(x, DX_HTTP_SEC_WEBSOCKET_KEY, &key),
        .version = lines_of(x, DX_HTTP_SEC_WEBSOCKET_VERSION, &version),
    });
}

static void refuse(dx_exchange *x, dx_ws_refusal refusal)
{
    static const dx_header allow[] = {{DX_BYTES("Allow"), DX_BYTES("GET")}};
    static const dx_header versions[] = {{DX_BYTES("Upgrade"), DX_BYTES("websocket")},
                                         {DX_BYTES("Connection"), DX_BYTES("Upgrade")},
                                         {DX_BYTES("Sec-WebSocket-Version"), DX_BYTES(DX_WS_VERSION)}};
    uint16_t status = dx_ws_refusal_status(refusal);
    const char *text = dx_ws_refusal_text(refusal);

    if (status == 405)
        dx_exchange_problem_with(x, status, text, allow, DX_COUNT(allow));
    else if (status == 426)
        dx_exchange_problem_with(x, status, text, versions, DX_COUNT(versions));
    else
        dx_exchange_problem(x, status, text);
}

static uint8_t subprotocol_index(const dx_ws_endpoint *endpoint, dx_bytes chosen)
{
    for (size_t i = 0; i < endpoint->subprotocols_count; i++)
        if (chosen.size > 0 && dx_bytes_equal(endpoint->subprotocols[i], chosen))
            return (uint8_t)(i + 1);
    return 0;
}

bool dx_ws_handshake_check(dx_exchange *x, const dx_ws_endpoint *endpoint, dx_ws_handshake *ret)
{
    dx_ws_handshake handshake = {0};
    lines memory;
    dx_bytes chosen = {0};

    dx_ws_refusal refusal = check_request(x);
    if (refusal == DX_WS_ACCEPTED)
        refusal = dx_ws_subprotocol_choose(lines_of(x, DX_HTTP_SEC_WEBSOCKET_PROTOCOL, &memory),
                                           endpoint->subprotocols, endpoint->subprotocols_count,
                                           &chosen);
    if (refusal != DX_WS_ACCEPTED) {
        refuse(x, refusal);
        return false;
    }
    if (!endpoint->is_for_any_origin && !dx_exchange_is_own_origin(x)) { /* §10.2 */
        dx_exchange_problem(x, 403, "This Origin may not open a WebSocket here: only pages of the "
                                    "same host, and programs that send no Origin.");
        return false;
    }
    handshake.subprotocol = subprotocol_index(endpoint, chosen);
    if (endpoint->config.is_deflate)
        handshake.is_deflate =
            dx_ws_deflate_accept(lines_of(x, DX_HTTP_SEC_WEBSOCKET_EXTENSIONS, &memory),
                                 &endpoint->config.deflate, &handshake.params,
                                 &handshake.extension) == DX_WS_DEFLATE_ACCEPTED;
    *ret = handshake;
    return true;
}

dx_ws *dx_ws_handshake_accept(dx_exchange *x, dx_ws_worker *worker, const dx_ws_endpoint *endpoint,
                              const dx_ws_handshake *handshake, void *user)
{
    char accept[DX_WS_ACCEPT_BYTES];
    dx_header headers[4];
    size_t count = 0;
    dx_ws *ws = dx_ws_new(worker, endpoint, DX_WS_SERVER,
                          handshake->is_deflate ? &handshake->params : NULL);

    dx_assert(x->ops->upgrade);
    if (ws == NULL) {
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return NULL;
    }
    ws->user = user;
    ws->subprotocol = handshake->subprotocol;
    if (!x->is_tunnel) {
        dx_ws_accept_key(dx_http_fields_value(&x->head.fields, DX_HTTP_SEC_WEBSOCKET_KEY), accept);
        headers[count++] = (dx_header){DX_BYTES("Upgrade"), DX_BYTES("websocket")};
        headers[count++] =
            (dx_header){DX_BYTES("Sec-WebSocket-Accept"), dx_bytes_at(accept, sizeof accept)};
    }
    if (handshake->subprotocol)
        headers[count++] = (dx_header){DX_BYTES("Sec-WebSocket-Protocol"), dx_ws_subprotocol(ws)};
    if (handshake->is_deflate)
        headers[count++] =
            (dx_header){DX_BYTES("Sec-WebSocket-Extensions"),
                        dx_bytes_at(handshake->extension.at, handshake->extension.size)};
    x->status = x->is_tunnel ? 200 : 101;
    dx_exchange_note(x);
    dx_ws_begin(ws, x->ops->upgrade(x, headers, count));
    return ws;
}
