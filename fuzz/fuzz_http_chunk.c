/* Chunked content: the decoder, cut anywhere, agrees with a slow one that reads line by line.
 * Input: a byte that seeds the cuts, then the stream.
 * SPDX-License-Identifier: MIT */
#include "codec/http_chunk.h"
#include "codec/http_list.h"
#include "fuzz/fuzz.h"

typedef struct result {
    dx_http_status status; /* MORE, END, or any fault */
    size_t used;           /* at END */
    size_t size;
    uint8_t content[4096];
} result;

static bool has_control(dx_bytes in)
{
    for (size_t i = 0; i < in.size; i++)
        if ((in.at[i] < ' ' && in.at[i] != '\t') || in.at[i] == 0x7f)
            return true;
    return false;
}

static bool is_token(dx_bytes in)
{
    for (size_t i = 0; i < in.size; i++)
        if (in.at[i] <= ' ' || in.at[i] > '~' || strchr("()<>@,;:\\\"/[]?={}", in.at[i]))
            return false;
    return in.size > 0;
}

/* Takes a line that ends with CR LF off `*in`; false if there is none. */
static bool line_take(dx_bytes *in, dx_bytes *line)
{
    for (size_t i = 0; i + 1 < in->size; i++)
        if (in->at[i] == '\r' && in->at[i + 1] == '\n') {
            *line = (dx_bytes){in->at, i};
            dx_bytes_skip(in, i + 2);
            return true;
        }
    return false;
}

/* Extensions by the readers of parameters; what those let pass and a chunk does not is empty ones and
 * blanks at the end. */
static bool are_extensions(dx_bytes in)
{
    dx_http_parameter p;
    dx_http_parameter_status status;
    bool is_quoted = false, is_separated = false;

    if (in.size > DX_HTTP_CHUNK_EXTENSION_MAX || has_control(in))
        return false;
    if (in.size > 0 && (in.at[in.size - 1] == ' ' || in.at[in.size - 1] == '\t'))
        return false;
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && in.at[i] == '\\')
            i++;
        else if (in.at[i] == ';' && !is_quoted && is_separated)
            return false;
        else if (in.at[i] == ';' && !is_quoted)
            is_separated = true;
        if (in.at[i] != ';' && in.at[i] != ' ' && in.at[i] != '\t')
            is_separated = false;
    }
    while ((status = dx_http_parameter_next(&in, &p)) == DX_HTTP_PARAMETER_OK)
        ;
    return status == DX_HTTP_PARAMETER_NONE && !is_separated;
}

/* True and `*size` if the line is a chunk's first. */
static bool size_read(dx_bytes line, uint64_t *size)
{
    size_t digits = 0;

    *size = 0;
    for (; digits < line.size; digits++) {
        const char *known = "0123456789abcdef0123456789ABCDEF";
        const char *digit = line.at[digits] ? strchr(known, line.at[digits]) : NULL;
        if (!digit)
            digit = line.at[digits] >= 'A' && line.at[digits] <= 'F'
                        ? known + (line.at[digits] - 'A' + 10)
                        : NULL;
        if (!digit)
            break;
        if (digits == 16 || *size >> 59 != 0)
            return false;
        *size = *size * 16 + (uint64_t)(digit - known) % 16;
    }
    dx_bytes_skip(&line, digits);
    return digits > 0 && (line.size == 0 || (line.at[0] == ';' && are_extensions(line)));
}

/* Reads all at once: END and the content, or not END. Only END is compared. */
static bool slow_read(dx_bytes in, result *ret)
{
    dx_bytes all = in, line, data;
    uint64_t size;
    size_t trailers = 0;

    ret->size = 0;
    for (;;) {
        if (!line_take(&in, &line) || !size_read(line, &size))
            return false;
        if (size == 0)
            break;
        if (size > in.size || !dx_bytes_take(&in, (size_t)size, &data) ||
            !dx_bytes_starts(in, DX_BYTES("\r\n")))
            return false;
        dx_bytes_skip(&in, 2);
        memcpy(ret->content + ret->size, data.at, data.size);
        ret->size += data.size;
    }
    while (line_take(&in, &line)) {
        trailers += line.size + 2;
        if (trailers > DX_HTTP_TRAILERS_MAX)
            return false;
        if (line.size == 0) {
            ret->used = all.size - in.size;
            return true;
        }
        size_t colon = dx_bytes_find(line, ':');
        if (colon == line.size || !is_token((dx_bytes){line.at, colon}) || has_control(line))
            return false;
    }
    return false;
}

static void fast_read(dx_bytes all, unsigned seed, bool is_cut, result *ret)
{
    dx_http_chunks c;
    size_t from = 0;

    dx_http_chunks_init(&c);
    ret->status = DX_HTTP_MORE, ret->size = 0;
    while (ret->status == DX_HTTP_MORE) {
        size_t to = is_cut ? dx_min_size(all.size, from + fuzz_step(&seed)) : all.size;
        dx_bytes piece = fuzz_copy((dx_bytes){all.at + from, to - from}), in = piece, data;
        while ((ret->status = dx_http_chunk_read(&c, &in, &data)) == DX_HTTP_DATA) {
            FUZZ_CHECK(data.size > 0 && fuzz_is_inside(data, piece));
            memcpy(ret->content + ret->size, data.at, data.size);
            ret->size += data.size;
        }
        FUZZ_CHECK(ret->status != DX_HTTP_MORE || in.size == 0);
        ret->used = to - in.size;
        fuzz_free(piece);
        if (to == all.size)
            break;
        from = to;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static result whole, cut, slow;
    dx_bytes all = {data, size};
    uint8_t seed = 0;

    if (!dx_bytes_u8(&all, &seed) || all.size > sizeof whole.content)
        return 0;
    fast_read(all, seed, false, &whole);
    fast_read(all, seed, true, &cut);
    FUZZ_CHECK(whole.status == cut.status && whole.size == cut.size && whole.used == cut.used);
    FUZZ_CHECK(memcmp(whole.content, cut.content, whole.size) == 0);
    bool is_end = slow_read(all, &slow);
    FUZZ_CHECK(is_end == (whole.status == DX_HTTP_END));
    if (is_end)
        FUZZ_CHECK(slow.used == whole.used && slow.size == whole.size &&
                   memcmp(slow.content, whole.content, slow.size) == 0);
    return 0;
}
