/* ws_conformance: 517 cases of the Autobahn|Testsuite and our own, against a WebSocket server.
 * Is:      the options and the summary; the exit code is 0 if all is OK or INFORMATIONAL.
 * Is not:  the cases (ws_cases_*.c), the running (ws_suite.c), the self-test (ws_selftest.c).
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/peer_tls.h"
#include "tests/conformance/ws_selftest.h"
#include "tests/conformance/ws_suite.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: ws_conformance --url ws[s]://HOST:PORT/PATH [options] | --self-test | --list\n"
    "  --url-binary URL            where binary messages go (default: the same)\n"
    "  --mode echo|stream          stream: each case gets its own stream PATH/<random>\n"
    "  --group autobahn|extra|limits|all|default   default: autobahn and extra\n"
    "  --only ID[,ID...]           ids, or their beginnings: 6.4,WX-HS\n"
    "  --split none|bytes|random[:SEED]\n"
    "  --quick                     50 messages, not 1000, in 9.7, 9.8, 12 and 13\n"
    "  --jobs N                    cases at a time (4)\n"
    "  --message-max-of-server N   the server's limit (33554432)\n"
    "  --wait MS                   how long without progress is too long (10000)\n"
    "  --times                     tell the cases that took over a second\n";

typedef struct options {
    wst_config config;
    wst_suite_options suite;
    const char *group, *only;
    bool has_url, has_url_binary, self_test, list;
} options;

static bool parse_split(options *o, const char *text)
{
    if (strcmp(text, "none") == 0)
        o->suite.split = WST_SPLIT_NONE;
    else if (strcmp(text, "bytes") == 0)
        o->suite.split = WST_SPLIT_BYTES;
    else if (strncmp(text, "random", 6) == 0 && (text[6] == 0 || text[6] == ':'))
        o->suite.split = WST_SPLIT_RANDOM;
    else
        return false;
    if (o->suite.split == WST_SPLIT_RANDOM)
        o->suite.seed = text[6] ? strtoull(text + 7, NULL, 10) : wst_random() % 1000000;
    return true;
}

static bool parse_one(options *o, int option, const char *value)
{
    switch (option) {
    case 'u':
        o->has_url = dx_peer_url_parse(value, &o->config.url);
        return o->has_url && (!o->config.url.is_secure || dx_peer_tls_use());
    case 'b': return o->has_url_binary = dx_peer_url_parse(value, &o->config.url_binary);
    case 'm':
        o->config.stream_mode = strcmp(value, "stream") == 0;
        return o->config.stream_mode || strcmp(value, "echo") == 0;
    case 'g': o->group = value; return true;
    case 'o': o->only = value; return true;
    case 's': return parse_split(o, value);
    case 'q': return o->config.quick = true;
    case 'j': return (o->suite.jobs = atoi(value)) > 0;
    case 'M': return (o->config.message_max = strtoull(value, NULL, 10)) > 0;
    case 'w': return (o->config.wait_ms = atoi(value)) > 0;
    case 't': return o->suite.times = true;
    case 'S': return o->self_test = true;
    case 'L': return o->list = true;
    default: return false;
    }
}

static bool parse(options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"url", 1, NULL, 'u'},
        {"url-binary", 1, NULL, 'b'},
        {"mode", 1, NULL, 'm'},
        {"group", 1, NULL, 'g'},
        {"only", 1, NULL, 'o'},
        {"split", 1, NULL, 's'},
        {"quick", 0, NULL, 'q'},
        {"jobs", 1, NULL, 'j'},
        {"message-max-of-server", 1, NULL, 'M'},
        {"wait", 1, NULL, 'w'},
        {"times", 0, NULL, 't'},
        {"self-test", 0, NULL, 'S'},
        {"list", 0, NULL, 'L'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (!parse_one(o, option, optarg))
            return false;
    if (!o->has_url_binary)
        o->config.url_binary = o->config.url;
    return optind == argc && (o->has_url || o->self_test || o->list);
}

static bool make_list(const options *o, wst_case_list *ret)
{
    bool is_default = strcmp(o->group, "default") == 0;

    if (!wst_suite_list(is_default ? "autobahn" : o->group, o->config.stream_mode, ret) ||
        (is_default && !wst_suite_list("extra", o->config.stream_mode, ret)))
        return false;
    if (o->only)
        wst_suite_only(ret, o->only);
    return ret->count > 0;
}

static int run(const options *o, const wst_case_list *list)
{
    wst_result *results = calloc(list->count, sizeof *results);
    unsigned counts[4] = {0}, resets = 0, runs = 0;

    if (!results)
        abort();
    if (o->suite.split == WST_SPLIT_RANDOM)
        printf("# --split random:%llu\n", (unsigned long long)o->suite.seed);
    wst_suite_run(list, &o->config, &o->suite, results);
    for (size_t i = 0; i < list->count; i++) {
        counts[results[i].grade]++;
        resets += results[i].ends_by_reset;
        runs += results[i].runs_count;
        free(results[i].detail);
    }
    free(results);
    printf("# %u runs; %u failed connections ended by RST after their Close\n", runs, resets);
    printf("# OK %u, NON-STRICT %u, INFORMATIONAL %u, FAILED %u\n", counts[WST_OK],
           counts[WST_NON_STRICT], counts[WST_INFORMATIONAL], counts[WST_FAILED]);
    return counts[WST_NON_STRICT] || counts[WST_FAILED];
}

int main(int argc, char **argv)
{
    options o = {
        .config = {.message_max = 33554432, .wait_ms = 10000},
        .suite = {.jobs = 4, .tap = stdout, .seed = 1},
        .group = "default",
    };
    wst_case_list list = {0};
    int result = 0;

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!parse(&o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (o.self_test)
        return wst_selftest(o.suite.jobs);
    if (!make_list(&o, &list)) {
        fputs("no such group or case\n", stderr);
        result = 2;
    } else if (o.list) {
        for (size_t i = 0; i < list.count; i++)
            printf("%s %s %s\n", list.at[i].id, list.at[i].section, list.at[i].title);
    } else {
        result = run(&o, &list);
    }
    free(list.at);
    return result;
}
