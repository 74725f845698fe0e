/* Commands and their options as tables: parsing, help, environment, files and documentation come from the
 * same rows.
 * Is:     --name VALUE, --name=VALUE, flags, positional arguments, "--".
 * Is not: what a command does (command_*.c), single values (value.h), files (config.h).
 * Memory: views of argv and of the tables; nothing is allocated.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_OPTIONS_H
#define DX_CLI_OPTIONS_H

#include "base/platform.h"

#include <stdio.h>

enum {
    DX_EXIT_OK = 0,
    DX_EXIT_FAILURE = 1,
    DX_EXIT_USAGE = 2,
    DX_EXIT_CONFIG = 78, /* EX_CONFIG of sysexits.h */
};

enum { DX_CLI_TEXTS_MAX = 16, DX_CLI_WHY_BYTES = 512 };

typedef enum dx_cli_kind {
    DX_CLI_FLAG,     /* bool */
    DX_CLI_SWITCH,   /* bool: --name, --no-name */
    DX_CLI_TEXT,     /* const char *; with choices only those */
    DX_CLI_TEXTS,    /* dx_cli_texts: may be given again, which replaces the defaults */
    DX_CLI_NUMBER,   /* uint64_t */
    DX_CLI_SIZE,     /* uint64_t: bytes, with units */
    DX_CLI_DURATION, /* uint64_t: milliseconds, with units */
} dx_cli_kind;

typedef struct dx_cli_texts {
    const char *at[DX_CLI_TEXTS_MAX];
    size_t count;
} dx_cli_texts;

typedef struct dx_cli_option {
    const char *name;  /* without "--" */
    const char *value; /* what stands for its value in help; NULL for flags and switches */
    const char *help;  /* lines separated by \n */
    dx_cli_kind kind;
    size_t at;                         /* offset of its field in the command's struct */
    uint64_t min, max;                 /* of a number, size or duration */
    const char *word;                  /* of these, too: a word that may stand instead, */
    uint64_t word_value;               /* and what it means */
    const char *const *choices;        /* of a text, NULL at the end; NULL: anything but nothing */
    const char *off;                   /* of a text: what --no-name stands for; NULL: there is no such */
    bool (*is_good)(const char *text); /* of a text without choices; NULL: all are */
    const char *allowed;               /* and what it takes, in words */
    /* Where the option is a setting (config.h): */
    const char *group;     /* the mapping that it stands in, in a file; the name begins with it */
    const char *otherwise; /* its default in words, where the defaults do not have it */
    bool is_local;         /* it is for the command line only */
} dx_cli_option;

typedef struct dx_cli_argument {
    const char *name, *help;
    size_t at; /* of a const char * */
    bool is_optional;
} dx_cli_argument;

typedef struct dx_cli_command {
    const char *name, *summary;
    const char *about; /* a paragraph for its help, lines separated by \n */
    const dx_cli_option *options;
    size_t options_count;
    const dx_cli_argument *arguments; /* the optional ones last */
    size_t arguments_count;
    const void *defaults; /* of its struct */
    size_t struct_bytes;  /* at most DX_CLI_STRUCT_BYTES_MAX */
    size_t given_at;      /* offset of a uint64_t: bit n is set if option n was given; 0: none */
    int value_exit;       /* the exit code for a value that makes no sense */
    int (*run)(const void *options); /* its struct; returns the exit code */
} dx_cli_command;

enum { DX_CLI_STRUCT_BYTES_MAX = 2048 };

/* The words behind the command's name. */
typedef struct dx_cli_words {
    int count;
    char *const *at;
} dx_cli_words;

typedef enum dx_cli_outcome {
    DX_CLI_OK,
    DX_CLI_HELP,  /* --help or -h was among them */
    DX_CLI_USAGE, /* an unknown option, a missing value or argument, or one too many */
    DX_CLI_VALUE, /* a value that makes no sense */
} dx_cli_outcome;

/* True if it may stand as --no-name, too. */
bool dx_cli_option_is_switched(const dx_cli_option *option);

/* Reads `words` into `ret`, which holds the defaults. The last of an option given again counts.
 * why: set on USAGE and VALUE: what was wrong and what is allowed, one line, NUL-terminated. */
dx_cli_outcome dx_cli_parse(const dx_cli_command *command, dx_cli_words words, void *ret,
                            char why[DX_CLI_WHY_BYTES]);

/* Writes the help of one command. */
void dx_cli_help_write(const dx_cli_command *command, FILE *to);

/* One line on stderr, "duplex COMMAND: text": bytes that could steer a terminal become "?".
 * command: NULL for the program itself. */
void dx_cli_say(const char *command, const char *format, ...) DX_PRINTF(2, 3);
/* The same for each line of `text`. */
void dx_cli_say_lines(const char *command, dx_bytes text);

#endif
