/* The figures of the server as text.
 * SPDX-License-Identifier: MIT */
#include "serve/metrics.h"

#include "base/clock.h"
#include "serve/gather.h"
#include "store/sqlite.h"

#include <duplex/duplex.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 1000 /* for a worker: then it is said to be down */ };

typedef struct metrics {
    dx_server_owned owned;
    dx_server *server;
    uint64_t begun_ms;
    dx_figures *last; /* of each worker; NULL: nobody has asked yet */
    bool *is_up;
} metrics;

/* ---- lines ------------------------------------------------------------------------------------ */

static void head(dx_text *t, const char *name, const char *type, const char *help)
{
    dx_text_add(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(dx_text *t, const char *name, const char *type, const char *help, double value)
{
    head(t, name, type, help);
    dx_text_add(t, "%s %.15g\n", name, value);
}

static void count(dx_text *t, const char *name, const char *help, uint64_t value)
{
    head(t, name, "counter", help);
    dx_text_add(t, "%s %" PRIu64 "\n", name, value);
}

static void gauge(dx_text *t, const char *name, const char *help, uint64_t value)
{
    head(t, name, "gauge", help);
    dx_text_add(t, "%s %" PRIu64 "\n", name, value);
}

/* A line of several of one name. */
static void row(dx_text *t, const char *name, const char *label, const char *value, uint64_t number)
{
    dx_text_add(t, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, number);
}

static void histogram(dx_text *t, const char *name, const char *help, const dx_histogram *h)
{
    uint64_t below = 0;

    head(t, name, "histogram", help);
    for (unsigned i = 0; i < DX_HISTOGRAM_BOUNDS_COUNT; i++) {
        below += h->counts[i];
        dx_text_add(t, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, dx_histogram_bounds_us[i] / 1e6,
                    below);
    }
    dx_text_add(t, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name,
                dx_histogram_count(h), name, (double)h->sum_us / 1e6, name, dx_histogram_count(h));
}

/* ---- the process ------------------------------------------------------------------------------ */

static uint64_t resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *from = fopen("/proc/self/statm", "re");

    if (from == NULL)
        return 0;
    if (fscanf(from, "%llu %llu", &all, &resident) != 2)
        resident = 0;
    fclose(from);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_files(void)
{
    uint64_t files = 0;
    DIR *dir = opendir("/proc/self/fd");

    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        files += entry->d_name[0] != '.';
    closedir(dir);
    return files > 0 ? files - 1 : 0; /* its own */
}

static void write_process(dx_text *t, const metrics *m)
{
    const dx_server *s = m->server;
    struct timespec spent = {0};

    head(t, "duplex_build_info", "gauge", "1; what it is in labels.");
    dx_text_add(t, "duplex_build_info{version=\"%s\",loop=\"%s\"} 1\n", dx_version(),
                dx_loop_name(s->worker[0].loop));
    one(t, "duplex_uptime_seconds", "gauge", "Since it started.",
        (double)(dx_clock_ms() - m->begun_ms) / 1e3);
    gauge(t, "duplex_draining", "1 while it takes no new connections and ends the others.",
          atomic_load(&s->is_draining));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    one(t, "process_cpu_seconds_total", "counter", "CPU time spent.",
        (double)spent.tv_sec + (double)spent.tv_nsec / 1e9);
    gauge(t, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
    gauge(t, "process_open_fds", "Open descriptors.", open_files());
}

static void write_workers(dx_text *t, const metrics *m)
{
    uint32_t workers = m->server->workers_count;

    gauge(t, "duplex_workers", "Threads that serve.", workers);
    head(t, "duplex_worker_up", "gauge",
         "1 if it answered within a second; else its figures are old.");
    for (uint32_t i = 0; i < workers; i++)
        dx_text_add(t, "duplex_worker_up{worker=\"%u\"} %d\n", i, m->is_up[i]);
    head(t, "duplex_worker_turns_total", "counter", "Turns of its loop.");
    for (uint32_t i = 0; i < workers; i++)
        dx_text_add(t, "duplex_worker_turns_total{worker=\"%u\"} %" PRIu64 "\n", i,
                    m->last[i].turns.count);
    head(t, "duplex_worker_busy_seconds_total", "counter", "Time in which it did not wait.");
    for (uint32_t i = 0; i < workers; i++)
        dx_text_add(t, "duplex_worker_busy_seconds_total{worker=\"%u\"} %.6f\n", i,
                    (double)m->last[i].turns.busy_ns / 1e9);
    head(t, "duplex_worker_longest_turn_seconds", "gauge",
         "The longest turn since the figures were asked for before.");
    for (uint32_t i = 0; i < workers; i++)
        dx_text_add(t, "duplex_worker_longest_turn_seconds{worker=\"%u\"} %.6f\n", i,
                    (double)m->last[i].turns.longest_ns / 1e9);
}

/* ---- connections and requests ----------------------------------------------------------------- */

static void write_connections(dx_text *t, const dx_figures *f)
{
    uint64_t plain_websockets =
        f->websockets_count - dx_min_u64(f->websockets_count, f->carried_count);
    const char *name = "duplex_connections";

    head(t, name, "gauge",
         "Open now, by what they speak; websocket_http2: streams of http2 connections.");
    row(t, name, "kind", "http1", f->http1_count);
    row(t, name, "kind", "http2", f->http2_count);
    row(t, name, "kind", "websocket", plain_websockets);
    row(t, name, "kind", "websocket_http2", f->carried_count);
    name = "duplex_streaming_responses";
    head(t, name, "gauge", "Answers that go on now.");
    row(t, name, "kind", "sse", f->counts.sse_count);
    row(t, name, "kind", "long_poll", f->counts.waits_count);
    count(t, "duplex_connections_accepted_total", "Connections taken.", f->accepted_count);
    count(t, "duplex_websockets_total", "WebSockets opened.", f->websockets_begun);
    count(t, "duplex_received_bytes_total", "From sockets, as encrypted where they are.",
          f->bytes_in);
    count(t, "duplex_sent_bytes_total", "To sockets, as encrypted where they are.", f->bytes_out);
}

static void write_requests(dx_text *t, const dx_figures *f)
{
    static const char *const sorts[DX_SORTS_COUNT] = {
        [DX_SORT_OTHER] = "other",         [DX_SORT_CREATE] = "create",
        [DX_SORT_PUBLISH] = "publish",     [DX_SORT_READ] = "read",
        [DX_SORT_LONG_POLL] = "long_poll", [DX_SORT_SSE] = "sse",
        [DX_SORT_WEBSOCKET] = "websocket", [DX_SORT_HEAD] = "head",
        [DX_SORT_PRESENCE] = "presence",   [DX_SORT_DELETE] = "delete",
        [DX_SORT_OPTIONS] = "options",
    };
    const char *name = "duplex_http_responses_total";

    head(t, name, "counter", "Answers by door and first digit of the status; other: no stream's.");
    for (unsigned i = 0; i < DX_SORTS_COUNT; i++)
        for (unsigned k = 0; k < 4; k++)
            if (f->counts.answers[i][k] > 0 || k == 0)
                dx_text_add(t, "%s{door=\"%s\",status=\"%uxx\"} %" PRIu64 "\n", name, sorts[i],
                            k + 2, f->counts.answers[i][k]);
}

/* ---- refusals --------------------------------------------------------------------------------- */

static void write_statuses(dx_text *t, const dx_figures *f)
{
    static const uint16_t always[] = {400, 401, 403, 404, 408, 409, 413, 414, 429, 431, 500, 503};
    const char *name = "duplex_http_errors_total";
    size_t next = 0;

    head(t, name, "counter", "Answers of status 400 and above.");
    for (unsigned status = 400; status <= DX_STATUS_MAX; status++) {
        uint64_t number = f->counts.statuses[status - DX_STATUS_MIN];
        bool is_always = next < DX_COUNT(always) && always[next] == status;
        next += is_always;
        if (is_always || number > 0)
            dx_text_add(t, "%s{status=\"%u\"} %" PRIu64 "\n", name, status, number);
    }
}

static void write_closes(dx_text *t, const dx_figures *f)
{
    static const uint16_t always[] = {1000, 1001, 1002, 1007, 1008, 1009, 1013, 4403, 4404, 4410};
    const char *name = "duplex_websocket_closes_total";

    head(t, name, "counter", "Closes that the server sent, by code.");
    for (unsigned slot = 0; slot < DX_WS_CODE_SLOTS; slot++) {
        unsigned code = dx_ws_slot_code(slot);
        bool is_always = false;
        for (size_t i = 0; i < DX_COUNT(always); i++)
            is_always |= always[i] == code;
        if (code && (is_always || f->closes[slot] > 0))
            dx_text_add(t, "%s{code=\"%u\"} %" PRIu64 "\n", name, code, f->closes[slot]);
    }
    row(t, name, "code", "other", f->closes[DX_WS_CODE_SLOTS - 1]);
}

static void write_goaways(dx_text *t, const dx_figures *f)
{
    /* RFC 9113 §7 */
    static const char *const codes[DX_HTTP2_CODES_COUNT] = {
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    };
    const char *name = "duplex_http2_goaways_total";

    head(t, name, "counter", "HTTP/2 connections that the server ended, by code.");
    for (unsigned i = 0; i < DX_HTTP2_CODES_COUNT; i++)
        if (f->goaways[i] > 0 || i < 2 || i == 11)
            row(t, name, "code", codes[i], f->goaways[i]);
}

static void write_refusals(dx_text *t, const dx_figures *f)
{
    const char *name = "duplex_connections_dropped_total";

    write_statuses(t, f);
    write_closes(t, f);
    write_goaways(t, f);
    head(t, name, "counter", "Connections that the server ended without a word, by reason.");
    row(t, name, "reason", "full", f->net.full);
    row(t, name, "reason", "stalled", f->net.stalled);
    row(t, name, "reason", "websocket_silent", f->websockets_silent);
    row(t, name, "reason", "handshake_failed", f->net.handshakes_failed);
    row(t, name, "reason", "handshake_crowd", f->net.handshakes_given_up);
    row(t, name, "reason", "not_tls", f->net.not_tls);
    row(t, name, "reason", "tls_flood", f->net.tls_floods);
}

static void write_tls(dx_text *t, const dx_figures *f)
{
    head(t, "duplex_tls_handshakes_total", "counter", "TLS handshakes that succeeded.");
    row(t, "duplex_tls_handshakes_total", "version", "1.2", f->net.handshakes[0]);
    row(t, "duplex_tls_handshakes_total", "version", "1.3", f->net.handshakes[1]);
    count(t, "duplex_tls_resumed_total", "Of these: that took up a session again.", f->net.resumed);
    gauge(t, "duplex_tls_kernel_connections",
          "Connections whose encryption the kernel does: none yet.", 0);
}

/* ---- streams ---------------------------------------------------------------------------------- */

static void write_streams(dx_text *t, const dx_figures *f)
{
    const char *name = "duplex_subscribers";

    gauge(t, "duplex_streams", "Streams in memory; those on disk that nobody uses are not.",
          f->census.streams_count);
    gauge(t, "duplex_feeds", "Encodings of streams that somebody reads.", f->census.feeds_count);
    gauge(t, "duplex_feed_bytes", "Held by these until all have got them.", f->census.feed_bytes);
    gauge(t, "duplex_cached_bytes", "Of messages in memory that are also on disk.",
          f->census.cached_bytes);
    head(
        t, name, "gauge",
        "Of WebSocket and SSE: live have all there is, behind are being sent it, catching_up read the log.");
    row(t, name, "state", "live",
        f->census.live_count - dx_min_u64(f->census.live_count, f->census.behind_count));
    row(t, name, "state", "behind", f->census.behind_count);
    row(t, name, "state", "catching_up", f->census.catching_count);
    gauge(t, "duplex_lag_messages", "How many messages the last of those who catch up is behind.",
          f->census.lag_max);
    count(t, "duplex_published_messages_total", "Messages that came to be appended.",
          f->traffic.published_count);
    count(
        t, "duplex_delivered_messages_total",
        "Messages given to subscribers, each as often as there are, whether they were sent yet or not.",
        f->traffic.delivered_count);
    histogram(
        t, "duplex_delivery_seconds",
        "From a message's arrival to its being written to the socket of a subscriber that is up to date then.",
        &f->latency);
}

static void write_store(dx_text *t, const dx_server *s)
{
    dx_store_sqlite_state state = {0};
    struct statvfs disk;

    if (s->store == NULL)
        return;
    dx_store_sqlite_state_get(s->store, &state);
    gauge(t, "duplex_store_up", "1 while streams can be kept on disk.",
          state.status == DX_STORE_OK || state.status == DX_STORE_NOT_FOUND);
    if (statvfs(s->data, &disk) == 0)
        gauge(t, "duplex_store_free_bytes", "Left on the disk for us.",
              (uint64_t)disk.f_bavail * disk.f_frsize);
    gauge(t, "duplex_store_waiting", "Commits given and not answered yet.", state.waiting);
    count(t, "duplex_store_commits_total", "Changes of streams that are on disk.", state.commits);
    count(t, "duplex_store_messages_total", "Messages in them.", state.messages);
    count(t, "duplex_store_transactions_total", "Transactions that they took together.",
          state.transactions);
    count(t, "duplex_store_loads_total", "Streams looked for on disk.", state.loads);
    count(t, "duplex_store_reads_total", "Pages of messages read from disk.", state.reads);
    gauge(t, "duplex_store_unsettled_bytes",
          "On disk in the journal, and in memory until they are in their place.",
          state.unsettled_bytes);
    gauge(t, "duplex_store_log_bytes", "The write-ahead log.", state.log_bytes);
    histogram(t, "duplex_store_transaction_seconds",
              "From a transaction's beginning to when it is on disk.", &state.transaction_times);
}

static void write_all(dx_text *t, const metrics *m)
{
    dx_figures *sum = calloc(1, sizeof *sum);

    if (sum == NULL) {
        t->is_cut = true;
        return;
    }
    for (uint32_t i = 0; i < m->server->workers_count; i++)
        dx_figures_join(sum, &m->last[i]);
    write_process(t, m);
    write_workers(t, m);
    write_connections(t, sum);
    write_requests(t, sum);
    write_refusals(t, sum);
    write_tls(t, sum);
    write_streams(t, sum);
    write_store(t, m->server);
    free(sum);
}

/* ---- GET -------------------------------------------------------------------------------------- */

/* A request, while the workers are asked. */
typedef struct asked {
    metrics *metrics;
    dx_exchange *x; /* NULL: the client has gone */
} asked;

static bool visit(dx_gather_part *part)
{
    return dx_figures_take(part->found, part->worker);
}

static void answer(dx_exchange *x, const metrics *m)
{
    static const dx_header headers[] = {{DX_BYTES("Cache-Control"), DX_BYTES("no-store")}};
    dx_text text = {0};

    write_all(&text, m);
    if (text.is_cut)
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
    else
        dx_exchange_respond(
            x, &(dx_response){.type = DX_BYTES("text/plain; version=0.0.4; charset=utf-8"),
                              .headers = headers,
                              .headers_count = DX_COUNT(headers),
                              .body = dx_buffer_view(&text.buffer)});
    dx_buffer_clear(&text.buffer);
}

static void finish(dx_gather *g)
{
    asked *a = g->question.context;
    metrics *m = a->metrics;

    for (uint32_t i = 0; i < g->parts_count; i++) {
        m->is_up[i] = g->parts[i].is_back;
        if (g->parts[i].is_back)
            m->last[i] = *(const dx_figures *)g->parts[i].found;
    }
    if (a->x)
        answer(a->x, m);
    a->x = NULL;
}

static void release(dx_gather *g)
{
    free(g->question.context);
}

static void on_gone(dx_exchange *x, void *context)
{
    asked *a = context;

    (void)x;
    a->x = NULL;
}

static bool prepare(metrics *m)
{
    uint32_t workers = m->server->workers_count;

    if (m->last == NULL)
        m->last = calloc(workers, sizeof *m->last);
    if (m->is_up == NULL)
        m->is_up = calloc(workers, sizeof *m->is_up);
    return m->last && m->is_up;
}

static void on_metrics(dx_exchange *x, void *context)
{
    metrics *m = context;
    asked *a = prepare(m) ? calloc(1, sizeof *a) : NULL;

    if (a) {
        *a = (asked){.metrics = m, .x = x};
        dx_exchange_on_gone(x, on_gone, a);
        if (dx_gather_begin(m->server, &(dx_gather_question){.home = m->server->admin.loop,
                                                             .visit = visit,
                                                             .finish = finish,
                                                             .release = release,
                                                             .context = a,
                                                             .found_bytes = sizeof(dx_figures),
                                                             .wait_ms = WAIT_MS}))
            return;
        dx_exchange_on_gone(x, NULL, NULL);
        free(a);
    }
    dx_exchange_problem(x, 503, "Out of memory, try again later.");
}

static void metrics_free(dx_server_owned *owned)
{
    metrics *m = DX_CONTAINER(owned, metrics, owned);

    free(m->last);
    free(m->is_up);
    free(m);
}

dx_err dx_server_metrics(dx_server *s)
{
    metrics *m = calloc(1, sizeof *m);

    if (m == NULL)
        return DX_ERR_MEMORY;
    m->server = s;
    m->begun_ms = dx_clock_ms();
    dx_server_own(s, &m->owned, metrics_free);
    return dx_server_admin_route(s, &(dx_route){"/metrics", DX_BIT(DX_HTTP_GET), 0, on_metrics, m},
                                 DX_ADMIN_HOLDER);
}
