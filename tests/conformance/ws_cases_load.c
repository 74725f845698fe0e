/* Autobahn's category 9: big messages, many fragments, many writes, many round trips.
 * Is:      rows by Autobahn's id; unlike there, every octet of the echo is compared.
 * Source:  RFC 6455 §5.4, §5.6; ids of the Autobahn|Testsuite.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <string.h>

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    ROUND_TRIPS = 1000,
    ROUND_TRIPS_QUICK = 50,
    ROUND_TRIP_BYTES_MAX = 4096,
};

/* One message, its echo, the next; number[0]: octets of each. */
static void run_round_trips(wst_run *run, const wst_case *c)
{
    int count = run->config->quick ? ROUND_TRIPS_QUICK : ROUND_TRIPS;
    uint8_t opcode = c->flags & WST_IS_BINARY ? WST_BINARY : WST_TEXT;
    uint8_t message[ROUND_TRIP_BYTES_MAX];
    wst_buffer out = {0};
    wst_client client;

    if (wst_open(run, &client, c)) {
        bool is_good = true;
        for (int i = 0; i < count && is_good; i++) {
            wst_fill(message, c->number[0], (uint64_t)i, opcode == WST_TEXT);
            out.size = 0;
            wst_client_message(&client, opcode, message, c->number[0], 0, &out);
            wst_send(run, &client, &out, AT_ONCE);
            is_good = wst_expect_message(run, &client, opcode, message, c->number[0]);
        }
        if (is_good)
            wst_end_clean(run, &client);
    }
    wst_close(run, &client);
    wst_buffer_deinit(&out);
}

