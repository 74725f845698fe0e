/* WX-MASK, WX-LEN, WX-CLOSE: framing and closing where Autobahn does not look; WX-STREAM.
 * Is not:  handshake, deflate, limits (ws_cases_handshake.c, ws_cases_pmd.c, ws_cases_limits.c).
 * Source:  RFC 6455 §5.1, §5.2, §5.3, §5.5.1, §7.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <string.h>

#define FAIL .bad = 1002
#define STARS_40 "****************************************"
#define STARS_121 STARS_40 STARS_40 STARS_40 "*"
#define UNMASKED .frame.unmasked = true
#define LENGTH(bits, says) .frame.length_bits = (bits), .frame.length_says = (says)

static const wst_case scripts[] = {
    {"WX-MASK.1", "§5.1", "unmasked text", SCRIPT(AT_ONCE, TEXT("Hello", UNMASKED, FAIL))},
    {"WX-MASK.2", "§5.1", "unmasked ping", SCRIPT(AT_ONCE, PING("Hello", UNMASKED, FAIL))},
    {"WX-MASK.3", "§5.1", "unmasked continuation",
     SCRIPT(AT_ONCE, TEXT("frag", MORE), CONTINUATION("ment", UNMASKED, FAIL))},
    {"WX-MASK.4", "§5.3", "the masking key 0 is legal",
     SCRIPT(AT_ONCE, TEXT("Hello", .frame.zero_key = true), PING("Hello", .frame.zero_key = true))},

    {"WX-LEN.1", "§5.2", "5 octets with a length of 16 bits",
     SCRIPT(AT_ONCE, TEXT("Hello", LENGTH(16, 5), FAIL))},
    {"WX-LEN.2", "§5.2", "300 octets with a length of 64 bits",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 300, LENGTH(64, 300), FAIL))},
    {"WX-LEN.3", "§5.2", "the highest bit of a 64-bit length is 1",
     SCRIPT(AT_ONCE, BINARY("Hello", LENGTH(64, 1ULL << 63 | 5), FAIL))},
    {"WX-LEN.4", "§5.2", "a length of 2^63-1: refused from the head",
     SCRIPT(AT_ONCE, BINARY("", LENGTH(64, ~0ULL >> 1), .bad = 1009))},
    {"WX-LEN.6", "§5.5", "ping of 5 octets with a length of 16 bits",
     SCRIPT(AT_ONCE, PING("Hello", LENGTH(16, 5), FAIL))},
    {"WX-LEN.7", "§5.5", "ping with a length of 64 bits",
     SCRIPT(AT_ONCE, PING("", LENGTH(64, 1ULL << 20), FAIL))},

    {"WX-CLOSE.1", "§5.5.1", "Close inside an unfinished message",
     SCRIPT(AT_ONCE, TEXT("fragment1", MORE), CLOSE("\x03\xe8"))},
    {"WX-CLOSE.2", "§7.4", "code 1012", SCRIPT(AT_ONCE, CLOSE("\x03\xf4"))},
    {"WX-CLOSE.3", "§7.4", "code 1013", SCRIPT(AT_ONCE, CLOSE("\x03\xf5"))},
    {"WX-CLOSE.4", "§7.4", "code 1014", SCRIPT(AT_ONCE, CLOSE("\x03\xf6"))},
    {"WX-CLOSE.5", "§7.4", "code 1015", SCRIPT(AT_ONCE, CLOSE("\x03\xf7", FAIL))},
    {"WX-CLOSE.9", "§7.1.5", "both sides close at once: one Close comes",
     SCRIPT(AT_ONCE, FRAME(3, "", FAIL), CLOSE("\x03\xe8"))},
    {"WX-CLOSE.10", "§5.5.1", "reason of 123 octets that ends in a whole code point",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8" STARS_121 "\xc3\xa4"))},
    {"WX-CLOSE.13", "§5.5.1", "reason of 122 octets, cut inside a code point",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8" STARS_121 "\xc3", .bad = 1007, .or_bad = 1002))},
};

/* A length of the server's limit and one: only the head is sent, the payload never. */
static void run_over_limit(wst_run *run, const wst_case *c)
{
    const wst_step steps[] = {
        {.kind = WST_SEND,
         .frame = {.opcode = WST_BINARY, .length_says = run->config->message_max + 1},
         .text = "",
         .bad = 1009},
        {.kind = WST_STOP},
    };
    wst_case scripted = *c;

    scripted.steps = steps;
    wst_script_run(run, &scripted);
}

/* Sends a frame that fails the connection and reads the server's Close. */
static bool provoke_close(wst_run *run, wst_client *client)
{
    wst_buffer out = {0};

    wst_frame_write(&out, &(wst_frame){.opcode = 3}, "", 0, wst_client_key(client));
    wst_send(run, client, &out, AT_ONCE);
    wst_buffer_deinit(&out);
    wst_event event = wst_client_next(client, client->wait_ms);
    if (event.kind == WST_EVENT_CLOSE && event.code == 1002)
        return true;
    wst_fail(run, "expected Close 1002 for opcode 3");
    return false;
}

