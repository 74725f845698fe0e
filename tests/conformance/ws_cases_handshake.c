/* WX-HS: the opening handshake, good and bad.
 * Is:      one row a request: its request line, its fields, and the statuses that are right.
 *          101 is checked as in every case, and a message must come back.
 * Is not:  extensions (ws_cases_pmd.c), plain HTTP.
 * Source:  RFC 6455 §4.1, §4.2, §4.4, §10.2; RFC 9110 §7.8, §15.5.22.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GET "GET $PATH HTTP/1.1\r\n"
#define HOST "Host: $HOST\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: $KEY\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY_IS(k) "Sec-WebSocket-Key: " k "\r\n"
#define USUAL HOST UPGRADE CONNECTION KEY VERSION
#define WITHOUT_KEY GET HOST UPGRADE CONNECTION VERSION
#define WITHOUT_VERSION GET HOST UPGRADE CONNECTION KEY

typedef struct request {
    const char *id, *section, *title, *text;
    int status[4]; /* any of these; 0 ends */
} request;

#define ANY_OF(...)                                                                                \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const request requests[] = {
    {"WX-HS.1", "§4.1", "POST", "POST $PATH HTTP/1.1\r\n" USUAL, ANY_OF(400, 405)},
    {"WX-HS.2", "§4.1", "HTTP/1.0", "GET $PATH HTTP/1.0\r\n" USUAL, ANY_OF(400, 426)},
    {"WX-HS.3", "§4.2.1", "no Host", GET UPGRADE CONNECTION KEY VERSION, ANY_OF(400)},
    {"WX-HS.4", "§4.2.1", "no key", WITHOUT_KEY, ANY_OF(400)},
    {"WX-HS.5", "§11.3.1", "two keys", GET USUAL KEY, ANY_OF(400)},
    {"WX-HS.6", "§4.2.1", "key of 15 octets", WITHOUT_KEY KEY_IS("AAECAwQFBgcICQoLDA0O"),
     ANY_OF(400)},
    {"WX-HS.7", "§4.2.1", "key of 17 octets", WITHOUT_KEY KEY_IS("AAECAwQFBgcICQoLDA0ODxA="),
     ANY_OF(400)},
    {"WX-HS.8", "§4.2.1", "key that is not base64", WITHOUT_KEY KEY_IS("AAECAwQFBgcICQ!LDA0ODw=="),
     ANY_OF(400)},
    {"WX-HS.9", "§4.4", "version 8", WITHOUT_VERSION "Sec-WebSocket-Version: 8\r\n", ANY_OF(426)},
    {"WX-HS.10", "§4.4", "version 99", WITHOUT_VERSION "Sec-WebSocket-Version: 99\r\n",
     ANY_OF(426)},
    {"WX-HS.11", "§4.1", "version \"13, 8\"", WITHOUT_VERSION "Sec-WebSocket-Version: 13, 8\r\n",
     ANY_OF(400, 426)},
    {"WX-HS.12", "§11.3.5", "two versions", GET USUAL VERSION, ANY_OF(400, 426)},
    {"WX-HS.13", "§4.2.1", "Upgrade: WebSocket, h2c",
     GET HOST "Upgrade: WebSocket, h2c\r\n" CONNECTION KEY VERSION, ANY_OF(101)},
    {"WX-HS.14", "§4.2.1", "Connection in two lines: keep-alive, then UPGRADE",
     GET HOST UPGRADE "Connection: keep-alive\r\nConnection: UPGRADE\r\n" KEY VERSION, ANY_OF(101)},
    {"WX-HS.15", "§4.2.1", "no Connection: not an upgrade", GET HOST UPGRADE KEY VERSION,
     ANY_OF(400, 426, 200, 404)},
    {"WX-HS.16", "§4.1", "Content-Length: 5", GET USUAL "Content-Length: 5\r\n", ANY_OF(400)},
    {"WX-HS.17", "§4.1", "chunked body", GET USUAL "Transfer-Encoding: chunked\r\n", ANY_OF(400)},
    {"WX-HS.18", "§4.2.2", "an unknown subprotocol: 101 without one",
     GET USUAL "Sec-WebSocket-Protocol: no.such\r\n", ANY_OF(101)},
    {"WX-HS.19", "§11.3.4", "unknown subprotocols on two lines: 101 without one",
     GET USUAL "Sec-WebSocket-Protocol: no.such\r\nSec-WebSocket-Protocol: nor.this, a.b\r\n",
     ANY_OF(101)},
    {"WX-HS.20", "§10.2", "foreign Origin", GET USUAL "Origin: http://evil.example\r\n",
     ANY_OF(403)},
    {"WX-HS.21", "§10.2", "Origin: null", GET USUAL "Origin: null\r\n", ANY_OF(403)},
    {"WX-HS.26", "§10.2", "Origin of the same host", GET USUAL "Origin: $SCHEME://$HOST\r\n",
     ANY_OF(101)},
    {"WX-HS.27", "§10.2", "Origin that ends with our host's name",
     GET USUAL "Origin: http://evil$HOST\r\n", ANY_OF(403)},
    {"WX-HS.28", "§4.2.1", "no version", WITHOUT_VERSION, ANY_OF(400, 426)},
    {"WX-HS.29", "§4.2.1", "names in capitals, no space after colons, spaces around values",
     GET "HOST:$HOST\r\nUPGRADE:  websocket \t\r\nCONNECTION:Upgrade\r\n"
         "SEC-WEBSOCKET-KEY: \t$KEY  \r\nSEC-WEBSOCKET-VERSION:13\r\n",
     ANY_OF(101)},
    {"WX-HS.30", "§4.1", "Upgrade of another protocol only",
     GET HOST "Upgrade: h2c\r\n" CONNECTION KEY VERSION, ANY_OF(400, 426, 200, 404)},
};

