/* duplex reference: man pages and shell completion, from the tables that parse the options.
 * Is:     man pages (man(7)) of the program and of each command; completion for bash, zsh and fish.
 * Is not: help on a terminal (help.c), the table in docs/configure.md.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <duplex/duplex.h>
#include <string.h>

typedef struct reference_options {
    const char *what, *name;
} reference_options;

/* ---- man pages --------------------------------------------------------------------------------- */

/* Text as roff takes it: no line begins with a control character, backslashes and dashes are themselves. */
static void roff_write(dx_bytes text, FILE *to)
{
    bool is_start = true;

    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.at[i];
        if (is_start && (c == '.' || c == '\''))
            fputs("\\&", to);
        if (c == '\\')
            fputs("\\e", to);
        else if (c == '-')
            fputs("\\-", to);
        else
            fputc(c, to);
        is_start = c == '\n';
    }
}

static void roff_text(const char *text, FILE *to)
{
    roff_write(dx_bytes_of(text), to);
}

static void roff_title(const char *command, FILE *to)
{
    fprintf(to, ".TH DUPLEX%s%s 1 \"\" \"duplex %s\" \"User Commands\"\n.SH NAME\nduplex%s%s \\- ",
            command ? "\\-" : "", command ? command : "", dx_version(), command ? "\\-" : "",
            command ? command : "");
}