/* We never answer its Close and never close TCP: it must not wait for us for long. */
static void run_never_answers(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c) && provoke_close(run, &client)) {
        int64_t start_ms = dx_peer_now_ms();
        wst_event event = wst_client_next(&client, 8000);
        if (event.kind != WST_EVENT_END)
            wst_fail(run, "expected the end of TCP at 5 s at the latest, came nothing");
        else if (dx_peer_now_ms() - start_ms > 7000)
            wst_fail(run, "expected the end of TCP at 5 s, came after %d ms",
                     (int)(dx_peer_now_ms() - start_ms));
    }
    wst_close(run, &client);
}

/* The client's machine is gone: FIN, no Close. Locally 1006, and nothing of that on the wire. */
static void run_fin_without_close(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        dx_peer_finish(&client.peer);
        wst_event event = wst_client_next(&client, client.wait_ms);
        if (event.kind == WST_EVENT_CLOSE)
            event = wst_client_next(&client, client.wait_ms);
        if (event.kind != WST_EVENT_END) {
            char came[200];
            wst_event_text(&client, &event, came);
            wst_fail(run, "expected the server to close TCP after our FIN, came %s", came);
        }
    }
    wst_close(run, &client);
}

/* After its Close the server has nothing to say any more, whatever it is asked. */
static void run_data_after_its_close(wst_run *run, const wst_case *c)
{
    wst_buffer out = {0};
    wst_client client;

    if (wst_open(run, &client, c) && provoke_close(run, &client)) {
        wst_frame_write(&out, &(wst_frame){.opcode = WST_TEXT}, "late", 4, wst_client_key(&client));
        wst_frame_write(&out, &(wst_frame){.opcode = WST_PING}, "late", 4, wst_client_key(&client));
        wst_send(run, &client, &out, AT_ONCE);
        wst_expect_end(run, &client, true);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
}

/* A Close without a code is answered by one without a code: 1005 is never sent. */
static void run_no_code(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        wst_client_close(&client, 0, NULL);
        wst_expect_close(run, &client, 0, false);
    }
    wst_close(run, &client);
}

/* §7.1.1: it is the server who closes TCP, and it does not wait for us. */
static void run_server_first(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        wst_client_close(&client, 1000, "");
        int64_t start_ms = dx_peer_now_ms();
        wst_expect_close(run, &client, 1000, false);
        if (dx_peer_now_ms() - start_ms > 2000)
            wst_fail(run, "expected the server to close TCP within 2 s, came after %d ms",
                     (int)(dx_peer_now_ms() - start_ms));
    }
    wst_close(run, &client);
}

static bool send_one(wst_run *run, wst_client *client, uint8_t opcode, const char *text)
{
    wst_buffer out = {0};

    wst_client_message(client, opcode, (const uint8_t *)text, strlen(text), 0, &out);
    wst_send(run, client, &out, AT_ONCE);
    wst_buffer_deinit(&out);
    return run->grade == WST_OK;
}

/* A stream's kind is that of its first message: text into a binary stream comes back as binary. */
static void run_text_into_binary(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c) && send_one(run, &client, WST_BINARY, "first") &&
        wst_expect_message(run, &client, WST_BINARY, "first", 5) &&
        send_one(run, &client, WST_TEXT, "second") &&
        wst_expect_message(run, &client, WST_BINARY, "second", 6))
        wst_end_clean(run, &client);
    wst_close(run, &client);
}

static void run_binary_into_text(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c) && send_one(run, &client, WST_TEXT, "first") &&
        wst_expect_message(run, &client, WST_TEXT, "first", 5) &&
        send_one(run, &client, WST_BINARY, "second"))
        wst_expect_fail(run, &client, 1003);
    wst_close(run, &client);
}

static const wst_case functions[] = {
    {"WX-LEN.5", "§5.2", "a length above the limit: refused from the head", .run = run_over_limit},
    {"WX-CLOSE.6", "§7.1.1", "the client never answers the server's Close: TCP ends by itself",
     .run = run_never_answers, .flags = WST_SLOW},
    {"WX-CLOSE.7", "§7.1.5", "FIN without Close", .run = run_fin_without_close},
    {"WX-CLOSE.8", "§5.5.1", "data after the server's Close is ignored",
     .run = run_data_after_its_close},
    {"WX-CLOSE.11", "§7.1.5", "Close without a code is answered without one", .run = run_no_code},
    {"WX-CLOSE.12", "§7.1.1", "the server closes TCP first, at once", .run = run_server_first},
    {"WX-STREAM.1", "raw door", "text into a binary stream comes back as binary",
     .run = run_text_into_binary, .flags = WST_STREAM_ONLY | WST_IS_BINARY},
    {"WX-STREAM.2", "raw door", "binary into a text stream is refused with 1003",
     .run = run_binary_into_text, .flags = WST_STREAM_ONLY},
};

void wst_cases_extra(wst_case_list *list)
{
    wst_case_add_rows(list, scripts, sizeof scripts / sizeof scripts[0]);
    wst_case_add_rows(list, functions, sizeof functions / sizeof functions[0]);
}
