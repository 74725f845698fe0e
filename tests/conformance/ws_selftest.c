/* The check of the checker. See ws_selftest.h.
 * Is:      the suite against the model server: all must pass while it is right; for each way in
 *          which it is wrong, the cases named here must fail, and a few others must not.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_selftest.h"

#include "tests/conformance/ws_model.h"
#include "tests/conformance/ws_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LARGE_MAX = 33554432,
    SMALL_MAX = 65536,
    FAULT_WAIT_MS = 1500, /* some faults show as silence */
};

typedef struct broken {
    wst_fault fault;
    const char *what;
    const char *caught_by; /* every one of these cases must be worse than OK */
    const char *not_by;    /* and every one of these must be OK */
    wst_split_mode split;
    size_t message_max; /* 0: SMALL_MAX */
    bool keeps_context;
} broken;

#define CATCH(by, but_not_by) .caught_by = (by), .not_by = (but_not_by)

static const broken table[] = {
    {WST_FAULT_WRONG_ACCEPT, "a wrong Sec-WebSocket-Accept", CATCH("1.1.1,WX-HS.24", "WX-HS.4")},
    {WST_FAULT_ANY_ORIGIN, "any Origin is welcome",
     CATCH("WX-HS.20,WX-HS.21,WX-HS.27", "WX-HS.26")},
    {WST_FAULT_BARE_426, "426 without the version", CATCH("WX-HS.9,WX-HS.10", "WX-HS.4")},
    {WST_FAULT_BODY_ACCEPTED, "a request with a body is upgraded",
     CATCH("WX-HS.16,WX-HS.17", "WX-HS.1")},
    {WST_FAULT_UNASKED_EXTENSION, "an extension that was not offered", CATCH("1.1.1", "WX-PMD.9")},
    {WST_FAULT_WRONG_OCTET, "one bit of the last octet is wrong",
     CATCH("1.1.2,1.1.8,5.3,10.1.1", "1.1.1,2.2")},
    {WST_FAULT_WRONG_KIND, "text comes back as binary", CATCH("1.1.1,1.1.2", "1.2.1,1.2.2")},
    {WST_FAULT_MASKED, "masked frames", CATCH("1.1.1,2.1,7.1.1", "")},
    {WST_FAULT_LONG_LENGTH, "lengths of 64 bits only",
     CATCH("1.1.1,1.1.2,1.2.3", "2.1,7.1.2,1.1.7")},
    {WST_FAULT_LATE_PONG, "pongs wait for the message around them",
     CATCH("5.6,5.7,5.19,5.20", "2.1,2.10,5.3")},
    {WST_FAULT_EMPTY_PONG, "pongs without payload", CATCH("2.2,2.4,2.10", "2.1")},
    {WST_FAULT_LAST_PONG_ONLY, "only the last ping is answered", CATCH("2.10", "2.1,2.9")},
    {WST_FAULT_ECHO_LOST, "what came before a fault is not answered",
     CATCH("3.2,5.15", "3.1,1.1.1")},
    {WST_FAULT_WRONG_CODE, "1008 for 1002", CATCH("2.5,3.1,4.1.1,5.1,7.3.2,WX-MASK.1", "6.3.1")},
    {WST_FAULT_NO_CLOSE, "TCP ends without a Close", CATCH("2.5,3.1,6.3.1,7.9.1", "1.1.1,7.1.1")},
    {WST_FAULT_UNKNOWN_OPCODE_OK, "unknown opcodes are passed over",
     CATCH("4.1.1,4.2.1,WX-CLOSE.9", "3.1")},
    {WST_FAULT_UNMASKED_OK, "unmasked frames are taken",
     CATCH("WX-MASK.1,WX-MASK.2,WX-MASK.3", "WX-MASK.4")},
    {WST_FAULT_LENGTH_OK, "any form of a length is taken",
     CATCH("WX-LEN.1,WX-LEN.2,WX-LEN.6", "1.1.3")},
    {WST_FAULT_STRAY_OK, "a stray continuation begins a message",
     CATCH("5.9,5.10,5.11,5.17", "5.3,5.18")},
    {WST_FAULT_UTF8_UNCHECKED, "no UTF-8 check",
     CATCH("6.3.1,6.4.1,6.4.3,6.6.1,6.12.1,6.20.1", "6.2.1,6.5")},
    {WST_FAULT_UTF8_LATE, "UTF-8 is checked at the end",
     CATCH("6.4.1,6.4.2,6.4.3,6.4.4", "6.3.1,6.12.1")},
    {WST_FAULT_UTF8_BY_FRAME, "each frame must be whole UTF-8",
     CATCH("6.2.3,6.2.4", "6.2.1,6.2.2")},
    {WST_FAULT_UTF8_SURROGATES_OK, "surrogates pass", CATCH("6.3.1,6.20.1,6.21.8", "6.12.1,6.22")},
    {WST_FAULT_CODE_UNCHECKED, "any close code is taken",
     CATCH("7.9.1,7.9.6,7.9.9,WX-CLOSE.5", "7.7.1,7.3.2")},
    {WST_FAULT_REASON_UNCHECKED, "reasons need not be UTF-8", CATCH("7.5.1,WX-CLOSE.13", "7.3.5")},
    {WST_FAULT_CLOSE_TWICE, "two Closes", CATCH("7.1.1,7.1.2", "3.1")},
    {WST_FAULT_PONG_AFTER_CLOSE, "goes on after its Close", CATCH("7.1.3,7.1.4", "3.1")},
    {WST_FAULT_SENDS_1005, "1005 on the wire", CATCH("7.3.1,WX-CLOSE.11", "7.1.1")},
    {WST_FAULT_NEVER_CLOSES_TCP, "TCP stays open", CATCH("7.1.1,3.1,WX-CLOSE.6,WX-CLOSE.12", "")},
    {WST_FAULT_RST, "RST in place of FIN", CATCH("1.1.1,7.1.1,WX-CLOSE.12", "")},
    {WST_FAULT_FIN_IGNORED, "a FIN is not noticed", CATCH("WX-CLOSE.7,WX-HS.23", "7.1.1")},
    {WST_FAULT_SIZE_UNLIMITED, "no limit of a message",
     CATCH("WX-LEN.5,WX-LIM.2,WX-LIM.4,WX-LIM.5", "WX-LIM.1")},
    {WST_FAULT_SIZE_AT_END, "the limit only counts octets that came",
     CATCH("WX-LEN.5,WX-LIM.5", "WX-LIM.1")},
    {WST_FAULT_BOMB_OK, "no limit while inflating",
     CATCH("WX-PMD.24,WX-LIM.7,WX-LIM.8", "WX-LIM.6,WX-LIM.2")},
    {WST_FAULT_FRAGMENTS_OK, "any number of fragments",
     CATCH("WX-LIM.10,WX-LIM.12,WX-LIM.18", "WX-LIM.9,WX-LIM.11")},
    {WST_FAULT_CONTROLS_OK, "any number of control frames",
     CATCH("WX-LIM.15,WX-LIM.16", "WX-LIM.14,WX-LIM.17")},
    {WST_FAULT_WIDE_WINDOW, "the agreed window is not kept to", CATCH("13.3.10", "13.4.10,12.1.10"),
     .message_max = LARGE_MAX, .keeps_context = true},
    {WST_FAULT_KEEPS_CONTEXT, "context is kept though it must not be",
     CATCH("13.2.4,WX-PMD.7", "1.1.1")},
    {WST_FAULT_FORGETS_WINDOW, "the window is lost after each message",
     CATCH("12.1.4,WX-PMD.20", "WX-PMD.17"), .keeps_context = true},
    {WST_FAULT_RSV1_ANYWHERE, "RSV1 on any frame",
     CATCH("WX-PMD.12,WX-PMD.13,WX-PMD.39", "WX-PMD.14")},
    {WST_FAULT_BAD_DEFLATE_1002, "1002 for bad deflate",
     CATCH("WX-PMD.23,WX-PMD.35,WX-PMD.36", "WX-PMD.17")},
    {WST_FAULT_WHOLE_HEADS, "a head must come in one read, split", CATCH("1.1.2,2.2,5.3", ""),
     .split = WST_SPLIT_BYTES},
    {WST_FAULT_WHOLE_HEADS, "a head must come in one read, not split", CATCH("", "1.1.2,2.2,5.3")},
};

