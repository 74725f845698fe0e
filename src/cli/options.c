/* Parsing by table.
 * SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* The words that are read now, and where complaints go. */
typedef struct parser {
    const dx_cli_command *command;
    dx_cli_words words;
    int next;
    size_t arguments_count; /* taken so far */
    uint8_t *ret;
    char *why;
} parser;

static dx_cli_outcome complain(const parser *p, dx_cli_outcome outcome, const char *format, ...)
    DX_PRINTF(3, 4);

static dx_cli_outcome complain(const parser *p, dx_cli_outcome outcome, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->why, DX_CLI_WHY_BYTES, format, args);
    va_end(args);
    return outcome;
}

static size_t append(char *text, size_t size, const char *more)
{
    int written = snprintf(text + size, DX_CLI_WHY_BYTES - size, "%s", more);
    return dx_min_size(size + (size_t)written, DX_CLI_WHY_BYTES - 1);
}

/* "--a, --b, --help" */
static void list_options(const dx_cli_command *command, char text[DX_CLI_WHY_BYTES])
{
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; i < command->options_count; i++) {
        size = append(text, size, "--");
        size = append(text, size, command->options[i].name);
        size = append(text, size, ", ");
    }
    append(text, size, "--help");
}

static const dx_cli_option *find_option(const dx_cli_command *command, dx_bytes name)
{
    for (size_t i = 0; i < command->options_count; i++)
        if (dx_bytes_equal(dx_bytes_of(command->options[i].name), name))
            return &command->options[i];
    return NULL;
}

/* ---- values ----------------------------------------------------------------------------------- */

static dx_cli_outcome set_text(const parser *p, const dx_cli_option *o, const char *value)
{
    char allowed[DX_CLI_WHY_BYTES] = "";
    size_t size = 0;

    for (size_t i = 0; o->choices && o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            memcpy(p->ret + o->at, &o->choices[i], sizeof value);
            return DX_CLI_OK;
        }
        size = append(allowed, size, i > 0 ? ", " : "");
        size = append(allowed, size, o->choices[i]);
    }
    if (o->choices)
        return complain(p, DX_CLI_VALUE, "--%s: \"%.64s\" is none of %s", o->name, value, allowed);
    if (value[0] == '\0')
        return complain(p, DX_CLI_VALUE, "--%s: the value is empty, give %s", o->name, o->value);
    memcpy(p->ret + o->at, &value, sizeof value);
    return DX_CLI_OK;
}

static dx_cli_outcome add_text(const parser *p, const dx_cli_option *o, const char *value)
{
    dx_cli_texts *texts = (dx_cli_texts *)(void *)(p->ret + o->at);

    if (value[0] == '\0')
        return complain(p, DX_CLI_VALUE, "--%s: the value is empty, give %s", o->name, o->value);
    if (texts->count == DX_CLI_TEXTS_MAX)
        return complain(p, DX_CLI_VALUE, "--%s may be given %d times, no more", o->name,
                        DX_CLI_TEXTS_MAX);
    texts->at[texts->count++] = value;
    return DX_CLI_OK;
}

static dx_cli_outcome set_number(const parser *p, const dx_cli_option *o, const char *value)
{
    uint64_t number;

    if (!dx_bytes_decimal(dx_bytes_of(value), o->max, &number) || number < o->min)
        return complain(p, DX_CLI_VALUE,
                        "--%s: \"%.64s\" is not a number from %" PRIu64 " to %" PRIu64, o->name,
                        value, o->min, o->max);
    memcpy(p->ret + o->at, &number, sizeof number);
    return DX_CLI_OK;
}

static dx_cli_outcome set_value(const parser *p, const dx_cli_option *o, const char *value)
{
    switch (o->kind) {
    case DX_CLI_FLAG: *(bool *)(p->ret + o->at) = true; return DX_CLI_OK;
    case DX_CLI_TEXT: return set_text(p, o, value);
    case DX_CLI_TEXTS: return add_text(p, o, value);
    case DX_CLI_NUMBER: return set_number(p, o, value);
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

/* ---- words ------------------------------------------------------------------------------------ */

static dx_cli_outcome read_option(parser *p, const char *word)
{
    dx_bytes name = dx_bytes_of(word + 2);
    size_t equals = dx_bytes_find(name, '=');
    bool has_value = equals < name.size;
    const char *value = word + 2 + equals + 1;
    char allowed[DX_CLI_WHY_BYTES];

    name.size = equals;
    const dx_cli_option *option = find_option(p->command, name);
    if (option == NULL || word[1] != '-') {
        list_options(p->command, allowed);
        return complain(p, DX_CLI_USAGE, "unknown option %.64s; allowed: %s", word, allowed);
    }
    if (option->kind == DX_CLI_FLAG)
        return has_value ? complain(p, DX_CLI_USAGE, "--%s takes no value", option->name)
                         : set_value(p, option, NULL);
    if (!has_value && p->next == p->words.count)
        return complain(p, DX_CLI_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                        option->value);
    return set_value(p, option, has_value ? value : p->words.at[p->next++]);
}

static dx_cli_outcome read_argument(parser *p, const char *word)
{
    const dx_cli_command *command = p->command;

    if (p->arguments_count == command->arguments_count)
        return complain(p, DX_CLI_USAGE, "\"%.64s\" is one argument too many", word);
    memcpy(p->ret + command->arguments[p->arguments_count++].at, &word, sizeof word);
    return DX_CLI_OK;
}

static dx_cli_outcome check_arguments(const parser *p)
{
    const dx_cli_command *command = p->command;

    if (p->arguments_count == command->arguments_count ||
        command->arguments[p->arguments_count].is_optional)
        return DX_CLI_OK;
    return complain(p, DX_CLI_USAGE, "%s is missing: %s",
                    command->arguments[p->arguments_count].name,
                    command->arguments[p->arguments_count].help);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

dx_cli_outcome dx_cli_parse(const dx_cli_command *command, dx_cli_words words, void *ret,
                            char why[DX_CLI_WHY_BYTES])
{
    parser p = {.command = command, .words = words, .ret = ret, .why = why};
    dx_cli_outcome outcome = DX_CLI_OK;
    bool are_options_over = false;

    while (p.next < words.count && outcome == DX_CLI_OK) {
        const char *word = words.at[p.next++];
        bool is_option = !are_options_over && word[0] == '-' && word[1] != '\0';
        if (is_option && is_help(word))
            return DX_CLI_HELP;
        if (is_option && strcmp(word, "--") == 0)
            are_options_over = true;
        else
            outcome = is_option ? read_option(&p, word) : read_argument(&p, word);
    }
    return outcome == DX_CLI_OK ? check_arguments(&p) : outcome;
}
