/* Known names by a perfect hash, and the table of fields.
 * SPDX-License-Identifier: MIT */
#include "codec/http_fields.h"

#include "base/assert.h"

_Static_assert(DX_HTTP_NAME_COUNT <= 64, "dx_http_fields.seen has one bit for each name");

#define NAME_SIZE_MAX 30

static const struct {
    uint8_t size;
    char text[NAME_SIZE_MAX + 1];
} names[DX_HTTP_NAME_COUNT] = {
    [DX_HTTP_ACCEPT] = {6, "Accept"},
    [DX_HTTP_ACCEPT_ENCODING] = {15, "Accept-Encoding"},
    [DX_HTTP_ACCESS_CONTROL_REQUEST_HEADERS] = {30, "Access-Control-Request-Headers"},
    [DX_HTTP_ACCESS_CONTROL_REQUEST_METHOD] = {29, "Access-Control-Request-Method"},
    [DX_HTTP_ALLOW] = {5, "Allow"},
    [DX_HTTP_AUTHORIZATION] = {13, "Authorization"},
    [DX_HTTP_CACHE_CONTROL] = {13, "Cache-Control"},
    [DX_HTTP_CONNECTION] = {10, "Connection"},
    [DX_HTTP_CONTENT_ENCODING] = {16, "Content-Encoding"},
    [DX_HTTP_CONTENT_LENGTH] = {14, "Content-Length"},
    [DX_HTTP_CONTENT_RANGE] = {13, "Content-Range"},
    [DX_HTTP_CONTENT_TYPE] = {12, "Content-Type"},
    [DX_HTTP_COOKIE] = {6, "Cookie"},
    [DX_HTTP_DATE] = {4, "Date"},
    [DX_HTTP_ETAG] = {4, "ETag"},
    [DX_HTTP_EXPECT] = {6, "Expect"},
    [DX_HTTP_FORWARDED] = {9, "Forwarded"},
    [DX_HTTP_HOST] = {4, "Host"},
    [DX_HTTP_IDEMPOTENCY_KEY] = {15, "Idempotency-Key"},
    [DX_HTTP_IF_MATCH] = {8, "If-Match"},
    [DX_HTTP_IF_MODIFIED_SINCE] = {17, "If-Modified-Since"},
    [DX_HTTP_IF_NONE_MATCH] = {13, "If-None-Match"},
    [DX_HTTP_IF_RANGE] = {8, "If-Range"},
    [DX_HTTP_IF_UNMODIFIED_SINCE] = {19, "If-Unmodified-Since"},
    [DX_HTTP_KEEP_ALIVE] = {10, "Keep-Alive"},
    [DX_HTTP_LAST_EVENT_ID] = {13, "Last-Event-ID"},
    [DX_HTTP_LAST_MODIFIED] = {13, "Last-Modified"},
    [DX_HTTP_LOCATION] = {8, "Location"},
    [DX_HTTP_ORIGIN] = {6, "Origin"},
    [DX_HTTP_PREFER] = {6, "Prefer"},
    [DX_HTTP_PRODUCER_EPOCH] = {14, "Producer-Epoch"},
    [DX_HTTP_PRODUCER_ID] = {11, "Producer-Id"},
    [DX_HTTP_PRODUCER_SEQ] = {12, "Producer-Seq"},
    [DX_HTTP_RANGE] = {5, "Range"},
    [DX_HTTP_REFERER] = {7, "Referer"},
    [DX_HTTP_RETRY_AFTER] = {11, "Retry-After"},
    [DX_HTTP_SEC_WEBSOCKET_ACCEPT] = {20, "Sec-WebSocket-Accept"},
    [DX_HTTP_SEC_WEBSOCKET_EXTENSIONS] = {24, "Sec-WebSocket-Extensions"},
    [DX_HTTP_SEC_WEBSOCKET_KEY] = {17, "Sec-WebSocket-Key"},
    [DX_HTTP_SEC_WEBSOCKET_PROTOCOL] = {22, "Sec-WebSocket-Protocol"},
    [DX_HTTP_SEC_WEBSOCKET_VERSION] = {21, "Sec-WebSocket-Version"},
    [DX_HTTP_SERVER] = {6, "Server"},
    [DX_HTTP_STREAM_CLOSED] = {13, "Stream-Closed"},
    [DX_HTTP_STREAM_CURSOR] = {13, "Stream-Cursor"},
    [DX_HTTP_STREAM_EXPIRES_AT] = {17, "Stream-Expires-At"},
    [DX_HTTP_STREAM_NEXT_OFFSET] = {18, "Stream-Next-Offset"},
    [DX_HTTP_STREAM_SEQ] = {10, "Stream-Seq"},
    [DX_HTTP_STREAM_TTL] = {10, "Stream-TTL"},
    [DX_HTTP_STREAM_UP_TO_DATE] = {17, "Stream-Up-To-Date"},
    [DX_HTTP_TE] = {2, "TE"},
    [DX_HTTP_TRAILER] = {7, "Trailer"},
    [DX_HTTP_TRANSFER_ENCODING] = {17, "Transfer-Encoding"},
    [DX_HTTP_UPGRADE] = {7, "Upgrade"},
    [DX_HTTP_USER_AGENT] = {10, "User-Agent"},
    [DX_HTTP_VARY] = {4, "Vary"},
    [DX_HTTP_X_FORWARDED_FOR] = {15, "X-Forwarded-For"},
};

