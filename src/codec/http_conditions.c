/* The precedence of conditions, step by step as RFC 9110 §13.2.2 numbers them.
 * SPDX-License-Identifier: MIT */
#include "codec/http_conditions.h"

#include "codec/http_date.h"
#include "codec/http_etag.h"

/* What all lines of If-Match or If-None-Match say together: lines are one list (§5.3). */
static dx_http_etag_list tags_match(const dx_http_fields *f, dx_http_name id,
                                    const dx_http_validators *current, bool strong)
{
    const dx_http_field *field = dx_http_fields_get(f, id);
    dx_http_etag_list result = DX_HTTP_ETAG_LIST_MISS;
    dx_http_etag tag;
    bool has_tag = current->exists && dx_http_etag_read(current->etag, &tag);

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_http_etag none = {.is_weak = true};
        dx_http_etag_list one = dx_http_etag_list_match(field->value, has_tag ? tag : none, strong);
        if (one == DX_HTTP_ETAG_LIST_BAD)
            return one;
        if (one == DX_HTTP_ETAG_LIST_HIT && !has_tag) /* W/"" asked, and there is no tag at all */
            one = DX_HTTP_ETAG_LIST_MISS;
        if (one != DX_HTTP_ETAG_LIST_MISS)
            result = one;
    }
    return result;
}

/* Step 1. */
static bool if_match_holds(const dx_http_fields *f, const dx_http_validators *current)
{
    switch (tags_match(f, DX_HTTP_IF_MATCH, current, true)) {
    case DX_HTTP_ETAG_LIST_HIT: return true;
    case DX_HTTP_ETAG_LIST_ANY: return current->exists;
    case DX_HTTP_ETAG_LIST_MISS:
    case DX_HTTP_ETAG_LIST_BAD: break;
    }
    return false;
}

/* Step 3: true if nothing that is named is there. */
static bool if_none_match_holds(const dx_http_fields *f, const dx_http_validators *current)
{
    switch (tags_match(f, DX_HTTP_IF_NONE_MATCH, current, false)) {
    case DX_HTTP_ETAG_LIST_HIT: return false;
    case DX_HTTP_ETAG_LIST_ANY: return !current->exists;
    case DX_HTTP_ETAG_LIST_MISS:
    case DX_HTTP_ETAG_LIST_BAD: break;
    }
    return true;
}

/* Reads a date that may be compared with `modified`; false if the field is to be ignored. */
static bool date_read(const dx_http_fields *f, dx_http_name id, const dx_http_validators *current,
                      int64_t *ret)
{
    return current->exists && current->has_modified && dx_http_fields_count(f, id) == 1 &&
           dx_http_date_read(dx_http_fields_value(f, id), current->now, ret);
}

/* Step 5. */
static bool if_range_holds(const dx_http_fields *f, const dx_http_validators *current)
{
    dx_bytes value = dx_http_fields_value(f, DX_HTTP_IF_RANGE);
    dx_http_etag asked, tag;
    int64_t date;

    if (dx_http_fields_count(f, DX_HTTP_IF_RANGE) != 1)
        return !dx_http_fields_has(f, DX_HTTP_IF_RANGE);
    if (dx_http_etag_read(value, &asked))
        return dx_http_etag_read(current->etag, &tag) && dx_http_etag_equal_strong(asked, tag);
    /* A date is strong only if it is a minute old or more (§8.8.2.2). */
    return date_read(f, DX_HTTP_IF_RANGE, current, &date) && date == current->modified &&
           current->modified + 60 <= current->now;
}

/* Steps 1 to 4. */
static dx_http_condition check(bool is_reading, const dx_http_fields *f,
                               const dx_http_validators *current)
{
    int64_t date;

    if (dx_http_fields_has(f, DX_HTTP_IF_MATCH)) {
        if (!if_match_holds(f, current))
            return DX_HTTP_CONDITION_FAILED;
    } else if (date_read(f, DX_HTTP_IF_UNMODIFIED_SINCE, current, &date)) {
        if (current->modified > date)
            return DX_HTTP_CONDITION_FAILED;
    }
    if (dx_http_fields_has(f, DX_HTTP_IF_NONE_MATCH)) {
        if (!if_none_match_holds(f, current))
            return is_reading ? DX_HTTP_CONDITION_NOT_MODIFIED : DX_HTTP_CONDITION_FAILED;
    } else if (is_reading && date_read(f, DX_HTTP_IF_MODIFIED_SINCE, current, &date)) {
        if (date <= current->now && current->modified <= date)
            return DX_HTTP_CONDITION_NOT_MODIFIED;
    }
    return DX_HTTP_CONDITION_PROCEED;
}

dx_http_condition dx_http_conditions_check(dx_http_method method, const dx_http_fields *fields,
                                           const dx_http_validators *current, bool *use_range)
{
    bool is_reading = method == DX_HTTP_GET || method == DX_HTTP_HEAD;
    dx_http_condition result = DX_HTTP_CONDITION_PROCEED;

    if (method != DX_HTTP_CONNECT && method != DX_HTTP_OPTIONS && method != DX_HTTP_TRACE)
        result = check(is_reading, fields, current); /* §13.2.1: these three select nothing */
    *use_range = result == DX_HTTP_CONDITION_PROCEED && method == DX_HTTP_GET &&
                 dx_http_fields_count(fields, DX_HTTP_RANGE) == 1 &&
                 if_range_holds(fields, current);
    return result;
}