typedef struct selftest {
    int jobs, number;
    bool failed;
} selftest;

static void report(selftest *t, bool is_good, const char *what)
{
    printf("%s %d - %s\n", is_good ? "ok" : "not ok", ++t->number, what);
    t->failed |= !is_good;
}

/* Runs the cases that `only` names (NULL: all of the group); tells each that is not as wanted. */
static bool run_cases(const selftest *t, const wst_config *config, const char *group,
                      const char *only, wst_split_mode split, bool must_fail)
{
    wst_suite_options options = {.split = split, .seed = 7, .jobs = t->jobs};
    wst_case_list list = {0};
    bool is_good = true;

    if (!wst_suite_list(group, false, &list))
        abort();
    if (only)
        wst_suite_only(&list, only);
    wst_result *results = calloc(list.count + 1, sizeof *results);
    if (!results)
        abort();
    wst_suite_run(&list, config, &options, results);
    for (size_t i = 0; i < list.count; i++) {
        bool failed = results[i].grade == WST_FAILED || results[i].grade == WST_NON_STRICT;
        if (failed != must_fail) {
            printf("# %s is %s, and must %s: %s\n", list.at[i].id, wst_grade_text(results[i].grade),
                   must_fail ? "not pass" : "pass", results[i].detail ? results[i].detail : "");
            is_good = false;
        }
        free(results[i].detail);
    }
    if (list.count == 0 && only && *only) {
        printf("# no such case: %s\n", only);
        is_good = false;
    }
    free(results);
    free(list.at);
    return is_good;
}

