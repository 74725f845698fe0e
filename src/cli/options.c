/* Parsing by table.
 * SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "cli/value.h"

#include <stdarg.h>
#include <stdio.h>

/* The words that are read now, and where complaints go. */
typedef struct parser {
    const dx_cli_command *command;
    dx_cli_words words;
    int next;
    size_t arguments_count; /* taken so far */
    uint64_t given;         /* bit n: option n was */
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
        size = append(text, size, dx_cli_option_is_switched(&command->options[i]) ? "--[no-]" : "--");
        size = append(text, size, command->options[i].name);
        size = append(text, size, ", ");
    }
    append(text, size, "--help");
}

bool dx_cli_option_is_switched(const dx_cli_option *option)
{
    return option->kind == DX_CLI_SWITCH || option->off != NULL;
}

/* is_off: it stands as --no-name. */
static const dx_cli_option *find_option(const dx_cli_command *command, dx_bytes name, bool *is_off)
{
    dx_bytes positive = name;

    *is_off = dx_bytes_starts(name, DX_BYTES("no-"));
    if (*is_off)
        dx_bytes_skip(&positive, 3);
    for (size_t i = 0; i < command->options_count; i++) {
        const dx_cli_option *o = &command->options[i];
        if (*is_off && dx_cli_option_is_switched(o) && dx_bytes_equal(dx_bytes_of(o->name), positive))
            return o;
        if (dx_bytes_equal(dx_bytes_of(o->name), name)) {
            *is_off = false;
            return o;
        }
    }
    return NULL;
}

/* ---- words ------------------------------------------------------------------------------------ */

static dx_cli_outcome set_value(parser *p, const dx_cli_option *o, const char *value)
{
    uint64_t bit = UINT64_C(1) << (o - p->command->options);
    char why[DX_CLI_WHY_BYTES];

    if (o->kind == DX_CLI_TEXTS && (p->given & bit) == 0)
        ((dx_cli_texts *)(void *)(p->ret + o->at))->count = 0; /* in the place of the defaults */
    p->given |= bit;
    if (dx_cli_value_read(o, value, p->ret, why))
        return DX_CLI_OK;
    return complain(p, DX_CLI_VALUE, "--%s: %.440s", o->name, why);
}

static dx_cli_outcome read_option(parser *p, const char *word)
{
    dx_bytes name = dx_bytes_of(word + 2);
    size_t equals = dx_bytes_find(name, '=');
    bool has_value = equals < name.size, is_off;
    const char *value = word + 2 + equals + 1;
    char allowed[DX_CLI_WHY_BYTES];

    name.size = equals;
    const dx_cli_option *option = find_option(p->command, name, &is_off);
    if (option == NULL || word[1] != '-') {
        list_options(p->command, allowed);
        return complain(p, DX_CLI_USAGE, "unknown option %.64s; allowed: %s", word, allowed);
    }
    if (is_off || option->kind == DX_CLI_FLAG || option->kind == DX_CLI_SWITCH) {
        const char *word_off = option->off ? option->off : "false";
        return has_value ? complain(p, DX_CLI_USAGE, "--%.*s takes no value", DX_FORMAT(name))
                         : set_value(p, option, is_off ? word_off : "true");
    }
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
    if (command->given_at)
        memcpy(p.ret + command->given_at, &p.given, sizeof p.given);
    return outcome == DX_CLI_OK ? check_arguments(&p) : outcome;
}
