/* WX-PMD: permessage-deflate where Autobahn does not look: offers, bits, odd streams, bombs.
 * Is:      deflated payloads as octets (those of RFC 7692 §7.2.3, and our own), with their meaning.
 * Is not:  volume (ws_cases_deflate.c).
 * Source:  RFC 7692 §5, §6, §7; RFC 6455 §9.1; RFC 1951.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PMD "permessage-deflate"
#define NO_CONTEXT "; server_no_context_takeover"
#define DEFLATED RSV(WST_RSV1)

/* ---- negotiation ---- */

typedef struct negotiation {
    const char *id, *title, *offers;
    bool agreed;
} negotiation;

/* What an agreed answer must and must not hold follows from the offers (wst_pmd_terms_allowed). */
static const negotiation negotiations[] = {
    {"WX-PMD.1", "unknown parameter: declined", PMD "; foo=1", false},
    {"WX-PMD.2", "a parameter twice: declined", PMD NO_CONTEXT NO_CONTEXT, false},
    {"WX-PMD.3", "server_max_window_bits=7: declined", PMD "; server_max_window_bits=7", false},
    {"WX-PMD.4", "server_max_window_bits=16: declined", PMD "; server_max_window_bits=16", false},
    {"WX-PMD.5", "server_max_window_bits=08: declined", PMD "; server_max_window_bits=08", false},
    {"WX-PMD.6", "server_max_window_bits without value: declined", PMD "; server_max_window_bits",
     false},
    {"WX-PMD.7", "server_no_context_takeover is answered", PMD NO_CONTEXT, true},
    {"WX-PMD.8", "server_max_window_bits=10 is answered with 10 or less",
     PMD "; server_max_window_bits=10", true},
    {"WX-PMD.9", "client_max_window_bits not offered: not answered", PMD, true},
    {"WX-PMD.10", "the first offer is bad: the second is taken",
     PMD "; server_max_window_bits=7, " PMD, true},
    {"WX-PMD.11", "all offers are bad: no extension",
     PMD "; foo, x-webkit-deflate-frame, " PMD "; client_max_window_bits=99", false},
    {"WX-PMD.26", "server_max_window_bits=8: declined", PMD "; server_max_window_bits=8", false},
    {"WX-PMD.27", "window 8 first, then a plain offer: the second is taken",
     PMD "; server_max_window_bits=8, " PMD "; client_max_window_bits", true},
    {"WX-PMD.28", "client_max_window_bits=7: declined", PMD "; client_max_window_bits=7", false},
    {"WX-PMD.29", "client_max_window_bits=10 offered: 10 or less if answered",
     PMD "; client_max_window_bits=10", true},
    {"WX-PMD.30", "client_no_context_takeover with a value: declined",
     PMD "; client_no_context_takeover=1", false},
    {"WX-PMD.31", "a value in quotes", PMD "; server_max_window_bits=\"11\"", true},
    {"WX-PMD.32", "other extensions before: ours is taken", "x-foo; a=1, x-bar, " PMD, true},
    {"WX-PMD.33", "offers without spaces", "permessage-deflate;client_max_window_bits=9,foo", true},
};

static void check_echo(wst_run *run, wst_client *client)
{
    uint8_t message[2000];
    wst_buffer out = {0};

    for (uint64_t i = 0; i < 3 && run->grade == WST_OK;
         i++) { /* three: a window is kept, or is not */
        wst_fill(message, sizeof message, i & 1, true);
        out.size = 0;
        wst_client_message(client, WST_TEXT, message, sizeof message, 0, &out);
        wst_send(run, client, &out, AT_ONCE);
        wst_expect_message(run, client, WST_TEXT, message, sizeof message);
    }
    if (run->grade == WST_OK)
        wst_end_clean(run, client);
    wst_buffer_deinit(&out);
}

static void run_negotiation(wst_run *run, const wst_case *c)
{
    const negotiation *row = c->data;
    wst_client client;

    if (wst_open(run, &client, c)) {
        if (client.has_pmd != row->agreed)
            wst_fail(run, "expected the extension %s, came %s", row->agreed ? "agreed" : "declined",
                     client.has_pmd ? "agreed" : "declined");
        else
            check_echo(run, &client);
    }
    wst_close(run, &client);
}

/* ---- messages ---- */

