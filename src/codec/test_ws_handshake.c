/* Tests of ws_handshake.h and ws_field.h.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_handshake.h"

#include "tests/tap.h"

#define LINES(...)                                                                                 \
    (dx_ws_lines)                                                                                  \
    {                                                                                              \
        (const dx_bytes[]){__VA_ARGS__},                                                           \
            sizeof((const dx_bytes[]){__VA_ARGS__}) / sizeof(dx_bytes)                             \
    }
#define NO_LINES ((dx_ws_lines){NULL, 0})
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* ---- lists ------------------------------------------------------------------------------------ */

TEST("RFC 9110 §5.6.1 a list runs over lines, blanks, empty elements and quoted commas")
{
    static const char *const want[] = {"a", "b c", "x=\"1,2\\\",3\"", "d", "open=\", e"};
    dx_ws_list list = {LINES(DX_BYTES(" a ,, b c\t,"), (dx_bytes){NULL, 0}, DX_BYTES(""),
                             DX_BYTES("x=\"1,2\\\",3\" , d"), DX_BYTES(","),
                             DX_BYTES("open=\", e")),
                       {NULL, 0}};
    dx_bytes element;
    size_t count = 0;

    while (dx_ws_list_next(&list, &element)) {
        if (count < DX_COUNT(want))
            CHECK_BYTES(element, want[count]);
        count++;
    }
    CHECK_INT(count, DX_COUNT(want));
    CHECK(!dx_ws_list_next(&list, &element));
}

TEST("RFC 9110 §5.6.2 each byte is part of a token or not")
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        bool want = c > 32 && c < 127 && strchr("\"(),/:;<=>?@[\\]{}", (int)c) == NULL;
        CHECK_INT(dx_ws_is_token(dx_bytes_at(&byte, 1)), want);
    }
    CHECK(!dx_ws_is_token((dx_bytes){NULL, 0}));
}

/* ---- server ----------------------------------------------------------------------------------- */

static dx_ws_request good_request(void)
{
    static const dx_bytes upgrade = DX_BYTES("websocket"), connection = DX_BYTES("Upgrade");
    static const dx_bytes key = DX_BYTES(KEY), version = DX_BYTES("13");
    return (dx_ws_request){.is_get = true,
                           .http_minor = 1,
                           .upgrade = {&upgrade, 1},
                           .connection = {&connection, 1},
                           .key = {&key, 1},
                           .version = {&version, 1}};
}

TEST("RFC 6455 §4.2.1 a good request is accepted")
{
    dx_ws_request r = good_request();
    CHECK_INT(dx_ws_request_check(&r), DX_WS_ACCEPTED);
    CHECK_INT(dx_ws_refusal_status(DX_WS_ACCEPTED), 101);
}

#define CHECK_REQUEST(change, refusal, status)                                                     \
    do {                                                                                           \
        dx_ws_request r = good_request();                                                          \
        change;                                                                                    \
        CHECK_INT(dx_ws_request_check(&r), refusal);                                               \
        CHECK_INT(dx_ws_refusal_status(refusal), status);                                          \
    } while (0)

TEST("RFC 6455 §4.2.1 the method is GET, the version HTTP/1.1 or later")
{
    CHECK_REQUEST(r.is_get = false, DX_WS_REFUSED_METHOD, 405);
    CHECK_REQUEST(r.http_minor = 0, DX_WS_REFUSED_HTTP_VERSION, 400);
    CHECK_REQUEST(r.http_minor = 2, DX_WS_ACCEPTED, 101);
}

TEST("RFC 6455 §4.2.1 Upgrade and Connection are lists, over lines, whatever the case")
{
    CHECK_REQUEST(r.upgrade = LINES(DX_BYTES("h2c, WebSocket")), DX_WS_ACCEPTED, 101);
    CHECK_REQUEST(r.upgrade = LINES(DX_BYTES("h2c"), DX_BYTES("WEBSOCKET")), DX_WS_ACCEPTED, 101);
    CHECK_REQUEST(r.upgrade = NO_LINES, DX_WS_REFUSED_NO_UPGRADE, 426);
    CHECK_REQUEST(r.upgrade = LINES(DX_BYTES("websockets")), DX_WS_REFUSED_NO_UPGRADE, 426);
    CHECK_REQUEST(r.upgrade = LINES(DX_BYTES("")), DX_WS_REFUSED_NO_UPGRADE, 426);
    CHECK_REQUEST(r.connection = LINES(DX_BYTES("keep-alive, UPGRADE")), DX_WS_ACCEPTED, 101);
    CHECK_REQUEST(r.connection = LINES(DX_BYTES("keep-alive"), DX_BYTES("upgrade")), DX_WS_ACCEPTED,
                  101);
    CHECK_REQUEST(r.connection = LINES(DX_BYTES("keep-alive")), DX_WS_REFUSED_CONNECTION, 400);
    CHECK_REQUEST(r.connection = NO_LINES, DX_WS_REFUSED_CONNECTION, 400);
}

