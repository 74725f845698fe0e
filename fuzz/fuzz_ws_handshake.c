/* The opening handshake, both sides: what is accepted keeps the rules that can be said in one line.
 * Input: flags, then lines: the first letter names the field, the rest is a value.
 * SPDX-License-Identifier: MIT */
#include "codec/base64.h"
#include "codec/ws_handshake.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

enum { LINES_MAX = 32, FIELDS = 7 };
static const char letters[FIELDS + 1] =
    "uckvpas"; /* upgrade connection key version protocol accept */

typedef struct fields {
    dx_bytes lines[FIELDS][LINES_MAX];
    size_t count[FIELDS];
} fields;

static dx_ws_lines lines_of(const fields *f, char letter)
{
    size_t i = (size_t)(strchr(letters, letter) - letters);
    return (dx_ws_lines){f->lines[i], f->count[i]};
}

static void read_fields(dx_bytes in, fields *f)
{
    dx_bytes line;

    while (dx_bytes_split(&in, '\n', &line)) {
        const char *letter = line.size > 0 && line.at[0] ? strchr(letters, line.at[0]) : NULL;
        size_t i = letter ? (size_t)(letter - letters) : 0;
        if (letter && f->count[i] < LINES_MAX)
            f->lines[i][f->count[i]++] = dx_bytes_at(line.at + 1, line.size - 1);
    }
}

static void check_base64(dx_bytes text)
{
    uint8_t raw[64];
    char again[128];
    size_t size;

    if (!dx_base64_read(text, raw, sizeof raw, &size))
        return;
    dx_base64_write(dx_bytes_at(raw, size), again);
    dx_assert(dx_bytes_equal(text, dx_bytes_at(again, DX_BASE64_TEXT_SIZE(size))));
}

static void check_server(const fields *f, uint8_t flags)
{
    dx_ws_request r = {.is_get = flags & 1,
                       .http_minor = flags >> 1 & 1,
                       .has_body = flags >> 2 & 1,
                       .upgrade = lines_of(f, 'u'),
                       .connection = lines_of(f, 'c'),
                       .key = lines_of(f, 'k'),
                       .version = lines_of(f, 'v')};
    static const dx_bytes supported[] = {DX_BYTES("duplex.v1"), DX_BYTES("chat")};
    dx_bytes chosen = {NULL, 0};

    if (dx_ws_request_check(&r) == DX_WS_ACCEPTED) {
        char accept[DX_WS_ACCEPT_BYTES];
        dx_assert(dx_ws_request_is_upgrade(&r) && r.is_get && r.http_minor >= 1 && !r.has_body);
        dx_assert(r.key.count == 1 && r.version.count == 1);
        check_base64(dx_bytes_trim(r.key.at[0]));
        dx_ws_accept_key(r.key.at[0], accept);
        dx_assert(accept[DX_WS_ACCEPT_BYTES - 1] == '=');
    }
    if (dx_ws_subprotocol_choose(lines_of(f, 'p'), supported, 2, &chosen) == DX_WS_ACCEPTED &&
        chosen.size > 0)
        dx_assert(dx_ws_lines_have(lines_of(f, 'p'), chosen));
}

static void check_client(const fields *f, uint8_t flags)
{
    static const dx_bytes asked[] = {DX_BYTES("duplex.v1"), DX_BYTES("chat")};
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
    dx_ws_answer a = {.status = flags & 8 ? 101 : 200,
                      .upgrade = lines_of(f, 'u'),
                      .connection = lines_of(f, 'c'),
                      .accept = lines_of(f, 'a'),
                      .subprotocol = lines_of(f, 's')};
    dx_bytes chosen = {NULL, 0};

    if (dx_ws_answer_check(&a, key, asked, 2, &chosen) != DX_WS_ACCEPTED)
        return;
    dx_assert(
        dx_bytes_equal(dx_bytes_trim(a.accept.at[0]), DX_BYTES("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    dx_assert(chosen.size == 0 || dx_bytes_equal(chosen, asked[0]) ||
              dx_bytes_equal(chosen, asked[1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size);
    uint8_t flags = fuzz_byte(&in);
    dx_bytes copy = fuzz_copy(in);
    fields *f = calloc(1, sizeof *f);

    dx_assert(f != NULL);
    in = copy;
    read_fields(in, f);
    check_server(f, flags);
    check_client(f, flags);
    check_base64(copy);
    free(f);
    fuzz_free(copy);
    return 0;
}
