/* The program: which command, and the two that speak of the others.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "base/assert.h"

#include <duplex/duplex.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

const dx_cli_command *const dx_cli_commands[] = {
    &dx_cli_serve,  &dx_cli_pub,     &dx_cli_sub,    &dx_cli_compare, &dx_cli_check,
    &dx_cli_config, &dx_cli_backup,  &dx_cli_verify, &dx_cli_export,  &dx_cli_import, &dx_cli_token,
    &dx_cli_help,   &dx_cli_version, NULL,
};

const dx_cli_command *dx_cli_command_find(const char *name)
{
    for (size_t i = 0; dx_cli_commands[i]; i++)
        if (strcmp(dx_cli_commands[i]->name, name) == 0)
            return dx_cli_commands[i];
    return strcmp(dx_cli_reference.name, name) == 0 ? &dx_cli_reference : NULL;
}

static int unknown_command(const char *name)
{
    char allowed[256] = "";
    size_t size = 0;

    for (size_t i = 0; dx_cli_commands[i]; i++)
        size += (size_t)snprintf(allowed + size, sizeof allowed - size, "%s%s", i > 0 ? ", " : "",
                                 dx_cli_commands[i]->name);
    if (name)
        dx_cli_say(NULL, "unknown command %.64s; allowed: %s", name, allowed);
    else
        dx_cli_say(NULL, "usage: duplex COMMAND [OPTIONS]; commands: %s", allowed);
    return DX_EXIT_USAGE;
}

/* Data on stdout must have arrived there, or the exit code says so; but who reads no more knows it. */
static int flushed(int code)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return code;
    dx_cli_say(NULL, "cannot write to stdout");
    return code == DX_EXIT_OK ? DX_EXIT_FAILURE : code;
}

/* ---- help, version ---------------------------------------------------------------------------- */

typedef struct help_options {
    const char *name;
} help_options;

static void all_help_write(FILE *to)
{
    fprintf(to, "Usage: duplex COMMAND [OPTIONS]\n\n"
                "duplex serves streams: every stream is a URL, read by HTTP, live by WebSocket.\n\n"
                "Commands:\n");
    for (size_t i = 0; dx_cli_commands[i]; i++)
        fprintf(to, "  %-8s  %s\n", dx_cli_commands[i]->name, dx_cli_commands[i]->summary);
    fprintf(to,
            "\nExit codes: 0 all is well, 1 it failed, 2 wrong usage, 78 wrong configuration.\n");
}

static int run_help(const void *options)
{
    const help_options *o = options;
    const dx_cli_command *command = o->name ? dx_cli_command_find(o->name) : NULL;

    if (o->name && command == NULL)
        return unknown_command(o->name);
    if (command)
        dx_cli_help_write(command, stdout);
    else
        all_help_write(stdout);
    return DX_EXIT_OK;
}

static int run_version(const void *options)
{
    (void)options;
    printf("duplex %s\n", dx_version());
    return DX_EXIT_OK;
}

static const help_options help_defaults = {0};
static const dx_cli_argument help_arguments[] = {
    {"COMMAND", "the command to tell about; none: all of them", offsetof(help_options, name), true},
};

const dx_cli_command dx_cli_help = {
    .name = "help",
    .summary = "tells about a command",
    .about = "Tells what a command does and which options it has.",
    .arguments = help_arguments,
    .arguments_count = DX_COUNT(help_arguments),
    .defaults = &help_defaults,
    .struct_bytes = sizeof help_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_help,
};

const dx_cli_command dx_cli_version = {
    .name = "version",
    .summary = "prints the version",
    .about = "Prints the version of the program.",
    .defaults = &help_defaults,
    .struct_bytes = sizeof help_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_version,
};

/* ---- main ------------------------------------------------------------------------------------- */

static int run_command(const dx_cli_command *command, dx_cli_words words)
{
    alignas(max_align_t) uint8_t options[DX_CLI_STRUCT_BYTES_MAX];
    char why[DX_CLI_WHY_BYTES];

    dx_assert(command->struct_bytes <= sizeof options);
    memcpy(options, command->defaults, command->struct_bytes);
    switch (dx_cli_parse(command, words, options, why)) {
    case DX_CLI_OK: return command->run(options);
    case DX_CLI_HELP: dx_cli_help_write(command, stdout); return DX_EXIT_OK;
    case DX_CLI_USAGE:
        dx_cli_say(command->name, "%s (see: duplex help %s)", why, command->name);
        return DX_EXIT_USAGE;
    case DX_CLI_VALUE: dx_cli_say(command->name, "%s", why); return command->value_exit;
    }
    dx_unreachable("dx_cli_outcome outside its enum");
}

/* Descriptors 0 to 2 that somebody closed: nothing that is opened later may take their place. What
 * stands there instead fails when it is used, as a closed one would. */
static void hold_standard_fds(void)
{
    static const int flags[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};

    for (int fd = 0; fd < (int)DX_COUNT(flags); fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
            _exit(DX_EXIT_FAILURE);
}

int dx_cli_main(int argc, char **argv)
{
    hold_standard_fds();

    static const char *const aliases[][2] = {
        {"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};
    const char *name = argc > 1 ? argv[1] : NULL;

    for (size_t i = 0; name && i < DX_COUNT(aliases); i++)
        if (strcmp(name, aliases[i][0]) == 0)
            name = aliases[i][1];
    const dx_cli_command *command = name ? dx_cli_command_find(name) : NULL;
    if (command == NULL)
        return unknown_command(name);
    return flushed(run_command(command, (dx_cli_words){argc - 2, argv + 2}));
}
