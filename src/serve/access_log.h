/* A line for each answer, or for some of them.
 * Is:     which answers are logged, what the line says, at most so many lines a second.
 * Is not: the log itself (base/log.h), who may do what (access.h), metrics.
 * Memory: a struct in each worker.
 * Threads: the policy may be changed from any; the rest is the worker's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ACCESS_LOG_H
#define DX_SERVE_ACCESS_LOG_H

#include "http/http1.h"

/* What dx_access_log_policy_read takes, for error messages. */
#define DX_ACCESS_LOG_FORMS "off, errors, a percentage such as 5% or 0.1%, all"

/* Of a server; each worker may write its part of them. What is beyond is counted, and the count is logged. */
enum { DX_ACCESS_LOG_LINES_MAX = 1000 /* a second */ };

/* Which answers: so many of each million, and perhaps all from 500 on (a sample) or from 400 on (errors). */
typedef uint32_t dx_access_log_policy;

/* "off", "errors", "N%", "all". False: it is none of these. */
bool dx_access_log_policy_read(const char *text, dx_access_log_policy *ret);

typedef struct dx_access_log {
    const dx_log *log;
    const atomic_uint *policy; /* of the server */
    uint32_t lines_max;        /* in a second */
    uint64_t second;           /* of loop time: now, */
    uint32_t lines_count;      /* and written in it */
    uint64_t left_out_count;
    uint64_t random;
} dx_access_log;

void dx_access_log_init(dx_access_log *access_log, const dx_log *log, const atomic_uint *policy,
                        uint32_t workers_count);

/* An exchange is over, or its answer goes on without end from here. Nothing is said of its query, of its
 * header fields or of its body. */
void dx_access_log_note(dx_access_log *access_log, const dx_exchange *x);

#endif
