/* What duplex compare has measured, and how it is told: a table, JSON, a plot.
 * Is:     samples and their percentiles; figures of a phase; the writers.
 * Is not: measuring (compare.h).
 * Memory: samples are a heap block; all else is the caller's.
 * Threads: any, one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_COMPARE_REPORT_H
#define DX_CLI_COMPARE_REPORT_H

#include "base/platform.h"

#include <stdio.h>

/* Nanoseconds, in the order they came. Zero it to begin. */
typedef struct dx_samples {
    uint64_t *at;
    size_t count, room;
} dx_samples;

DX_MUST_USE bool dx_samples_add(dx_samples *s, uint64_t ns);
/* The smallest sample that at least `per_mille` of 1000 are not above (nearest rank). 0 if there is none.
 * Sorts a copy: errors of memory give 0, too. */
uint64_t dx_samples_quantile(const dx_samples *s, unsigned per_mille);
void dx_samples_clear(dx_samples *s);

typedef enum dx_compare_phase {
    DX_COMPARE_TALK, /* a message is published, and comes back to who published it */
    DX_COMPARE_PUSH, /* somebody else publishes at a fixed rate */
    DX_COMPARE_PHASES
} dx_compare_phase;

/* Sums over all messages. Bytes are those that went through the client's sockets: of TCP's payload. */
typedef struct dx_compare_figures {
    uint64_t messages, requests, connections;
    uint64_t open_up, open_down; /* bytes before the first message */
    uint64_t up, down;           /* bytes to the server, and from it */
    uint64_t p50_ns, p99_ns, max_ns;
    uint64_t cpu_ns; /* the server's; see has_cpu */
} dx_compare_figures;

typedef struct dx_compare_row {
    const char *id, *name;
    const char *missing; /* why there are no figures; NULL: there are */
    dx_compare_figures figures[DX_COMPARE_PHASES];
} dx_compare_row;

enum { DX_COMPARE_ROWS_MAX = 8 };

typedef struct dx_compare_report {
    const char *url; /* NULL: a server of our own */
    bool has_cpu;
    uint64_t message_bytes, rate,
        ask_ms; /* rate: pushed, per second; ask_ms: how often who is not told asks */
    dx_compare_row rows[DX_COMPARE_ROWS_MAX];
    size_t rows_count;
} dx_compare_report;

/* "talk", "push" */
const char *dx_compare_phase_name(dx_compare_phase phase);
/* The row of this id if it has figures, or NULL. */
const dx_compare_row *dx_compare_row_find(const dx_compare_report *report, const char *id);

/* For people: two tables, what they say, and when to take which. */
void dx_compare_table_write(const dx_compare_report *report, FILE *to);
/* One object, without a line end; and one of its rows. */
void dx_compare_json_write(const dx_compare_report *report, FILE *to);
void dx_compare_row_json_write(const dx_compare_report *report, const dx_compare_row *row,
                               FILE *to);
/* A plot, good on a light and on a dark page (compare_svg.c). */
void dx_compare_svg_write(const dx_compare_report *report, FILE *to);

#endif
