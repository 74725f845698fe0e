/* WX-LIM: the server's limits, at the last good value and at the first bad one.
 * Is:      a group of its own (--group limits): the server's message limit is told by
 *          --message-max-of-server; fragments and control frames are at their defaults:
 *          1024 + octets/32 fragments in a message, a burst of 100 control frames and 20 a second.
 * Source:  RFC 6455 §7.4.1 (1008, 1009), §10.4.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRAGMENTS_FREE = 1024,
    OCTETS_PER_FRAGMENT = 32,
    CONTROL_BURST = 100,
    CONTROL_PER_SECOND = 20,
};

static uint8_t *made_up(size_t size)
{
    uint8_t *at = malloc(size ? size : 1);

    if (!at)
        abort();
    wst_fill(at, size, size, false);
    return at;
}

/* ---- size ---- */

/* A message of the limit + number[0] octets, in frames of number[1] (0: one). */
static void run_size(wst_run *run, const wst_case *c)
{
    size_t size = run->config->message_max + c->number[0];
    uint8_t *message = made_up(size);
    wst_buffer out = {0};
    wst_client client;

    if (wst_open(run, &client, c)) {
        wst_client_frames(&client, &(wst_frame){.opcode = WST_BINARY}, message, size, c->number[1],
                          &out);
        wst_send(run, &client, &out, AT_ONCE);
        if (c->number[0] > 0)
            wst_expect_fail(run, &client, 1009);
        else if (wst_expect_message(run, &client, WST_BINARY, message, size))
            wst_end_clean(run, &client);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
    free(message);
}

/* The first frame holds all that is allowed; of the second only the head is sent. */
static void run_second_head(wst_run *run, const wst_case *c)
{
    size_t size = run->config->message_max;
    uint8_t *message = made_up(size);
    wst_buffer out = {0};
    wst_client client;

    if (wst_open(run, &client, c)) {
        wst_client_frames(&client, &(wst_frame){.opcode = WST_BINARY, .more = true}, message, size,
                          0, &out);
        wst_frame_write(&out, &(wst_frame){.length_says = 1}, "", 0, wst_client_key(&client));
        wst_send(run, &client, &out, AT_ONCE);
        wst_expect_fail(run, &client, 1009);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
    free(message);
}

/* Zeros, deflated to almost nothing: the limit + number[0] octets once inflated. */
static void run_inflated_size(wst_run *run, const wst_case *c)
{
    size_t size = run->config->message_max + c->number[0];
    uint8_t *zeros = calloc(1, size);
    wst_buffer out = {0};
    wst_client client;

    if (!zeros)
        abort();
    if (wst_open(run, &client, c)) {
        wst_client_message(&client, WST_BINARY, zeros, size, c->number[1], &out);
        wst_send(run, &client, &out, AT_ONCE);
        if (c->number[0] > 0)
            wst_expect_fail(run, &client, 1009);
        else if (wst_expect_message(run, &client, WST_BINARY, zeros, size))
            wst_end_clean(run, &client);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
    free(zeros);
}

/* ---- fragments ---- */

/* number[0] fragments of number[1] octets, all of one message; good if the rule allows so many. */
static void run_fragments(wst_run *run, const wst_case *c)
{
    size_t count = c->number[0], size = count * c->number[1];
    bool is_good = count <= FRAGMENTS_FREE + size / OCTETS_PER_FRAGMENT;
    uint8_t *message = made_up(size);
    wst_buffer out = {0};
    wst_client client;

    if (wst_open(run, &client, c)) {
        for (size_t i = 0; i < count; i++) {
            wst_frame frame = {.opcode = i ? WST_CONTINUATION : WST_BINARY, .more = i + 1 < count};
            wst_frame_write(&out, &frame, message + i * c->number[1], c->number[1],
                            wst_client_key(&client));
        }
        wst_send(run, &client, &out, AT_ONCE);
        if (!is_good)
            wst_expect_fail(run, &client, 1008);
        else if (wst_expect_message(run, &client, WST_BINARY, message, size))
            wst_end_clean(run, &client);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
    free(message);
}

/* ---- control frames ---- */

static void send_controls(wst_run *run, wst_client *client, uint8_t opcode, uint8_t from,
                          size_t count)
{
    wst_buffer out = {0};

    for (size_t i = 0; i < count; i++) {
        uint8_t payload[2] = {from, (uint8_t)i};
        wst_frame_write(&out, &(wst_frame){.opcode = opcode}, payload, 2, wst_client_key(client));
    }
    wst_send(run, client, &out, AT_ONCE);
    wst_buffer_deinit(&out);
}

/* Pongs in order up to the last one; a server with much to write may leave some out (§5.5.3). */
static bool expect_last_pong(wst_run *run, wst_client *client, uint8_t from, size_t count)
{
    int last = -1;

    while (last != (int)count - 1) {
        wst_event event = wst_client_next(client, client->wait_ms);
        if (event.kind != WST_EVENT_PONG || event.size != 2 || event.at[0] != from ||
            event.at[1] <= last) {
            char came[200];
            wst_event_text(client, &event, came);
            wst_fail(run, "expected pongs in order up to number %zu, came %s after number %d",
                     count - 1, came, last);
            return false;
        }
        last = event.at[1];
    }
    return true;
}

/* number[0] pings at once: up to the burst they are answered. */
static void run_pings(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        send_controls(run, &client, WST_PING, 'a', c->number[0]);
        if (c->number[0] > CONTROL_BURST)
            wst_expect_fail(run, &client, 1008);
        else if (expect_last_pong(run, &client, 'a', c->number[0]))
            wst_end_clean(run, &client);
    }
    wst_close(run, &client);
}

static void run_pongs(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        send_controls(run, &client, WST_PONG, 'a', c->number[0]);
        wst_expect_fail(run, &client, 1008);
    }
    wst_close(run, &client);
}

/* The burst, a second and a half of rest, and what has grown back in it. */
static void run_refill(wst_run *run, const wst_case *c)
{
    wst_client client;

    if (wst_open(run, &client, c)) {
        send_controls(run, &client, WST_PING, 'a', CONTROL_BURST - 10);
        if (expect_last_pong(run, &client, 'a', CONTROL_BURST - 10)) {
            wst_event event = wst_client_next(&client, 1500);
            if (event.kind != WST_EVENT_TIMEOUT)
                wst_fail(run, "expected silence while no ping is sent");
            send_controls(run, &client, WST_PING, 'b', CONTROL_PER_SECOND + 10);
            if (expect_last_pong(run, &client, 'b', CONTROL_PER_SECOND + 10))
                wst_end_clean(run, &client);
        }
    }
    wst_close(run, &client);
}

#define PMD "permessage-deflate"
#define BY(...) .flags = WST_IS_BINARY | WST_SLOW, .number = {__VA_ARGS__}

static const wst_case rows[] = {
    {"WX-LIM.1", "§10.4", "a message of the limit", .run = run_size, BY(0, 0)},
    {"WX-LIM.2", "§10.4", "a message of the limit and one", .run = run_size, BY(1, 0)},
    {"WX-LIM.3", "§10.4", "a message of the limit in frames of 1000", .run = run_size, BY(0, 1000)},
    {"WX-LIM.4", "§10.4", "a message of the limit and one in frames of 1000", .run = run_size,
     BY(1, 1000)},
    {"WX-LIM.5", "§10.4", "the head of the second frame goes over the limit",
     .run = run_second_head, BY(0, 0)},
    {"WX-LIM.6", "§10.4", "inflates to the limit", .run = run_inflated_size, BY(0, 0),
     .offers = PMD},
    {"WX-LIM.7", "§10.4", "inflates to the limit and one", .run = run_inflated_size, BY(1, 0),
     .offers = PMD},
    {"WX-LIM.8", "§10.4", "inflates to 8 MiB over the limit, in frames of 100",
     .run = run_inflated_size, BY(8388608, 100), .offers = PMD},
    {"WX-LIM.9", "§10.4", "1024 empty fragments", .run = run_fragments, BY(1024, 0)},
    {"WX-LIM.10", "§10.4", "1025 empty fragments", .run = run_fragments, BY(1025, 0)},
    {"WX-LIM.11", "§10.4", "1050 fragments of 1 octet", .run = run_fragments, BY(1050, 1)},
    {"WX-LIM.12", "§10.4", "1200 fragments of 1 octet", .run = run_fragments, BY(1200, 1)},
    {"WX-LIM.13", "§10.4", "2900 fragments of 21 octets", .run = run_fragments, BY(2900, 21)},
    {"WX-LIM.18", "§10.4", "3060 fragments of 21 octets", .run = run_fragments, BY(3060, 21)},
    {"WX-LIM.14", "§10.4", "99 pings at once, and then a Close, are answered", .run = run_pings,
     BY(99, 0)},
    {"WX-LIM.15", "§10.4", "200 pings at once are too many", .run = run_pings, BY(200, 0)},
    {"WX-LIM.16", "§10.4", "200 pongs at once are too many", .run = run_pongs, BY(200, 0)},
    {"WX-LIM.17", "§10.4", "the allowance for pings grows back", .run = run_refill, BY(0, 0)},
};

void wst_cases_limits(wst_case_list *list)
{
    wst_case_add_rows(list, rows, sizeof rows / sizeof rows[0]);
}
