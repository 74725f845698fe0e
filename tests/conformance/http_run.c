/* Runs one case once. See http_run.h.
 * Memory:  the expanded request lives for the run, the responses in the result.
 * Threads: a run's state is its own; only the stream-name counter is shared, and atomic.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_run.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SILENCE_MS = 150 };

typedef struct run {
    const dx_probe_target *target;
    const dx_probe_case *row;
    const dx_probe_attempt *attempt;
    const char *expect;
    dx_probe_vars vars;
    char post_path[64];
    dx_probe_text send, rest;
    dx_peer peer;
    dx_probe_result *result;
    bool failed;
    bool http10;
} run;

static bool fail(run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(run *r, const char *format, ...)
{
    va_list list;

    if (r->failed) /* the first fault is the telling one */
        return false;
    r->failed = true;
    va_start(list, format);
    vsnprintf(r->result->why, sizeof r->result->why, format, list);
    va_end(list);
    return false;
}

/* ---- preparing ---- */

/* Each run has a stream of its own, so that what it stored can be read back. */
static void name_stream(run *r)
{
    static atomic_uint counter;

    snprintf(r->post_path, sizeof r->post_path, "/live/hc-%08x-%08x", (unsigned)getpid(),
             atomic_fetch_add(&counter, 1));
}

static void prepare(run *r)
{
    name_stream(r);
    r->vars = r->target->file;
    r->vars.get = r->target->get_path;
    r->vars.post = r->target->post_path ? r->target->post_path : r->post_path;
    r->vars.host = r->target->authority;
    r->expect = r->target->stream && r->row->stream ? r->row->stream : r->row->expect;
    dx_probe_expand(&r->vars, r->row->send, &r->send);
    dx_probe_expand(&r->vars, r->row->rest, &r->rest);
    const char *line_end = r->send.size ? memchr(r->send.at, '\r', r->send.size) : NULL;
    size_t line_size = line_end ? (size_t)(line_end - r->send.at) : 0;
    r->http10 = line_size > 8 && memcmp(line_end - 8, "HTTP/1.0", 8) == 0;
}

/* ---- talking ---- */

/* A server that refused early may be gone: what it said is read later, so RESET is no failure. */
static bool send_text(run *r, dx_probe_text text)
{
    dx_peer_status status = dx_peer_send(&r->peer, text.at, text.size, r->target->timeout_ms);

    r->result->sent_bytes += text.size;
    if (status == DX_PEER_TIMEOUT)
        return fail(r, "the server stopped reading the request");
    return status != DX_PEER_ERROR || fail(r, "cannot send");
}

static bool store(run *r, const dx_probe_response *response)
{
    dx_probe_result *result = r->result;

    if (result->count == DX_PROBE_RESPONSES_MAX)
        abort(); /* no row expects so many, and reading stops when none is expected */
    if (result->count == result->capacity) {
        result->capacity = result->capacity ? result->capacity * 2 : 2;
        result->responses = realloc(result->responses, result->capacity * sizeof *response);
        if (!result->responses)
            abort();
    }
    result->responses[result->count] = *response;
    result->statuses[result->count++] = response->status;
    result->finals += response->status >= 200 || response->status == 101;
    return true;
}

static dx_probe_read read_one(run *r, bool *ret_stored)
{
    char fault[160];
    dx_probe_response response;
    dx_probe_asked asked = {
        .head = r->result->finals < 32 && (r->row->heads >> r->result->finals & 1),
        .http10 = r->http10,
        .timeout_ms = r->target->timeout_ms,
    };
    dx_probe_read status = dx_probe_response_read(&r->peer, &asked, &response, fault);

    *ret_stored = status == DX_PROBE_GOT && store(r, &response);
    if (status == DX_PROBE_BROKEN)
        fail(r, "response %zu: %s", r->result->count + 1, fault);
    return status;
}

static dx_probe_fit fit_now(const run *r)
{
    return dx_probe_expect_fit(r->expect, r->result->statuses, r->result->count);
}

