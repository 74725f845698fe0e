/* Attacks by HTTP/2 on a real server: A12 to A18 of the catalogue, each with its answer, its memory, and a good
 * client beside it.
 * Usage:   h2_attacks HOST PORT PID [--full] [NAME]; prints TAP and a row for each. About a minute; --full: half an
 *          hour.
 * Is:      one attacker that begins again when it was sent away.
 * Is not:  the exact limits (src/http/test_h2_attacks.c).
 * Source:  RFC 9113 §10.5; the CVEs that are named.
 * SPDX-License-Identifier: MIT */
#include "tests/hostile/attack.h"

#include <stdio.h>
#include <string.h>

enum {
    WINDOW = 65535,
    PIECE_BYTES = 65536,
    FRAME_ROOM = 2048, /* so much at least is free when a frame is made */
    ANSWER_MS = 5000,
    CONN_BYTES_MAX = 1 << 30,
};

enum {
    NO_ERROR = 0,
    PROTOCOL = 1,
    FLOW_CONTROL = 3,
    STREAM_CLOSED = 5,
    FRAME_SIZE = 6,
    COMPRESSION = 9,
    CALM = 11,
};
#define BIT(code) (1U << (code))

/* ---- floods: the same kind of frames until the server ends the connection ---------------------------- */

typedef struct flood {
    size_t (*first)(hw_conn *c, uint8_t *to); /* once, or NULL */
    size_t (*frames)(hw_conn *c, uint8_t *to);
    uint32_t goaways; /* bits of codes: one of these ends it */
    uint32_t resets;  /* streams are reset with one of these before; 0: that does not matter */
} flood;

static bool is_told(const hw_conn *c)
{
    return c->goaway_code != HW_NO_CODE;
}

static size_t fill(hw_conn *c, const flood *f, uint8_t *piece)
{
    size_t size = 0;

    while (size < PIECE_BYTES)
        size += f->frames(c, piece + size);
    return size;
}

static void judge(attack_world *w, const flood *f, const hw_conn *c, uint64_t sent)
{
    char said[32];

    if (c->goaway_code == HW_NO_CODE) {
        attack_note(w, false, sent, c->is_over ? NULL : "nothing");
        return;
    }
    snprintf(said, sizeof said, "GOAWAY %d, RST x%u", c->goaway_code, c->resets);
    bool is_right = f->goaways & BIT(c->goaway_code) &&
                    (f->resets == 0 || c->resets == 0 || (c->reset_codes & ~BIT(8) & f->resets));
    attack_note(w, is_right, sent, said);
}

static void flood_once(attack_world *w, const flood *f)
{
    static uint8_t piece[PIECE_BYTES + 65536];
    uint64_t sent = 0;
    hw_conn c;

    if (!hw_open(&c, w->options->host, w->options->port, WINDOW)) {
        attack_note(w, false, 0, "no connection");
        hw_close(&c);
        return;
    }
    if (f->first)
        hw_send(&c, piece, f->first(&c, piece), ANSWER_MS);
    while (!is_told(&c) && !c.is_over && sent < CONN_BYTES_MAX) {
        size_t size = fill(&c, f, piece);
        if (hw_send(&c, piece, size, ANSWER_MS))
            sent += size;
    }
    hw_wait(&c, is_told, ANSWER_MS);
    judge(w, f, &c, sent);
    hw_close(&c);
}

static void run_flood(attack_world *w, const void *context)
{
    do
        flood_once(w, context);
    while (attack_goes_on(w));
}

/* ---- pieces of floods ----------------------------------------------------------------------------------- */

static size_t open_get(hw_conn *c, uint8_t *to)
{
    size_t size = hw_get(to, HW_END_STREAM | HW_END_HEADERS, c->id,
                         "/live/y?offset=now&live=long-poll", NULL, 0);
    c->id += 2;
    return size;
}

static size_t open_post(hw_conn *c, uint8_t *to)
{
    static const uint8_t block[] = {0x83, 0x86, 0x01, 1,   'a', 0x04, 7,
                                    '/',  'l',  'i',  'v', 'e', '/',  'y'};
    size_t size = hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id, block, sizeof block);
    c->id += 2;
    return size;
}

static size_t rapid_reset(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_frame(to + size, HW_RST_STREAM, 0, c->id - 2, "\0\0\0\10", 4);
}

