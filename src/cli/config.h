/* The settings that count: defaults, then a file, then the environment, then flags.
 * Is:     reading a YAML file and DUPLEX_ variables by the tables of settings.h; where each value came from;
 *         what is wrong, with line and column; writing it all down.
 * Is not: the rows (settings.h), values (value.h), YAML itself (yaml_tree.h).
 * Memory: a dx_config owns the texts of file and environment that its settings point to.
 * Threads: any, one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_CONFIG_H
#define DX_CLI_CONFIG_H

#include "base/buffer.h"
#include "cli/settings.h"
#include "cli/yaml_tree.h"

typedef enum dx_config_from {
    DX_FROM_DEFAULT,
    DX_FROM_FILE,
    DX_FROM_ENVIRONMENT,
    DX_FROM_FLAG,
} dx_config_from;

typedef struct dx_config_source {
    dx_config_from from;
    uint32_t line; /* in the file */
} dx_config_source;

typedef struct dx_config {
    dx_settings settings;
    const char *file;                            /* borrowed; NULL: there is none */
    dx_config_source sources[DX_SETTINGS_COUNT]; /* by option */
    dx_yaml yaml;
    dx_arena arena;
    dx_buffer problems; /* lines: "FILE:LINE:COLUMN: what is wrong" */
    size_t problems_count;
} dx_config;

/* The defaults. */
void dx_config_init(dx_config *config);
void dx_config_deinit(dx_config *config);

/* These three go one after the other; each returns false if it met a problem, which is in
 * config->problems then. */

/* text: all of the file `name` (both borrowed; the name for the config's life). Not twice. */
bool dx_config_read(dx_config *config, const char *name, dx_bytes text);
/* environment: "NAME=VALUE", NULL at the end; borrowed for the call. */
bool dx_config_read_environment(dx_config *config, char *const *environment);
/* flags: what a command line said. Then the defaults that depend on other values are filled in. */
bool dx_config_finish(dx_config *config, const dx_settings *flags);

/* All of it: the file is the one that --config or DUPLEX_CONFIG names. */
bool dx_config_load(dx_config *config, const dx_settings *flags, char *const *environment);
/* As dx_config_read, from the disk. */
bool dx_config_read_file(dx_config *config, const char *name);

/* Writes a file that means the same, with the source of each value beside it. */
void dx_config_write(const dx_config *config, FILE *to);

#endif
