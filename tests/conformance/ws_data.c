/* Made-up message contents. See ws_data.h.
 * Memory:  writes into the caller's room only; a token that does not fit any more is left out.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_data.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct maker {
    uint8_t *at;
    size_t size, used;
    uint64_t state;
    bool full;
} maker;

static const char *const words[] = {
    "der",     "Fluss", "über",     "schön",  "und",    "Straße", "nicht",   "größer",
    "Abend",   "leise", "Gespräch", "wenn",   "Morgen", "Tür",    "lief",    "weiter",
    "bald",    "Wärme", "immer",    "Garten", "zurück", "hell",   "Fenster", "doch",
    "niemand", "früh",  "Weg",      "Bäume",  "stand",  "ein",
};

bool wst_data_is_text(wst_data kind)
{
    return kind == WST_DATA_JSON || kind == WST_DATA_PROSE || kind == WST_DATA_HTML;
}

static unsigned pick(maker *m, unsigned below)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return (unsigned)(m->state >> 11) % below;
}

static const char *pick_word(maker *m)
{
    return words[pick(m, sizeof words / sizeof words[0])];
}

static void put(maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(maker *m, const char *format, ...)
{
    char token[256];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(token, sizeof token, format, arguments);
    va_end(arguments);
    if (m->full || size < 0 || m->used + (size_t)size > m->size) {
        m->full = true;
        return;
    }
    memcpy(m->at + m->used, token, (size_t)size);
    m->used += (size_t)size;
}

static void put_octets(maker *m, unsigned count, bool is_run)
{
    uint8_t octet = (uint8_t)pick(m, 256);

    for (unsigned i = 0; i < count && m->used < m->size; i++)
        m->at[m->used++] = is_run ? octet : (uint8_t)pick(m, 256);
    m->full = m->used == m->size;
}

static void make_json(maker *m)
{
    put(m, "{\"id\":%u,\"price\":%u.%02u,\"side\":\"%s\",", pick(m, 1000000), pick(m, 5000),
        pick(m, 100), pick(m, 2) ? "buy" : "sell");
    put(m, "\"tags\":[\"%s\",\"%s\"],\"open\":%s},\n", pick_word(m), pick_word(m),
        pick(m, 2) ? "true" : "null");
    if (m->full) /* small ones get at least a word */
        for (m->full = false; !m->full;)
            put(m, "%u,", pick(m, 100));
}

static void make_prose(maker *m)
{
    unsigned count = 5 + pick(m, 12);

    for (unsigned i = 0; i < count; i++)
        put(m, "%s%s", pick_word(m), i + 1 < count ? " " : ". ");
    if (pick(m, 6) == 0)
        put(m, "\n\n");
}

static void make_html(maker *m)
{
    put(m, "<div class=\"row-%u\" data-key=\"%u\">\n", pick(m, 4), pick(m, 10000));
    for (unsigned i = pick(m, 5); i > 0; i--)
        put(m, "  <a href=\"/%s/%u\">%s &amp; %s</a>\n", i & 1 ? "page" : "item", pick(m, 500),
            pick_word(m), pick_word(m));
    put(m, "</div>\n");
}

static void make_bitmap(maker *m)
{
    put_octets(m, 8 + pick(m, 60), true);
    if (pick(m, 3) == 0)
        put_octets(m, pick(m, 24), false);
}

static void make_pdf(maker *m)
{
    put(m, "%u 0 obj\n<< /Length %u /Filter /FlateDecode >>\nstream\n", pick(m, 900),
        pick(m, 9000));
    m->full = false;
    put_octets(m, 200 + pick(m, 400), false);
    put(m, "\nendstream\nendobj\n");
}

void wst_data_make(wst_data kind, uint64_t seed, uint8_t *at, size_t size)
{
    maker m = {.at = at, .size = size, .state = (seed + 1) * 0x9e3779b97f4a7c15U | 1};

    while (!m.full) {
        switch (kind) {
        case WST_DATA_JSON: make_json(&m); break;
        case WST_DATA_BITMAP: make_bitmap(&m); break;
        case WST_DATA_PROSE: make_prose(&m); break;
        case WST_DATA_HTML: make_html(&m); break;
        case WST_DATA_PDF: make_pdf(&m); break;
        }
    }
    memset(at + m.used, ' ', size - m.used);
}
