/* Samples, and what was measured as a table and as JSON.
 * SPDX-License-Identifier: MIT */
#include "cli/compare_report.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- samples ---------------------------------------------------------------------------------- */

bool dx_samples_add(dx_samples *s, uint64_t ns)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        uint64_t *at = realloc(s->at, room * sizeof *at);
        if (at == NULL)
            return false;
        s->at = at;
        s->room = room;
    }
    s->at[s->count++] = ns;
    return true;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

uint64_t dx_samples_quantile(const dx_samples *s, unsigned per_mille)
{
    dx_assert(per_mille <= 1000);
    uint64_t *sorted = s->count > 0 ? malloc(s->count * sizeof *sorted) : NULL;
    size_t rank = (s->count * per_mille + 999) / 1000;

    if (sorted == NULL)
        return 0;
    memcpy(sorted, s->at, s->count * sizeof *sorted);
    qsort(sorted, s->count, sizeof *sorted, compare_ns);
    uint64_t found = sorted[rank > 0 ? rank - 1 : 0];
    free(sorted);
    return found;
}

void dx_samples_clear(dx_samples *s)
{
    free(s->at);
    *s = (dx_samples){0};
}

/* ---- figures ---------------------------------------------------------------------------------- */

const char *dx_compare_phase_name(dx_compare_phase phase)
{
    switch (phase) {
    case DX_COMPARE_TALK: return "talk";
    case DX_COMPARE_PUSH: return "push";
    case DX_COMPARE_PHASES: break;
    }
    dx_unreachable("dx_compare_phase outside its enum");
}

const dx_compare_row *dx_compare_row_find(const dx_compare_report *r, const char *id)
{
    for (size_t i = 0; i < r->rows_count; i++)
        if (strcmp(r->rows[i].id, id) == 0)
            return r->rows[i].missing ? NULL : &r->rows[i];
    return NULL;
}