static bool be_silent(run *r)
{
    dx_peer_settle(&r->peer);
    dx_peer_status status = dx_peer_fill(&r->peer, SILENCE_MS);

    if (status == DX_PEER_TIMEOUT)
        return true;
    if (status == DX_PEER_OK)
        return fail(r, "answered before the request was complete: %.*s",
                    (int)(dx_peer_input_size(&r->peer) > 40 ? 40 : dx_peer_input_size(&r->peer)),
                    (const char *)dx_peer_input(&r->peer));
    return fail(r, "%s before the request was complete", dx_peer_status_text(status));
}

static bool pause_here(run *r)
{
    bool stored;

    switch (r->row->pause) {
    case DX_PROBE_GO_ON: return true;
    case DX_PROBE_SILENCE: return !r->attempt->silence || be_silent(r);
    case DX_PROBE_ANSWER:
        if (read_one(r, &stored) == DX_PROBE_NONE)
            return fail(r, "no answer to the first part");
        return !r->failed;
    }
    return false;
}

static bool say_all(run *r)
{
    if (!send_text(r, r->send) || !pause_here(r) || !send_text(r, r->rest))
        return false;
    if (r->row->flags & DX_PROBE_FINISH)
        dx_peer_finish(&r->peer);
    return true;
}

/* ---- hearing ---- */

static bool unexpected(run *r)
{
    return fail(r, "answer %zu is %d", r->result->count,
                r->result->count ? r->result->statuses[r->result->count - 1] : 0);
}

static const char *read_text(dx_probe_read status)
{
    switch (status) {
    case DX_PROBE_GOT: return "an answer";
    case DX_PROBE_NONE: return "nothing";
    case DX_PROBE_CLOSED: return "FIN";
    case DX_PROBE_RESET: return "RST";
    case DX_PROBE_BROKEN: return "no HTTP";
    }
    return "?";
}

/* Reads until the expectation has no more to offer. */
static bool hear_all(run *r)
{
    for (;;) {
        dx_probe_fit fit = fit_now(r);
        bool stored;

        if (!fit.possible)
            return unexpected(r);
        if (!fit.more)
            return true;
        dx_probe_read status = read_one(r, &stored);
        if (stored)
            continue;
        if (fit.complete && status == DX_PROBE_CLOSED)
            return true; /* a shorter way ends by closing: settle() judges */
        return fail(r, "%s where answer %zu was due", read_text(status), r->result->count + 1);
    }
}

/* Nothing but FIN may come now. */
static bool hear_close(run *r)
{
    dx_peer_status status = dx_peer_need_eof(&r->peer, r->target->timeout_ms);
    size_t extra = dx_peer_input_size(&r->peer);

    if (extra > 0)
        return fail(r, "%zu octets after the last answer: %.*s", extra,
                    (int)(extra > 40 ? 40 : extra), (const char *)dx_peer_input(&r->peer));
    if (status == DX_PEER_EOF || (status == DX_PEER_RESET && r->row->flags & DX_PROBE_RST_OK))
        return true;
    if (status == DX_PEER_RESET)
        return fail(r, "closed by RST: the answer could have been lost");
    return fail(r, "the connection was not closed");
}

