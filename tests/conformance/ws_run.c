/* Steps that every case needs: open, send, expect, end; and the verdict of a run. See ws_case.h.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { END_WAIT_MS = 5000 }; /* for the FIN after a Close */

void wst_case_add(wst_case_list *list, const wst_case *one)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->at = realloc(list->at, list->capacity * sizeof *list->at);
        if (!list->at)
            abort();
    }
    list->at[list->count++] = *one;
}

void wst_case_add_rows(wst_case_list *list, const wst_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wst_case_add(list, &rows[i]);
}

void wst_run_grade(wst_run *run, wst_grade grade, const char *format, ...)
{
    size_t used = strlen(run->detail);
    va_list arguments;

    if (grade > run->grade)
        run->grade = grade;
    va_start(arguments, format);
    vsnprintf(run->detail + used, sizeof run->detail - used, format, arguments);
    va_end(arguments);
    used = strlen(run->detail);
    if (used + 1 < sizeof run->detail)
        memcpy(run->detail + used, "\n", 2);
}

/* ---- open and close ---- */

static bool is_binary(const wst_case *c)
{
    return (c->flags & WST_IS_BINARY) || (c->steps && c->steps[0].frame.opcode == WST_BINARY);
}

bool wst_connect(wst_run *run, wst_client *client, const wst_case *c)
{
    const wst_config *config = run->config;
    char name[40];

    snprintf(name, sizeof name, "c%016llx", (unsigned long long)wst_random());
    const char *fault =
        wst_client_connect(client, is_binary(c) ? &config->url_binary : &config->url,
                           config->stream_mode ? name : NULL, config->wait_ms);
    if (fault) {
        wst_fail(run, "%s", fault);
        return false;
    }
    if (c->flags & WST_HANDSHAKE_TOO)
        dx_peer_split_set(&client->peer, run->split);
    return true;
}

bool wst_open(wst_run *run, wst_client *client, const wst_case *c)
{
    if (!wst_connect(run, client, c))
        return false;
    const char *fault = wst_client_handshake(client, c->offers);
    if (fault) {
        wst_fail(run, "handshake: %s", fault);
        return false;
    }
    if (!(c->flags & WST_HANDSHAKE_TOO))
        dx_peer_split_set(&client->peer, run->split);
    return true;
}

void wst_close(wst_run *run, wst_client *client)
{
    run->sent_bytes = client->peer.sent_bytes;
    wst_client_deinit(client);
}

void wst_send(wst_run *run, wst_client *client, const wst_buffer *out, int piece)
{
    size_t octets = piece > 0 ? (size_t)piece : SIZE_MAX;

    if (out->size == 0 || client->peer.was_reset)
        return;
    dx_peer_status status =
        dx_peer_send_chopped(&client->peer, out->at, out->size, octets, client->wait_ms);
    if (status == DX_PEER_TIMEOUT)
        wst_fail(run, "the server stopped reading: nothing went out for %d ms", client->wait_ms);
}

/* ---- what comes ---- */

static void add_printable(char *to, size_t room, const uint8_t *at, size_t size)
{
    size_t used = strlen(to);

    for (size_t i = 0; i < size && i < 24 && used + 8 < room; i++) {
        bool is_plain = at[i] >= ' ' && at[i] < 0x7f;
        used += (size_t)snprintf(to + used, room - used, is_plain ? "%c" : "\\x%02x", at[i]);
    }
    if (size > 24)
        snprintf(to + used, room - used, "...");
}

void wst_event_text(const wst_client *client, const wst_event *event, char ret[static 200])
{
    switch (event->kind) {
    case WST_EVENT_MESSAGE:
        snprintf(ret, 200, "a %s message of %zu octets ",
                 event->opcode == WST_TEXT ? "text" : "binary", event->size);
        add_printable(ret, 200, event->at, event->size);
        return;
    case WST_EVENT_PONG:
        snprintf(ret, 200, "a pong of %zu octets ", event->size);
        add_printable(ret, 200, event->at, event->size);
        return;
    case WST_EVENT_CLOSE:
        snprintf(ret, 200, "Close %u ", event->code);
        add_printable(ret, 200, event->at, event->size);
        return;
    case WST_EVENT_END:
        snprintf(ret, 200, "the end of the connection (%s)", dx_peer_status_text(event->status));
        return;
    case WST_EVENT_TIMEOUT: snprintf(ret, 200, "nothing (timeout)"); return;
    case WST_EVENT_FAULT: snprintf(ret, 200, "%.199s", client->fault); return;
    }
}

