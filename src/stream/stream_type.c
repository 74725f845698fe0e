/* Content types of streams: comparing them, and what kind of messages they mean.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "base/assert.h"

dx_bytes dx_type_of_kind(dx_stream_kind kind)
{
    switch (kind) {
    case DX_STREAM_TEXT: return DX_BYTES("text/plain; charset=utf-8");
    case DX_STREAM_JSON: return DX_BYTES("application/json");
    case DX_STREAM_BINARY:
    case DX_STREAM_UNDECIDED: return DX_BYTES("application/octet-stream");
    }
    dx_unreachable("dx_stream_kind outside its enum");
}

static dx_bytes media_of(dx_bytes type)
{
    dx_bytes media = {0};

    dx_bytes_split(&type, ';', &media);
    return dx_bytes_trim(media);
}

bool dx_type_is_media(dx_bytes a, dx_bytes b)
{
    return dx_bytes_equal_nocase(media_of(a), media_of(b));
}

bool dx_type_is_same(dx_bytes a, dx_bytes b)
{
    dx_bytes part_a = {0}, part_b = {0};

    for (;;) {
        bool has_a = dx_bytes_split(&a, ';', &part_a), has_b = dx_bytes_split(&b, ';', &part_b);
        if (!has_a || !has_b)
            return has_a == has_b;
        if (!dx_bytes_equal_nocase(dx_bytes_trim(part_a), dx_bytes_trim(part_b)))
            return false;
    }
}

dx_stream_kind dx_type_kind(dx_bytes type)
{
    dx_bytes media = media_of(type), json = DX_BYTES("+json"), text = DX_BYTES("text/");

    if (dx_bytes_equal_nocase(media, DX_BYTES("application/json")) ||
        (media.size > json.size &&
         dx_bytes_equal_nocase(dx_bytes_at(media.at + media.size - json.size, json.size), json)))
        return DX_STREAM_JSON;
    if (media.size > text.size && dx_bytes_equal_nocase(dx_bytes_at(media.at, text.size), text))
        return DX_STREAM_TEXT;
    return DX_STREAM_BINARY;
}
