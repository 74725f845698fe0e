/* The doors of a stream: what they have in common.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "codec/http_list.h"
#include "codec/utf8.h"

#include <stdio.h>

bool dx_door_check_name(dx_exchange *x, const dx_stream_route *route)
{
    if (x->path.size > DX_PATH_BYTES_MAX) {
        dx_exchange_problem(x, 400, "The stream's path is longer than 1024 bytes.");
        return false;
    }
    if (x->path.size == strlen(route->prefix)) {
        dx_exchange_problem(x, 404, "A stream has a name behind the prefix.");
        return false;
    }
    return true;
}

bool dx_door_position(dx_exchange *x, dx_offset_kind otherwise, dx_position *ret)
{
    dx_position position = {.kind = otherwise};
    dx_bytes text = dx_exchange_argument(x, "offset");

    if (text.at != NULL)
        position.kind = dx_offset_read(text, &position.at);
    if (position.kind == DX_OFFSET_BAD) {
        dx_exchange_problem(x, 400, "offset must be -1 (the start), now, or a value of Stream-Next-Offset.");
        return false;
    }
    *ret = position;
    return true;
}

/* 410 with the cursors that would work: {"earliest":…,"latest":…}. */
static void problem_gone(dx_exchange *x, const dx_stream_info *info)
{
    uint8_t earliest[DX_OFFSET_SIZE], latest[DX_OFFSET_SIZE];
    char text[512];

    dx_offset_write((dx_offset){info->epoch, info->first - 1}, earliest);
    dx_offset_write((dx_offset){info->epoch, info->tail}, latest);
    int size = snprintf(text, sizeof text,
                        "{\"type\":\"about:blank\",\"title\":\"Gone\",\"status\":410,\"detail\":\"What "
                        "follows this offset is not retained any more. Read on from earliest or "
                        "latest.\",\"earliest\":\"%.*s\",\"latest\":\"%.*s\"}\n",
                        DX_OFFSET_SIZE, (const char *)earliest, DX_OFFSET_SIZE, (const char *)latest);
    dx_exchange_respond(x, &(dx_response){.status = 410,
                                          .type = DX_BYTES("application/problem+json"),
                                          .body = dx_bytes_at(text, (size_t)size)});
}

void dx_door_problem(dx_exchange *x, dx_stream_status status, const dx_stream_info *info)
{
    switch (status) {
    case DX_STREAM_OK: break;
    case DX_STREAM_NOT_FOUND:
        dx_exchange_problem(x, 404, "Nothing was published to this stream yet.");
        return;
    case DX_STREAM_TYPE:
        dx_exchange_problem(x, 409, "This stream has another content type: that of its first message.");
        return;
    case DX_STREAM_BAD_JSON:
        dx_exchange_problem(x, 400, "This stream carries JSON, and the message is not.");
        return;
    case DX_STREAM_GONE: problem_gone(x, info); return;
    case DX_STREAM_FUTURE:
        dx_exchange_problem(x, 400, "This offset lies behind the end of the stream.");
        return;
    case DX_STREAM_FULL:
        dx_exchange_problem(x, 503, "This server holds as many streams as it can.");
        return;
    case DX_STREAM_MEMORY:
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    case DX_STREAM_ENDED:
        dx_exchange_problem(x, 503, "The server is going away.");
        return;
    }
    dx_unreachable("a problem that is none");
}

dx_stream_kind dx_door_kind(dx_bytes type)
{
    dx_bytes rest = type, media = dx_http_parameters_head(&rest);

    if (dx_http_type_is(type, DX_BYTES("application/json")) ||
        (media.size > 5 &&
         dx_bytes_equal_nocase(dx_bytes_at(media.at + media.size - 5, 5), DX_BYTES("+json"))))
        return DX_STREAM_JSON;
    if (media.size > 5 && dx_bytes_equal_nocase(dx_bytes_at(media.at, 5), DX_BYTES("text/")))
        return DX_STREAM_TEXT;
    return DX_STREAM_BINARY;
}