/* The slot of a name is a sum of its size and three of its bytes, each times a constant. Constants
 * were searched at random until no two names met; a test walks all names. To add one, search again. */
static const uint8_t slots[256] = {
    0,  0,  0,  0,  0, 39, 0,  0,  0,  10, 0,  0,  0,  0, 0,  0, 28, 0,  0,  19, 51, 0,  0,  0,
    0,  0,  0,  0,  0, 0,  0,  0,  0,  6,  26, 0,  0,  0, 0,  1, 0,  0,  0,  11, 0,  0,  0,  0,
    0,  0,  0,  3,  0, 22, 14, 41, 31, 0,  0,  47, 0,  0, 0,  0, 27, 0,  35, 0,  0,  0,  0,  0,
    33, 0,  0,  42, 0, 53, 0,  13, 50, 8,  0,  0,  0,  0, 0,  2, 0,  0,  0,  16, 0,  29, 0,  0,
    0,  24, 52, 0,  0, 0,  0,  0,  32, 0,  0,  0,  0,  0, 0,  0, 0,  0,  0,  46, 0,  4,  0,  0,
    0,  12, 0,  0,  0, 0,  0,  0,  0,  0,  0,  20, 30, 0, 0,  0, 0,  0,  0,  49, 55, 38, 0,  0,
    0,  0,  0,  0,  0, 0,  0,  0,  0,  0,  0,  0,  0,  0, 0,  0, 0,  37, 18, 9,  0,  0,  0,  21,
    0,  0,  0,  44, 0, 15, 0,  0,  0,  0,  0,  7,  0,  0, 0,  0, 0,  0,  0,  54, 0,  0,  0,  43,
    0,  45, 0,  0,  0, 0,  0,  0,  0,  0,  34, 0,  0,  0, 0,  0, 0,  0,  0,  0,  0,  0,  56, 0,
    0,  0,  0,  0,  0, 0,  0,  0,  0,  40, 0,  0,  0,  5, 17, 0, 0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  25, 0, 23, 0,  0,  0,  48, 36, 0,  0,  0, 0,  0,
};

static unsigned slot_of(dx_bytes name)
{
    const unsigned lower = 0x20;
    return ((unsigned)name.size * 178 + (name.at[0] | lower) * 77 +
            (name.at[name.size - 1] | lower) * 218 + (name.at[name.size / 2] | lower) * 142) &
           255;
}

/* Eight bytes in lower case: exact for tokens, where only letters become letters. */
static uint64_t load_8(const void *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v | 0x2020202020202020;
}

static bool equal_token(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    size_t i = 0;

    for (; i + 8 <= size; i += 8)
        if (load_8(x + i) != load_8(y + i))
            return false;
    if (size >= 8)
        return load_8(x + size - 8) == load_8(y + size - 8);
    for (; i < size; i++)
        if ((x[i] | 0x20) != (y[i] | 0x20))
            return false;
    return true;
}

dx_http_name dx_http_name_of(dx_bytes name)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX)
        return DX_HTTP_OTHER;
    unsigned id = slots[slot_of(name)];
    if (id != 0 && names[id].size == name.size && equal_token(names[id].text, name.at, name.size))
        return (dx_http_name)id;
    return DX_HTTP_OTHER;
}

dx_bytes dx_http_name_text(dx_http_name id)
{
    return dx_bytes_at(names[id].text, names[id].size);
}

bool dx_http_fields_add(dx_http_fields *f, dx_bytes name, dx_bytes value)
{
    dx_assert(f->count_max <= 255);
    if (f->count >= f->count_max)
        return false;
    dx_http_name id = dx_http_name_of(name);
    if (id != DX_HTTP_OTHER && !dx_http_fields_has(f, id)) {
        f->seen |= (uint64_t)1 << id;
        f->first[id] = (uint8_t)f->count;
    }
    f->at[f->count++] = (dx_http_field){.name = name, .value = value, .id = id};
    return true;
}

const dx_http_field *dx_http_fields_next(const dx_http_fields *f, const dx_http_field *field)
{
    dx_assert(field->id != DX_HTTP_OTHER);
    for (size_t i = (size_t)(field - f->at) + 1; i < f->count; i++)
        if (f->at[i].id == field->id)
            return &f->at[i];
    return NULL;
}

unsigned dx_http_fields_count(const dx_http_fields *f, dx_http_name id)
{
    const dx_http_field *first = dx_http_fields_get(f, id);
    return !first ? 0 : dx_http_fields_next(f, first) ? 2 : 1;
}

const dx_http_field *dx_http_fields_find(const dx_http_fields *f, dx_bytes name)
{
    for (size_t i = 0; i < f->count; i++)
        if (dx_bytes_equal_nocase(f->at[i].name, name))
            return &f->at[i];
    return NULL;
}