static bool is_right_status(const request *asked, int status)
{
    for (size_t i = 0; i < 4 && asked->status[i]; i++)
        if (asked->status[i] == status)
            return true;
    return false;
}

/* What 426 must carry: Upgrade (RFC 9110 §15.5.22); the version if that was the fault (§4.4). */
static void check_426(wst_run *run, const wst_client *client, bool is_version_fault)
{
    char value[256];

    if (is_version_fault &&
        (wst_client_field(client, "Sec-WebSocket-Version", value) != 1 || strcmp(value, "13") != 0))
        wst_fail(run, "expected 426 with 'Sec-WebSocket-Version: 13'");
    if (!wst_client_field_has(client, "Upgrade", "websocket"))
        wst_fail(run, "expected 426 with 'Upgrade: websocket'");
}

static void check_echo(wst_run *run, wst_client *client)
{
    static const char hello[] = "Hello, world!";
    wst_buffer out = {0};

    wst_client_message(client, WST_TEXT, (const uint8_t *)hello, sizeof hello - 1, 0, &out);
    wst_send(run, client, &out, AT_ONCE);
    if (wst_expect_message(run, client, WST_TEXT, hello, sizeof hello - 1))
        wst_end_clean(run, client);
    wst_buffer_deinit(&out);
}

static void check_response(wst_run *run, wst_client *client, const request *asked)
{
    const char *fault = NULL;
    char value[256];

    if (!is_right_status(asked, client->status)) {
        wst_fail(run, "expected status %d, came %d", asked->status[0], client->status);
        return;
    }
    if (client->status == 101) {
        fault = wst_client_check_101(client, NULL);
        if (fault)
            wst_fail(run, "%s", fault);
        else
            check_echo(run, client);
        return;
    }
    if (wst_client_field(client, "Sec-WebSocket-Accept", value))
        wst_fail(run, "a refusal with Sec-WebSocket-Accept");
    if (client->status == 426)
        check_426(run, client, asked->status[0] == 426);
}

static void run_request(wst_run *run, const wst_case *c)
{
    const request *asked = c->data;
    char text[1024];
    wst_client client;

    if (wst_connect(run, &client, c)) {
        snprintf(text, sizeof text, "%s\r\n", asked->text);
        const char *fault = wst_client_request(&client, text);
        if (fault)
            wst_fail(run, "%s", fault);
        else
            check_response(run, &client, asked);
    }
    wst_close(run, &client);
}

static bool is_event(const wst_event *event, wst_event_kind kind, const char *text)
{
    return event->kind == kind && event->size == strlen(text) &&
           memcmp(event->at, text, event->size) == 0;
}

