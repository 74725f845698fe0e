/* Measuring: every way does the same, one after the other, in two phases with a line of its own for each.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "cli/options.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    TALK_MESSAGES_MAX = 1000, /* and no new one after TALK_MS */
    TALK_MS = 800,
    WARM_UP_MS = 100,
    PUSH_MESSAGES = 300,
    PUSH_RATE = 200,
    ASK_MS = 100,
    HEAD_START_MS = 20, /* the publisher's thread wakes up */
    STEP_MS = 20,
};

const dx_compare_way *const dx_compare_ways[] = {
    &dx_compare_http_1_0, &dx_compare_http_1_1, &dx_compare_http_2,      &dx_compare_long_poll,
    &dx_compare_sse,      &dx_compare_ws,       &dx_compare_ws_deflated, NULL,
};

/* One phase of one way. */
typedef struct trial {
    const dx_compare_plan *plan;
    const dx_compare_way *way;
    dx_compare_phase phase;
    char url[DX_COMPARE_URL_BYTES]; /* of its stream */
    dx_compare_line line;
    dx_samples samples;
    dx_compare_row *row;
    uint64_t until_ms; /* patience ends */
} trial;

static uint64_t cpu_ns(const trial *t)
{
    return t->plan->server ? dx_compare_server_cpu_ns(t->plan->server) : 0;
}

static void be_patient(trial *t)
{
    t->until_ms = dx_clock_ms() + DX_COMPARE_PATIENCE_MS;
}

/* One turn; false if it has failed, or takes too long. */
static bool go_on(trial *t, int wait_ms, const char *what)
{
    if (t->line.is_failed)
        return false;
    if (dx_clock_ms() >= t->until_ms)
        dx_compare_fail(&t->line, "%s took longer than %d s", what, DX_COMPARE_PATIENCE_MS / 1000);
    else
        dx_compare_line_step(&t->line, wait_ms);
    return !t->line.is_failed;
}

static void tell_progress(trial *t, bool is_over)
{
    const dx_compare_plan *plan = t->plan;

    if (plan->on_progress &&
        !plan->on_progress(plan->context, t->row, t->phase, &t->samples, is_over))
        dx_compare_fail(&t->line, "nobody wants to know it any more");
}

/* ---- the stream ------------------------------------------------------------------------------- */

static void on_made(dx_compare_line *line)
{
    line->is_open = true;
}

/* PUT or DELETE of the stream, on a connection that nobody counts. Gives where it ends. */
static bool request_stream(trial *t, const char *method, char cursor[DX_COMPARE_CURSOR_BYTES])
{
    dx_compare_line *line = &t->line;
    bool ok = dx_compare_line_open(line, t->url, t->plan->reach, NULL);

    be_patient(t);
    line->reads.done = on_made;
    line->reads.is_reading = true;
    if (ok)
        dx_compare_request(&line->reads, method, (dx_bytes){NULL, 0});
    while (ok && !line->is_open)
        ok = go_on(t, STEP_MS, method);
    if (ok && cursor)
        memcpy(cursor, line->cursor, DX_COMPARE_CURSOR_BYTES);
    dx_compare_line_close(line);
    return ok;
}

