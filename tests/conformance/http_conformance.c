/* The HTTP/1.1 conformance client: runs the tables against a server and prints TAP.
 * Is:     choice of cases, divisions of the request into writes, workers, report.
 * Is not: a conversation (http_run), its expectations (http_case.h), the cases (http_cases_*.c).
 *         Nothing of the server under test is linked: this is the second opinion.
 * Memory: one slot for each case; results are freed as they are judged.
 * Threads: --jobs workers take cases in turn; the first thread prints in the tables' order.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_run.h"
#include "tests/conformance/peer_tls.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOBS_MAX = 64,
    SLOTS_MAX = 1024,
    CUT_BYTES_MAX = 300,     /* requests below this are also cut in two at every place */
    EVERY_BYTES_MAX = 20000, /* requests above this go in pieces of up to 997 octets instead of 1 */
    RANDOM_TURNS = 3,
};

typedef enum split_kind { SPLIT_NONE, SPLIT_BYTES, SPLIT_RANDOM } split_kind;

typedef struct options {
    dx_probe_target target;
    const char *only;
    bool files, list;
    split_kind split;
    uint64_t seed;
    long jobs;
} options;

/* One case and what came of it. */
typedef struct slot {
    const dx_probe_case *row;
    const char *skip; /* why it is not run; NULL: it is */
    bool done, ok;
    unsigned runs;
    char seen[200], why[400], when[80];
} slot;

static options opt = {.jobs = 16};
static slot slots[SLOTS_MAX];
static size_t slots_count;
static atomic_size_t slots_taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;

/* ---- one case, whole and divided ---- */

/* Runs once; false ends the case. `first_seen` is what the undivided request led to. */
static bool run_once(slot *s, const dx_probe_attempt *attempt, const char *when, size_t *ret_size)
{
    dx_probe_result *result = malloc(sizeof *result);

    if (!result)
        abort();
    dx_probe_run(&opt.target, s->row, attempt, result);
    bool first = s->runs++ == 0, ok = result->ok;
    *ret_size = result->sent_bytes;
    snprintf(s->when, sizeof s->when, "%s", when);
    if (!ok) {
        memcpy(s->why, result->why, sizeof s->why);
        memcpy(s->seen, result->seen, sizeof s->seen);
    } else if (first) {
        memcpy(s->seen, result->seen, sizeof s->seen);
    } else if (strcmp(s->seen, result->seen) != 0) {
        snprintf(s->why, sizeof s->why, "outcome is %.100s, but undivided it is %.100s",
                 result->seen, s->seen);
        ok = false;
    }
    dx_probe_result_deinit(result);
    free(result);
    return ok;
}

static bool run_bytes(slot *s, size_t size)
{
    bool small = size <= EVERY_BYTES_MAX;
    dx_probe_attempt every = {
        .split = {.kind = small ? DX_PEER_EVERY : DX_PEER_RANDOM, .size = small ? 1 : 997},
        .silence = true,
    };

    if (!run_once(s, &every, small ? "octet by octet" : "in pieces of up to 997 octets", &size))
        return false;
    for (size_t cut = 1; size < CUT_BYTES_MAX && cut < size; cut++) {
        dx_probe_attempt two = {.split = {.kind = DX_PEER_CUT, .size = cut}};
        char when[40];
        snprintf(when, sizeof when, "cut after %zu octets", cut);
        if (!run_once(s, &two, when, &size))
            return false;
    }
    return true;
}

static bool run_random(slot *s, size_t size)
{
    for (uint64_t turn = 0; turn < RANDOM_TURNS; turn++) {
        dx_probe_attempt random = {
            .split = {.kind = DX_PEER_RANDOM,
                      .size = size <= EVERY_BYTES_MAX ? 16 : 997,
                      .seed = opt.seed + turn},
            .silence = turn == 0,
        };
        char when[64];
        snprintf(when, sizeof when, "in random pieces, seed %llu",
                 (unsigned long long)opt.seed + turn);
        if (!run_once(s, &random, when, &size))
            return false;
    }
    return true;
}

