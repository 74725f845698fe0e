/* permessage-deflate for the conformance client. See ws_pmd.h.
 * Source: RFC 7692 §7.1 (terms), §7.2 (deflate and inflate, §7.2.3.4 for BFINAL=1).
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_pmd.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- terms ---- */

static void trim(const char **at, size_t *size)
{
    while (*size > 0 && (**at == ' ' || **at == '\t')) {
        ++*at;
        --*size;
    }
    while (*size > 0 && ((*at)[*size - 1] == ' ' || (*at)[*size - 1] == '\t'))
        --*size;
}

/* Cuts the part before `separator` off *at. */
static void cut(const char **at, size_t *size, char separator, const char **part, size_t *part_size)
{
    const char *end = memchr(*at, separator, *size);

    *part = *at;
    *part_size = end ? (size_t)(end - *at) : *size;
    size_t taken = *part_size + (end ? 1 : 0);
    *at += taken;
    *size -= taken;
    trim(part, part_size);
}

bool wst_extension_next(const char **list, const char **ret_at, size_t *ret_size)
{
    size_t left = strlen(*list);

    while (left > 0) {
        cut(list, &left, ',', ret_at, ret_size);
        if (*ret_size > 0)
            return true;
    }
    return false;
}

static bool is_word(const char *at, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(at, word, size) == 0;
}

/* 8 to 15, no leading zero, perhaps quoted; 0: none of these. */
static int window_bits(const char *at, size_t size)
{
    if (size >= 2 && at[0] == '"' && at[size - 1] == '"') {
        at++;
        size -= 2;
    }
    if (size == 1 && (*at == '8' || *at == '9'))
        return *at - '0';
    if (size == 2 && at[0] == '1' && at[1] >= '0' && at[1] <= '5')
        return 10 + at[1] - '0';
    return 0;
}

static bool flag_read(bool *flag, bool has_value)
{
    bool is_first = !*flag;

    *flag = true;
    return is_first && !has_value;
}

static bool parameter_read(const char *at, size_t size, bool is_offer, wst_pmd_terms *terms)
{
    const char *name, *value = at;
    size_t name_size, value_size = size;
    bool has_value = memchr(at, '=', size) != NULL;

    cut(&value, &value_size, '=', &name, &name_size);
    trim(&value, &value_size);
    if (is_word(name, name_size, "server_no_context_takeover"))
        return flag_read(&terms->server_no_context, has_value);
    if (is_word(name, name_size, "client_no_context_takeover"))
        return flag_read(&terms->client_no_context, has_value);
    int *bits = NULL;
    if (is_word(name, name_size, "server_max_window_bits"))
        bits = &terms->server_bits;
    if (is_word(name, name_size, "client_max_window_bits"))
        bits = &terms->client_bits;
    if (!bits || *bits)
        return false;
    *bits = has_value ? window_bits(value, value_size) : -1;
    bool may_be_bare = is_offer && bits == &terms->client_bits;
    return *bits > 0 || (*bits < 0 && may_be_bare);
}

bool wst_pmd_terms_read(const char *at, size_t size, bool is_offer, wst_pmd_terms *ret)
{
    wst_pmd_terms terms = {0};
    const char *part;
    size_t part_size;

    cut(&at, &size, ';', &part, &part_size);
    if (!is_word(part, part_size, "permessage-deflate"))
        return false;
    while (size > 0) {
        cut(&at, &size, ';', &part, &part_size);
        if (!parameter_read(part, part_size, is_offer, &terms))
            return false;
    }
    *ret = terms;
    return true;
}

static bool answers_offer(const wst_pmd_terms *offer, const wst_pmd_terms *answer)
{
    if (offer->server_no_context && !answer->server_no_context)
        return false;
    if (offer->server_bits && (!answer->server_bits || answer->server_bits > offer->server_bits))
        return false;
    if (answer->client_bits && !offer->client_bits)
        return false;
    return offer->client_bits <= 0 || answer->client_bits <= offer->client_bits;
}

bool wst_pmd_terms_allowed(const char *offers, const wst_pmd_terms *answer)
{
    wst_pmd_terms offer;
    const char *at;
    size_t size;

    while (wst_extension_next(&offers, &at, &size))
        if (wst_pmd_terms_read(at, size, true, &offer) && answers_offer(&offer, answer))
            return true;
    return false;
}

