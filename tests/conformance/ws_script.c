/* Runs a case's steps. What the server must answer follows from what is sent: each whole message
 * comes back, each ping is answered, up to the frame that breaks a rule; after that only the Close.
 * Is not:  the steps themselves (ws_cases_*.c).
 * Memory:  the payloads of what is expected, until the case ends.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPECTED_MAX = 64,
};

typedef struct expected {
    wst_event_kind kind;
    uint8_t opcode;
    size_t start, size; /* in payloads */
    bool came;
} expected;

typedef struct script {
    wst_run *run;
    const wst_case *c;
    wst_client client;
    wst_buffer out; /* not sent yet */
    wst_buffer payloads;
    expected list[EXPECTED_MAX];
    size_t expected_count, came_count;
    wst_buffer message;  /* that is being sent */
    uint8_t opcode;      /* of that message */
    const wst_step *bad; /* the step that breaks a rule, once it was sent */
    bool close_sent;
    uint16_t close_code;
    bool ended; /* the Close came, or something that makes more reading useless */
    bool is_late;
} script;

/* ---- what must come ---- */

static void expect(script *s, wst_event_kind kind, uint8_t opcode, const uint8_t *at, size_t size)
{
    if (s->expected_count == EXPECTED_MAX)
        abort();
    s->list[s->expected_count++] =
        (expected){.kind = kind, .opcode = opcode, .start = s->payloads.size, .size = size};
    wst_buffer_add(&s->payloads, at, size);
}

static void expect_message_part(script *s, const wst_frame *frame, const uint8_t *at, size_t size)
{
    if (frame->opcode != WST_CONTINUATION) {
        s->opcode = frame->opcode;
        s->message.size = 0;
    }
    wst_buffer_add(&s->message, at, size);
    if (!frame->more)
        expect(s, WST_EVENT_MESSAGE, s->opcode, s->message.at, s->message.size);
}

static void expect_answer(script *s, const wst_frame *frame, const uint8_t *at, size_t size)
{
    if (s->bad || s->close_sent)
        return;
    if (frame->opcode == WST_PING) {
        expect(s, WST_EVENT_PONG, 0, at, size);
    } else if (frame->opcode == WST_CLOSE) {
        s->close_sent = true;
        s->close_code = 0;
        if (size >= 2)
            s->close_code = (uint16_t)(at[0] << 8 | at[1]);
    } else if (frame->opcode <= WST_BINARY) {
        expect_message_part(s, frame, at, size);
    }
}

/* ---- what came ---- */

/* What may come now: the next of this kind, but no message before an earlier pong. A pong may
 * overtake an echo: between the two the RFC sets no order, and only the pong is urgent. */
static expected *next_wanted(script *s, wst_event_kind kind)
{
    for (size_t i = 0; i < s->expected_count; i++) {
        expected *one = &s->list[i];
        bool is_other = kind != WST_EVENT_MESSAGE && kind != WST_EVENT_PONG;
        if (!one->came && (is_other || one->kind == kind || one->kind == WST_EVENT_PONG))
            return one;
    }
    return NULL;
}

static void take_event(script *s, const wst_event *event)
{
    expected *want = next_wanted(s, event->kind);
    char came[200], wanted[200] = "nothing more";

    if (want) {
        wst_event as_event = {.kind = want->kind,
                              .opcode = want->opcode,
                              .at = s->payloads.at + want->start,
                              .size = want->size};
        if (event->kind == want->kind && event->opcode == want->opcode &&
            event->size == want->size &&
            (want->size == 0 || memcmp(event->at, as_event.at, want->size) == 0)) {
            want->came = true;
            s->came_count++;
            return;
        }
        wst_event_text(&s->client, &as_event, wanted);
    }
    wst_event_text(&s->client, event, came);
    wst_fail(s->run, "expected %s, came %s", wanted, came);
    s->ended = true;
}

/* Reads until all that is expected so far has come. Late is no fault here. */
static void take_expected(script *s, int timeout_ms)
{
    while (s->came_count < s->expected_count && !s->ended) {
        wst_event event = wst_client_next(&s->client, timeout_ms);

        if (event.kind == WST_EVENT_TIMEOUT)
            return;
        take_event(s, &event);
    }
}

static bool is_bad_code(const script *s, unsigned code)
{
    return code == s->bad->bad || (s->bad->or_bad && code == s->bad->or_bad) ||
           (s->c->flags & WST_IS_INFORMATIONAL);
}

/* The server failed the connection, as it must. Echoes may have come before. */
static void take_failure(script *s, const wst_event *event)
{
    s->ended = true;
    if (!is_bad_code(s, event->code)) {
        wst_fail(s->run, "expected Close %u, came Close %u", s->bad->bad, event->code);
        return;
    }
    if (s->came_count < s->expected_count)
        wst_run_grade(s->run, WST_NON_STRICT, "Close %u came before %zu of %zu earlier answers",
                      event->code, s->expected_count - s->came_count, s->expected_count);
    if (s->is_late)
        wst_run_grade(s->run, WST_NON_STRICT, "Close %u came late: not at the bad octet",
                      event->code);
    wst_client_close(&s->client, event->code, "");
    wst_expect_end(s->run, &s->client, true);
}

