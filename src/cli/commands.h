/* The commands of the program.
 * Is:     the table of all, and the door main goes through.
 * Is not: parsing and help (options.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_COMMANDS_H
#define DX_CLI_COMMANDS_H

#include "cli/options.h"

extern const dx_cli_command dx_cli_serve, dx_cli_pub, dx_cli_sub, dx_cli_token, dx_cli_check, dx_cli_config;
extern const dx_cli_command dx_cli_compare;
extern const dx_cli_command dx_cli_backup, dx_cli_verify, dx_cli_export, dx_cli_import;
extern const dx_cli_command dx_cli_help, dx_cli_version;
extern const dx_cli_command dx_cli_reference; /* not in the help */

/* All of them, in the order of the help; NULL at the end. */
extern const dx_cli_command *const dx_cli_commands[];

/* The command of this name, or NULL; also one that is not in the help. */
const dx_cli_command *dx_cli_command_find(const char *name);

/* Runs `argv` (the program's name first). Returns the exit code. */
int dx_cli_main(int argc, char **argv);

#endif
