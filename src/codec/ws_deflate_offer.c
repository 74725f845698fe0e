/* Negotiation of permessage-deflate: one reader of parameters for offers and answers, one writer.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_deflate_offer.h"

#include "base/assert.h"

enum { BITS_MIN = 8, BITS_MIN_DEFLATE = 9, BITS_MAX = 15 };

/* The parameters of one element, as they stand there. */
typedef struct offer {
    bool server_forgets, client_forgets;   /* x_no_context_takeover */
    bool has_server_bits, has_client_bits; /* x_max_window_bits */
    uint8_t server_bits, client_bits;      /* their values; 0: none */
} offer;

/* ---- reading ---------------------------------------------------------------------------------- */

/* A token, or a quoted string whose content is one (RFC 6455 §9.1), as a number of 8-15 without
 * leading zero. */
static bool read_bits(dx_bytes value, uint8_t *ret)
{
    uint8_t digits[2];
    size_t count = 0;
    bool quoted = value.size >= 2 && value.at[0] == '"' && value.at[value.size - 1] == '"';
    uint64_t bits;

    if (quoted)
        value = (dx_bytes){value.at + 1, value.size - 2};
    for (size_t i = 0; i < value.size; i++) {
        if (quoted && value.at[i] == '\\' && i + 1 < value.size)
            i++;
        if (count == sizeof digits)
            return false;
        digits[count++] = value.at[i];
    }
    if (count == 0 || digits[0] == '0' ||
        !dx_bytes_decimal(dx_bytes_at(digits, count), BITS_MAX, &bits) || bits < BITS_MIN)
        return false;
    *ret = (uint8_t)bits;
    return true;
}

static bool set_once(bool *seen)
{
    bool is_first = !*seen;
    *seen = true;
    return is_first;
}

/* One parameter; false if it is unknown, there already, or its value is wrong. */
static bool read_param(dx_bytes param, offer *o)
{
    size_t cut = dx_bytes_find(param, '=');
    bool has_value = cut < param.size;
    dx_bytes name = dx_bytes_trim((dx_bytes){param.at, cut}), value = {NULL, 0};

    if (has_value)
        value = dx_bytes_trim((dx_bytes){param.at + cut + 1, param.size - cut - 1});
    if (dx_bytes_equal(name, DX_BYTES("server_no_context_takeover")))
        return !has_value && set_once(&o->server_forgets);
    if (dx_bytes_equal(name, DX_BYTES("client_no_context_takeover")))
        return !has_value && set_once(&o->client_forgets);
    if (dx_bytes_equal(name, DX_BYTES("server_max_window_bits")))
        return set_once(&o->has_server_bits) && read_bits(value, &o->server_bits);
    if (dx_bytes_equal(name, DX_BYTES("client_max_window_bits")))
        return set_once(&o->has_client_bits) && (!has_value || read_bits(value, &o->client_bits));
    return false;
}

static bool is_deflate(dx_bytes *element)
{
    dx_bytes name;
    return dx_ws_part_next(element, ';', &name) &&
           dx_bytes_equal(name, DX_BYTES("permessage-deflate"));
}