static size_t window_0(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_frame(to + size, HW_WINDOW_UPDATE, 0, c->id - 2, "\0\0\0\0", 4);
}

static size_t window_overflow(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_frame(to + size, HW_WINDOW_UPDATE, 0, c->id - 2, "\x7f\xff\xff\xff", 4);
}

static size_t short_priority(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_frame(to + size, HW_PRIORITY, 0, c->id - 2, NULL, 4);
}

static size_t data_after_end(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_frame(to + size, HW_DATA, 0, c->id - 2, "x", 1);
}

static size_t head_after_end(hw_conn *c, uint8_t *to)
{
    size_t size = open_get(c, to);
    return size + hw_get(to + size, HW_END_STREAM | HW_END_HEADERS, c->id - 2, "/", NULL, 0);
}

static size_t length_mismatch(hw_conn *c, uint8_t *to)
{
    static const uint8_t block[] = {0x83, 0x86, 0x01, 1,    'a', 0x04, 2,
                                    '/',  'x',  0x0f, 0x0d, 1,   '1'};
    size_t size = hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id, block, sizeof block);
    size += hw_frame(to + size, HW_DATA, HW_END_STREAM, c->id, "too much", 8);
    c->id += 2;
    return size;
}

static size_t head_open(hw_conn *c, uint8_t *to)
{
    size_t size = hw_get(to, HW_END_STREAM, c->id, "/healthz", NULL, 0);
    c->id += 2;
    return size;
}

static size_t continuation_large(hw_conn *c, uint8_t *to)
{
    static uint8_t fields[16000]; /* "x: a" again and again, not to be indexed */

    for (size_t i = 0; i + 5 <= sizeof fields; i += 5)
        memcpy(fields + i, "\0\1x\1a", 5);
    return hw_frame(to, HW_CONTINUATION, 0, c->id - 2, fields, sizeof fields);
}

static size_t continuation_small(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_CONTINUATION, 0, c->id - 2, "\0\1x\1a", 5);
}

static size_t continuation_empty(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_CONTINUATION, 0, c->id - 2, NULL, 0);
}

static size_t ping(hw_conn *c, uint8_t *to)
{
    (void)c;
    return hw_frame(to, HW_PING, 0, 0, NULL, 8);
}

static size_t settings(hw_conn *c, uint8_t *to)
{
    (void)c;
    return hw_frame(to, HW_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
}

static size_t settings_empty(hw_conn *c, uint8_t *to)
{
    (void)c;
    return hw_frame(to, HW_SETTINGS, 0, 0, NULL, 0);
}

static size_t malformed(hw_conn *c, uint8_t *to)
{
    size_t size = hw_frame(to, HW_HEADERS, HW_END_STREAM | HW_END_HEADERS, c->id, "\x82", 1);
    c->id += 2;
    return size;
}

static size_t data_empty(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_DATA, 0, c->id - 2, NULL, 0);
}

static size_t priority(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_PRIORITY, 0, c->id + 100, "\0\0\0\1\x0f", 5);
}

static size_t window_of_1(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_WINDOW_UPDATE, 0, c->id - 2, "\0\0\0\1", 4);
}

static size_t empty_names(hw_conn *c, uint8_t *to)
{
    size_t size = hw_get(to, HW_END_STREAM | HW_END_HEADERS, c->id, "/", "\0\0\0\0\0\0\0\0\0", 9);
    c->id += 2;
    return size;
}

static size_t unknown_frames(hw_conn *c, uint8_t *to)
{
    (void)c;
    return hw_frame(to, 0xbb, 0, 0, NULL, 16384);
}

static size_t integer(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id,
                    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11);
}

static size_t long_integer(hw_conn *c, uint8_t *to)
{
    uint8_t block[1024];

    memset(block, 0x80, sizeof block);
    block[0] = 0xff;
    return hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id, block, sizeof block);
}

static size_t table_size(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id, "\x3f\xff\xff\xff\x07\x82", 6);
}

static size_t huffman_eos(hw_conn *c, uint8_t *to)
{
    return hw_frame(to, HW_HEADERS, HW_END_HEADERS, c->id, "\x82\x86\x04\x85/\xff\xff\xff\xff", 9);
}

static size_t injected(hw_conn *c, uint8_t *to, const char *more, size_t size)
{
    size_t all = hw_get(to, HW_END_STREAM | HW_END_HEADERS, c->id, "/healthz", more, size);
    c->id += 2;
    return all;
}

