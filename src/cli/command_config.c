/* duplex check, duplex config: what is wrong with a configuration, and what it comes to.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/config.h"

#include <unistd.h>

/* ---- check ------------------------------------------------------------------------------------ */

typedef struct check_options {
    const char *file;
} check_options;

static int run_check(const void *options)
{
    const check_options *o = options;
    dx_config config;

    dx_config_init(&config);
    bool ok =
        dx_config_read_file(&config, o->file) && dx_config_finish(&config, &dx_settings_defaults);
    if (ok)
        printf("%s: good\n", o->file);
    else
        fprintf(stderr, "%.*s", DX_FORMAT(config.problems)); /* as compilers do, for editors */
    dx_config_deinit(&config);
    return ok ? DX_EXIT_OK : DX_EXIT_CONFIG;
}

static const check_options check_defaults = {0};
static const dx_cli_argument check_arguments[] = {
    {"FILE", "the configuration", offsetof(check_options, file), false},
};

const dx_cli_command dx_cli_check = {
    .name = "check",
    .summary = "tells what is wrong with a configuration",
    .about =
        "Reads FILE as duplex serve --config does. Ends with 0 and \"FILE: good\", or with 78 and\n"
        "a line for each thing that is wrong: FILE:LINE:COLUMN: what, and what is allowed.\n"
        "docs/configure.md tells what may stand in it.",
    .arguments = check_arguments,
    .arguments_count = DX_COUNT(check_arguments),
    .defaults = &check_defaults,
    .struct_bytes = sizeof check_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_check,
};

/* ---- config ----------------------------------------------------------------------------------- */

static int run_config(const void *options)
{
    dx_config config;

    dx_config_init(&config);
    bool ok = dx_config_load(&config, options, environ);
    if (ok)
        dx_config_write(&config, stdout);
    else
        dx_cli_say_lines("config", dx_buffer_view(&config.problems));
    dx_config_deinit(&config);
    return ok ? DX_EXIT_OK : DX_EXIT_CONFIG;
}

const dx_cli_command dx_cli_config = {
    .name = "config",
    .summary = "prints the configuration that duplex serve would have",
    .about =
        "Prints what duplex serve would do with the same options and environment, as a file that\n"
        "could be given to --config. Beside each value stands where it comes from: default,\n"
        "FILE:LINE, the variable or the option. Options go before variables, these before the\n"
        "file, this before defaults.",
    .options = dx_settings_options,
    .options_count = DX_SETTINGS_COUNT,
    .defaults = &dx_settings_defaults,
    .struct_bytes = sizeof dx_settings_defaults,
    .given_at = offsetof(dx_settings, given),
    .value_exit = DX_EXIT_CONFIG,
    .run = run_config,
};
