/* Values and their words.
 * SPDX-License-Identifier: MIT */
#include "cli/value.h"

#include "base/assert.h"
#include "codec/utf8.h"

#include <inttypes.h>

/* ---- units ------------------------------------------------------------------------------------ */

typedef struct unit {
    const char *name;
    uint64_t of; /* the smallest */
} unit;

static const unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}};
static const unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static bool units_read(const unit *units, size_t count, dx_bytes text, uint64_t *ret)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text.size && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    dx_bytes name = {text.at + digits, text.size - digits};
    for (size_t i = 0; i < count; i++)
        if (dx_bytes_equal(name, dx_bytes_of(units[i].name))) {
            if (!dx_bytes_decimal((dx_bytes){text.at, digits}, INT64_MAX / units[i].of, &number))
                return false;
            *ret = number * units[i].of;
            return true;
        }
    return false;
}

static void units_write(const unit *units, uint64_t number, char text[DX_CLI_UNITS_BYTES])
{
    while (units->of > 1 && (number % units->of != 0 || number == 0))
        units++;
    snprintf(text, DX_CLI_UNITS_BYTES, "%" PRIu64 "%s", number / units->of, units->name);
}

bool dx_cli_size_read(dx_bytes text, uint64_t *ret)
{
    return units_read(sizes, DX_COUNT(sizes), text, ret);
}

bool dx_cli_duration_read(dx_bytes text, uint64_t *ret)
{
    return units_read(durations, DX_COUNT(durations), text, ret);
}

void dx_cli_size_write(uint64_t bytes, char text[DX_CLI_UNITS_BYTES])
{
    units_write(sizes, bytes, text);
}

void dx_cli_duration_write(uint64_t ms, char text[DX_CLI_UNITS_BYTES])
{
    if (ms == 0)
        snprintf(text, DX_CLI_UNITS_BYTES, "0s");
    else
        units_write(durations, ms, text);
}

/* ---- what is allowed -------------------------------------------------------------------------- */

static void number_write(const dx_cli_option *o, uint64_t number, char text[DX_CLI_UNITS_BYTES])
{
    if (o->kind == DX_CLI_SIZE)
        dx_cli_size_write(number, text);
    else if (o->kind == DX_CLI_DURATION)
        dx_cli_duration_write(number, text);
    else
        snprintf(text, DX_CLI_UNITS_BYTES, "%" PRIu64, number);
}

static void range_write(const dx_cli_option *o, char text[DX_CLI_WHY_BYTES])
{
    char min[DX_CLI_UNITS_BYTES], max[DX_CLI_UNITS_BYTES];

    number_write(o, o->min, min);
    number_write(o, o->max, max);
    snprintf(text, DX_CLI_WHY_BYTES, "%s to %s%s%s", min, max, o->word ? ", or " : "",
             o->word ? o->word : "");
}

static void choices_write(const dx_cli_option *o, char text[DX_CLI_WHY_BYTES])
{
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; o->choices[i]; i++) {
        int more = snprintf(text + size, DX_CLI_WHY_BYTES - size, "%s%s", i > 0 ? ", " : "",
                            o->choices[i]);
        size = dx_min_size(size + (size_t)more, DX_CLI_WHY_BYTES - 1);
    }
}

void dx_cli_value_allowed(const dx_cli_option *o, char text[DX_CLI_WHY_BYTES])
{
    switch (o->kind) {
    case DX_CLI_FLAG:
    case DX_CLI_SWITCH: snprintf(text, DX_CLI_WHY_BYTES, "true, false"); return;
    case DX_CLI_TEXT:
    case DX_CLI_TEXTS:
        if (o->choices)
            choices_write(o, text);
        else
            snprintf(text, DX_CLI_WHY_BYTES, "%s", o->allowed ? o->allowed : o->value);
        return;
    case DX_CLI_NUMBER:
    case DX_CLI_SIZE:
    case DX_CLI_DURATION: range_write(o, text); return;
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool refuse(const dx_cli_option *o, const char *text, const char *what,
                   char why[DX_CLI_WHY_BYTES])
{
    char allowed[DX_CLI_WHY_BYTES];

    dx_cli_value_allowed(o, allowed);
    snprintf(why, DX_CLI_WHY_BYTES, "\"%.64s\" %s %.400s", text, what, allowed);
    return false;
}

static bool number_read(const dx_cli_option *o, const char *text, void *field,
                        char why[DX_CLI_WHY_BYTES])
{
    dx_bytes bytes = dx_bytes_of(text);
    uint64_t number = 0;
    bool is_number = false;
    const char *what = "is not a number from";

    if (o->word && strcmp(text, o->word) == 0) {
        memcpy(field, &o->word_value, sizeof o->word_value);
        return true;
    }
    if (o->kind == DX_CLI_NUMBER) {
        is_number = dx_bytes_decimal(bytes, o->max, &number);
    } else if (o->kind == DX_CLI_SIZE) {
        is_number = dx_cli_size_read(bytes, &number);
        what = "is no size in bytes, KiB, MiB or GiB from";
    } else {
        is_number = dx_cli_duration_read(bytes, &number);
        what = "is no time in ms, s, m, h or d from";
    }
    if (!is_number || number < o->min || number > o->max)
        return refuse(o, text, what, why);
    memcpy(field, &number, sizeof number);
    return true;
}

static bool switch_read(const dx_cli_option *o, const char *text, void *field,
                        char why[DX_CLI_WHY_BYTES])
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < DX_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *(bool *)field = i % 2 == 1;
            return true;
        }
    return refuse(o, text, "is none of", why);
}