static bool run_case(slot *s)
{
    dx_probe_attempt whole = {.split = {.kind = DX_PEER_WHOLE}, .silence = true};
    size_t size;

    if (!run_once(s, &whole, "undivided", &size))
        return false;
    switch (opt.split) {
    case SPLIT_NONE: return true;
    case SPLIT_BYTES: return run_bytes(s, size);
    case SPLIT_RANDOM: return run_random(s, size);
    }
    return false;
}

static void *work(void *unused)
{
    size_t index;

    (void)unused;
    while ((index = atomic_fetch_add(&slots_taken, 1)) < slots_count) {
        slot *s = &slots[index];
        s->ok = s->skip || run_case(s);
        pthread_mutex_lock(&lock);
        s->done = true;
        pthread_cond_signal(&progress);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* ---- choosing ---- */

static const char *skip_reason(const dx_probe_case *row)
{
    switch (row->needs) {
    case DX_PROBE_ANY: return NULL;
    case DX_PROBE_ECHO: return opt.target.stream ? "needs a server that serves every path" : NULL;
    case DX_PROBE_STREAM: return opt.target.stream ? NULL : "needs streams and /healthz";
    case DX_PROBE_FILE: return NULL;
    case DX_PROBE_MODIFIED:
        return opt.target.file.modified ? NULL : "the file has no Last-Modified";
    }
    return NULL;
}

static void choose(const dx_probe_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const dx_probe_case *row = &table->cases[i];

        dx_probe_expect_check(row->expect);
        if (row->stream)
            dx_probe_expect_check(row->stream);
        if (opt.only && strncmp(row->name, opt.only, strlen(opt.only)) != 0)
            continue;
        if (slots_count == SLOTS_MAX)
            abort();
        slots[slots_count++] = (slot){.row = row, .skip = skip_reason(row)};
    }
}

static void choose_all(void)
{
    static const dx_probe_table *const core[] = {&dx_probe_h1spec,    &dx_probe_compliance,
                                                 &dx_probe_smuggling, &dx_probe_malformed,
                                                 &dx_probe_own,       &dx_probe_own_body};

    if (opt.files) {
        choose(&dx_probe_files);
        return;
    }
    for (size_t i = 0; i < sizeof core / sizeof core[0]; i++)
        choose(core[i]);
}

/* ---- the static file ---- */

static const char *copy(const char *at, size_t size)
{
    char *text = strndup(at, size);

    if (!text)
        abort();
    return text;
}

static const char *number(size_t value)
{
    char digits[24];

    return copy(digits, (size_t)snprintf(digits, sizeof digits, "%zu", value));
}

static void learn_etag(dx_probe_vars *vars, dx_probe_text etag)
{
    char weak[300];
    const char *quote = memchr(etag.at, '"', etag.size);
    size_t skip = quote ? (size_t)(quote - etag.at) : 0;

    snprintf(weak, sizeof weak, "W/%.*s", (int)(etag.size - skip), etag.at + skip);
    vars->etag = copy(etag.at, etag.size);
    vars->weak = copy(weak, strlen(weak));
    if (quote && etag.size >= skip + 2)
        vars->bare = copy(quote + 1, etag.size - skip - 2);
}

/* What the rows of the group "files" speak of; lives until the program ends. */
static bool learn_file(dx_probe_target *target)
{
    dx_probe_result got;
    bool ok = dx_probe_get(target, target->get_path, &got) && got.statuses[0] == 200;

    if (ok) {
        const dx_probe_response *file = &got.responses[0];
        dx_probe_text etag = dx_probe_response_field(file, "ETag");
        dx_probe_text modified = dx_probe_response_field(file, "Last-Modified");
        if (etag.at && etag.size < 256)
            learn_etag(&target->file, etag);
        if (modified.at)
            target->file.modified = copy(modified.at, modified.size);
        target->file.size = number(file->body_size);
        target->file.last = number(file->body_size - (file->body_size > 0));
    } else
        printf("Bail out! GET %s is answered by %s, %s\n", target->get_path, got.seen, got.why);
    dx_probe_result_deinit(&got);
    return ok;
}

/* ---- reporting ---- */

static const char *tier_name(dx_probe_tier tier)
{
    switch (tier) {
    case DX_PROBE_MUST: return "MUST";
    case DX_PROBE_SHOULD: return "SHOULD";
    case DX_PROBE_MAY: return "MAY";
    case DX_PROBE_H1SPEC: return "h1spec";
    case DX_PROBE_POLICY: return "policy";
    case DX_PROBE_OWN: return "own";
    }
    return "?";
}

static void print_request(const dx_probe_case *row)
{
    printf("#   request: ");
    for (size_t i = 0; i < row->send.size && i < 240; i++) {
        unsigned char c = (unsigned char)row->send.at[i];
        if (c == '\r' || c == '\n')
            printf("%s", c == '\r' ? "\\r" : "\\n");
        else if (c < ' ' || c >= 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    printf("%s\n", row->send.size > 240 ? "..." : "");
}

static void print_slot(const slot *s, size_t number_)
{
    const dx_probe_case *row = s->row;
    const char *expect = opt.target.stream && row->stream ? row->stream : row->expect;

    printf("%s %zu - %s %s (%s)", s->ok ? "ok" : "not ok", number_, row->name, row->section,
           tier_name(row->tier));
    if (s->skip)
        printf(" # SKIP %s\n", s->skip);
    else
        printf(" %s%s\n", s->seen, s->ok && s->runs > 1 ? ", however divided" : "");
    if (s->ok)
        return;
    printf("#   expected: %s\n#   %s: %s\n", expect, s->when, s->why);
    print_request(row);
}

static void print_summary(void)
{
    size_t passed[DX_PROBE_TIERS] = {0}, total[DX_PROBE_TIERS] = {0}, skipped = 0;

    for (size_t i = 0; i < slots_count; i++) {
        dx_probe_tier tier = slots[i].row->tier;
        if (tier == DX_PROBE_POLICY)
            tier = DX_PROBE_OWN;
        total[tier]++;
        passed[tier] += slots[i].ok && !slots[i].skip;
        skipped += slots[i].skip != NULL;
    }
    if (skipped)
        printf("# skipped %zu: they make no sense on this server\n", skipped);
    printf("# MUST %zu/%zu, SHOULD %zu/%zu, MAY %zu/%zu, h1spec %zu/%zu, own %zu/%zu\n",
           passed[DX_PROBE_MUST], total[DX_PROBE_MUST], passed[DX_PROBE_SHOULD],
           total[DX_PROBE_SHOULD], passed[DX_PROBE_MAY], total[DX_PROBE_MAY],
           passed[DX_PROBE_H1SPEC], total[DX_PROBE_H1SPEC], passed[DX_PROBE_OWN],
           total[DX_PROBE_OWN]);
}

/* Prints each case as soon as all before it are done. Returns how many failed. */
static size_t report(void)
{
    size_t failed = 0;

    printf("1..%zu\n", slots_count);
    for (size_t i = 0; i < slots_count; i++) {
        pthread_mutex_lock(&lock);
        while (!slots[i].done)
            pthread_cond_wait(&progress, &lock);
        pthread_mutex_unlock(&lock);
        print_slot(&slots[i], i + 1);
        fflush(stdout);
        failed += !slots[i].ok;
    }
    print_summary();
    return failed;
}

static size_t run_all(void)
{
    pthread_t workers[JOBS_MAX];

    for (long i = 0; i < opt.jobs; i++)
        if (pthread_create(&workers[i], NULL, work, NULL))
            abort();
    size_t failed = report();
    for (long i = 0; i < opt.jobs; i++)
        pthread_join(workers[i], NULL);
    return failed;
}

/* Without a server every case would fail, one deadline after the other. */
static bool is_reachable(const dx_probe_target *target)
{
    dx_peer peer;
    dx_peer_status status = dx_peer_connect(&peer, target->host, target->port, target->timeout_ms);

    dx_peer_deinit(&peer);
    if (status != DX_PEER_OK)
        printf("Bail out! nothing listens on %s\n", target->authority);
    return status == DX_PEER_OK;
}

/* ---- the command line ---- */

static int usage(const char *wrong)
{
    fprintf(stderr,
            "%s\nusage: http_conformance --target [https://]HOST:PORT [--mode echo|stream] [--path PATH]\n"
            "         [--group core|files] [--only PREFIX] [--split none|bytes|random[:SEED]]\n"
            "         [--jobs N] [--timeout MS] | --list\n"
            "  echo:   every request gets 200 (default)   stream: /healthz and /live/NAME\n"
            "  files:  conditions and ranges of the static file at --path\n",
            wrong);
    return 2;
}

static bool parse_split(const char *text)
{
    if (strcmp(text, "none") == 0)
        opt.split = SPLIT_NONE;
    else if (strcmp(text, "bytes") == 0)
        opt.split = SPLIT_BYTES;
    else if (strcmp(text, "random") == 0 || strncmp(text, "random:", 7) == 0) {
        opt.split = SPLIT_RANDOM;
        opt.seed = text[6] ? strtoull(text + 7, NULL, 10) : 1;
    } else
        return false;
    return true;
}

static bool parse_target(const char *text)
{
    dx_peer_url url;

    if (!dx_peer_url_parse(text, &url) || (url.is_secure && !dx_peer_tls_use()))
        return false;
    memcpy(opt.target.host, url.host, sizeof url.host);
    memcpy(opt.target.port, url.port, sizeof url.port);
    snprintf(opt.target.authority, sizeof opt.target.authority,
             strchr(url.host, ':') ? "[%s]:%s" : "%s:%s", url.host, url.port);
    return true;
}

static bool parse_word(const char *text, const char *no, const char *yes, bool *ret)
{
    *ret = strcmp(text, yes) == 0;
    return *ret || strcmp(text, no) == 0;
}

static bool parse_option(int option, const char *value)
{
    switch (option) {
    case 't': return parse_target(value);
    case 'p': opt.target.get_path = value; return *value == '/';
    case 'm': return parse_word(value, "echo", "stream", &opt.target.stream);
    case 'g': return parse_word(value, "core", "files", &opt.files);
    case 'o': opt.only = value; return true;
    case 's': return parse_split(value);
    case 'j': opt.jobs = strtol(value, NULL, 10); return opt.jobs > 0 && opt.jobs <= JOBS_MAX;
    case 'w': opt.target.timeout_ms = atoi(value); return opt.target.timeout_ms > 0;
    case 'l': opt.list = true; return true;
    }
    return false;
}

static void list(void)
{
    choose_all();
    for (size_t i = 0; i < slots_count; i++)
        printf("%s\t%s\t%s\t%s\n", tier_name(slots[i].row->tier), slots[i].row->name,
               slots[i].row->section, slots[i].row->expect);
}

/* Where requests go when nothing else was said. */
static void settle_paths(dx_probe_target *target)
{
    if (!target->get_path)
        target->get_path = target->stream ? "/healthz" : "/";
    if (!target->stream)
        target->post_path = target->get_path;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"target", 1, NULL, 't'}, {"path", 1, NULL, 'p'},    {"mode", 1, NULL, 'm'},
        {"group", 1, NULL, 'g'},  {"only", 1, NULL, 'o'},    {"split", 1, NULL, 's'},
        {"jobs", 1, NULL, 'j'},   {"timeout", 1, NULL, 'w'}, {"list", 0, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    int option;

    setvbuf(stdout, NULL, _IOLBF, 0);
    opt.target.timeout_ms = 3000;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (option == '?' || !parse_option(option, optarg))
            return usage("an option is unknown or its value is not understood");
    if (opt.list)
        return list(), 0;
    if (optind < argc || !opt.target.port[0])
        return usage("--target is missing, or there is too much");
    settle_paths(&opt.target);
    signal(SIGPIPE, SIG_IGN);
    if (!is_reachable(&opt.target) || (opt.files && !learn_file(&opt.target)))
        return 1;
    choose_all();
    size_t failed = run_all();
    if (slots_count == 0)
        fprintf(stderr, "no case is called %s...\n", opt.only ? opt.only : "");
    return failed > 0 || slots_count == 0;
}