TEST("RFC 6455 §4.2.1 a handshake has no body")
{
    CHECK_REQUEST(r.has_body = true, DX_WS_REFUSED_BODY, 400);
}

TEST("RFC 6455 §4.4 the version is there once and is 13, else 426")
{
    CHECK_REQUEST(r.version = LINES(DX_BYTES("8")), DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = LINES(DX_BYTES("99")), DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = LINES(DX_BYTES("013")), DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = LINES(DX_BYTES("13, 8")), DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = LINES(DX_BYTES("13"), DX_BYTES("13")), DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = NO_LINES, DX_WS_REFUSED_VERSION, 426);
    CHECK_REQUEST(r.version = LINES(DX_BYTES(" 13 ")), DX_WS_ACCEPTED, 101);
}

TEST("RFC 6455 §4.2.1 the key is there once and is the base64 of 16 bytes")
{
    CHECK_REQUEST(r.key = NO_LINES, DX_WS_REFUSED_KEY_COUNT, 400);
    CHECK_REQUEST(r.key = LINES(DX_BYTES(KEY), DX_BYTES(KEY)), DX_WS_REFUSED_KEY_COUNT, 400);
    CHECK_REQUEST(r.key = LINES(DX_BYTES("")), DX_WS_REFUSED_KEY, 400);
    CHECK_REQUEST(r.key = LINES(DX_BYTES("dGhlIHNhbXBsZSBub25j")), DX_WS_REFUSED_KEY, 400); /* 15 */
    CHECK_REQUEST(r.key = LINES(DX_BYTES("dGhlIHNhbXBsZSBub25jZWU=")), DX_WS_REFUSED_KEY,
                  400); /* 17 */
    CHECK_REQUEST(r.key = LINES(DX_BYTES("dGhlIHNhbXBsZSBub25jZWVl")), DX_WS_REFUSED_KEY,
                  400); /* 18 */
    CHECK_REQUEST(r.key = LINES(DX_BYTES("dGhlIHNhbXBsZSBub25jZR==")), DX_WS_REFUSED_KEY,
                  400); /* bits */
    CHECK_REQUEST(r.key = LINES(DX_BYTES("dGhlIHNhbXBsZ_Bub25jZQ==")), DX_WS_REFUSED_KEY, 400);
    CHECK_REQUEST(r.key = LINES(DX_BYTES(" " KEY "\t")), DX_WS_ACCEPTED, 101);
}

TEST("RFC 6455 §1.3 the accept key of the example")
{
    char accept[DX_WS_ACCEPT_BYTES];
    dx_ws_accept_key(DX_BYTES(KEY), accept);
    CHECK_MEM(accept, sizeof accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
    dx_ws_accept_key(DX_BYTES(" " KEY " "), accept);
    CHECK_MEM(accept, sizeof accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
}

TEST("each refusal has a status and a sentence")
{
    for (unsigned i = 0; i < DX_WS_REFUSAL_COUNT; i++) {
        dx_ws_refusal refusal = (dx_ws_refusal)i;
        CHECK(dx_ws_refusal_status(refusal) >= 101);
        CHECK(dx_ws_refusal_text(refusal) != NULL && strlen(dx_ws_refusal_text(refusal)) > 10);
    }
}

/* ---- subprotocols ----------------------------------------------------------------------------- */

static const dx_bytes supported[] = {DX_BYTES("duplex.v1"), DX_BYTES("chat")};

static const char *choose(dx_ws_lines asked)
{
    static char text[32];
    dx_bytes chosen = DX_BYTES("untouched");
    dx_ws_refusal refusal = dx_ws_subprotocol_choose(asked, supported, 2, &chosen);
    snprintf(text, sizeof text, "%.*s%s", DX_FORMAT(chosen), refusal == DX_WS_ACCEPTED ? "" : "!");
    return text;
}

TEST("RFC 6455 §4.2.2 the first of the client's subprotocols that the server knows")
{
    CHECK_BYTES(dx_bytes_of(choose(NO_LINES)), "");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("chat, duplex.v1")))), "chat");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("x"), DX_BYTES("y,duplex.v1")))), "duplex.v1");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("Chat, mqtt")))), "");
}

