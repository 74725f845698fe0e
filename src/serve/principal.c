/* Principals and their capabilities.
 * SPDX-License-Identifier: MIT */
#include "serve/principal.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <stdio.h>
#include <stdlib.h>

const char *dx_action_name(dx_action action)
{
    static const char *const names[DX_ACTIONS_COUNT] = {"read", "publish", "create", "delete",
                                                        "presence"};

    dx_assert((unsigned)action < DX_ACTIONS_COUNT);
    return names[action];
}

bool dx_subject_is_good(dx_bytes subject)
{
    for (size_t i = 0; i < subject.size; i++)
        if (subject.at[i] < ' ' || subject.at[i] == 0x7f)
            return false;
    return subject.size > 0 && subject.size <= DX_SUBJECT_BYTES_MAX && dx_utf8_is_valid(subject);
}

/* ---- patterns --------------------------------------------------------------------------------- */

static bool is_text(dx_bytes in, const char *text)
{
    return dx_bytes_equal(in, dx_bytes_of(text));
}

static bool segment_fits(dx_bytes want, dx_bytes subject, dx_bytes have)
{
    if (is_text(want, "*"))
        return have.size > 0;
    if (is_text(want, "{sub}"))
        return subject.size > 0 && dx_bytes_equal(subject, have);
    return dx_bytes_equal(want, have);
}

bool dx_capability_fits(dx_bytes pattern, dx_bytes subject, dx_bytes path)
{
    dx_bytes want, have;

    while (dx_bytes_split(&pattern, '/', &want)) {
        if (is_text(want, "**"))
            return path.at != NULL && path.size > 0;
        if (!dx_bytes_split(&path, '/', &have) || !segment_fits(want, subject, have))
            return false;
    }
    return path.at == NULL;
}

