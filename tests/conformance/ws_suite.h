/* Runs a list of cases on several threads, each under every division into writes, and prints TAP.
 * Is not:  the cases (ws_cases_*.c), the options of the program (ws_main.c).
 * Memory:  a result owns its detail.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_SUITE_H
#define DX_CONFORMANCE_WS_SUITE_H

#include "tests/conformance/ws_case.h"

#include <stdio.h>

typedef enum wst_split_mode {
    WST_SPLIT_NONE,
    WST_SPLIT_BYTES, /* whole; octet by octet; short cases cut at each place, long ones at random */
    WST_SPLIT_RANDOM, /* once, at random */
} wst_split_mode;

typedef struct wst_suite_options {
    wst_split_mode split;
    uint64_t seed;
    int jobs;
    FILE *tap;  /* or NULL */
    bool times; /* a comment for each case over a second */
} wst_suite_options;

typedef struct wst_result {
    wst_grade grade;
    char *detail;
    int ms;
    unsigned runs_count, ends_by_reset;
    bool done;
} wst_result;

/* Runs all cases; results[i] is that of list->at[i]. */
void wst_suite_run(const wst_case_list *list, const wst_config *config,
                   const wst_suite_options *options, wst_result *results);

/* All cases of a group: "autobahn", "extra", "limits", or "all". False: no such group. */
bool wst_suite_list(const char *group, bool stream_mode, wst_case_list *ret);

/* Keeps the cases whose id is one of the comma-separated words, or begins with one and a dot. */
void wst_suite_only(wst_case_list *list, const char *only);

const char *wst_grade_text(wst_grade grade);

#endif