static const wst_case scripts[] = {
    {"WX-PMD.12", "§6.1", "RSV1 on a continuation",
     SCRIPT(AT_ONCE, TEXT("\xf2\x48\xcd", DEFLATED, MORE),
            CONTINUATION("\xc9\xc9\x07\x00", DEFLATED, .bad = 1002)),
     .offers = PMD},
    {"WX-PMD.13", "§6.1", "RSV1 on a ping", SCRIPT(AT_ONCE, PING("Hello", DEFLATED, .bad = 1002)),
     .offers = PMD},
    {"WX-PMD.14", "RFC 6455 §5.2", "RSV1 though nothing was agreed",
     SCRIPT(AT_ONCE, TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00", DEFLATED, .bad = 1002))},
    {"WX-PMD.15", "§6", "messages that are not deflated, between two that are",
     SCRIPT(AT_ONCE, TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00", DEFLATED, MEANS("Hello")), TEXT("plain"),
            TEXT("in ", MORE), CONTINUATION("two"),
            TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00", DEFLATED, MEANS("Hello"))),
     .offers = PMD},
    {"WX-PMD.16", "§7.2.3.6", "an empty message is the octet 00",
     SCRIPT(AT_ONCE, TEXT("\x00", DEFLATED, MEANS("")), PING("")), .offers = PMD},
    {"WX-PMD.17", "§7.2.3.4", "a block with BFINAL=1",
     SCRIPT(AT_ONCE, TEXT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", DEFLATED, MEANS("Hello")),
            TEXT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", DEFLATED, MEANS("Hello"))),
     .offers = PMD},
    {"WX-PMD.18", "§7.2.3.5", "two blocks in one message",
     SCRIPT(AT_ONCE,
            TEXT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", DEFLATED, MEANS("Hello"))),
     .offers = PMD},
    {"WX-PMD.19", "§7.2.3.3", "a stored block",
     SCRIPT(AT_ONCE,
            TEXT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", DEFLATED, MEANS("Hello"))),
     .offers = PMD},
    {"WX-PMD.21", "§6.1", "a ping between deflated fragments",
     SCRIPT(AT_ONCE, TEXT("\xf2\x48\xcd", DEFLATED, MORE, MEANS("Hello")), PING("between"),
            CONTINUATION("\xc9\xc9\x07\x00", MEANS(""))),
     .offers = PMD},
    {"WX-PMD.22", "§7.2", "deflated, in frames of one octet, octet by octet",
     SCRIPT(1, TEXT("\xf2\x48\xcd\xc9\xc9\x07\x00", DEFLATED, MEANS("Hello"), .fragment = 1)),
     .offers = PMD},
    {"WX-PMD.23", "§7.2.2", "a block of the reserved type",
     SCRIPT(AT_ONCE, TEXT("\x06\xff\xff", DEFLATED, .bad = 1007)), .offers = PMD},
    {"WX-PMD.25", "RFC 6455 §8.1", "not UTF-8 once inflated",
     SCRIPT(AT_ONCE, TEXT("\x00\x03\x00\xfc\xff\xed\xa0\x80\x00", DEFLATED, .bad = 1007)),
     .offers = PMD},
    {"WX-PMD.34", "RFC 6455 §8.1", "not UTF-8 as it is, deflated, but good text inflated",
     SCRIPT(AT_ONCE, TEXT("\x00\x03\x00\xfc\xff\xe2\x82\xac\x00", DEFLATED, MEANS("\xe2\x82\xac"))),
     .offers = PMD},
    {"WX-PMD.35", "§7.2.2", "a stored block whose lengths disagree",
     SCRIPT(AT_ONCE, TEXT("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", DEFLATED, .bad = 1007)),
     .offers = PMD},
    {"WX-PMD.36", "§7.2.2", "a distance that goes back before the beginning",
     SCRIPT(AT_ONCE, TEXT("\x4b\x04\xa2\x00", DEFLATED, .bad = 1007)), .offers = PMD},
    {"WX-PMD.37", "§7.2.3.6", "deflated, first fragment empty",
     SCRIPT(AT_ONCE, TEXT("", DEFLATED, MORE, MEANS("Hello")),
            CONTINUATION("\xf2\x48\xcd\xc9\xc9\x07\x00", MEANS(""))),
     .offers = PMD},
    {"WX-PMD.38", "§6.1", "RSV2 with permessage-deflate agreed",
     SCRIPT(AT_ONCE, TEXT("Hello", RSV(WST_RSV2), .bad = 1002)), .offers = PMD},
    {"WX-PMD.39", "§6.1", "RSV1 on a Close",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8", DEFLATED, .bad = 1002)), .offers = PMD},
};

/* ---- a final block, and then a reference to what was before it (§7.2.3.4) ---- */

static const char first_part[] = "the quick brown fox jumps over the lazy dog, and on";
static const char second_part[] = "; the quick brown fox jumps over the lazy dog again";

/* Raw deflate of `text`: with what was before as its window, ended by BFINAL=1 or by a flush. */
static void deflate_part(const char *before, const char *text, int flush, wst_buffer *out)
{
    z_stream z = {0};
    uint8_t *room = wst_buffer_grow(out, 256);

    if (deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    if (before)
        deflateSetDictionary(&z, (const Bytef *)before, (uInt)strlen(before));
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = room;
    z.avail_out = 256;
    deflate(&z, flush);
    out->size -= z.avail_out;
    deflateEnd(&z);
    if (flush == Z_SYNC_FLUSH)
        out->size -= 4;
}

static void send_deflated(wst_run *run, wst_client *client, const wst_buffer *payload)
{
    wst_buffer out = {0};

    wst_client_frames(client, &(wst_frame){.opcode = WST_TEXT, .rsv = WST_RSV1}, payload->at,
                      payload->size, 0, &out);
    wst_send(run, client, &out, AT_ONCE);
    wst_buffer_deinit(&out);
}

/* With context: two messages. Where the server forbids it to us: the same inside one message. */
static void run_final_then_back(wst_run *run, const wst_case *c)
{
    wst_buffer payload = {0};
    wst_client client;
    bool is_good = false;
    char both[sizeof first_part + sizeof second_part];

    if (wst_open(run, &client, c) && !client.has_pmd)
        wst_fail(run, "expected permessage-deflate to be agreed, came no extension");
    if (client.has_pmd && client.pmd.out_no_context) {
        deflate_part(NULL, first_part, Z_FINISH, &payload);
        deflate_part(first_part, second_part, Z_SYNC_FLUSH, &payload);
        send_deflated(run, &client, &payload);
        snprintf(both, sizeof both, "%s%s", first_part, second_part);
        is_good = wst_expect_message(run, &client, WST_TEXT, both, strlen(both));
    } else if (client.has_pmd) {
        deflate_part(NULL, first_part, Z_FINISH, &payload);
        wst_buffer_add(&payload, "", 1);
        send_deflated(run, &client, &payload);
        is_good = wst_expect_message(run, &client, WST_TEXT, first_part, strlen(first_part));
        payload.size = 0;
        deflate_part(first_part, second_part, Z_SYNC_FLUSH, &payload);
        send_deflated(run, &client, &payload);
        is_good =
            is_good && wst_expect_message(run, &client, WST_TEXT, second_part, strlen(second_part));
    }
    if (is_good)
        wst_end_clean(run, &client);
    wst_close(run, &client);
    wst_buffer_deinit(&payload);
}

/* Zeros that inflate to just above the server's limit. */
static void run_bomb(wst_run *run, const wst_case *c)
{
    wst_client client;
    wst_buffer out = {0};

    if (wst_open(run, &client, c)) {
        size_t size = run->config->message_max + 1;
        uint8_t *zeros = calloc(1, size);
        if (!zeros)
            abort();
        wst_client_message(&client, WST_BINARY, zeros, size, 0, &out);
        free(zeros);
        wst_send(run, &client, &out, AT_ONCE);
        wst_expect_fail(run, &client, 1009);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
}

static const wst_case functions[] = {
    {"WX-PMD.20", "§7.2.3.4", "BFINAL=1, then a reference to before it", .run = run_final_then_back,
     .offers = PMD},
    {"WX-PMD.24", "§8", "a bomb: zeros that inflate to the limit and one", .run = run_bomb,
     .offers = PMD, .flags = WST_IS_BINARY},
};

void wst_cases_pmd(wst_case_list *list)
{
    for (size_t i = 0; i < sizeof negotiations / sizeof negotiations[0]; i++) {
        wst_case c = {.section = "RFC 7692 §7.1",
                      .run = run_negotiation,
                      .data = &negotiations[i],
                      .offers = negotiations[i].offers};
        snprintf(c.id, sizeof c.id, "%s", negotiations[i].id);
        snprintf(c.title, sizeof c.title, "%s", negotiations[i].title);
        wst_case_add(list, &c);
    }
    wst_case_add_rows(list, scripts, sizeof scripts / sizeof scripts[0]);
    wst_case_add_rows(list, functions, sizeof functions / sizeof functions[0]);
}
