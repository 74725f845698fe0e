/* Runs one case once: connect, send in pieces, wait, read every response, see how it ends.
 * Is:     the conversation, and its verdict.
 * Is not: the choice of cases and divisions (http_conformance), or the expectations' grammar.
 * Memory: a result owns its responses; dx_probe_result_deinit frees them.
 * Threads: independent runs may go on in different threads.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_case.h"
#include "tests/conformance/http_expect.h"
#include "tests/conformance/http_response.h"
#include "tests/conformance/http_template.h"
#include "tests/conformance/peer.h"

enum { DX_PROBE_RESPONSES_MAX = 160 };

typedef struct dx_probe_target {
    char host[256], port[8];
    char authority[272];
    const char *get_path;  /* answers GET and HEAD with 200 */
    const char *post_path; /* NULL: a new stream below /live/ for each run */
    bool stream;
    int timeout_ms;     /* for any answer */
    dx_probe_vars file; /* the group "files" only */
} dx_probe_target;

typedef struct dx_probe_attempt {
    dx_peer_split_rule split;
    bool silence; /* observe the 150 ms of a DX_PROBE_SILENCE row */
} dx_probe_attempt;

typedef struct dx_probe_result {
    bool ok;
    char why[400];  /* not ok: what was wrong, one line */
    char seen[200]; /* the final statuses and the end: "200 400 closed" */
    size_t sent_bytes;
    dx_probe_response *responses;
    int statuses[DX_PROBE_RESPONSES_MAX]; /* of each response, interim ones too */
    size_t count, capacity, finals;
} dx_probe_result;

/* Runs `row`; *ret is given (deinit it) whatever came of it. */
void dx_probe_run(const dx_probe_target *target, const dx_probe_case *row,
                  const dx_probe_attempt *attempt, dx_probe_result *ret);

/* One plain GET of `path` with Connection: close. True: ret->responses[0] is a final response. */
bool dx_probe_get(const dx_probe_target *target, const char *path, dx_probe_result *ret);

void dx_probe_result_deinit(dx_probe_result *result);

/* The nth final response, or NULL. */
const dx_probe_response *dx_probe_final(const dx_probe_result *result, size_t index);
