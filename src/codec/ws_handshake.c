/* The opening handshake: the rules of RFC 6455 §4, in the order of the enum.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_handshake.h"

#include "base/assert.h"
#include "codec/base64.h"
#include "codec/sha1.h"

#define KEY_RAW_BYTES 16
#define SUBPROTOCOLS_MAX 32

/* RFC 6455 §1.3: it proves that the server knows the protocol, nothing else. */
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static const struct {
    uint16_t status;
    const char *text;
} refusals[DX_WS_REFUSAL_COUNT] = {
    [DX_WS_ACCEPTED] = {101, "The handshake is fine."},
    [DX_WS_REFUSED_METHOD] = {405, "A WebSocket handshake must be a GET request."},
    [DX_WS_REFUSED_HTTP_VERSION] = {400, "A WebSocket handshake needs HTTP/1.1."},
    [DX_WS_REFUSED_NO_UPGRADE] = {426, "Only WebSocket is served here: send Upgrade: websocket."},
    [DX_WS_REFUSED_CONNECTION] = {400, "Connection must list upgrade when Upgrade is sent."},
    [DX_WS_REFUSED_BODY] = {400, "A WebSocket handshake must not have a body."},
    [DX_WS_REFUSED_VERSION] = {426, "Sec-WebSocket-Version must be there once and be 13."},
    [DX_WS_REFUSED_KEY_COUNT] = {400, "Sec-WebSocket-Key must be there once."},
    [DX_WS_REFUSED_KEY] = {400, "Sec-WebSocket-Key must be the base64 text of 16 bytes."},
    [DX_WS_REFUSED_SUBPROTOCOL] =
        {400, "Sec-WebSocket-Protocol must list different tokens, 32 at most."},
    [DX_WS_REFUSED_STATUS] = {502, "The server did not switch to WebSocket."},
    [DX_WS_REFUSED_ANSWER_UPGRADE] = {502, "The server's answer has no Upgrade: websocket."},
    [DX_WS_REFUSED_ANSWER_CONNECTION] = {502, "The server's answer has no Connection: upgrade."},
    [DX_WS_REFUSED_ACCEPT] = {502, "The server's Sec-WebSocket-Accept does not answer our key."},
    [DX_WS_REFUSED_ANSWER_SUBPROTOCOL] = {502,
                                          "The server chose a subprotocol that was not asked for."},
    [DX_WS_REFUSED_ANSWER_EXTENSION] = {502, "The server chose an extension that was not offered."},
};

uint16_t dx_ws_refusal_status(dx_ws_refusal refusal)
{
    dx_assert((unsigned)refusal < DX_WS_REFUSAL_COUNT);
    return refusals[refusal].status;
}

const char *dx_ws_refusal_text(dx_ws_refusal refusal)
{
    dx_assert((unsigned)refusal < DX_WS_REFUSAL_COUNT);
    return refusals[refusal].text;
}

/* ---- server ----------------------------------------------------------------------------------- */

static bool is_key(dx_bytes key)
{
    uint8_t raw[KEY_RAW_BYTES];
    size_t size;

    key = dx_bytes_trim(key);
    return key.size == DX_WS_KEY_BYTES && dx_base64_read(key, raw, sizeof raw, &size) &&
           size == KEY_RAW_BYTES;
}

bool dx_ws_request_is_upgrade(const dx_ws_request *request)
{
    return dx_ws_lines_have(request->upgrade, DX_BYTES("websocket"));
}

/* RFC 6455 §4.2.1, 1 to 4: what asks for it. */
static dx_ws_refusal check_upgrade(const dx_ws_request *request)
{
    if (!request->is_get)
        return DX_WS_REFUSED_METHOD;
    if (request->http_minor < 1)
        return DX_WS_REFUSED_HTTP_VERSION;
    if (!dx_ws_request_is_upgrade(request))
        return DX_WS_REFUSED_NO_UPGRADE;
    if (!dx_ws_lines_have(request->connection, DX_BYTES("upgrade")))
        return DX_WS_REFUSED_CONNECTION;
    return DX_WS_ACCEPTED;
}

dx_ws_refusal dx_ws_request_check(const dx_ws_request *request)
{
    const dx_ws_lines *version = &request->version;
    dx_ws_refusal refusal = request->is_tunnel ? DX_WS_ACCEPTED : check_upgrade(request);

    if (refusal != DX_WS_ACCEPTED)
        return refusal;
    if (request->has_body)
        return DX_WS_REFUSED_BODY;
    if (version->count != 1 ||
        !dx_bytes_equal(dx_bytes_trim(version->at[0]), DX_BYTES(DX_WS_VERSION)))
        return DX_WS_REFUSED_VERSION;
    if (request->is_tunnel)
        return DX_WS_ACCEPTED;
    if (request->key.count != 1)
        return DX_WS_REFUSED_KEY_COUNT;
    return is_key(request->key.at[0]) ? DX_WS_ACCEPTED : DX_WS_REFUSED_KEY;
}