/* Marks only as whole segments, "**" only as the last. */
static bool pattern_is_good(dx_bytes pattern)
{
    dx_bytes rest = pattern, segment;

    if (pattern.size < 2 || pattern.size > DX_CAPABILITY_PATTERN_MAX || pattern.at[0] != '/')
        return false;
    while (dx_bytes_split(&rest, '/', &segment)) {
        if (is_text(segment, "**") && rest.at != NULL)
            return false;
        if (is_text(segment, "*") || is_text(segment, "**") || is_text(segment, "{sub}"))
            continue;
        if (dx_bytes_find(segment, '*') < segment.size ||
            dx_bytes_find(segment, '{') < segment.size)
            return false;
    }
    return true;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* What is put together: the texts of a principal go one behind the other. */
typedef struct draft {
    uint8_t *text;
    const char *fault;
} draft;

static bool refuse(draft *d, const char *fault)
{
    d->fault = fault;
    return false;
}

static bool read_number(dx_bytes value, uint64_t max, uint64_t *ret)
{
    return dx_json_type_of(value) == DX_JSON_NUMERIC && dx_bytes_decimal(value, max, ret);
}

static bool read_action(dx_bytes name, uint8_t *may)
{
    uint8_t text[16];

    if (dx_json_type_of(name) != DX_JSON_TEXT || name.size > sizeof text)
        return false;
    dx_bytes word = dx_bytes_at(text, dx_json_string_read(name, text));
    for (unsigned i = 0; i < DX_ACTIONS_COUNT; i++)
        if (is_text(word, dx_action_name((dx_action)i))) {
            *may |= (uint8_t)DX_BIT(i);
            return true;
        }
    return false;
}

static bool read_may(draft *d, dx_bytes value, uint8_t *ret)
{
    static const char fault[] = "may is a list of read, publish, create, delete, presence";
    dx_json_items items;
    dx_bytes name;

    if (dx_json_type_of(value) != DX_JSON_ARRAY || !dx_json_items_init(&items, value))
        return refuse(d, fault);
    while (dx_json_array_next(&items, &name))
        if (!read_action(name, ret))
            return refuse(d, fault);
    return true;
}

static bool read_pattern(draft *d, dx_bytes value, dx_bytes *ret)
{
    if (dx_json_type_of(value) != DX_JSON_TEXT)
        return refuse(d, "stream is a pattern of paths, as text");
    *ret = dx_bytes_at(d->text, dx_json_string_read(value, d->text));
    d->text += ret->size;
    return pattern_is_good(*ret) ||
           refuse(
               d,
               "stream is a path that begins with /; a segment may be * or {sub}, the last one **");
}

static bool read_bound(draft *d, dx_bytes value, const char *fault, uint32_t *ret)
{
    uint64_t number;

    if (!read_number(value, UINT32_MAX, &number) || number == 0)
        return refuse(d, fault);
    *ret = (uint32_t)number;
    return true;
}

static bool read_history(draft *d, dx_bytes value, dx_capability *to)
{
    uint64_t number;

    if (!read_number(value, UINT32_MAX, &number))
        return refuse(d, "history is a number of messages, 0 or more");
    to->has_history = true;
    to->history_max = (uint32_t)number;
    return true;
}

static bool read_until(draft *d, dx_bytes value, uint64_t *ret)
{
    uint64_t seconds;

    if (!read_number(value, DX_FOR_EVER / 1000 - 1, &seconds))
        return refuse(d, "until is a time in whole seconds since 1970");
    *ret = seconds * 1000;
    return true;
}

/* An unknown member could be a bound that its issuer relies on. */
static bool read_member(draft *d, dx_bytes name, dx_bytes value, dx_capability *to)
{
    if (is_text(name, "\"stream\""))
        return read_pattern(d, value, &to->pattern);
    if (is_text(name, "\"may\""))
        return read_may(d, value, &to->may);
    if (is_text(name, "\"history\""))
        return read_history(d, value, to);
    if (is_text(name, "\"rate\""))
        return read_bound(d, value, "rate is a number of messages a second, 1 or more",
                          &to->rate_max);
    if (is_text(name, "\"message_max\""))
        return read_bound(d, value, "message_max is a number of bytes, 1 or more",
                          &to->message_bytes_max);
    if (is_text(name, "\"until\""))
        return read_until(d, value, &to->until_ms);
    return refuse(
        d, "a capability has stream, may, history, rate, message_max and until, nothing else");
}

static bool read_capability(draft *d, dx_bytes value, dx_capability *ret)
{
    dx_capability made = {.until_ms = DX_FOR_EVER};
    dx_json_items items;
    dx_bytes name, member;

    if (dx_json_type_of(value) != DX_JSON_OBJECT || !dx_json_items_init(&items, value))
        return refuse(d, "a capability is an object");
    if (!dx_json_object_is_distinct(value))
        return refuse(d, "a member of a capability stands twice");
    while (dx_json_object_next(&items, &name, &member))
        if (!read_member(d, name, member, &made))
            return false;
    if (made.pattern.size == 0 || made.may == 0)
        return refuse(d, "a capability has a stream, and something that may be done there");
    *ret = made;
    return true;
}

static bool read_all(draft *d, dx_bytes text, dx_principal *who)
{
    dx_json_items items;
    dx_bytes element;

    if (text.size == 0)
        return true;
    if (dx_json_type_of(text) != DX_JSON_ARRAY || !dx_json_items_init(&items, text))
        return refuse(d, "capabilities are a list");
    while (dx_json_array_next(&items, &element)) {
        if (who->capabilities_count == DX_CAPABILITIES_MAX)
            return refuse(d, "at most 64 capabilities");
        if (!read_capability(d, element, &who->capabilities[who->capabilities_count]))
            return false;
        who->capabilities_count++;
    }
    return true;
}

static size_t count_elements(dx_bytes text)
{
    dx_json_items items;
    dx_bytes element;
    size_t count = 0;

    if (dx_json_type_of(text) == DX_JSON_ARRAY && dx_json_items_init(&items, text))
        while (count < DX_CAPABILITIES_MAX && dx_json_array_next(&items, &element))
            count++;
    return count;
}

static dx_bytes keep(draft *d, dx_bytes text)
{
    uint8_t *at = d->text;

    dx_copy(at, text.at, text.size);
    d->text += text.size;
    return dx_bytes_at(at, text.size);
}

/* No text is longer than its JSON. */
dx_err dx_principal_new(const dx_principal *like, dx_bytes capabilities, dx_principal **ret,
                        char why[DX_WHY_BYTES])
{
    size_t count = count_elements(capabilities);
    size_t bytes = like->subject.size + like->token_id.size + capabilities.size;
    dx_principal *who = calloc(1, sizeof *who + count * sizeof(dx_capability) + bytes);

    if (who == NULL)
        return DX_ERR_MEMORY;
    who->capabilities = (dx_capability *)(void *)(who + 1);
    draft d = {.text = (uint8_t *)(who->capabilities + count)};
    atomic_init(&who->refs_count, 1);
    who->proof = like->proof;
    who->subject = keep(&d, like->subject);
    who->token_id = keep(&d, like->token_id);
    who->issued_ms = like->issued_ms;
    who->until_ms = like->until_ms;
    if (read_all(&d, capabilities, who)) {
        *ret = who;
        return DX_OK;
    }
    snprintf(why, DX_WHY_BYTES, "%s", d.fault);
    free(who);
    return DX_ERR_NAME;
}

dx_principal *dx_principal_ref(dx_principal *who)
{
    atomic_fetch_add_explicit(&who->refs_count, 1, memory_order_relaxed);
    return who;
}

void dx_principal_unref(dx_principal *who)
{
    if (who && atomic_fetch_sub_explicit(&who->refs_count, 1, memory_order_acq_rel) == 1)
        free(who);
}

/* ---- asking ----------------------------------------------------------------------------------- */

const dx_capability *dx_principal_capability(const dx_principal *who, dx_action action,
                                             dx_bytes path, uint64_t now_ms)
{
    for (size_t i = 0; i < who->capabilities_count; i++) {
        const dx_capability *c = &who->capabilities[i];
        if ((c->may & DX_BIT(action)) && now_ms < c->until_ms &&
            dx_capability_fits(c->pattern, who->subject, path))
            return c;
    }
    return NULL;
}