static wst_model *start(const wst_model_options *options, wst_config *config)
{
    wst_model *model = wst_model_start(options);
    char text[64];

    if (!model)
        abort();
    snprintf(text, sizeof text, "ws://127.0.0.1:%u/echo", wst_model_port(model));
    *config = (wst_config){.quick = true, .message_max = options->message_max, .wait_ms = 10000};
    if (!dx_peer_url_parse(text, &config->url))
        abort();
    config->url_binary = config->url;
    return model;
}

static void check_good(selftest *t, const char *what, size_t message_max, bool keeps_context,
                       const char *group, wst_split_mode split)
{
    wst_model_options options = {.message_max = message_max, .keeps_context = keeps_context};
    wst_config config;
    wst_model *model = start(&options, &config);

    report(t, run_cases(t, &config, group, NULL, split, false), what);
    wst_model_stop(model);
}

static void check_broken(selftest *t, const broken *one)
{
    wst_model_options options = {.fault = one->fault,
                                 .keeps_context = one->keeps_context,
                                 .message_max = one->message_max ? one->message_max : SMALL_MAX};
    wst_config config;
    wst_model *model = start(&options, &config);

    config.wait_ms = FAULT_WAIT_MS;
    bool caught = run_cases(t, &config, "all", one->caught_by, one->split, true);
    bool spared = run_cases(t, &config, "all", one->not_by, one->split, false);
    report(t, caught && spared, one->what);
    wst_model_stop(model);
}

int wst_selftest(int jobs)
{
    selftest t = {.jobs = jobs};
    size_t count = sizeof table / sizeof table[0];

    printf("1..%zu\n", count + 5);
    check_good(&t, "all Autobahn cases pass on the good model", LARGE_MAX, false, "autobahn",
               WST_SPLIT_NONE);
    check_good(&t, "all extra cases pass on the good model", LARGE_MAX, false, "extra",
               WST_SPLIT_NONE);
    check_good(&t, "all extra cases pass with context, divided at random", LARGE_MAX, true, "extra",
               WST_SPLIT_RANDOM);
    check_good(&t, "all limits pass on the good model", SMALL_MAX, false, "limits", WST_SPLIT_NONE);
    check_good(&t, "all limits pass octet by octet or at random", SMALL_MAX, true, "limits",
               WST_SPLIT_BYTES);
    for (size_t i = 0; i < count; i++)
        check_broken(&t, &table[i]);
    return t.failed;
}
