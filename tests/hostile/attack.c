/* One attack after the other against a real server.
 * SPDX-License-Identifier: MIT */
#include "tests/hostile/attack.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLE_MS = 10,
    ASK_MS = 50,
    P99_MS_MAX = 2000, /* this machine may be busy with other things; the figures are printed */
    SETTLE_MS = 100,
};

/* ---- the server, from outside -------------------------------------------------------------------- */

static FILE *proc_open(int pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return fopen(path, "r");
}

/* What it has allocated, without the code it has run: 0 if it is gone. */
static size_t read_memory_kib(int pid)
{
    FILE *file = proc_open(pid, "status");
    char line[256];
    size_t kib = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %zu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

/* Seconds of processor, of all its threads. */
static double read_processor_s(int pid)
{
    FILE *file = proc_open(pid, "stat");
    unsigned long user = 0, system = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        user = system = 0;
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static bool read_is_sanitized(int pid)
{
    FILE *file = proc_open(pid, "maps");
    char line[512];
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof line, file))
        is_found = strstr(line, "libasan") || strstr(line, "libtsan") || strstr(line, "clang_rt") ||
                   strstr(line, "vgpreload");
    if (file)
        fclose(file);
    return is_found;
}

/* ---- beside the attack ----------------------------------------------------------------------------- */

static void sample(attack_world *w)
{
    size_t kib = read_memory_kib(w->options->pid);

    atomic_store(&w->memory_kib, kib);
    if (kib > atomic_load(&w->peak_kib))
        atomic_store(&w->peak_kib, kib);
}

static void *beside(void *context)
{
    attack_world *w = context;
    int64_t ask_ms = 0;

    while (!atomic_load(&w->is_stopping)) {
        sample(w);
        if (dx_peer_now_ms() >= ask_ms && atomic_load(&w->good_errors) == 0) {
            if (!good_ask(&w->good))
                atomic_fetch_add(&w->good_errors, 1);
            ask_ms = dx_peer_now_ms() + ASK_MS;
        }
        poll(NULL, 0, SAMPLE_MS);
    }
    return NULL;
}

static bool start(attack_world *w)
{
    const char *wrong = good_open(&w->good, w->options->host, w->options->port);

    if (wrong)
        printf("# the good client: %s\n", wrong);
    atomic_store(&w->is_stopping, false);
    atomic_store(&w->good_errors, 0);
    return wrong == NULL && pthread_create(&w->beside, NULL, beside, w) == 0;
}

static void stop(attack_world *w)
{
    atomic_store(&w->is_stopping, true);
    pthread_join(w->beside, NULL);
}

static void rest(int ms)
{
    poll(NULL, 0, ms);
}

/* ---- notes of an attack ------------------------------------------------------------------------------ */

bool attack_goes_on(const attack_world *w)
{
    return dx_peer_now_ms() < w->ends_ms;
}

void attack_note(attack_world *w, bool right, uint64_t bytes, const char *said)
{
    attack_notes *n = &w->notes;

    n->conns++;
    n->bytes += bytes;
    n->last_bytes = bytes;
    if (said == NULL)
        n->silent++;
    else if (right)
        n->right++;
    else
        n->wrong++;
    if (said)
        snprintf(n->said, sizeof n->said, "%s", said);
}

static double mib(size_t kib, size_t before_kib)
{
    return ((double)kib - (double)before_kib) / 1024;
}

void attack_check(attack_world *w, bool ok, const char *what)
{
    if (!ok)
        printf("# not true: %s\n", what);
    w->notes.wrong += !ok;
}

/* ---- an attack ------------------------------------------------------------------------------------------ */

typedef struct figures {
    size_t before_kib, peak_kib, after_kib;
    double processor_s, seconds;
} figures;

static size_t base_kib;

double attack_memory_mib(const attack_world *w)
{
    return mib(atomic_load(&w->memory_kib), base_kib);
}

