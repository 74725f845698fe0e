/* What a client accepts: quality values of media ranges and content codings.
 * SPDX-License-Identifier: MIT */
#include "codec/http_list.h"

/* qvalue (§12.4.2): 0, 1, or 0.ddd, 1.000 with at most three digits; in thousandths. */
static bool read_quality(dx_bytes in, unsigned *ret)
{
    if (in.size == 0 || in.size > 5 || (in.at[0] != '0' && in.at[0] != '1') ||
        (in.size > 1 && in.at[1] != '.'))
        return false;
    unsigned quality = (unsigned)(in.at[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < in.size; i++, unit /= 10) {
        if (in.at[i] < '0' || in.at[i] > '9')
            return false;
        quality += (unsigned)(in.at[i] - '0') * unit;
    }
    if (quality > 1000)
        return false;
    *ret = quality;
    return true;
}

/* True if the parameters of a media type hold this one. */
static bool has_parameter(dx_bytes parameters, const dx_http_parameter *wanted)
{
    dx_http_parameter p;

    while (dx_http_parameter_next(&parameters, &p) == DX_HTTP_PARAMETER_OK)
        if (dx_bytes_equal_nocase(p.name, wanted->name) &&
            dx_bytes_equal_nocase(p.value, wanted->value))
            return true;
    return false;
}

enum { EXACT = 3 };

typedef struct accept_range {
    unsigned quality;
    unsigned
        rank; /* 0: no match, 1: any type, 2: any subtype, EXACT, one more for each parameter */
} accept_range;

/* How `range` (type/subtype or with stars) fits `type`. */
static unsigned rank_of(dx_bytes range, dx_bytes type)
{
    if (dx_bytes_equal(range, DX_BYTES("*/*")))
        return 1;
    if (dx_bytes_equal_nocase(range, type))
        return EXACT;
    if (range.size < 3 || range.at[range.size - 1] != '*' || range.at[range.size - 2] != '/')
        return 0;
    range.size -= 1;
    type.size = dx_min_size(type.size, range.size);
    return dx_bytes_equal_nocase(range, type) ? 2 : 0;
}

/* Reads one element of Accept against a media type and its parameters; false if it is no media
 * range. */
static bool read_range(dx_bytes element, dx_bytes type, dx_bytes parameters, accept_range *ret)
{
    accept_range range = {.quality = 1000};
    dx_http_parameter p;
    dx_http_parameter_status status;

    range.rank = rank_of(dx_http_parameters_head(&element), type);
    while ((status = dx_http_parameter_next(&element, &p)) == DX_HTTP_PARAMETER_OK) {
        if (dx_bytes_equal_nocase(p.name, DX_BYTES("q"))) {
            *ret = range;
            return read_quality(p.value, &ret->quality); /* what follows is not of the type */
        }
        if (!has_parameter(parameters, &p))
            range.rank = 0;
        else if (range.rank >= EXACT)
            range.rank++;
    }
    *ret = range;
    return status == DX_HTTP_PARAMETER_NONE;
}

static accept_range best_range(const dx_http_fields *f, dx_bytes media_type)
{
    accept_range best = {0}, range;
    dx_bytes element, parameters = media_type, type = dx_http_parameters_head(&parameters);
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_ACCEPT);

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_bytes list = field->value;
        while (dx_http_list_next(&list, &element))
            if (read_range(element, type, parameters, &range) && range.rank > best.rank)
                best = range;
    }
    return best;
}

unsigned dx_http_accepts(const dx_http_fields *f, dx_bytes media_type)
{
    if (!dx_http_fields_has(f, DX_HTTP_ACCEPT))
        return 1000;
    return best_range(f, media_type).quality;
}

bool dx_http_accepts_exactly(const dx_http_fields *f, dx_bytes media_type)
{
    accept_range best = best_range(f, media_type);
    return best.rank >= EXACT && best.quality > 0;
}

unsigned dx_http_accepts_coding(const dx_http_fields *f, dx_bytes coding)
{
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_ACCEPT_ENCODING);
    bool is_identity = dx_bytes_equal_nocase(coding, DX_BYTES("identity"));
    unsigned star = is_identity ? 1000 : 0, quality;
    dx_bytes element;
    dx_http_parameter p;

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_bytes list = field->value;
        while (dx_http_list_next(&list, &element)) {
            dx_bytes name = dx_http_parameters_head(&element);
            quality = 1000;
            if (element.size > 0 &&
                (dx_http_parameter_next(&element, &p) != DX_HTTP_PARAMETER_OK ||
                 !dx_bytes_equal_nocase(p.name, DX_BYTES("q")) || !read_quality(p.value, &quality)))
                continue;
            if (dx_bytes_equal_nocase(name, coding))
                return quality;
            if (dx_bytes_equal(name, DX_BYTES("*")) && (!is_identity || quality == 0))
                star = quality;
        }
    }
    return star;
}
