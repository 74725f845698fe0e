/* Help by table, and lines on stderr.
 * SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/bytes.h"

#include <stdarg.h>

enum { INDENT = 2, GAP = 2 };

/* What stands left of an option's help: "--listen ADDR". Returns its width. */
static size_t left_write(const dx_cli_option *o, FILE *to)
{
    const char *dashes = dx_cli_option_is_switched(o) ? "--[no-]" : "--";

    if (to)
        fprintf(to, "%s%s%s%s", dashes, o->name, o->value ? " " : "", o->value ? o->value : "");
    return strlen(dashes) + strlen(o->name) + (o->value ? 1 + strlen(o->value) : 0);
}

/* The lines of `text`, the first where the cursor is, the others below it. */
static void lines_write(const char *text, size_t column, FILE *to)
{
    dx_bytes rest = dx_bytes_of(text), line;

    for (bool is_first = true; dx_bytes_split(&rest, '\n', &line); is_first = false)
        fprintf(to, "%*s%.*s\n", is_first ? 0 : (int)column, "", DX_FORMAT(line));
}

static void options_write(const dx_cli_command *command, FILE *to)
{
    size_t width = strlen("--help");

    for (size_t i = 0; i < command->options_count; i++)
        width = dx_max_size(width, left_write(&command->options[i], NULL));
    for (size_t i = 0; i < command->arguments_count; i++)
        width = dx_max_size(width, strlen(command->arguments[i].name));
    size_t column = INDENT + width + GAP;
    if (command->arguments_count > 0)
        fprintf(to, "\nArguments:\n");
    for (size_t i = 0; i < command->arguments_count; i++) {
        fprintf(to, "%*s%-*s%*s", INDENT, "", (int)width, command->arguments[i].name, GAP, "");
        lines_write(command->arguments[i].help, column, to);
    }
    fprintf(to, "\nOptions:\n");
    for (size_t i = 0; i < command->options_count; i++) {
        fprintf(to, "%*s", INDENT, "");
        size_t left = left_write(&command->options[i], to);
        fprintf(to, "%*s", (int)(width - left + GAP), "");
        lines_write(command->options[i].help, column, to);
    }
    fprintf(to, "%*s%-*s%*sthis\n", INDENT, "", (int)width, "--help", GAP, "");
}

void dx_cli_help_write(const dx_cli_command *command, FILE *to)
{
    fprintf(to, "Usage: duplex %s%s", command->name,
            command->options_count > 0 ? " [OPTIONS]" : "");
    for (size_t i = 0; i < command->arguments_count; i++)
        fprintf(to, command->arguments[i].is_optional ? " [%s]" : " %s",
                command->arguments[i].name);
    fprintf(to, "\n\n%s\n", command->about);
    options_write(command, to);
}

void dx_cli_say(const char *command, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int i = 0; i < size && i < (int)sizeof line - 1; i++)
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    fprintf(stderr, "duplex%s%s: %s\n", command ? " " : "", command ? command : "", line);
}

void dx_cli_say_lines(const char *command, dx_bytes text)
{
    dx_bytes line;

    while (dx_bytes_split(&text, '\n', &line))
        if (line.size > 0)
            dx_cli_say(command, "%.*s", DX_FORMAT(line));
}