/* The text as it is to be kept, NULL if it is not allowed. */
static const char *text_of(const dx_cli_option *o, const char *text, char why[DX_CLI_WHY_BYTES])
{
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        if (strcmp(o->choices[i], text) == 0)
            return o->choices[i];
    if (o->choices)
        return refuse(o, text, "is none of", why), NULL;
    if (text[0] == '\0')
        return snprintf(why, DX_CLI_WHY_BYTES, "the value is empty, give %s", o->value), NULL;
    if (o->is_good && !o->is_good(text))
        return refuse(o, text, "is none of", why), NULL;
    return text;
}

static bool text_add(const dx_cli_option *o, const char *text, dx_cli_texts *texts,
                     char why[DX_CLI_WHY_BYTES])
{
    const char *kept = text_of(o, text, why);

    if (kept == NULL)
        return false;
    if (texts->count == DX_CLI_TEXTS_MAX) {
        snprintf(why, DX_CLI_WHY_BYTES, "at most %d of them are taken", DX_CLI_TEXTS_MAX);
        return false;
    }
    texts->at[texts->count++] = kept;
    return true;
}

bool dx_cli_value_read(const dx_cli_option *o, const char *text, void *options,
                       char why[DX_CLI_WHY_BYTES])
{
    void *field = (uint8_t *)options + o->at;
    const char *kept;

    switch (o->kind) {
    case DX_CLI_FLAG:
    case DX_CLI_SWITCH: return switch_read(o, text, field, why);
    case DX_CLI_TEXT:
        kept = text_of(o, text, why);
        if (kept != NULL)
            memcpy(field, &kept, sizeof kept);
        return kept != NULL;
    case DX_CLI_TEXTS: return text_add(o, text, field, why);
    case DX_CLI_NUMBER:
    case DX_CLI_SIZE:
    case DX_CLI_DURATION: return number_read(o, text, field, why);
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

/* ---- writing ---------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no",   "on",
                                        "off",  "y",     "n",   "null", "~"};

    for (size_t i = 0; i < DX_COUNT(words); i++)
        if (strcmp(words[i], text) == 0)
            return false;
    if (!(dx_ascii_lower((uint8_t)text[0]) >= 'a' && dx_ascii_lower((uint8_t)text[0]) <= 'z') &&
        text[0] != '/')
        return false;
    return text[strspn(text,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-")] ==
           '\0';
}

/* The size of the character that `text` begins with, which must be valid UTF-8 there; 0: it is not. */
static size_t character_size(const char *text)
{
    uint8_t first = (uint8_t)text[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    return strnlen(text, size) == size && dx_utf8_is_valid(dx_bytes_at(text, size)) ? size : 0;
}

static unsigned character_code(const char *text, size_t size)
{
    unsigned code = (uint8_t)text[0] & (size == 1 ? 0x7fu : 0x7fu >> size);

    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((uint8_t)text[i] & 0x3f);
    return code;
}

/* What may not stand in YAML as it is, or would be taken for a line end (YAML 1.1 §4.1, §4.2). */
static bool must_be_escaped(unsigned code)
{
    return code < ' ' || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) ||
           code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe || code == 0xffff;
}

/* In double quotes where a plain word might be taken for something else (YAML 1.1 §5.7). */
static void text_write(const char *text, FILE *to)
{
    if (is_plain(text)) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    while (*text) {
        size_t size = character_size(text);
        unsigned code =
            size > 0 ? character_code(text, size) : 0xfffd; /* what is no text cannot be written */
        if (size == 0 || must_be_escaped(code))
            fprintf(to, "\\u%04x", code);
        else
            fwrite(text, 1, size, to);
        text += size > 0 ? size : 1;
    }
    fputc('"', to);
}

static void texts_write(const dx_cli_texts *texts, FILE *to)
{
    fputc('[', to);
    for (size_t i = 0; i < texts->count; i++) {
        if (i > 0)
            fputs(", ", to);
        text_write(texts->at[i], to);
    }
    fputc(']', to);
}

static void number_to(const dx_cli_option *o, uint64_t number, FILE *to)
{
    char text[DX_CLI_UNITS_BYTES];

    number_write(o, number, text);
    fputs(o->word && number == o->word_value ? o->word : text, to);
}

bool dx_cli_value_write(const dx_cli_option *o, const void *options, FILE *to)
{
    const void *field = (const uint8_t *)options + o->at;
    const dx_cli_texts *texts = field;
    const char *text;
    uint64_t number;

    switch (o->kind) {
    case DX_CLI_FLAG:
    case DX_CLI_SWITCH: fputs(*(const bool *)field ? "true" : "false", to); return true;
    case DX_CLI_TEXT:
        memcpy(&text, field, sizeof text);
        if (text != NULL)
            text_write(text, to);
        return text != NULL;
    case DX_CLI_TEXTS: texts_write(texts, to); return true;
    case DX_CLI_NUMBER:
    case DX_CLI_SIZE:
    case DX_CLI_DURATION:
        memcpy(&number, field, sizeof number);
        number_to(o, number, to);
        return true;
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

static size_t field_bytes(dx_cli_kind kind)
{
    switch (kind) {
    case DX_CLI_FLAG:
    case DX_CLI_SWITCH: return sizeof(bool);
    case DX_CLI_TEXT: return sizeof(const char *);
    case DX_CLI_TEXTS: return sizeof(dx_cli_texts);
    case DX_CLI_NUMBER:
    case DX_CLI_SIZE:
    case DX_CLI_DURATION: return sizeof(uint64_t);
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

void dx_cli_value_copy(const dx_cli_option *o, const void *from, void *to)
{
    memcpy((uint8_t *)to + o->at, (const uint8_t *)from + o->at, field_bytes(o->kind));
}