/* ---- deflate ---- */

void wst_pmd_init(wst_pmd *pmd, const wst_pmd_terms *terms, bool as_server)
{
    int out_bits = as_server ? terms->server_bits : terms->client_bits;
    int in_bits = as_server ? terms->client_bits : terms->server_bits;
    int strategy = Z_DEFAULT_STRATEGY;

    if (out_bits == 8) { /* zlib has no raw 8: without matches no distance is ever too far */
        out_bits = 9;
        strategy = Z_HUFFMAN_ONLY;
    }
    *pmd = (wst_pmd){
        .out_no_context = as_server ? terms->server_no_context : terms->client_no_context,
        .in_no_context = as_server ? terms->client_no_context : terms->server_no_context,
    };
    if (deflateInit2(&pmd->deflate, 1, Z_DEFLATED, out_bits > 0 ? -out_bits : -15, 8, strategy) !=
            Z_OK ||
        inflateInit2(&pmd->inflate, in_bits > 0 ? -in_bits : -15) != Z_OK)
        abort();
}

void wst_pmd_deinit(wst_pmd *pmd)
{
    deflateEnd(&pmd->deflate);
    inflateEnd(&pmd->inflate);
    *pmd = (wst_pmd){0};
}

void wst_pmd_deflate(wst_pmd *pmd, const uint8_t *at, size_t size, wst_buffer *out)
{
    z_stream *z = &pmd->deflate;
    size_t start = out->size;

    z->next_in = (uint8_t *)(uintptr_t)at; /* zlib's field is not const; it only reads */
    z->avail_in = (uInt)size;
    do {
        size_t room = size / 2 + 64;
        z->next_out = wst_buffer_grow(out, room);
        z->avail_out = (uInt)room;
        deflate(z, Z_SYNC_FLUSH);
        out->size -= z->avail_out;
    } while (z->avail_out == 0);
    if (out->size - start >= 5)
        out->size -= 4;
    else { /* zlib gives nothing for a second empty message */
        out->size = start;
        wst_buffer_add(out, "", 1);
    }
    if (pmd->out_no_context)
        deflateReset(z);
}

/* ---- inflate ---- */

/* A final block ends zlib's stream, but not the message and not the window (RFC 7692 §7.2.3.4). */
static void restart_with_window(z_stream *z)
{
    uint8_t window[32768];
    uInt size = 0;

    inflateGetDictionary(z, window, &size);
    inflateReset(z);
    inflateSetDictionary(z, window, size);
}

static wst_inflate_status inflate_part(wst_pmd *pmd, const uint8_t *at, size_t size, size_t out_max,
                                       wst_buffer *out)
{
    z_stream *z = &pmd->inflate;
    int result = Z_OK;

    z->next_in = (uint8_t *)(uintptr_t)at;
    z->avail_in = (uInt)size;
    do {
        size_t room = out->size < 65536 ? 65536 : out->size;
        if (result == Z_STREAM_END)
            restart_with_window(z);
        z->next_out = wst_buffer_grow(out, room);
        z->avail_out = (uInt)room;
        result = inflate(z, Z_SYNC_FLUSH);
        out->size -= z->avail_out;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return WST_INFLATE_BAD;
        if (out->size > out_max)
            return WST_INFLATE_TOO_BIG;
    } while (z->avail_out == 0 || z->avail_in > 0);
    if (result == Z_STREAM_END)
        restart_with_window(z);
    return WST_INFLATED;
}

wst_inflate_status wst_pmd_inflate(wst_pmd *pmd, const uint8_t *at, size_t size, size_t size_max,
                                   wst_buffer *out)
{
    static const uint8_t tail[] = {0, 0, 0xff, 0xff};
    size_t out_max = out->size + size_max;
    wst_inflate_status status = inflate_part(pmd, at, size, out_max, out);

    if (status == WST_INFLATED)
        status = inflate_part(pmd, tail, sizeof tail, out_max, out);
    if (pmd->in_no_context || status != WST_INFLATED)
        inflateReset(&pmd->inflate);
    return status;
}
