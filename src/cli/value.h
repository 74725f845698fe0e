/* The value of an option: from text to its field and back; what is allowed, in words.
 * Is:     numbers, sizes (64KiB), times (10s), words, switches, each with its range or choices.
 * Is not: where the text comes from (options.h: words; config.h: file and environment).
 * Memory: fields hold the text they are given, borrowed.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_VALUE_H
#define DX_CLI_VALUE_H

#include "base/bytes.h"
#include "cli/options.h"

/* Sets the field of `o` in `options`; of DX_CLI_TEXTS adds one. False: `why` says what is wrong with
 * `text` and what is allowed, and nothing was changed. */
DX_MUST_USE bool dx_cli_value_read(const dx_cli_option *o, const char *text, void *options,
                                   char why[DX_CLI_WHY_BYTES]);

/* What dx_cli_value_read takes: "1 to 256, or auto". */
void dx_cli_value_allowed(const dx_cli_option *o, char text[DX_CLI_WHY_BYTES]);

/* Writes the field as YAML. False: it has no value, and nothing was written. */
bool dx_cli_value_write(const dx_cli_option *o, const void *options, FILE *to);

/* A copy of the field from one struct into another. */
void dx_cli_value_copy(const dx_cli_option *o, const void *from, void *to);

/* Bytes: digits, and after them B, KiB, MiB or GiB or nothing. False: it is none, or above 2^63. */
bool dx_cli_size_read(dx_bytes text, uint64_t *ret);
/* Milliseconds: digits, and after them ms, s, m, h or d. */
bool dx_cli_duration_read(dx_bytes text, uint64_t *ret);

enum { DX_CLI_UNITS_BYTES = 32 };
/* In the largest unit that leaves no rest: "64KiB", "90s". */
void dx_cli_size_write(uint64_t bytes, char text[DX_CLI_UNITS_BYTES]);
void dx_cli_duration_write(uint64_t ms, char text[DX_CLI_UNITS_BYTES]);

#endif