/* The echo of "early" and the pong "bird", in any order. */
static void check_early_bird(wst_run *run, wst_client *client)
{
    bool has_echo = false, has_pong = false;

    for (int i = 0; i < 2; i++) {
        wst_event event = wst_client_next(client, client->wait_ms);
        has_echo |= is_event(&event, WST_EVENT_MESSAGE, "early");
        has_pong |= is_event(&event, WST_EVENT_PONG, "bird");
    }
    if (!has_echo || !has_pong)
        wst_fail(run, "expected an echo 'early' and a pong 'bird', came %s of the two",
                 has_echo || has_pong ? "one" : "none");
    else
        wst_end_clean(run, client);
}

/* The first frames come in the same segment as the request. */
static void run_same_segment(wst_run *run, const wst_case *c)
{
    wst_buffer out = {0};
    wst_client client;

    if (wst_connect(run, &client, c)) {
        wst_client_expand(&client, GET USUAL "\r\n", &out);
        wst_frame_write(&out, &(wst_frame){.opcode = WST_TEXT}, "early", 5,
                        wst_client_key(&client));
        wst_frame_write(&out, &(wst_frame){.opcode = WST_PING}, "bird", 4, wst_client_key(&client));
        wst_send(run, &client, &out, AT_ONCE);
        const char *fault = wst_client_response(&client);
        fault = fault ? fault : wst_client_check_101(&client, NULL);
        if (fault)
            wst_fail(run, "%s", fault);
        else
            check_early_bird(run, &client);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
}

/* FIN right behind the request: there is nobody to talk to, and the server must not keep it. */
static void run_half_close(wst_run *run, const wst_case *c)
{
    wst_buffer out = {0};
    wst_client client;

    if (wst_connect(run, &client, c)) {
        wst_client_expand(&client, GET USUAL "\r\n", &out);
        wst_send(run, &client, &out, AT_ONCE);
        dx_peer_finish(&client.peer);
        dx_peer_status status = dx_peer_need_eof(&client.peer, client.wait_ms);
        if (status != DX_PEER_EOF && status != DX_PEER_RESET)
            wst_fail(run, "expected the server to close too, came %s", dx_peer_status_text(status));
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
}

/* RFC 6455 §1.3 gives a key and its answer: no computing of ours is needed. */
static void run_sample_key(wst_run *run, const wst_case *c)
{
    char value[256];
    wst_client client;

    if (wst_connect(run, &client, c)) {
        snprintf(client.key, sizeof client.key, "dGhlIHNhbXBsZSBub25jZQ==");
        const char *fault = wst_client_handshake(&client, NULL);
        if (fault)
            wst_fail(run, "%s", fault);
        else if (wst_client_field(&client, "Sec-WebSocket-Accept", value) != 1 ||
                 strcmp(value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != 0)
            wst_fail(run, "expected s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, came %s", value);
        else
            check_echo(run, &client);
    }
    wst_close(run, &client);
}

/* The 101 itself: one token each, and no field that asks for what was not offered. */
static void run_answer(wst_run *run, const wst_case *c)
{
    char value[256];
    wst_client client;

    if (wst_connect(run, &client, c)) {
        const char *fault = wst_client_handshake(&client, NULL);
        if (fault)
            wst_fail(run, "%s", fault);
        else if (wst_client_field(&client, "Connection", value) != 1 ||
                 strcasecmp(value, "upgrade") != 0)
            wst_fail(run, "expected 'Connection: Upgrade' alone, came %s", value);
        else
            check_echo(run, &client);
    }
    wst_close(run, &client);
}

static const wst_case functions[] = {
    {"WX-HS.22", "§4.1", "frames in the segment of the request are served",
     .run = run_same_segment},
    {"WX-HS.23", "§7.1.1", "half-close right after the request", .run = run_half_close,
     .flags = WST_SLOW},
    {"WX-HS.24", "§1.3", "the RFC's sample key", .run = run_sample_key},
    {"WX-HS.25", "§4.2.2", "the answer is exactly one Upgrade and one Connection",
     .run = run_answer},
};

void wst_cases_handshake(wst_case_list *list)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        wst_case c = {.section = requests[i].section,
                      .run = run_request,
                      .data = &requests[i],
                      .flags = WST_HANDSHAKE_TOO};
        snprintf(c.id, sizeof c.id, "%s", requests[i].id);
        snprintf(c.title, sizeof c.title, "%s", requests[i].title);
        wst_case_add(list, &c);
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        wst_case c = functions[i];
        c.flags |= WST_HANDSHAKE_TOO;
        wst_case_add(list, &c);
    }
}
