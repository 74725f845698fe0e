/* Expectations: the little language of dx_probe_case.expect.
 * Is:     which of an expectation's ways still fit the statuses seen so far, and how they may end.
 * Is not: the waiting and reading that find the statuses (http_run).
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_case.h"

typedef enum dx_probe_end {
    DX_PROBE_END_CLOSED, /* FIN, and nothing after the last response */
    DX_PROBE_END_OPEN,   /* the next request on the connection was answered */
} dx_probe_end;

typedef struct dx_probe_fit {
    bool possible;  /* some way begins with these statuses */
    bool more;      /* and of those one goes on */
    bool complete;  /* some way is fulfilled by these statuses */
    bool may_close; /* a complete way ends with "!" or "?" */
    bool may_stay;  /* a complete way ends with "+" or "?" */
} dx_probe_fit;

/* Compares `count` statuses, in the order they came, with `expect`. An unreadable one aborts. */
dx_probe_fit dx_probe_expect_fit(const char *expect, const int *statuses, size_t count);

/* Aborts if `expect` is not well formed: called once for every row. */
void dx_probe_expect_check(const char *expect);
