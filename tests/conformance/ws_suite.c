/* Runs a list of cases on several threads and prints TAP in their order. See ws_suite.h.
 * Threads: workers take the next case by an atomic counter; one lock guards `done`.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUT_BYTES_MAX = 300,     /* up to here a case is run once for each place of one cut */
    OCTETS_BYTES_MAX = 4096, /* up to here octet by octet */
    RANDOM_PIECE_MAX = 65536,
    JOBS_MAX = 64,
};

typedef struct suite {
    const wst_case_list *list;
    const wst_config *config;
    const wst_suite_options *options;
    wst_result *results;
    atomic_size_t next;
    pthread_mutex_t lock;
    pthread_cond_t one_done;
} suite;

const char *wst_grade_text(wst_grade grade)
{
    switch (grade) {
    case WST_OK: return "OK";
    case WST_INFORMATIONAL: return "INFORMATIONAL";
    case WST_NON_STRICT: return "NON-STRICT";
    case WST_FAILED: return "FAILED";
    }
    return "?";
}

/* ---- one case ---- */

static void describe_split(dx_peer_split_rule rule, char ret[static 60])
{
    switch (rule.kind) {
    case DX_PEER_WHOLE: snprintf(ret, 60, "unsplit"); return;
    case DX_PEER_EVERY: snprintf(ret, 60, "writes of %zu", rule.size); return;
    case DX_PEER_CUT: snprintf(ret, 60, "cut at %zu", rule.size); return;
    case DX_PEER_RANDOM:
        snprintf(ret, 60, "random, seed %llu", (unsigned long long)rule.seed);
        return;
    }
}

/* Runs once, makes the result worse if need be; returns the octets that were sent. */
static size_t run_once(suite *s, const wst_case *c, dx_peer_split_rule rule, wst_result *result)
{
    wst_run run = {.config = s->config, .split = rule};
    char how[60];

    if (c->run)
        c->run(&run, c);
    else
        wst_script_run(&run, c);
    result->runs_count++;
    result->ends_by_reset += run.ends_by_reset;
    if (run.grade > result->grade || (run.detail[0] && !result->detail)) {
        char text[sizeof run.detail + 80];
        describe_split(rule, how);
        snprintf(text, sizeof text, "(%s) %s", how, run.detail);
        free(result->detail);
        result->detail = run.detail[0] ? strdup(text) : NULL;
        result->grade = run.grade > result->grade ? run.grade : result->grade;
    }
    return run.sent_bytes;
}

static void run_every_way(suite *s, const wst_case *c, uint64_t seed, wst_result *result)
{
    dx_peer_split_rule whole = {.kind = DX_PEER_WHOLE};
    dx_peer_split_rule octets = {.kind = DX_PEER_EVERY, .size = 1};
    dx_peer_split_rule at_random = {.kind = DX_PEER_RANDOM, .size = RANDOM_PIECE_MAX, .seed = seed};

    if (s->options->split == WST_SPLIT_RANDOM) {
        run_once(s, c, at_random, result);
        return;
    }
    size_t size = run_once(s, c, whole, result);
    if (s->options->split == WST_SPLIT_NONE || result->grade == WST_FAILED)
        return;
    run_once(s, c, size <= OCTETS_BYTES_MAX ? octets : at_random, result);
    if (c->flags & WST_SLOW || size >= CUT_BYTES_MAX)
        return;
    for (size_t at = 1; at < size && result->grade != WST_FAILED; at++)
        run_once(s, c, (dx_peer_split_rule){.kind = DX_PEER_CUT, .size = at}, result);
}

/* ---- all of them ---- */

