/* Lines of the log.
 * Source: RFC 8259 §7 for JSON's strings, which logfmt's quoted values are, too; RFC 3339 for times.
 * SPDX-License-Identifier: MIT */
#include "base/log_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MESSAGE_BYTES_MAX = 1023,
    TEXT_BYTES_MAX = 512,
    ESCAPED_BYTES_MAX = 2048,
    NUMBER_BYTES = 24
};

typedef struct line {
    uint8_t *at;
    size_t size, room;
    bool is_json;
} line;

static void put(line *l, const void *at, size_t size)
{
    size_t taken = dx_min_size(size, l->room - l->size);

    memcpy(l->at + l->size, at, taken);
    l->size += taken;
}

static void put_text(line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* Bytes of the character at `at` that need no escape; 0: the byte is to be escaped. Of UTF-8 only what is
 * well-formed, and not the control characters from U+0080 to U+009F. */
static size_t plain_bytes(const uint8_t *at, size_t size)
{
    uint8_t b = at[0], least = 0x80, most = 0xbf;
    size_t more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : 1;

    if (b < 0x80)
        return b >= ' ' && b != 0x7f && b != '"' && b != '\\';
    if (b < 0xc2 || b > 0xf4 || size < more + 1)
        return 0;
    if (b == 0xc2 || b == 0xe0)
        least = 0xa0;
    else if (b == 0xf0)
        least = 0x90;
    else if (b == 0xed)
        most = 0x9f;
    else if (b == 0xf4)
        most = 0x8f;
    if (at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return more + 1;
}

/* A byte that is no part of a character becomes the one of that number, as in Latin-1. */
static void put_escaped(line *l, uint8_t byte)
{
    char text[8];

    switch (byte) {
    case '"': put_text(l, "\\\""); return;
    case '\\': put_text(l, "\\\\"); return;
    case '\n': put_text(l, "\\n"); return;
    case '\r': put_text(l, "\\r"); return;
    case '\t': put_text(l, "\\t"); return;
    default: break;
    }
    snprintf(text, sizeof text, "\\u%04x", byte);
    put_text(l, text);
}

static void put_quoted(line *l, dx_bytes text, size_t bytes_max)
{
    size_t used = 0, until = l->size + ESCAPED_BYTES_MAX, most = dx_min_size(text.size, bytes_max);

    put_text(l, "\"");
    while (used < most && l->size < until) {
        size_t plain = plain_bytes(text.at + used, text.size - used);
        if (plain > 0)
            put(l, text.at + used, plain);
        else
            put_escaped(l, text.at[used]);
        used += plain > 0 ? plain : 1;
    }
    put_text(l, used < text.size ? "...\"" : "\"");
}

/* What logfmt takes without quotes. */
static bool is_bare(dx_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f || text.at[i] == '"' || text.at[i] == '=' ||
            text.at[i] == '\\')
            return false;
    return text.size > 0 && text.size <= TEXT_BYTES_MAX;
}

/* ---- fields ----------------------------------------------------------------------------------- */

static void put_key(line *l, const char *key)
{
    put_text(l, l->is_json ? l->size == 0 ? "{\"" : ",\"" : l->size == 0 ? "" : " ");
    put_text(l, key);
    put_text(l, l->is_json ? "\":" : "=");
}

static void put_value(line *l, dx_bytes text, size_t bytes_max)
{
    if (!l->is_json && is_bare(text))
        put(l, text.at, text.size);
    else
        put_quoted(l, text, bytes_max);
}

static void put_number(line *l, uint64_t number)
{
    char text[NUMBER_BYTES];

    snprintf(text, sizeof text, "%" PRIu64, number);
    put_text(l, text);
}

/* Whole or not at all. */
static void put_field(line *l, const dx_log_field *field)
{
    size_t before = l->size;

    if (field->is_text && field->text.at == NULL)
        return;
    put_key(l, field->key);
    if (field->is_text)
        put_value(l, field->text, TEXT_BYTES_MAX);
    else
        put_number(l, field->number);
    if (l->size == l->room)
        l->size = before;
}

static void put_time(line *l, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char day[32] = "1970-01-01T00:00:00", text[48];

    if (gmtime_r(&seconds, &tm))
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(wall_ms % 1000));
    put_value(l, dx_bytes_of(text), TEXT_BYTES_MAX);
}

size_t dx_log_line_write(const dx_log_event *event, dx_log_format format,
                         uint8_t to[DX_LOG_LINE_BYTES])
{
    line l = {to, 0, DX_LOG_LINE_BYTES - 2, format == DX_LOG_JSON};

    put_key(&l, "time");
    put_time(&l, event->wall_ms);
    put_key(&l, "level");
    put_value(&l, dx_bytes_of(dx_log_level_name(event->level)), TEXT_BYTES_MAX);
    put_key(&l, "msg");
    put_value(&l, event->message, MESSAGE_BYTES_MAX);
    if (event->worker >= 0)
        put_field(&l, &DX_LOG_NUMBER("worker", (uint64_t)event->worker));
    for (size_t i = 0; i < event->fields_count; i++)
        put_field(&l, &event->fields[i]);
    l.room = DX_LOG_LINE_BYTES;
    put_text(&l, l.is_json ? "}\n" : "\n");
    return l.size;
}

void dx_log_line_write_bare(const dx_log_event *event, uint8_t to[DX_LOG_LINE_BYTES])
{
    line l = {to, 0, DX_LOG_LINE_BYTES - 1, false};

    put(&l, event->message.at, dx_min_size(event->message.size, MESSAGE_BYTES_MAX));
    for (size_t i = 0; i < l.size; i++)
        if (to[i] < ' ' || to[i] == 0x7f)
            to[i] = '?';
    if (event->worker >= 0)
        put_field(&l, &DX_LOG_NUMBER("worker", (uint64_t)event->worker));
    for (size_t i = 0; i < event->fields_count; i++)
        put_field(&l, &event->fields[i]);
    to[l.size] = '\0';
}