TEST("RFC 6455 §4.1 subprotocols that are no tokens, repeated, none or too many are refused")
{
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("")))), "untouched!");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES(" , ,")))), "untouched!");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("chat, a b")))), "untouched!");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("chat, \"q\"")))), "untouched!");
    CHECK_BYTES(dx_bytes_of(choose(LINES(DX_BYTES("chat"), DX_BYTES("x, chat")))), "untouched!");
    CHECK_BYTES(
        dx_bytes_of(choose(LINES(DX_BYTES("1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,"
                                          "q,r,s,t,u,v,w")))),
        "");
    CHECK_BYTES(
        dx_bytes_of(choose(LINES(DX_BYTES("1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,"
                                          "q,r,s,t,u,v,w,x")))),
        "untouched!");
}

TEST("a header of 100 KB is read in no time")
{
    static char text[100001];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 2 ? ',' : '"';
    CHECK_BYTES(dx_bytes_of(choose(LINES(dx_bytes_of(text)))), "untouched!");
    memset(text, ',', sizeof text - 1);
    CHECK_BYTES(dx_bytes_of(choose(LINES(dx_bytes_of(text)))), "untouched!");
}

/* ---- client ----------------------------------------------------------------------------------- */

TEST("RFC 6455 §4.1 a key is the base64 of 16 bytes")
{
    char key[DX_WS_KEY_BYTES];
    dx_ws_key_write((const uint8_t *)"the sample nonce", key);
    CHECK_MEM(key, sizeof key, KEY, 24);
}

static dx_ws_answer good_answer(void)
{
    static const dx_bytes upgrade = DX_BYTES("websocket"), connection = DX_BYTES("Upgrade");
    static const dx_bytes accept = DX_BYTES("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    return (dx_ws_answer){.status = 101,
                          .upgrade = {&upgrade, 1},
                          .connection = {&connection, 1},
                          .accept = {&accept, 1}};
}

#define CHECK_ANSWER(change, refusal, text)                                                        \
    do {                                                                                           \
        dx_ws_answer a = good_answer();                                                            \
        dx_bytes chosen = DX_BYTES("untouched");                                                   \
        change;                                                                                    \
        CHECK_INT(dx_ws_answer_check(&a, KEY, supported, 2, &chosen), refusal);                    \
        CHECK_BYTES(chosen, text);                                                                 \
    } while (0)

TEST("RFC 6455 §4.1 an answer is taken if it is 101 and made from our key")
{
    CHECK_ANSWER((void)a, DX_WS_ACCEPTED, "");
    CHECK_ANSWER(a.upgrade = LINES(DX_BYTES("WebSocket")), DX_WS_ACCEPTED, "");
    CHECK_ANSWER(a.connection = LINES(DX_BYTES("x, upgrade")), DX_WS_ACCEPTED, "");
    CHECK_ANSWER(a.status = 200, DX_WS_REFUSED_STATUS, "untouched");
    CHECK_ANSWER(a.upgrade = NO_LINES, DX_WS_REFUSED_ANSWER_UPGRADE, "untouched");
    CHECK_ANSWER(a.upgrade = LINES(DX_BYTES("h2c")), DX_WS_REFUSED_ANSWER_UPGRADE, "untouched");
    CHECK_ANSWER(a.connection = LINES(DX_BYTES("close")), DX_WS_REFUSED_ANSWER_CONNECTION,
                 "untouched");
    CHECK_ANSWER(a.accept = NO_LINES, DX_WS_REFUSED_ACCEPT, "untouched");
    CHECK_ANSWER(a.accept = LINES(a.accept.at[0], a.accept.at[0]), DX_WS_REFUSED_ACCEPT,
                 "untouched");
    CHECK_ANSWER(a.accept = LINES(DX_BYTES("s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")), DX_WS_REFUSED_ACCEPT,
                 "untouched");
    CHECK_ANSWER(a.accept = LINES(DX_BYTES("S3PPLMBITXAQ9KYGZZHZRBK+XOO=")), DX_WS_REFUSED_ACCEPT,
                 "untouched");
}

TEST("RFC 6455 §4.1 a subprotocol is taken only if it was asked for")
{
    CHECK_ANSWER(a.subprotocol = LINES(DX_BYTES("chat")), DX_WS_ACCEPTED, "chat");
    CHECK_ANSWER(a.subprotocol = LINES(DX_BYTES("Chat")), DX_WS_REFUSED_ANSWER_SUBPROTOCOL,
                 "untouched");
    CHECK_ANSWER(a.subprotocol = LINES(DX_BYTES("")), DX_WS_REFUSED_ANSWER_SUBPROTOCOL,
                 "untouched");
    CHECK_ANSWER(a.subprotocol = LINES(DX_BYTES("chat, duplex.v1")),
                 DX_WS_REFUSED_ANSWER_SUBPROTOCOL, "untouched");
    CHECK_ANSWER(a.subprotocol = LINES(DX_BYTES("chat"), DX_BYTES("chat")),
                 DX_WS_REFUSED_ANSWER_SUBPROTOCOL, "untouched");
}
