/* Header fields of WebSocket handshakes: lists, parts, tokens.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_field.h"

/* Where the next `separator` outside a quoted string is, or in.size. An open quote runs to the end. */
static size_t find_outside_quotes(dx_bytes in, uint8_t separator)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < in.size; i++) {
        if (in.at[i] == '"')
            quoted = !quoted;
        else if (quoted && in.at[i] == '\\')
            i++; /* whatever comes next is text */
        else if (!quoted && in.at[i] == separator)
            return i;
    }
    return in.size;
}

bool dx_ws_part_next(dx_bytes *in, uint8_t separator, dx_bytes *ret)
{
    if (in->at == NULL)
        return false;
    size_t cut = find_outside_quotes(*in, separator);
    *ret = dx_bytes_trim((dx_bytes){in->at, cut});
    if (cut == in->size)
        *in = (dx_bytes){NULL, 0};
    else
        *in = (dx_bytes){in->at + cut + 1, in->size - cut - 1};
    return true;
}

bool dx_ws_list_next(dx_ws_list *list, dx_bytes *ret)
{
    dx_bytes part;

    for (;;) {
        while (dx_ws_part_next(&list->rest, ',', &part))
            if (part.size > 0) {
                *ret = part;
                return true;
            }
        if (list->lines.count == 0)
            return false;
        list->rest = *list->lines.at++;
        list->lines.count--;
    }
}

bool dx_ws_is_token(dx_bytes in)
{
    const dx_bytes others = DX_BYTES("!#$%&'*+-.^_`|~");

    for (size_t i = 0; i < in.size; i++) {
        uint8_t c = in.at[i];
        bool is_alnum =
            (c >= '0' && c <= '9') || (dx_ascii_lower(c) >= 'a' && dx_ascii_lower(c) <= 'z');
        if (!is_alnum && dx_bytes_find(others, c) == others.size)
            return false;
    }
    return in.size > 0;
}

bool dx_ws_lines_have(dx_ws_lines lines, dx_bytes token)
{
    dx_ws_list list = {lines, {NULL, 0}};
    dx_bytes element;

    while (dx_ws_list_next(&list, &element))
        if (dx_bytes_equal_nocase(element, token))
            return true;
    return false;
}