static void *work(void *context)
{
    suite *s = context;
    size_t index;

    while ((index = atomic_fetch_add(&s->next, 1)) < s->list->count) {
        wst_result *result = &s->results[index];
        int64_t start_ms = dx_peer_now_ms();

        run_every_way(s, &s->list->at[index], s->options->seed + index, result);
        result->ms = (int)(dx_peer_now_ms() - start_ms);
        pthread_mutex_lock(&s->lock);
        result->done = true;
        pthread_cond_signal(&s->one_done);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void print_detail(FILE *tap, const char *detail)
{
    while (*detail) {
        size_t size = strcspn(detail, "\n");
        fprintf(tap, "# %.*s\n", (int)size, detail);
        detail += size + (detail[size] == '\n');
    }
}

static void print_result(const suite *s, size_t index)
{
    const wst_case *c = &s->list->at[index];
    const wst_result *result = &s->results[index];
    bool is_good = result->grade == WST_OK || result->grade == WST_INFORMATIONAL;
    FILE *tap = s->options->tap;

    if (!tap)
        return;
    fprintf(tap, "%s %zu - %s %s %s%s%s%s\n", is_good ? "ok" : "not ok", index + 1, c->id,
            c->section, c->title, result->grade == WST_OK ? "" : " (",
            result->grade == WST_OK ? "" : wst_grade_text(result->grade),
            result->grade == WST_OK ? "" : ")");
    if (result->detail)
        print_detail(tap, result->detail);
    if (s->options->times && result->ms >= 1000)
        fprintf(tap, "# %s: %d ms, %u runs\n", c->id, result->ms, result->runs_count);
    fflush(tap);
}

void wst_suite_run(const wst_case_list *list, const wst_config *config,
                   const wst_suite_options *options, wst_result *results)
{
    suite s = {.list = list, .config = config, .options = options, .results = results};
    pthread_t threads[JOBS_MAX];
    int jobs = options->jobs < JOBS_MAX ? options->jobs : JOBS_MAX;

    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.one_done, NULL);
    if (options->tap)
        fprintf(options->tap, "1..%zu\n", list->count);
    for (int i = 0; i < jobs; i++)
        if (pthread_create(&threads[i], NULL, work, &s))
            abort();
    for (size_t index = 0; index < list->count; index++) {
        pthread_mutex_lock(&s.lock);
        while (!results[index].done)
            pthread_cond_wait(&s.one_done, &s.lock);
        pthread_mutex_unlock(&s.lock);
        print_result(&s, index);
    }
    for (int i = 0; i < jobs; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&s.one_done);
    pthread_mutex_destroy(&s.lock);
}

/* ---- which ---- */

static void drop_other_mode(wst_case_list *list, bool stream_mode)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (!(list->at[i].flags & (stream_mode ? WST_ECHO_ONLY : WST_STREAM_ONLY)))
            list->at[kept++] = list->at[i];
    list->count = kept;
}

bool wst_suite_list(const char *group, bool stream_mode, wst_case_list *ret)
{
    bool all = strcmp(group, "all") == 0;
    bool autobahn = all || strcmp(group, "autobahn") == 0;
    bool extra = all || strcmp(group, "extra") == 0;
    bool limits = all || strcmp(group, "limits") == 0;

    if (!autobahn && !extra && !limits)
        return false;
    if (autobahn) {
        wst_cases_framing(ret);
        wst_cases_utf8(ret);
        wst_cases_load(ret);
        wst_cases_deflate(ret);
    }
    if (extra) {
        wst_cases_handshake(ret);
        wst_cases_extra(ret);
        wst_cases_pmd(ret);
    }
    if (limits)
        wst_cases_limits(ret);
    drop_other_mode(ret, stream_mode);
    return true;
}

static bool is_one_of(const char *id, const char *words)
{
    while (*words) {
        size_t size = strcspn(words, ",");
        if (size > 0 && strncmp(id, words, size) == 0 &&
            (id[size] == 0 || id[size] == '.' || id[size] == '-' || words[size - 1] == '.'))
            return true;
        words += size + (words[size] == ',');
    }
    return false;
}

void wst_suite_only(wst_case_list *list, const char *only)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (is_one_of(list->at[i].id, only))
            list->at[kept++] = list->at[i];
    list->count = kept;
}