static double each(uint64_t sum, const dx_compare_figures *f)
{
    return f->messages > 0 ? (double)sum / (double)f->messages : 0;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double cpu_us_each(const dx_compare_figures *f)
{
    return each(f->cpu_ns, f) / 1e3;
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void figures_json_write(const dx_compare_report *r, const dx_compare_figures *f, FILE *to)
{
    fprintf(to,
            "{\"messages\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"connections\":%" PRIu64
            ",\"opening_bytes\":{\"up\":%" PRIu64 ",\"down\":%" PRIu64 "}",
            f->messages, f->requests, f->connections, f->open_up, f->open_down);
    fprintf(to, ",\"bytes_per_message\":{\"up\":%.1f,\"down\":%.1f}", each(f->up, f),
            each(f->down, f));
    fprintf(to, ",\"latency_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", ms(f->p50_ns),
            ms(f->p99_ns), ms(f->max_ns));
    if (r->has_cpu)
        fprintf(to, ",\"server_cpu_us_per_message\":%.1f}", cpu_us_each(f));
    else
        fprintf(to, ",\"server_cpu_us_per_message\":null}");
}

void dx_compare_row_json_write(const dx_compare_report *r, const dx_compare_row *row, FILE *to)
{
    fprintf(to, "{\"way\":\"%s\",\"name\":\"%s\"", row->id, row->name);
    if (row->missing)
        fprintf(to, ",\"missing\":\"%s\"", row->missing);
    for (int i = 0; i < DX_COMPARE_PHASES && !row->missing; i++) {
        fprintf(to, ",\"%s\":", dx_compare_phase_name((dx_compare_phase)i));
        figures_json_write(r, &row->figures[i], to);
    }
    fputc('}', to);
}

static void text_json_write(const char *text, FILE *to)
{
    uint8_t memory[6 * 1024 + 2];
    size_t size = dx_json_write_string(dx_bytes_of(text), memory, sizeof memory);

    dx_assert(size <= sizeof memory); /* a URL that was taken */
    fwrite(memory, 1, size, to);
}

void dx_compare_json_write(const dx_compare_report *r, FILE *to)
{
    fprintf(to, "{\"server\":");
    if (r->url)
        text_json_write(r->url, to);
    else
        fprintf(to, "null");
    fprintf(to,
            ",\"message_bytes\":%" PRIu64 ",\"push_per_second\":%" PRIu64
            ",\"asks_every_ms\":%" PRIu64 ",\"ways\":[",
            r->message_bytes, r->rate, r->ask_ms);
    for (size_t i = 0; i < r->rows_count; i++) {
        if (i > 0)
            fputc(',', to);
        dx_compare_row_json_write(r, &r->rows[i], to);
    }
    fprintf(to, "]}");
}

/* ---- the table -------------------------------------------------------------------------------- */

static void line_write(const dx_compare_report *r, const dx_compare_row *row,
                       dx_compare_phase phase, FILE *to)
{
    const dx_compare_figures *f = &row->figures[phase];

    fprintf(to, "%-19s %8" PRIu64 " %8" PRIu64 " %8.1f %8.1f %8.3f %8.3f", row->name, f->requests,
            f->connections, each(f->up, f), each(f->down, f), ms(f->p50_ns), ms(f->p99_ns));
    if (r->has_cpu)
        fprintf(to, " %8.1f", cpu_us_each(f));
    fputc('\n', to);
}

static void phase_write(const dx_compare_report *r, dx_compare_phase phase, FILE *to)
{
    fprintf(to, "%-19s %8s %8s %8s %8s %8s %8s%s\n", "", "requests", "connec-", "bytes", "bytes",
            "p50 ms", "p99 ms", r->has_cpu ? "   server" : "");
    fprintf(to, "%-19s %8s %8s %8s %8s %8s %8s%s\n", "", "", "tions", "up", "down", "", "",
            r->has_cpu ? "   CPU us" : "");
    for (size_t i = 0; i < r->rows_count; i++)
        if (r->rows[i].missing)
            fprintf(to, "%-19s not measured: %s\n", r->rows[i].name, r->rows[i].missing);
        else
            line_write(r, &r->rows[i], phase, to);
    fputc('\n', to);
}

/* What the two rows say about connections. */
static void connections_write(const dx_compare_report *r, FILE *to)
{
    const dx_compare_row *old = dx_compare_row_find(r, "http-1.0"),
                         *kept = dx_compare_row_find(r, "http-1.1");

    if (old == NULL || kept == NULL)
        return;
    const dx_compare_figures *a = &old->figures[DX_COMPARE_TALK],
                             *b = &kept->figures[DX_COMPARE_TALK];
    if (a->requests == a->connections)
        fprintf(to,
                "By HTTP/1.0 10 requests are 10 connections (here %" PRIu64 " were %" PRIu64
                "); by HTTP/1.1 %" PRIu64 " were %" PRIu64 ".\n",
                a->requests, a->connections, b->requests, b->connections);
}

static double talk_bytes(const dx_compare_row *row)
{
    const dx_compare_figures *f = &row->figures[DX_COMPARE_TALK];
    return each(f->up + f->down, f);
}

static void overhead_write(const dx_compare_report *r, FILE *to)
{
    const dx_compare_row *kept = dx_compare_row_find(r, "http-1.1"),
                         *h2 = dx_compare_row_find(r, "http-2"),
                         *ws = dx_compare_row_find(r, "websocket");

    if (kept == NULL || ws == NULL)
        return;
    fprintf(to, "A message of %" PRIu64 " bytes there and back is %.0f bytes by HTTP/1.1",
            r->message_bytes, talk_bytes(kept));
    if (h2)
        fprintf(to, ", %.0f by HTTP/2,", talk_bytes(h2));
    fprintf(to, " and %.0f by WebSocket.\n", talk_bytes(ws));
}

static const char advice[] =
    "When to take which:\n"
    "  HTTP        for what is asked for once, or is old: pages, history, files. Every cache and every tool\n"
    "              knows it. Who asks again and again for news hears of them when it asks next.\n"
    "  HTTP/2      for the same where many go at once: one connection for all of them, and heads that shrink.\n"
    "  long-poll   where nothing else gets through: news come at once, at the price of a request each.\n"
    "  SSE         for news one way, such as a ticker or a feed of tokens: plain HTTP, resumes by itself.\n"
    "  WebSocket   where both sides speak, often or in small pieces: chats, games, trading.\n"
    "  deflated    where a byte on the wire costs more than the server's time: long texts, thin lines.\n";

void dx_compare_table_write(const dx_compare_report *r, FILE *to)
{
    fprintf(to,
            "One message of %" PRIu64
            " bytes there and back: published, and received by who published it\n\n",
            r->message_bytes);
    phase_write(r, DX_COMPARE_TALK, to);
    fprintf(to,
            "Pushed: somebody else publishes %" PRIu64
            " a second; by HTTP/1.0, 1.1 and 2 one asks every %" PRIu64 " ms for what is new\n\n",
            r->rate, r->ask_ms);
    phase_write(r, DX_COMPARE_PUSH, to);
    fprintf(
        to,
        "Bytes are those of a message with all headers and frames, as they went through the client's\n"
        "sockets; what TCP adds is not in them, and a connection costs a round trip before its first.\n");
    fprintf(to, "%s\n\n",
            r->has_cpu ? "CPU is the server's, for each message."
                       : "The server's CPU is left out: it is somebody else's process.");
    connections_write(r, to);
    overhead_write(r, to);
    fprintf(to, "\n%s", advice);
}
