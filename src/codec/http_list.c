/* Lists, parameters, quality values.
 * SPDX-License-Identifier: MIT */
#include "codec/http_list.h"

#include "codec/scan.h"

/* Size of `in` up to the first `separator` that is outside of quotes. */
static size_t part_size(dx_bytes in, uint8_t separator)
{
    bool is_quoted = false;
    size_t i = 0;

    for (; i < in.size; i++) {
        if (in.at[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && in.at[i] == '\\')
            i++;
        else if (!is_quoted && in.at[i] == separator)
            break;
    }
    return dx_min_size(i, in.size);
}

bool dx_http_list_next(dx_bytes *in, dx_bytes *ret)
{
    while (in->size > 0) {
        size_t size = part_size(*in, ',');
        dx_bytes part = dx_bytes_trim((dx_bytes){in->at, size});
        dx_bytes_skip(in, dx_min_size(size + 1, in->size));
        if (part.size > 0) {
            *ret = part;
            return true;
        }
    }
    return false;
}

bool dx_http_list_has(dx_bytes list, dx_bytes token)
{
    dx_bytes part;

    while (dx_http_list_next(&list, &part))
        if (dx_bytes_equal_nocase(part, token))
            return true;
    return false;
}

bool dx_http_fields_have_token(const dx_http_fields *f, dx_http_name id, dx_bytes token)
{
    const dx_http_field *field = dx_http_fields_get(f, id);

    for (; field; field = dx_http_fields_next(f, field))
        if (dx_http_list_has(field->value, token))
            return true;
    return false;
}

dx_bytes dx_http_parameters_head(dx_bytes *in)
{
    size_t size = part_size(*in, ';');
    dx_bytes head = dx_bytes_trim((dx_bytes){in->at, size});
    dx_bytes_skip(in, size);
    return head;
}

static bool is_token(dx_bytes in)
{
    return in.size > 0 && dx_scan_best()->token(in.at, in.size) == in.size;
}

/* True for the inside of a quoted string, quotes cut off: qdtext and quoted pairs (§5.6.4). */
static bool is_quoted_text(dx_bytes in)
{
    if (dx_scan_best()->field(in.at, in.size) != in.size)
        return false;
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] == '"')
            return false;
        if (in.at[i] == '\\' && ++i == in.size)
            return false;
    }
    return true;
}

static bool read_value(dx_bytes text, dx_http_parameter *ret)
{
    if (text.size >= 2 && text.at[0] == '"' && text.at[text.size - 1] == '"') {
        ret->value = (dx_bytes){text.at + 1, text.size - 2};
        ret->is_quoted = true;
        return is_quoted_text(ret->value);
    }
    ret->value = text;
    return is_token(text);
}

dx_http_parameter_status dx_http_parameter_next(dx_bytes *in, dx_http_parameter *ret)
{
    dx_bytes text = {NULL, 0}, cur = *in;
    dx_http_parameter parameter = {0};

    while (text.size == 0) {
        if (cur.size == 0) {
            *in = cur;
            return DX_HTTP_PARAMETER_NONE;
        }
        if (cur.at[0] != ';')
            return DX_HTTP_PARAMETER_BAD;
        dx_bytes_skip(&cur, 1);
        text = dx_http_parameters_head(&cur);
    }
    size_t name_size = dx_bytes_find(text, '=');
    parameter.name = dx_bytes_trim((dx_bytes){text.at, name_size});
    if (!is_token(parameter.name))
        return DX_HTTP_PARAMETER_BAD;
    if (name_size < text.size) {
        dx_bytes_skip(&text, name_size + 1);
        if (!read_value(dx_bytes_trim(text), &parameter))
            return DX_HTTP_PARAMETER_BAD;
    }
    *in = cur;
    *ret = parameter;
    return DX_HTTP_PARAMETER_OK;
}

size_t dx_http_unquote(dx_bytes value, uint8_t *memory)
{
    size_t size = 0;

    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] == '\\' && i + 1 < value.size)
            i++;
        memory[size++] = value.at[i];
    }
    return size;
}

bool dx_http_type_is(dx_bytes content_type, dx_bytes media_type)
{
    return dx_bytes_equal_nocase(dx_http_parameters_head(&content_type), media_type);
}