static size_t value_with_line(hw_conn *c, uint8_t *to)
{
    return injected(c, to, "\0\1x\14a\r\nHost: evil", 16);
}

static size_t value_with_nul(hw_conn *c, uint8_t *to)
{
    return injected(c, to, "\0\1x\3a\0b", 7);
}

static size_t path_with_blank(hw_conn *c, uint8_t *to)
{
    size_t size = hw_get(to, HW_END_STREAM | HW_END_HEADERS, c->id, "/a HTTP/1.1", NULL, 0);
    c->id += 2;
    return size;
}

/* One octet for 4000: the field is in the table once, and then named again and again. */
static size_t bomb(hw_conn *c, uint8_t *to)
{
    uint8_t block[16384] = {0x40, 1,    'x',
                            0x7f, 0xa1, 0x1e}; /* a value of 127 + 33 + 30 * 128 = 4000 */
    size_t size = 6 + 4000;

    memset(block + 6, 'v', 4000);
    memset(block + size, 0xbe, sizeof block - size);
    size = hw_frame(to, HW_HEADERS, HW_END_STREAM | HW_END_HEADERS, c->id, block, 16384);
    c->id += 2;
    return size;
}

/* ---- A15: many streams that hold what they can and take nothing ------------------------------------------ */

enum { HOLDERS = 100, HELD_STREAMS = 100, HELD_MS = 40000 /* on a busy machine */ };

static hw_conn holders[HOLDERS];

/* Heads as large as is allowed, three of them made of one octet each; the window for the answers is shut. */
static void hold(hw_conn *c)
{
    static uint8_t frames[HELD_STREAMS * 200 + 8192];
    uint8_t first[4096] = {0x40, 1, 'x', 0x7f, 0xa1, 0x1e};
    size_t size;

    memset(first + 6, 'v', 4000);
    size = hw_get(frames, HW_END_STREAM | HW_END_HEADERS, c->id, "/healthz", NULL, 0);
    c->id += 2;
    for (int i = 1; i < HELD_STREAMS; i++, c->id += 2) {
        uint8_t block[5000] = {0x82, 0x86, 0x01, 1,   'a', 0x04, 8,  '/',
                               'h',  'e',  'a',  'l', 't', 'h',  'z'};
        size_t used = 15;
        if (i == 1) {
            memcpy(block + used, first, 4006);
            used += 4006;
        }
        memset(block + used, 0xbe, 3);
        size += hw_frame(frames + size, HW_HEADERS, HW_END_STREAM | HW_END_HEADERS, c->id, block,
                         used + 3);
    }
    hw_send(c, frames, size, ANSWER_MS);
}

static bool is_never(const hw_conn *c)
{
    (void)c;
    return false;
}

static void run_holders(attack_world *w, const void *context)
{
    int64_t began_ms = dx_peer_now_ms(), freed_ms = 0;
    uint32_t answers = 0, resets = 0;
    double held_mib = 0;
    char said[64];

    (void)context;
    for (int i = 0; i < HOLDERS; i++) {
        if (hw_open(&holders[i], w->options->host, w->options->port, 0))
            hold(&holders[i]);
        double now_mib = attack_memory_mib(w);
        held_mib = now_mib > held_mib ? now_mib : held_mib;
    }
    while (dx_peer_now_ms() < began_ms + HELD_MS && resets < HOLDERS * HELD_STREAMS) {
        resets = answers = 0;
        for (int i = 0; i < HOLDERS; i++) {
            hw_wait(&holders[i], is_never, 1);
            resets += holders[i].resets;
            answers += holders[i].answers;
        }
        freed_ms = dx_peer_now_ms() - began_ms;
    }
    snprintf(said, sizeof said, "%u answers begun, RST x%u, all freed after %.1f s", answers,
             resets, (double)freed_ms / 1e3);
    attack_note(w, resets > 0, 0, said);
    attack_check(w, resets >= HOLDERS * HELD_STREAMS, "all streams are reset in time");
    for (int i = 0; i < HOLDERS; i++)
        hw_close(&holders[i]);
}

/* ---- all of them ------------------------------------------------------------------------------------------- */