/* The next request on the same connection gets its one answer, and nothing else comes. */
static bool hear_probe(run *r)
{
    static const dx_probe_text probe =
        DX_PROBE_TEXT("GET {get} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    dx_probe_asked asked = {.timeout_ms = r->target->timeout_ms};
    dx_probe_response response;
    dx_probe_text bytes;
    char fault[160];

    dx_peer_split_set(&r->peer, (dx_peer_split_rule){.kind = DX_PEER_WHOLE});
    dx_probe_expand(&r->vars, probe, &bytes);
    (void)dx_peer_send(&r->peer, bytes.at, bytes.size, r->target->timeout_ms);
    free((char *)bytes.at);
    dx_probe_read status = dx_probe_response_read(&r->peer, &asked, &response, fault);
    if (status == DX_PROBE_BROKEN)
        return fail(r, "next request on the connection: %s", fault);
    if (status != DX_PROBE_GOT)
        return fail(r, "next request on the connection got %s", read_text(status));
    int code = response.status;
    dx_probe_response_deinit(&response);
    if (code != 200)
        return fail(r, "next request on the connection got %d", code);
    return hear_close(r);
}

static bool says_close(const run *r)
{
    const dx_probe_response *last = dx_probe_final(r->result, r->result->finals - 1);

    if (!last)
        return false;
    return last->says_close || (r->http10 && !last->says_keep_alive);
}

static bool settle(run *r, dx_probe_end *ret)
{
    dx_probe_fit fit = fit_now(r);

    if (!fit.complete)
        return fail(r, "answers are missing");
    if (r->peer.broken != DX_PEER_OK || says_close(r) || !fit.may_stay) {
        if (!hear_close(r))
            return false;
        *ret = DX_PROBE_END_CLOSED;
        return fit.may_close || fail(r, "the server closed, but the connection should stay open");
    }
    *ret = DX_PROBE_END_OPEN;
    return hear_probe(r);
}

/* ---- judging ---- */

static void note_seen(run *r, dx_probe_end end)
{
    dx_probe_result *result = r->result;
    size_t used = 0;

    for (size_t i = 0; i < result->count && used < sizeof result->seen - 24; i++)
        if (result->statuses[i] >= 200 || result->statuses[i] == 101)
            used += (size_t)snprintf(result->seen + used, 8, "%d ", result->statuses[i]);
    snprintf(result->seen + used, sizeof result->seen - used, "%s",
             r->failed                    ? "?"
             : end == DX_PROBE_END_CLOSED ? "closed"
                                          : "open");
}

/* What a stream kept of the request's body. */
static bool check_stored(run *r)
{
    char path[96];
    dx_probe_result got = {0};
    const char *want = r->row->stored;

    snprintf(path, sizeof path, "%s?offset=-1", r->vars.post);
    bool ok = dx_probe_get(r->target, path, &got);
    if (!ok)
        fail(r, "cannot read the stream back: %s", got.why);
    else if (got.statuses[0] != 200 || strlen(want) != got.responses[0].body_size ||
             memcmp(got.responses[0].body, want, strlen(want)) != 0)
        ok = fail(r, "stream holds (%d) \"%.60s\", expected \"%.60s\"", got.statuses[0],
                  got.responses[0].body, want);
    dx_probe_result_deinit(&got);
    return ok;
}

static bool judge(run *r)
{
    const char *wrong = r->row->check ? r->row->check(r->result) : NULL;

    if (wrong)
        return fail(r, "%s", wrong);
    return !(r->target->stream && r->row->stored) || check_stored(r);
}

static bool converse(run *r, dx_probe_end *ret_end)
{
    dx_peer_status status =
        dx_peer_connect(&r->peer, r->target->host, r->target->port, r->target->timeout_ms);

    if (status != DX_PEER_OK)
        return fail(r, "cannot connect: %s", dx_peer_status_text(status));
    dx_peer_split_set(&r->peer, r->attempt->split);
    return say_all(r) && hear_all(r) && settle(r, ret_end);
}

void dx_probe_run(const dx_probe_target *target, const dx_probe_case *row,
                  const dx_probe_attempt *attempt, dx_probe_result *ret)
{
    dx_probe_end end = DX_PROBE_END_CLOSED;
    run r = {.target = target, .row = row, .attempt = attempt, .result = ret};

    *ret = (dx_probe_result){0};
    prepare(&r);
    bool ok = converse(&r, &end);
    dx_peer_deinit(&r.peer);
    ret->ok = ok && judge(&r);
    note_seen(&r, end);
    free((char *)r.send.at);
    free((char *)r.rest.at);
}

bool dx_probe_get(const dx_probe_target *target, const char *path, dx_probe_result *ret)
{
    static const dx_probe_case get = {
        .name = "get",
        .expect = "2xx|3xx|4xx|5xx !",
        .send = DX_PROBE_TEXT("GET {get} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    };
    dx_probe_attempt whole = {.split = {.kind = DX_PEER_WHOLE}};
    dx_probe_target at = *target;

    at.get_path = path;
    dx_probe_run(&at, &get, &whole, ret);
    return ret->ok;
}

const dx_probe_response *dx_probe_final(const dx_probe_result *result, size_t index)
{
    for (size_t i = 0; i < result->count; i++)
        if ((result->statuses[i] >= 200 || result->statuses[i] == 101) && index-- == 0)
            return &result->responses[i];
    return NULL;
}

void dx_probe_result_deinit(dx_probe_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        dx_probe_response_deinit(&result->responses[i]);
    free(result->responses);
    result->responses = NULL;
    result->count = result->capacity = 0;
}