static void name_stream(trial *t)
{
    uint8_t random[8];
    char name[2 * sizeof random + 1];

    dx_random_fill(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(name + 2 * i, 3, "%02x", random[i]);
    snprintf(t->url, sizeof t->url, "%.900scompare-%s-%s", t->plan->url, t->way->id, name);
}

static bool open_line(trial *t)
{
    dx_compare_line *line = &t->line;
    char cursor[DX_COMPARE_CURSOR_BYTES];

    if (!request_stream(t, "PUT", cursor) ||
        !dx_compare_line_open(line, t->url, t->plan->reach, t->way))
        return false;
    memcpy(line->cursor, cursor, sizeof cursor);
    line->samples = &t->samples;
    be_patient(t);
    t->way->open(line);
    while (!line->is_open || (line->requests_count > 0 && line->remote.net.bytes_out == 0))
        if (!go_on(t, STEP_MS, "opening it"))
            return false;
    return !line->is_failed;
}

/* ---- a message there and back ----------------------------------------------------------------- */

static bool talk_once(trial *t, uint8_t *message)
{
    dx_compare_line *line = &t->line;
    uint64_t number = line->next;

    dx_compare_message_write(number, message, t->plan->message_bytes);
    be_patient(t);
    line->due_ns = dx_clock_ns();
    t->way->say(line, dx_bytes_at(message, t->plan->message_bytes));
    while (!line->is_failed && (line->next == number || line->is_busy))
        if (!go_on(t, STEP_MS, "a message there and back"))
            break;
    return !line->is_failed;
}

static bool talk(trial *t, uint64_t most_ms)
{
    uint64_t until_ms = dx_clock_ms() + most_ms;
    uint8_t *message = malloc(t->plan->message_bytes);
    bool ok = message != NULL;

    if (!ok)
        dx_compare_fail(&t->line, "%s", dx_err_text(DX_ERR_MEMORY));
    while (ok && t->line.next < TALK_MESSAGES_MAX && dx_clock_ms() < until_ms) {
        ok = talk_once(t, message);
        tell_progress(t, false);
    }
    free(message);
    return ok;
}

/* ---- pushed ----------------------------------------------------------------------------------- */

static bool receive_all(trial *t)
{
    dx_compare_line *line = &t->line;
    uint64_t interval_ms = ASK_MS, ask_ms = line->due_ns / 1000000 + interval_ms;

    t->until_ms = dx_clock_ms() + PUSH_MESSAGES * 1000 / PUSH_RATE + DX_COMPARE_PATIENCE_MS;
    while (line->next < PUSH_MESSAGES) {
        uint64_t now_ms = dx_clock_ms();
        if (t->way->ask && now_ms >= ask_ms) {
            t->way->ask(line);
            ask_ms += interval_ms;
            continue;
        }
        uint64_t wait_ms = t->way->ask ? dx_min_u64(STEP_MS, ask_ms - now_ms) : STEP_MS;
        if (!go_on(t, (int)wait_ms, "what was pushed"))
            return false;
        tell_progress(t, false);
    }
    return true;
}

static bool push(trial *t, dx_compare_push *publisher)
{
    char why[DX_COMPARE_WHY_BYTES];

    t->line.interval_ns = 1000000000 / PUSH_RATE;
    t->line.due_ns = dx_clock_ns() + HEAD_START_MS * UINT64_C(1000000);
    dx_compare_push_start(publisher, t->line.due_ns, t->line.interval_ns, PUSH_MESSAGES);
    bool ok = receive_all(t);
    if (!dx_compare_push_end(publisher, why)) {
        t->line.is_failed = false; /* that is what it came of */
        dx_compare_fail(&t->line, "%s", why);
        return false;
    }
    return ok;
}

/* ---- a phase ---------------------------------------------------------------------------------- */

/* What goes through the line's sockets from here on, and what it costs. publisher: NULL in a talk. */
static bool measure(trial *t, dx_compare_push *publisher, uint64_t most_ms)
{
    const dx_net *net = &t->line.remote.net;
    dx_compare_figures *f = &t->row->figures[t->phase];
    uint64_t up = net->bytes_out, down = net->bytes_in, cpu = cpu_ns(t);

    tell_progress(t, false);
    bool ok = publisher ? push(t, publisher) : talk(t, most_ms);
    tell_progress(t, true);
    ok = ok && !t->line.is_failed;
    *f = (dx_compare_figures){
        .messages = t->line.next,
        .requests = t->line.requests_count,
        .connections = net->conns_begun_count,
        .open_up = up,
        .open_down = down,
        .up = net->bytes_out - up,
        .down = net->bytes_in - down,
        .p50_ns = dx_samples_quantile(&t->samples, 500),
        .p99_ns = dx_samples_quantile(&t->samples, 990),
        .max_ns = dx_samples_quantile(&t->samples, 1000),
        .cpu_ns = cpu_ns(t) - cpu,
    };
    return ok;
}

/* On the line that is open. */
static bool run_phase(trial *t, uint64_t most_ms)
{
    char why[DX_COMPARE_WHY_BYTES];
    dx_compare_push *publisher = NULL;

    if (t->phase == DX_COMPARE_PUSH) { /* it connects before anything is counted */
        publisher = dx_compare_push_new(t->url, t->plan->reach, t->plan->message_bytes, why);
        if (publisher == NULL) {
            dx_compare_fail(&t->line, "%s", why);
            return false;
        }
    }
    return measure(t, publisher, most_ms);
}

static bool run_trial(const dx_compare_plan *plan, dx_compare_row *row, trial *t, uint64_t most_ms)
{
    t->plan = plan;
    t->row = row;
    name_stream(t);
    bool ok = open_line(t) && (t->line.missing || run_phase(t, most_ms));
    row->missing = t->line.missing;
    if (!ok)
        dx_cli_say("compare", "%s: %s", t->way->name, t->line.why);
    dx_compare_line_close(&t->line);
    dx_samples_clear(&t->samples);
    if (!ok)
        return false;
    trial end = {.plan = plan, .way = t->way};
    memcpy(end.url, t->url, sizeof end.url);
    ok = request_stream(&end, "DELETE", NULL); /* nothing is left behind */
    if (!ok)
        dx_cli_say("compare", "%s: %s", t->way->name, end.line.why);
    return ok;
}

static bool run_row(const dx_compare_plan *plan, const dx_compare_way *way, dx_compare_row *row)
{
    *row = (dx_compare_row){.id = way->id, .name = way->name};
    for (int phase = 0; phase < DX_COMPARE_PHASES && !row->missing; phase++) {
        trial t = {.way = way, .phase = (dx_compare_phase)phase};
        if (!run_trial(plan, row, &t, TALK_MS))
            return false;
    }
    return true;
}

/* The first pages of memory and the first lookups of a server are nobody's. */
static bool warm_up(const dx_compare_plan *plan)
{
    dx_compare_plan quiet = *plan;
    dx_compare_row row = {0};
    trial t = {.way = &dx_compare_http_1_1, .phase = DX_COMPARE_TALK};

    quiet.on_progress = NULL;
    return run_trial(&quiet, &row, &t, WARM_UP_MS);
}

bool dx_compare_run(const dx_compare_plan *plan, dx_compare_report *ret)
{
    *ret = (dx_compare_report){
        .url = plan->server ? NULL : plan->url,
        .has_cpu = plan->server && dx_compare_server_cpu_ns(plan->server) > 0,
        .message_bytes = plan->message_bytes,
        .rate = PUSH_RATE,
        .ask_ms = ASK_MS,
    };
    if (!warm_up(plan))
        return false;
    for (size_t i = 0; dx_compare_ways[i]; i++) {
        dx_assert(ret->rows_count < DX_COMPARE_ROWS_MAX);
        dx_compare_row *row = &ret->rows[ret->rows_count];
        if (!run_row(plan, dx_compare_ways[i], row))
            return false;
        ret->rows_count++;
        if (plan->on_row)
            plan->on_row(plan->context, ret, row);
    }
    return true;
}