static void print_row(attack_world *w, const attack_case *c, const figures *f)
{
    const attack_notes *n = &w->notes;

    printf("# %s | %s | %llu conns, %llu silent, %.2f MiB sent, last %.1f KiB | "
           "memory %.1f MiB, peak %+.2f, after %+.2f (at most %+.2f) | %.1f s, server %.0f %%",
           c->name, n->said[0] ? n->said : "-", (unsigned long long)n->conns,
           (unsigned long long)n->silent, (double)n->bytes / 1048576, (double)n->last_bytes / 1024,
           (double)f->before_kib / 1024, mib(f->peak_kib, f->before_kib),
           mib(f->after_kib, f->before_kib), c->memory_mib, f->seconds,
           100 * f->processor_s / f->seconds);
    printf(" | good p50/p99 ms:");
    for (good_kind k = 0; k < GOOD_KINDS_COUNT; k++)
        printf(" %s %.2f/%.2f", good_kind_name(k), good_wait_ms(&w->good, k, 50),
               good_wait_ms(&w->good, k, 99));
    printf(", %zu asked, %d failed\n", w->good.asked, atomic_load(&w->good_errors));
}

/* NULL, or the first thing that is not as it must be. */
static const char *complaint(attack_world *w, const attack_case *c, const figures *f)
{
    const attack_notes *n = &w->notes;

    if (kill(w->options->pid, 0) != 0)
        return "the server is gone";
    if (n->right == 0)
        return "nobody got the answer";
    if (n->wrong > 0)
        return "somebody got another answer";
    if (!w->is_sanitized && mib(f->peak_kib, f->before_kib) > c->memory_mib + w->options->slack_mib)
        return "too much memory";
    if (atomic_load(&w->good_errors) > 0)
        return "the good client was not served";
    for (good_kind k = 0; k < GOOD_KINDS_COUNT; k++)
        if (w->good.answered[k] == 0 || good_wait_ms(&w->good, k, 99) > P99_MS_MAX)
            return "the good client had to wait";
    return NULL;
}

static void run(attack_world *w, const attack_case *c, figures *f)
{
    const attack_options *o = w->options;

    rest(SETTLE_MS);
    f->before_kib = base_kib = read_memory_kib(o->pid);
    atomic_store(&w->peak_kib, base_kib);
    double processor_s = read_processor_s(o->pid);
    int64_t began_ms = dx_peer_now_ms();
    w->ends_ms = began_ms + (c->least_ms > o->attack_ms ? c->least_ms : o->attack_ms);
    c->run(w, c->context);
    f->seconds = (double)(dx_peer_now_ms() - began_ms + 1) / 1e3;
    f->processor_s = read_processor_s(o->pid) - processor_s;
    f->peak_kib = atomic_load(&w->peak_kib);
    rest(o->rest_ms);
    f->after_kib = read_memory_kib(o->pid);
}

void attack_play(attack_world *w, const attack_case *c)
{
    figures f = {0};
    const char *wrong = "the good client cannot connect";

    w->number++;
    if (w->options->only && strstr(c->name, w->options->only) == NULL) {
        printf("ok %d - %s # SKIP not asked for\n", w->number, c->name);
        return;
    }
    w->notes = (attack_notes){0};
    if (start(w)) {
        run(w, c, &f);
        stop(w);
        print_row(w, c, &f);
        wrong = complaint(w, c, &f);
    }
    good_close(&w->good);
    if (wrong)
        printf("# %s\n", wrong);
    printf("%sok %d - %s\n", wrong ? "not " : "", w->number, c->name);
    fflush(stdout);
    w->failed += wrong != NULL;
}

/* ---- beginning and end ------------------------------------------------------------------------------------ */

bool attack_options_read(int argc, char **argv, attack_options *ret)
{
    attack_options o = {.warm_ms = 300, .attack_ms = 300, .rest_ms = 100, .slack_mib = 1};
    int at = 4;

    if (argc < 4 || (o.pid = atoi(argv[3])) <= 0) {
        fprintf(stderr, "usage: %s ADDRESS PORT PID [--full] [NAME]\n", argv[0]);
        return false;
    }
    o.host = argv[1];
    o.port = argv[2];
    if (at < argc && strcmp(argv[at], "--full") == 0) {
        o.warm_ms = 10000, o.attack_ms = 60000, o.rest_ms = 20000, o.slack_mib = 0;
        at++;
    }
    o.only = at < argc ? argv[at] : NULL;
    *ret = o;
    return true;
}

void attack_world_init(attack_world *w, const attack_options *options, int cases_count)
{
    memset(w, 0, sizeof *w);
    w->options = options;
    w->is_sanitized = read_is_sanitized(options->pid);
    printf("TAP version 13\n1..%d\n", cases_count);
    if (start(w)) {
        rest(options->warm_ms);
        stop(w);
    }
    good_close(&w->good);
}

int attack_world_deinit(attack_world *w)
{
    return w->failed != 0;
}