static const wst_case rows[] = {
    {"9.1.1", "§5.6", "text of 64 KiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 64 * KIB))},
    {"9.1.2", "§5.6", "text of 256 KiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 256 * KIB))},
    {"9.1.3", "§5.6", "text of 1 MiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 1 * MIB))},
    {"9.1.4", "§5.6", "text of 4 MiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB))},
    {"9.1.5", "§5.6", "text of 8 MiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 8 * MIB))},
    {"9.1.6", "§5.6", "text of 16 MiB", SCRIPT(AT_ONCE, FILL(WST_TEXT, 16 * MIB))},
    {"9.2.1", "§5.6", "binary of 64 KiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 64 * KIB))},
    {"9.2.2", "§5.6", "binary of 256 KiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 256 * KIB))},
    {"9.2.3", "§5.6", "binary of 1 MiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 1 * MIB))},
    {"9.2.4", "§5.6", "binary of 4 MiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB))},
    {"9.2.5", "§5.6", "binary of 8 MiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 8 * MIB))},
    {"9.2.6", "§5.6", "binary of 16 MiB", SCRIPT(AT_ONCE, FILL(WST_BINARY, 16 * MIB))},
    {"9.3.1", "§5.4", "text of 4 MiB in frames of 64 octets",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 64))},
    {"9.3.2", "§5.4", "text of 4 MiB in frames of 256 octets",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 256))},
    {"9.3.3", "§5.4", "text of 4 MiB in frames of 1 KiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 1 * KIB))},
    {"9.3.4", "§5.4", "text of 4 MiB in frames of 4 KiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 4 * KIB))},
    {"9.3.5", "§5.4", "text of 4 MiB in frames of 16 KiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 16 * KIB))},
    {"9.3.6", "§5.4", "text of 4 MiB in frames of 64 KiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 64 * KIB))},
    {"9.3.7", "§5.4", "text of 4 MiB in frames of 256 KiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 256 * KIB))},
    {"9.3.8", "§5.4", "text of 4 MiB in frames of 1 MiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 1 * MIB))},
    {"9.3.9", "§5.4", "text of 4 MiB in frames of 4 MiB",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 4 * MIB, .fragment = 4 * MIB))},
    {"9.4.1", "§5.4", "binary of 4 MiB in frames of 64 octets",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 64))},
    {"9.4.2", "§5.4", "binary of 4 MiB in frames of 256 octets",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 256))},
    {"9.4.3", "§5.4", "binary of 4 MiB in frames of 1 KiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 1 * KIB))},
    {"9.4.4", "§5.4", "binary of 4 MiB in frames of 4 KiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 4 * KIB))},
    {"9.4.5", "§5.4", "binary of 4 MiB in frames of 16 KiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 16 * KIB))},
    {"9.4.6", "§5.4", "binary of 4 MiB in frames of 64 KiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 64 * KIB))},
    {"9.4.7", "§5.4", "binary of 4 MiB in frames of 256 KiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 256 * KIB))},
    {"9.4.8", "§5.4", "binary of 4 MiB in frames of 1 MiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 1 * MIB))},
    {"9.4.9", "§5.4", "binary of 4 MiB in frames of 4 MiB",
     SCRIPT(AT_ONCE, FILL(WST_BINARY, 4 * MIB, .fragment = 4 * MIB))},
    {"9.5.1", "§5.6", "text of 1 MiB in writes of 64 octets", SCRIPT(64, FILL(WST_TEXT, MIB))},
    {"9.5.2", "§5.6", "text of 1 MiB in writes of 128 octets", SCRIPT(128, FILL(WST_TEXT, MIB))},
    {"9.5.3", "§5.6", "text of 1 MiB in writes of 256 octets", SCRIPT(256, FILL(WST_TEXT, MIB))},
    {"9.5.4", "§5.6", "text of 1 MiB in writes of 512 octets", SCRIPT(512, FILL(WST_TEXT, MIB))},
    {"9.5.5", "§5.6", "text of 1 MiB in writes of 1 KiB", SCRIPT(1024, FILL(WST_TEXT, MIB))},
    {"9.5.6", "§5.6", "text of 1 MiB in writes of 2 KiB", SCRIPT(2048, FILL(WST_TEXT, MIB))},
    {"9.6.1", "§5.6", "binary of 1 MiB in writes of 64 octets", SCRIPT(64, FILL(WST_BINARY, MIB))},
    {"9.6.2", "§5.6", "binary of 1 MiB in writes of 128 octets",
     SCRIPT(128, FILL(WST_BINARY, MIB))},
    {"9.6.3", "§5.6", "binary of 1 MiB in writes of 256 octets",
     SCRIPT(256, FILL(WST_BINARY, MIB))},
    {"9.6.4", "§5.6", "binary of 1 MiB in writes of 512 octets",
     SCRIPT(512, FILL(WST_BINARY, MIB))},
    {"9.6.5", "§5.6", "binary of 1 MiB in writes of 1 KiB", SCRIPT(1024, FILL(WST_BINARY, MIB))},
    {"9.6.6", "§5.6", "binary of 1 MiB in writes of 2 KiB", SCRIPT(2048, FILL(WST_BINARY, MIB))},
    {"9.7.1", "§5.6", "1000 round trips of text of 0 octets", .run = run_round_trips,
     .number = {0}},
    {"9.7.2", "§5.6", "1000 round trips of text of 16 octets", .run = run_round_trips,
     .number = {16}},
    {"9.7.3", "§5.6", "1000 round trips of text of 64 octets", .run = run_round_trips,
     .number = {64}},
    {"9.7.4", "§5.6", "1000 round trips of text of 256 octets", .run = run_round_trips,
     .number = {256}},
    {"9.7.5", "§5.6", "1000 round trips of text of 1 KiB", .run = run_round_trips,
     .number = {1024}},
    {"9.7.6", "§5.6", "1000 round trips of text of 4 KiB", .run = run_round_trips,
     .number = {4096}},
    {"9.8.1", "§5.6", "1000 round trips of binary of 0 octets", .run = run_round_trips,
     .number = {0}, .flags = WST_IS_BINARY},
    {"9.8.2", "§5.6", "1000 round trips of binary of 16 octets", .run = run_round_trips,
     .number = {16}, .flags = WST_IS_BINARY},
    {"9.8.3", "§5.6", "1000 round trips of binary of 64 octets", .run = run_round_trips,
     .number = {64}, .flags = WST_IS_BINARY},
    {"9.8.4", "§5.6", "1000 round trips of binary of 256 octets", .run = run_round_trips,
     .number = {256}, .flags = WST_IS_BINARY},
    {"9.8.5", "§5.6", "1000 round trips of binary of 1 KiB", .run = run_round_trips,
     .number = {1024}, .flags = WST_IS_BINARY},
    {"9.8.6", "§5.6", "1000 round trips of binary of 4 KiB", .run = run_round_trips,
     .number = {4096}, .flags = WST_IS_BINARY},
};

void wst_cases_load(wst_case_list *list)
{
    wst_case_add_rows(list, rows, sizeof rows / sizeof rows[0]);
}