static void take_until_failure(script *s, int timeout_ms, bool timeout_is_late)
{
    while (!s->ended) {
        wst_event event = wst_client_next(&s->client, timeout_ms);

        if (event.kind == WST_EVENT_TIMEOUT && timeout_is_late) {
            s->is_late = true;
            return;
        }
        if (event.kind == WST_EVENT_CLOSE) {
            take_failure(s, &event);
        } else if (event.kind == WST_EVENT_TIMEOUT || event.kind == WST_EVENT_END) {
            char came[200];
            wst_event_text(&s->client, &event, came);
            wst_fail(s->run, "expected Close %u, came %s", s->bad->bad, came);
            s->ended = true;
        } else {
            take_event(s, &event);
        }
    }
}

/* ---- the steps ---- */

static void flush(script *s)
{
    wst_send(s->run, &s->client, &s->out, s->c->piece);
    s->out.size = 0;
}

static void step_send(script *s, const wst_step *step)
{
    wst_frame frame = step->frame;
    uint8_t *filled = step->fill ? malloc(step->fill) : NULL;
    const uint8_t *at = filled ? filled : (const uint8_t *)step->text;
    size_t size = filled ? step->fill : step->size;

    if (filled)
        wst_fill(filled, size, size, frame.opcode == WST_TEXT);
    else if (step->fill)
        abort();
    if (step->bad)
        s->bad = s->bad ? s->bad : step;
    if (step->means)
        expect_answer(s, &frame, (const uint8_t *)step->means, step->means_size);
    else
        expect_answer(s, &frame, at, size);
    wst_client_frames(&s->client, &frame, at, size, step->fragment, &s->out);
    free(filled);
    if (s->c->piece != AT_ONCE)
        flush(s);
}

static void step_quiet(script *s, int ms)
{
    char came[200];
    wst_event event = wst_client_next(&s->client, ms);

    if (event.kind == WST_EVENT_TIMEOUT)
        return;
    wst_event_text(&s->client, &event, came);
    wst_fail(s->run, "expected %d ms of silence, came %s", ms, came);
    s->ended = true;
}

static void step(script *s, const wst_step *one)
{
    switch (one->kind) {
    case WST_STOP: break;
    case WST_SEND: step_send(s, one); break;
    case WST_AWAIT:
        flush(s);
        take_expected(s, s->client.wait_ms);
        if (s->came_count < s->expected_count && !s->ended) {
            wst_fail(s->run, "expected %zu answers before going on, came %zu", s->expected_count,
                     s->came_count);
            s->ended = true;
        }
        break;
    case WST_QUIET:
        flush(s);
        step_quiet(s, one->ms);
        break;
    case WST_AWAIT_END:
        flush(s);
        take_until_failure(s, WST_FAIL_FAST_MS, true);
        break;
    case WST_FIN:
        flush(s);
        dx_peer_finish(&s->client.peer);
        break;
    }
}

static void finish_informational(script *s)
{
    if (s->run->grade == WST_OK)
        s->run->grade = WST_INFORMATIONAL;
}

/* 7.1.6: whether the big message still comes before the Close is left open. */
static void finish_open(script *s)
{
    wst_event event;

    do {
        event = wst_client_next(&s->client, s->client.wait_ms);
        if (event.kind != WST_EVENT_MESSAGE && event.kind != WST_EVENT_CLOSE)
            take_event(s, &event);
    } while (event.kind == WST_EVENT_MESSAGE);
    if (event.kind == WST_EVENT_CLOSE)
        wst_expect_end(s->run, &s->client, true);
}

static void finish(script *s)
{
    flush(s);
    if (s->bad) {
        take_until_failure(s, s->client.wait_ms, false);
    } else if (s->c->flags & WST_IS_INFORMATIONAL) {
        finish_open(s);
    } else {
        take_expected(s, s->client.wait_ms);
        if (s->came_count < s->expected_count && !s->ended)
            wst_fail(s->run, "expected %zu answers, came %zu", s->expected_count, s->came_count);
        else if (!s->ended && s->close_sent)
            wst_expect_close(s->run, &s->client, s->close_code, true);
        else if (!s->ended)
            wst_end_clean(s->run, &s->client);
    }
    if (s->c->flags & WST_IS_INFORMATIONAL)
        finish_informational(s);
}

void wst_script_run(wst_run *run, const wst_case *c)
{
    script s = {.run = run, .c = c};

    if (wst_open(run, &s.client, c)) {
        for (const wst_step *one = c->steps; one->kind != WST_STOP && !s.ended; one++)
            step(&s, one);
        if (!s.ended)
            finish(&s);
    }
    wst_close(run, &s.client);
    wst_buffer_deinit(&s.out);
    wst_buffer_deinit(&s.payloads);
    wst_buffer_deinit(&s.message);
}