#define FLOOD(...)                                                                                 \
    run_flood, &(const flood)                                                                      \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const attack_case cases[] = {
    {"A12 CVE-2023-44487 rapid reset", FLOOD(NULL, rapid_reset, BIT(CALM), 0), 2, 0},
    {"A13 CVE-2025-8671 WINDOW_UPDATE of 0", FLOOD(NULL, window_0, BIT(CALM) | BIT(PROTOCOL), 0), 1,
     0},
    {"A13 WINDOW_UPDATE that overflows",
     FLOOD(NULL, window_overflow, BIT(CALM) | BIT(FLOW_CONTROL), 0), 1, 0},
    {"A13 PRIORITY of 4 bytes", FLOOD(NULL, short_priority, BIT(CALM) | BIT(FRAME_SIZE), 0), 1, 0},
    {"A13 DATA behind END_STREAM", FLOOD(NULL, data_after_end, BIT(CALM) | BIT(STREAM_CLOSED), 0),
     1, 0},
    {"A13 HEADERS behind END_STREAM",
     FLOOD(NULL, head_after_end, BIT(CALM) | BIT(STREAM_CLOSED), 0), 1, 0},
    {"A13 content-length that is not kept to",
     FLOOD(NULL, length_mismatch, BIT(CALM), BIT(PROTOCOL)), 1, 0},
    {"A14 CVE-2024-27316 CONTINUATION of 16 KB", FLOOD(head_open, continuation_large, BIT(CALM), 0),
     0.25, 0},
    {"A14 CONTINUATION of a field", FLOOD(head_open, continuation_small, BIT(CALM), 0), 0.25, 0},
    {"A14 CONTINUATION without content", FLOOD(head_open, continuation_empty, BIT(CALM), 0), 0.25,
     0},
    {"A15 CVE-2026-49975 one octet for 4000", FLOOD(NULL, bomb, BIT(CALM), 0), 1, 0},
    {"A15 100 connections, 100 streams each, windows shut", run_holders, NULL, 32, 0},
    {"A16 CVE-2019-9512 PING", FLOOD(NULL, ping, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9515 SETTINGS", FLOOD(NULL, settings, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9515 SETTINGS without entries", FLOOD(NULL, settings_empty, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9514 requests that are reset", FLOOD(NULL, malformed, BIT(CALM), BIT(PROTOCOL)),
     1, 0},
    {"A16 CVE-2019-9518 DATA without content", FLOOD(open_post, data_empty, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9513 PRIORITY", FLOOD(NULL, priority, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9511 a window of one byte", FLOOD(open_get, window_of_1, BIT(CALM), 0), 1, 0},
    {"A16 CVE-2019-9516 fields without a name", FLOOD(NULL, empty_names, BIT(CALM), BIT(PROTOCOL)),
     1, 0},
    {"A16 frames that nobody knows", FLOOD(NULL, unknown_frames, BIT(CALM), 0), 1, 0},
    {"A17 an integer above 2^32", FLOOD(NULL, integer, BIT(COMPRESSION), 0), 1, 0},
    {"A17 an integer without end", FLOOD(NULL, long_integer, BIT(COMPRESSION), 0), 1, 0},
    {"A17 a table larger than allowed", FLOOD(NULL, table_size, BIT(COMPRESSION), 0), 1, 0},
    {"A17 EOS inside a string", FLOOD(NULL, huffman_eos, BIT(COMPRESSION), 0), 1, 0},
    {"A18 CR LF in a value", FLOOD(NULL, value_with_line, BIT(CALM), BIT(PROTOCOL)), 1, 0},
    {"A18 NUL in a value", FLOOD(NULL, value_with_nul, BIT(CALM), BIT(PROTOCOL)), 1, 0},
    {"A18 a path with a blank", FLOOD(NULL, path_with_blank, BIT(CALM), BIT(PROTOCOL)), 1, 0},
};
enum { CASES_COUNT = sizeof cases / sizeof cases[0] };

/* What the server takes once and keeps, whoever comes: buffers to read into, objects of a hundred streams. So each
 * flood comes once before it is measured: one that costs memory costs it again with each of its connections. */
static void warm(attack_world *w)
{
    for (int i = 0; i < CASES_COUNT; i++)
        if (cases[i].run == run_flood)
            flood_once(w, cases[i].context);
}

int main(int argc, char **argv)
{
    static attack_world world;
    attack_options options;

    if (!attack_options_read(argc, argv, &options))
        return 2;
    attack_world_init(&world, &options, CASES_COUNT);
    warm(&world);
    for (int i = 0; i < CASES_COUNT; i++)
        attack_play(&world, &cases[i]);
    return attack_world_deinit(&world);
}
