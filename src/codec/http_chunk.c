/* The chunked decoder: a machine of one byte a step, but for content, which is passed on whole.
 * Is:     RFC 9112 §7.1; blanks only where the grammar of extensions has BWS, never after a size.
 * Is not: content limits (http layer).
 * SPDX-License-Identifier: MIT */
#include "codec/http_chunk.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "codec/scan.h"

typedef enum chunk_state {
    SIZE_FIRST, /* the first digit of a size */
    SIZE,       /* more digits, ";" or CR */
    SIZE_LF,    /* after the CR of a size line */
    NAME_FIRST, /* after ";": blanks, or the first byte of a name */
    NAME,
    NAME_BLANK,  /* blanks after a name: "=" or ";" must come */
    VALUE_FIRST, /* after "=": blanks, a token or a quote */
    VALUE,
    QUOTED,
    QUOTED_PAIR, /* after a backslash */
    QUOTED_END,  /* after the closing quote */
    VALUE_BLANK, /* blanks after a value: ";" must come */
    CONTENT,
    CONTENT_CR,
    CONTENT_LF,
    TRAILER_FIRST, /* the first byte of a trailer line, or the CR of the last line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
} chunk_state;

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = dx_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_token_byte(uint8_t c)
{
    return dx_scan_best()->token(&c, 1) == 1;
}

static bool is_value_byte(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static dx_http_status go(dx_http_chunks *c, chunk_state state)
{
    c->state = (uint8_t)state;
    return DX_HTTP_OK;
}

/* `fault`, but ends of lines and control bytes are told by name. */
static dx_http_status refuse(uint8_t byte, dx_http_status fault)
{
    if (byte == '\n')
        return DX_HTTP_FAULT_BARE_LF;
    return is_value_byte(byte) || byte == '\r' ? fault : DX_HTTP_FAULT_CONTROL_BYTE;
}

static dx_http_status digit_add(dx_http_chunks *c, int digit)
{
    if (c->line == 16 || c->left > (uint64_t)INT64_MAX >> 4)
        return DX_HTTP_FAULT_CHUNK_SIZE_LARGE;
    c->line++;
    c->left = c->left << 4 | (uint64_t)digit;
    return go(c, SIZE);
}

/* The line of a size is at its end: content, or the trailers. */
static dx_http_status size_end(dx_http_chunks *c)
{
    c->line = 0;
    return go(c, c->left > 0 ? CONTENT : TRAILER_FIRST);
}

/* In or after a name or a value: what may come when it is over. */
static dx_http_status extension_end(dx_http_chunks *c, uint8_t byte, chunk_state blank)
{
    if (byte == '\r' && c->state != blank) /* no blanks at the end of the line */
        return go(c, SIZE_LF);
    if (byte == ';')
        return go(c, NAME_FIRST);
    return is_blank(byte) ? go(c, blank) : refuse(byte, DX_HTTP_FAULT_CHUNK_EXTENSION);
}

static dx_http_status name_end(dx_http_chunks *c, uint8_t byte)
{
    return byte == '=' ? go(c, VALUE_FIRST) : extension_end(c, byte, NAME_BLANK);
}

static dx_http_status value_first(dx_http_chunks *c, uint8_t byte)
{
    if (byte == '"')
        return go(c, QUOTED);
    if (is_token_byte(byte))
        return go(c, VALUE);
    return is_blank(byte) ? DX_HTTP_OK : refuse(byte, DX_HTTP_FAULT_CHUNK_EXTENSION);
}

static dx_http_status quoted(dx_http_chunks *c, uint8_t byte)
{
    if (!is_value_byte(byte))
        return refuse(byte, DX_HTTP_FAULT_CHUNK_EXTENSION);
    return byte == '"' ? go(c, QUOTED_END) : byte == '\\' ? go(c, QUOTED_PAIR) : DX_HTTP_OK;
}

static dx_http_status trailer_first(dx_http_chunks *c, uint8_t byte)
{
    if (byte == '\r')
        return go(c, LAST_LF);
    if (is_token_byte(byte))
        return go(c, TRAILER_NAME);
    if (is_blank(byte))
        return c->line > 1 ? DX_HTTP_FAULT_FOLD : DX_HTTP_FAULT_BLANK_BEFORE_FIELDS;
    return byte == ':' ? DX_HTTP_FAULT_NAME_EMPTY : refuse(byte, DX_HTTP_FAULT_NAME);
}

static dx_http_status trailer_name(dx_http_chunks *c, uint8_t byte)
{
    if (is_token_byte(byte))
        return DX_HTTP_OK;
    if (byte == ':')
        return go(c, TRAILER_VALUE);
    if (byte == '\r')
        return DX_HTTP_FAULT_NO_COLON;
    return refuse(byte, is_blank(byte) ? DX_HTTP_FAULT_BLANK_BEFORE_COLON : DX_HTTP_FAULT_NAME);
}

static dx_http_status on_byte(dx_http_chunks *c, uint8_t byte)
{
    int digit;

    switch ((chunk_state)c->state) {
    case SIZE_FIRST:
    case SIZE:
        if ((digit = hex_value(byte)) >= 0)
            return digit_add(c, digit);
        if (c->state == SIZE_FIRST || (byte != ';' && byte != '\r'))
            return refuse(byte, DX_HTTP_FAULT_CHUNK_SIZE);
        c->line = 1; /* the ";" is the first byte of the extensions */
        return go(c, byte == ';' ? NAME_FIRST : SIZE_LF);
    case SIZE_LF: return byte == '\n' ? size_end(c) : DX_HTTP_FAULT_BARE_CR;
    case NAME_FIRST:
        if (is_blank(byte))
            return DX_HTTP_OK;
        return is_token_byte(byte) ? go(c, NAME) : refuse(byte, DX_HTTP_FAULT_CHUNK_EXTENSION);
    case NAME: return is_token_byte(byte) ? DX_HTTP_OK : name_end(c, byte);
    case NAME_BLANK: return name_end(c, byte);
    case VALUE_FIRST: return value_first(c, byte);
    case VALUE: return is_token_byte(byte) ? DX_HTTP_OK : extension_end(c, byte, VALUE_BLANK);
    case QUOTED: return quoted(c, byte);
    case QUOTED_PAIR:
        return is_value_byte(byte) ? go(c, QUOTED) : refuse(byte, DX_HTTP_FAULT_CHUNK_EXTENSION);
    case QUOTED_END:
    case VALUE_BLANK: return extension_end(c, byte, VALUE_BLANK);
    case CONTENT_CR: return byte == '\r' ? go(c, CONTENT_LF) : DX_HTTP_FAULT_CHUNK_END;
    case CONTENT_LF: c->line = 0; return byte == '\n' ? go(c, SIZE_FIRST) : DX_HTTP_FAULT_CHUNK_END;
    case TRAILER_FIRST: return trailer_first(c, byte);
    case TRAILER_NAME: return trailer_name(c, byte);
    case TRAILER_VALUE:
        if (is_value_byte(byte))
            return DX_HTTP_OK;
        return byte == '\r' ? go(c, TRAILER_LF) : refuse(byte, DX_HTTP_FAULT_CONTROL_BYTE);
    case TRAILER_LF: return byte == '\n' ? go(c, TRAILER_FIRST) : DX_HTTP_FAULT_BARE_CR;
    case LAST_LF: return byte == '\n' ? go(c, DONE) : DX_HTTP_FAULT_BARE_CR;
    case CONTENT:
    case DONE: break;
    }
    dx_unreachable("a chunk state that takes no byte");
}

/* Counts a byte that is not content against its line and against the whole. */
static dx_http_status overhead_add(dx_http_chunks *c, uint8_t byte)
{
    c->overhead++;
    if (c->overhead >= DX_HTTP_CHUNK_OVERHEAD_MAX && c->content < c->overhead / 3)
        return DX_HTTP_FAULT_CHUNK_OVERHEAD;
    if (c->state >= NAME_FIRST && c->state <= VALUE_BLANK && byte != '\r')
        return ++c->line > DX_HTTP_CHUNK_EXTENSION_MAX ? DX_HTTP_FAULT_CHUNK_EXTENSION_LONG
                                                       : DX_HTTP_OK;
    if (c->state >= TRAILER_FIRST)
        return ++c->line > DX_HTTP_TRAILERS_MAX ? DX_HTTP_FAULT_TRAILERS_LARGE : DX_HTTP_OK;
    return DX_HTTP_OK;
}

dx_http_status dx_http_chunk_read(dx_http_chunks *c, dx_bytes *in, dx_bytes *ret)
{
    dx_http_status status = DX_HTTP_OK;

    dx_assert(c->state < DONE);
    while (in->size > 0) {
        if (c->state == CONTENT) {
            size_t size = (size_t)dx_min_u64(in->size, c->left);
            *ret = (dx_bytes){in->at, size};
            dx_bytes_skip(in, size);
            c->left -= size, c->content += size;
            if (c->left == 0)
                c->state = CONTENT_CR;
            return DX_HTTP_DATA;
        }
        uint8_t byte = in->at[0];
        status = overhead_add(c, byte);
        if (status == DX_HTTP_OK)
            status = on_byte(c, byte);
        if (status != DX_HTTP_OK)
            return status;
        dx_bytes_skip(in, 1);
        if (c->state == DONE)
            return DX_HTTP_END;
    }
    return DX_HTTP_MORE;
}

size_t dx_http_chunk_head_write(uint64_t size, uint8_t at[static DX_HTTP_CHUNK_HEAD_MAX])
{
    unsigned digits = 1;

    dx_assert(size > 0);
    while (digits < 16 && size >> (4 * digits) > 0)
        digits++;
    for (unsigned i = digits; i-- > 0; size >>= 4)
        at[i] = (uint8_t) "0123456789abcdef"[size & 15];
    at[digits] = '\r', at[digits + 1] = '\n';
    return digits + 2;
}

uint64_t dx_http_chunk_announced(const dx_http_chunks *c)
{
    return c->state == CONTENT ? c->left : 0;
}