/* All parameters of an element whose name was taken off. */
static bool read_params(dx_bytes rest, offer *ret)
{
    dx_bytes param;

    *ret = (offer){0};
    while (dx_ws_part_next(&rest, ';', &param))
        if (!read_param(param, ret))
            return false;
    return true;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void put(dx_ws_deflate_text *text, const char *more)
{
    size_t size = strlen(more);
    dx_assert(text->size + size <= sizeof text->at);
    memcpy(text->at + text->size, more, size);
    text->size = (uint8_t)(text->size + size);
}

static void put_bits(dx_ws_deflate_text *text, uint8_t bits)
{
    const char digits[] = {'=', bits >= 10 ? '1' : (char)('0' + bits), (char)('0' + bits % 10), 0};
    dx_assert(bits >= BITS_MIN && bits <= BITS_MAX);
    put(text, bits >= 10 ? digits : (const char[]){'=', digits[1], 0});
}

static dx_ws_deflate_text write_text(const offer *o)
{
    dx_ws_deflate_text text = {0};

    put(&text, "permessage-deflate");
    if (o->server_forgets)
        put(&text, "; server_no_context_takeover");
    if (o->client_forgets)
        put(&text, "; client_no_context_takeover");
    if (o->has_server_bits) {
        put(&text, "; server_max_window_bits");
        put_bits(&text, o->server_bits);
    }
    if (o->has_client_bits) {
        put(&text, "; client_max_window_bits");
        if (o->client_bits)
            put_bits(&text, o->client_bits);
    }
    return text;
}

/* ---- both sides ------------------------------------------------------------------------------- */

static uint8_t bits_or_max(uint8_t bits)
{
    return bits ? bits : BITS_MAX;
}

static uint8_t policy_bits(uint8_t bits)
{
    dx_assert(bits == 0 || (bits >= BITS_MIN_DEFLATE && bits <= BITS_MAX));
    return bits_or_max(bits);
}

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* What we answer to an offer that can be taken; false if it cannot. */
static bool answer_to(const offer *o, const dx_ws_deflate_policy *policy, offer *ret)
{
    uint8_t server_bits = least(policy_bits(policy->server_bits_max), bits_or_max(o->server_bits));
    uint8_t client_bits = policy_bits(policy->client_bits_max);

    if (server_bits < BITS_MIN_DEFLATE)
        return false;
    *ret = (offer){
        .server_forgets = o->server_forgets || !policy->server_takeover,
        .client_forgets = o->client_forgets || !policy->client_takeover,
        .has_server_bits = o->has_server_bits || server_bits < BITS_MAX,
        .server_bits = server_bits,
        /* may be answered only if offered (§7.1.2.2), and says something only if it is less */
        .has_client_bits = o->has_client_bits && client_bits < bits_or_max(o->client_bits),
        .client_bits = client_bits,
    };
    return true;
}

dx_ws_deflate_result dx_ws_deflate_accept(dx_ws_lines offered, const dx_ws_deflate_policy *policy,
                                          dx_ws_deflate_params *params, dx_ws_deflate_text *text)
{
    dx_ws_list list = {offered, {NULL, 0}};
    dx_bytes element;
    offer asked, given;

    while (dx_ws_list_next(&list, &element)) {
        if (!is_deflate(&element) || !read_params(element, &asked) ||
            !answer_to(&asked, policy, &given))
            continue;
        *text = write_text(&given);
        *params = (dx_ws_deflate_params){
            .server_takeover = !given.server_forgets,
            .client_takeover = !given.client_forgets,
            .server_bits = given.server_bits,
            .client_bits =
                given.has_client_bits ? given.client_bits : bits_or_max(asked.client_bits),
        };
        return DX_WS_DEFLATE_ACCEPTED;
    }
    return DX_WS_DEFLATE_NONE;
}

static offer offer_for(const dx_ws_deflate_policy *policy)
{
    uint8_t server_bits = policy_bits(policy->server_bits_max);
    uint8_t client_bits = policy_bits(policy->client_bits_max);

    return (offer){
        .server_forgets = !policy->server_takeover,
        .client_forgets = !policy->client_takeover,
        .has_server_bits = server_bits < BITS_MAX,
        .server_bits = server_bits,
        .has_client_bits = true, /* without it the server could not ask for less */
        .client_bits = client_bits < BITS_MAX ? client_bits : 0,
    };
}

void dx_ws_deflate_offer(const dx_ws_deflate_policy *policy, dx_ws_deflate_text *ret)
{
    offer o = offer_for(policy);
    *ret = write_text(&o);
}

/* True if `given` is an answer to `asked` by §7.1. */
static bool is_answer_to(const offer *given, const offer *asked)
{
    if (asked->server_forgets && !given->server_forgets)
        return false;
    if (asked->has_server_bits &&
        (!given->has_server_bits || given->server_bits > asked->server_bits))
        return false;
    if (given->has_client_bits && (!asked->has_client_bits || given->client_bits == 0 ||
                                   given->client_bits > bits_or_max(asked->client_bits)))
        return false;
    return true;
}

dx_ws_deflate_result dx_ws_deflate_check(dx_ws_lines answered, const dx_ws_deflate_policy *policy,
                                         dx_ws_deflate_params *ret)
{
    dx_ws_list list = {answered, {NULL, 0}};
    dx_bytes element, second;
    offer asked, given;

    if (!dx_ws_list_next(&list, &element))
        return DX_WS_DEFLATE_NONE;
    if (policy == NULL || dx_ws_list_next(&list, &second))
        return DX_WS_DEFLATE_BAD;
    asked = offer_for(policy);
    if (!is_deflate(&element) || !read_params(element, &given) || !is_answer_to(&given, &asked))
        return DX_WS_DEFLATE_BAD;
    *ret = (dx_ws_deflate_params){
        .server_takeover = !given.server_forgets,
        .client_takeover = !given.client_forgets && !asked.client_forgets,
        .server_bits = bits_or_max(given.server_bits),
        .client_bits = least(bits_or_max(given.client_bits), bits_or_max(asked.client_bits)),
    };
    return DX_WS_DEFLATE_ACCEPTED;
}