static void roff_option(const dx_cli_option *o, FILE *to)
{
    fprintf(to, ".TP\n.B \\-\\-%s", dx_cli_option_is_switched(o) ? "[no\\-]" : "");
    roff_text(o->name, to);
    if (o->value) {
        fputs("\\fR \\fI", to);
        roff_text(o->value, to);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    roff_text(o->help, to);
    fputc('\n', to);
}

static void man_command(const dx_cli_command *command, FILE *to)
{
    roff_title(command->name, to);
    roff_text(command->summary, to);
    fprintf(to, "\n.SH SYNOPSIS\n.B duplex %s\n", command->name);
    if (command->options_count > 0)
        fputs("[\\fIOPTIONS\\fR]\n", to);
    for (size_t i = 0; i < command->arguments_count; i++)
        fprintf(to, command->arguments[i].is_optional ? "[\\fI%s\\fR]\n" : "\\fI%s\\fR\n",
                command->arguments[i].name);
    fputs(".SH DESCRIPTION\n.nf\n", to);
    roff_text(command->about, to);
    fputs("\n.fi\n", to);
    if (command->arguments_count > 0)
        fputs(".SH ARGUMENTS\n", to);
    for (size_t i = 0; i < command->arguments_count; i++) {
        fprintf(to, ".TP\n.I %s\n", command->arguments[i].name);
        roff_text(command->arguments[i].help, to);
        fputc('\n', to);
    }
    fputs(".SH OPTIONS\n", to);
    for (size_t i = 0; i < command->options_count; i++)
        roff_option(&command->options[i], to);
    fputs(".TP\n.B \\-\\-help\nthe same on the terminal\n", to);
    fputs(".SH SEE ALSO\n.BR duplex (1)\n", to);
}

static void man_program(FILE *to)
{
    roff_title(NULL, to);
    fputs("streams at URLs, read by HTTP, live by WebSocket\n"
          ".SH SYNOPSIS\n.B duplex\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH COMMANDS\n",
          to);
    for (size_t i = 0; dx_cli_commands[i]; i++) {
        fprintf(to, ".TP\n.BR duplex\\-%s (1)\n", dx_cli_commands[i]->name);
        roff_text(dx_cli_commands[i]->summary, to);
        fputc('\n', to);
    }
    fputs(".SH EXIT STATUS\n0 all is well, 1 it failed, 2 wrong usage, 78 wrong configuration.\n",
          to);
}

/* ---- completion -------------------------------------------------------------------------------- */

static void words_of_choices(const dx_cli_option *o, FILE *to)
{
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        fprintf(to, "%s%s", i > 0 ? " " : "", o->choices[i]);
}

/* Every way to write the command's options, separated by blanks. */
static void words_of_options(const dx_cli_command *command, FILE *to)
{
    for (size_t i = 0; i < command->options_count; i++) {
        const dx_cli_option *o = &command->options[i];
        fprintf(to, "--%s ", o->name);
        if (dx_cli_option_is_switched(o))
            fprintf(to, "--no-%s ", o->name);
    }
    fputs("--help", to);
}

static void words_of_commands(FILE *to)
{
    for (size_t i = 0; dx_cli_commands[i]; i++)
        fprintf(to, "%s%s", i > 0 ? " " : "", dx_cli_commands[i]->name);
}

static void bash_values(const dx_cli_command *command, FILE *to)
{
    for (size_t i = 0; i < command->options_count; i++) {
        const dx_cli_option *o = &command->options[i];
        if (o->value == NULL)
            continue;
        fprintf(to, "    %s:--%s) COMPREPLY=($(compgen %s", command->name, o->name,
                o->choices ? "-W '" : "-f");
        words_of_choices(o, to);
        fprintf(to, "%s -- \"$word\")); return ;;\n", o->choices ? "'" : "");
    }
}

static void completion_bash(FILE *to)
{
    fputs("# bash completion for duplex; written by duplex reference bash\n"
          "_duplex() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "  if ((COMP_CWORD == 1)); then\n    COMPREPLY=($(compgen -W '",
          to);
    words_of_commands(to);
    fputs("' -- \"$word\"))\n    return\n  fi\n  case ${COMP_WORDS[1]}:$before in\n", to);
    for (size_t i = 0; dx_cli_commands[i]; i++)
        bash_values(dx_cli_commands[i], to);
    fputs("  esac\n  case ${COMP_WORDS[1]}:$word in\n", to);
    for (size_t i = 0; dx_cli_commands[i]; i++) {
        fprintf(to, "    %s:-*) COMPREPLY=($(compgen -W '", dx_cli_commands[i]->name);
        words_of_options(dx_cli_commands[i], to);
        fputs("' -- \"$word\")) ;;\n", to);
    }
    fputs("    help:*) COMPREPLY=($(compgen -W '", to);
    words_of_commands(to);
    fputs("' -- \"$word\")) ;;\n    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}\n"
          "complete -F _duplex duplex\n",
          to);
}

/* The first line of a help text between single quotes, without what the shells' own marks are. */
static void first_line(const char *help, FILE *to)
{
    fputc('\'', to);
    for (const char *c = help; *c && *c != '\n'; c++)
        if (strchr("'[]:\\", *c) == NULL)
            fputc(*c, to);
    fputc('\'', to);
}

static void completion_zsh(FILE *to)
{
    fputs("#compdef duplex\n# zsh completion for duplex; written by duplex reference zsh\n"
          "_duplex() {\n  if ((CURRENT == 2)); then\n    compadd -- ",
          to);
    words_of_commands(to);
    fputs("\n    return\n  fi\n  case $words[2] in\n", to);
    for (size_t i = 0; dx_cli_commands[i]; i++) {
        const dx_cli_command *command = dx_cli_commands[i];
        fprintf(to, "    %s) if [[ $PREFIX == -* ]]; then compadd -- ", command->name);
        words_of_options(command, to);
        fputs("; else case $words[CURRENT-1] in\n", to);
        for (size_t j = 0; j < command->options_count; j++)
            if (command->options[j].choices) {
                fprintf(to, "        --%s) compadd -- ", command->options[j].name);
                words_of_choices(&command->options[j], to);
                fputs(" ;;\n", to);
            }
        fputs("        *) _files ;;\n      esac; fi ;;\n", to);
    }
    fputs(
        "  esac\n}\nif [ \"$funcstack[1]\" = _duplex ]; then _duplex; else compdef _duplex duplex; fi\n",
        to);
}

static void completion_fish(FILE *to)
{
    fputs("# fish completion for duplex; written by duplex reference fish\n", to);
    for (size_t i = 0; dx_cli_commands[i]; i++) {
        const dx_cli_command *command = dx_cli_commands[i];
        fprintf(to, "complete -c duplex -n __fish_use_subcommand -f -a %s -d ", command->name);
        first_line(command->summary, to);
        fputc('\n', to);
        for (size_t j = 0; j < command->options_count; j++) {
            const dx_cli_option *o = &command->options[j];
            fprintf(to, "complete -c duplex -n '__fish_seen_subcommand_from %s' -l %s%s -d ",
                    command->name, o->name, o->value ? " -r" : "");
            first_line(o->help, to);
            if (o->choices) {
                fputs(" -f -a '", to);
                words_of_choices(o, to);
                fputc('\'', to);
            }
            fputc('\n', to);
        }
    }
}

/* ---- the command ------------------------------------------------------------------------------- */

static int run_reference(const void *options)
{
    const reference_options *o = options;
    const dx_cli_command *command = o->name ? dx_cli_command_find(o->name) : NULL;

    if (o->name && command == NULL) {
        dx_cli_say("reference", "unknown command %.64s (see: duplex help)", o->name);
        return DX_EXIT_USAGE;
    }
    if (strcmp(o->what, "man") == 0 && command)
        man_command(command, stdout);
    else if (strcmp(o->what, "man") == 0)
        man_program(stdout);
    else if (strcmp(o->what, "bash") == 0)
        completion_bash(stdout);
    else if (strcmp(o->what, "zsh") == 0)
        completion_zsh(stdout);
    else if (strcmp(o->what, "fish") == 0)
        completion_fish(stdout);
    else {
        dx_cli_say("reference", "%.64s: not known; allowed: man, bash, zsh, fish", o->what);
        return DX_EXIT_USAGE;
    }
    return DX_EXIT_OK;
}

static const reference_options reference_defaults = {0};
static const dx_cli_argument reference_arguments[] = {
    {"WHAT", "man, bash, zsh or fish", offsetof(reference_options, what), false},
    {"COMMAND", "man: the command that the page is about; none: the program",
     offsetof(reference_options, name), true},
};

/* For those who install it: not in the help. */
const dx_cli_command dx_cli_reference = {
    .name = "reference",
    .summary = "writes man pages and shell completion",
    .about = "Writes a man page, or completion for a shell, to stdout.",
    .arguments = reference_arguments,
    .arguments_count = DX_COUNT(reference_arguments),
    .defaults = &reference_defaults,
    .struct_bytes = sizeof reference_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_reference,
};
