/* Autobahn's categories 12 and 13: permessage-deflate with five kinds of data and seven offers.
 * Is:      two small tables, 18 sizes by 12 sets: id 12.S.N or 13.S.N is set S, size N.
 *          Send one, wait for its echo, compare every octet; replies inflate on the agreed terms.
 * Is not:  the negotiation's faults (ws_cases_pmd.c).
 * Memory:  a few different messages for each case, deflated once where no context is kept.
 * Source:  RFC 7692; ids of the Autobahn|Testsuite.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"
#include "tests/conformance/ws_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES = 1000,
    MESSAGES_QUICK = 50,
    DIFFERENT_MESSAGES = 16,
};

typedef struct set {
    const char *id, *what;
    wst_data data;
    const char *offers;
} set;

/* What Autobahn's client offers besides: it accepts both for itself. */
#define ACCEPTS "permessage-deflate; client_no_context_takeover; client_max_window_bits"

static const set sets[] = {
    {"12.1", "JSON", WST_DATA_JSON, ACCEPTS},
    {"12.2", "bitmap", WST_DATA_BITMAP, ACCEPTS},
    {"12.3", "prose", WST_DATA_PROSE, ACCEPTS},
    {"12.4", "HTML", WST_DATA_HTML, ACCEPTS},
    {"12.5", "PDF", WST_DATA_PDF, ACCEPTS},
    {"13.1", "asks for nothing", WST_DATA_JSON, ACCEPTS},
    {"13.2", "asks for no context", WST_DATA_JSON, ACCEPTS "; server_no_context_takeover"},
    {"13.3", "asks for window 9", WST_DATA_JSON, ACCEPTS "; server_max_window_bits=9"},
    {"13.4", "asks for window 15", WST_DATA_JSON, ACCEPTS "; server_max_window_bits=15"},
    {"13.5", "asks for no context, window 9", WST_DATA_JSON,
     ACCEPTS "; server_no_context_takeover; server_max_window_bits=9"},
    {"13.6", "asks for no context, window 15", WST_DATA_JSON,
     ACCEPTS "; server_no_context_takeover; server_max_window_bits=15"},
    {"13.7", "three offers", WST_DATA_JSON,
     ACCEPTS "; server_no_context_takeover; server_max_window_bits=9, " ACCEPTS
             "; server_no_context_takeover, " ACCEPTS},
};

typedef struct size_row {
    size_t size, fragment; /* fragment 0: one frame */
} size_row;

static const size_row sizes[18] = {
    {16, 0},      {64, 0},      {256, 0},      {1024, 0},      {4096, 0},      {8192, 0},
    {16384, 0},   {32768, 0},   {65536, 0},    {131072, 0},    {8192, 256},    {16384, 256},
    {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
};

/* One of the messages that go round: as it is, as it goes out, and the reply once verified. */
typedef struct slot {
    uint8_t *plain;
    wst_buffer out, reply;
} slot;

typedef struct deflate_run {
    wst_run *run;
    const wst_case *c;
    wst_client client;
    wst_data data;
    size_t size, fragment;
    slot slots[DIFFERENT_MESSAGES];
    unsigned deflated_replies;
} deflate_run;

/* Made anew each time if the context is kept: it then depends on what went before. */
static const wst_buffer *slot_out(deflate_run *d, slot *one)
{
    bool is_constant = d->client.pmd.out_no_context;
    uint8_t opcode = wst_data_is_text(d->data) ? WST_TEXT : WST_BINARY;

    if (!is_constant)
        one->out.size = 0;
    if (one->out.size == 0)
        wst_client_message(&d->client, opcode, one->plain, d->size, d->fragment, &one->out);
    return &one->out;
}

static bool round_trip(deflate_run *d, slot *one)
{
    uint8_t opcode = wst_data_is_text(d->data) ? WST_TEXT : WST_BINARY;
    char came[200];

    wst_send(d->run, &d->client, slot_out(d, one), AT_ONCE);
    d->client.known = one->reply.size ? one->reply.at : NULL;
    d->client.known_size = one->reply.size;
    wst_event event = wst_client_next(&d->client, d->client.wait_ms);
    d->deflated_replies += event.raw_size > 0;
    if (event.is_known && event.opcode == opcode)
        return true;
    if (event.kind == WST_EVENT_MESSAGE && event.opcode == opcode && event.size == d->size &&
        memcmp(event.at, one->plain, d->size) == 0) {
        if (d->client.pmd.in_no_context && event.raw) {
            one->reply.size = 0;
            wst_buffer_add(&one->reply, event.raw, event.raw_size);
        }
        return true;
    }
    wst_event_text(&d->client, &event, came);
    wst_fail(d->run, "expected the echo of %zu octets, came %s", d->size, came);
    return false;
}

static void run_messages(deflate_run *d)
{
    int count = d->run->config->quick ? MESSAGES_QUICK : MESSAGES;
    bool is_good = true;

    if (!d->client.has_pmd) {
        wst_fail(d->run, "expected permessage-deflate to be agreed, came no extension");
        return;
    }
    for (size_t i = 0; i < DIFFERENT_MESSAGES; i++) {
        d->slots[i].plain = malloc(d->size);
        if (!d->slots[i].plain)
            abort();
        wst_data_make(d->data, i + d->size, d->slots[i].plain, d->size);
    }
    for (int i = 0; i < count && is_good; i++)
        is_good = round_trip(d, &d->slots[i % DIFFERENT_MESSAGES]);
    if (is_good && d->size >= 65536 && d->deflated_replies == 0)
        wst_fail(d->run, "expected big replies to be deflated, came none so");
    if (is_good)
        wst_end_clean(d->run, &d->client);
}

/* data: the set; number: size and fragment. */
static void run_deflate(wst_run *run, const wst_case *c)
{
    const set *kind = c->data;
    deflate_run *d = calloc(1, sizeof *d);

    if (!d)
        abort();
    d->run = run;
    d->c = c;
    d->data = kind->data;
    d->size = c->number[0];
    d->fragment = c->number[1];
    if (wst_open(run, &d->client, c))
        run_messages(d);
    wst_close(run, &d->client);
    for (size_t i = 0; i < DIFFERENT_MESSAGES; i++) {
        free(d->slots[i].plain);
        wst_buffer_deinit(&d->slots[i].out);
        wst_buffer_deinit(&d->slots[i].reply);
    }
    free(d);
}

void wst_cases_deflate(wst_case_list *list)
{
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            wst_case c = {
                .section = "RFC 7692 §7",
                .run = run_deflate,
                .offers = sets[s].offers,
                .data = &sets[s],
                .number = {sizes[i].size, sizes[i].fragment},
                .flags = wst_data_is_text(sets[s].data) ? 0 : WST_IS_BINARY,
            };
            snprintf(c.id, sizeof c.id, "%s.%zu", sets[s].id, i + 1);
            snprintf(c.title, sizeof c.title, "%s, messages of %zu octets", sets[s].what,
                     sizes[i].size);
            if (sizes[i].fragment)
                snprintf(c.title + strlen(c.title), sizeof c.title - strlen(c.title),
                         " in frames of %zu", sizes[i].fragment);
            wst_case_add(list, &c);
        }
    }
}