static void fail_event(wst_run *run, const wst_client *client, const wst_event *event,
                       const char *expected)
{
    char text[200];

    wst_event_text(client, event, text);
    wst_fail(run, "expected %s, came %s", expected, text);
}

void wst_expect_end(wst_run *run, wst_client *client, bool reset_is_fine)
{
    wst_event event = wst_client_next(client, END_WAIT_MS);

    if (event.kind == WST_EVENT_END && event.status == DX_PEER_RESET && reset_is_fine)
        run->ends_by_reset++;
    else if (event.kind != WST_EVENT_END || event.status != DX_PEER_EOF)
        fail_event(run, client, &event, "that the server closes TCP in order after its Close");
}

void wst_expect_close(wst_run *run, wst_client *client, unsigned code, bool or_1000)
{
    char expected[40];
    wst_event event = wst_client_next(client, client->wait_ms);

    snprintf(expected, sizeof expected, "Close %u%s", code, or_1000 ? " or 1000" : "");
    if (event.kind != WST_EVENT_CLOSE || (event.code != code && !(or_1000 && event.code == 1000))) {
        fail_event(run, client, &event, expected);
        return;
    }
    wst_expect_end(run, client, false);
}

void wst_end_clean(wst_run *run, wst_client *client)
{
    wst_client_close(client, 1000, "");
    wst_expect_close(run, client, 1000, false);
}

void wst_expect_fail(wst_run *run, wst_client *client, unsigned code)
{
    char expected[40];
    wst_event event;

    snprintf(expected, sizeof expected, "Close %u", code);
    do {
        event = wst_client_next(client, client->wait_ms);
    } while (event.kind == WST_EVENT_MESSAGE || event.kind == WST_EVENT_PONG);
    if (event.kind != WST_EVENT_CLOSE || event.code != code) {
        fail_event(run, client, &event, expected);
        return;
    }
    wst_client_close(client, (uint16_t)code, "");
    wst_expect_end(run, client, true);
}

bool wst_expect_message(wst_run *run, wst_client *client, uint8_t opcode, const void *at,
                        size_t size)
{
    wst_event want = {.kind = WST_EVENT_MESSAGE, .opcode = opcode, .at = at, .size = size};
    wst_event event = wst_client_next(client, client->wait_ms);
    char expected[200];

    if (event.kind == WST_EVENT_MESSAGE && event.opcode == opcode && event.size == size &&
        (size == 0 || memcmp(event.at, at, size) == 0))
        return true;
    wst_event_text(client, &want, expected);
    fail_event(run, client, &event, expected);
    return false;
}

/* ---- made-up payloads ---- */

static uint64_t next_word(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill_text(uint8_t *at, size_t size, uint64_t state)
{
    static const char *const wide[] = {"\xc2\xb5", "\xc3\xa4", "\xe2\x82\xac", "\xce\xba"};
    size_t i = 0;

    while (i < size) {
        uint64_t word = next_word(&state);
        const char *one = wide[word & 3];
        if ((word >> 2 & 15) == 0 && i + strlen(one) <= size) {
            memcpy(at + i, one, strlen(one));
            i += strlen(one);
        }
        for (size_t k = 0; k < 7 && i < size; k++, word >>= 7)
            at[i++] = (uint8_t)(' ' + (word & 127) % 95);
    }
}

void wst_fill(uint8_t *at, size_t size, uint64_t seed, bool is_text)
{
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15U | 1;

    if (is_text) {
        fill_text(at, size, state);
        return;
    }
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = next_word(&state);
        memcpy(at + i, &word, size - i < 8 ? size - i : 8);
    }
}