void dx_ws_accept_key(dx_bytes key, char out[DX_WS_ACCEPT_BYTES])
{
    uint8_t text[DX_WS_KEY_BYTES + sizeof accept_guid - 1], sum[DX_SHA1_BYTES];

    key = dx_bytes_trim(key);
    dx_assert(key.size == DX_WS_KEY_BYTES);
    memcpy(text, key.at, DX_WS_KEY_BYTES);
    memcpy(text + DX_WS_KEY_BYTES, accept_guid, sizeof accept_guid - 1);
    dx_sha1(dx_bytes_at(text, sizeof text), sum);
    dx_base64_write(dx_bytes_at(sum, sizeof sum), out);
}

static bool has(const dx_bytes *tokens, size_t count, dx_bytes token)
{
    for (size_t i = 0; i < count; i++)
        if (dx_bytes_equal(tokens[i], token))
            return true;
    return false;
}

/* The tokens of a list, in order: false if there is none, one twice, one that is not a token, or too
 * many. */
static bool read_tokens(dx_ws_lines lines, dx_bytes tokens[SUBPROTOCOLS_MAX], size_t *ret)
{
    dx_ws_list list = {lines, {NULL, 0}};
    dx_bytes token;
    size_t count = 0;

    while (dx_ws_list_next(&list, &token)) {
        if (count == SUBPROTOCOLS_MAX || !dx_ws_is_token(token) || has(tokens, count, token))
            return false;
        tokens[count++] = token;
    }
    *ret = count;
    return count > 0;
}

dx_ws_refusal dx_ws_subprotocol_choose(dx_ws_lines asked, const dx_bytes *supported,
                                       size_t supported_count, dx_bytes *ret)
{
    dx_bytes tokens[SUBPROTOCOLS_MAX], chosen = {NULL, 0};
    size_t count = 0;

    if (asked.count > 0 && !read_tokens(asked, tokens, &count))
        return DX_WS_REFUSED_SUBPROTOCOL;
    for (size_t i = 0; i < count && chosen.size == 0; i++)
        for (size_t k = 0; k < supported_count && chosen.size == 0; k++)
            if (dx_bytes_equal(tokens[i], supported[k]))
                chosen = supported[k];
    *ret = chosen;
    return DX_WS_ACCEPTED;
}

/* ---- client ----------------------------------------------------------------------------------- */

void dx_ws_key_write(const uint8_t random[16], char out[DX_WS_KEY_BYTES])
{
    dx_base64_write(dx_bytes_at(random, KEY_RAW_BYTES), out);
}

static bool is_accept(dx_ws_lines accept, const char key[DX_WS_KEY_BYTES])
{
    char want[DX_WS_ACCEPT_BYTES];

    if (accept.count != 1)
        return false;
    dx_ws_accept_key(dx_bytes_at(key, DX_WS_KEY_BYTES), want);
    return dx_bytes_equal(dx_bytes_trim(accept.at[0]), dx_bytes_at(want, sizeof want));
}

static dx_ws_refusal check_switch(const dx_ws_answer *answer, const char key[DX_WS_KEY_BYTES])
{
    if (answer->status != 101)
        return DX_WS_REFUSED_STATUS;
    /* one value, not a list: the server switches to one protocol (§4.1) */
    if (answer->upgrade.count != 1 ||
        !dx_bytes_equal_nocase(dx_bytes_trim(answer->upgrade.at[0]), DX_BYTES("websocket")))
        return DX_WS_REFUSED_ANSWER_UPGRADE;
    if (!dx_ws_lines_have(answer->connection, DX_BYTES("upgrade")))
        return DX_WS_REFUSED_ANSWER_CONNECTION;
    return is_accept(answer->accept, key) ? DX_WS_ACCEPTED : DX_WS_REFUSED_ACCEPT;
}

static dx_ws_refusal check_tunnel(const dx_ws_answer *answer)
{
    return answer->status >= 200 && answer->status <= 299 ? DX_WS_ACCEPTED : DX_WS_REFUSED_STATUS;
}

dx_ws_refusal dx_ws_answer_check(const dx_ws_answer *answer, const char key[DX_WS_KEY_BYTES],
                                 const dx_bytes *asked, size_t asked_count, dx_bytes *subprotocol)
{
    dx_bytes chosen = {NULL, 0};

    dx_ws_refusal refusal = answer->is_tunnel ? check_tunnel(answer) : check_switch(answer, key);
    if (refusal != DX_WS_ACCEPTED)
        return refusal;
    if (answer->subprotocol.count > 1)
        return DX_WS_REFUSED_ANSWER_SUBPROTOCOL;
    if (answer->subprotocol.count == 1) {
        chosen = dx_bytes_trim(answer->subprotocol.at[0]);
        if (!has(asked, asked_count, chosen))
            return DX_WS_REFUSED_ANSWER_SUBPROTOCOL;
    }
    *subprotocol = chosen;
    return DX_WS_ACCEPTED;
}
