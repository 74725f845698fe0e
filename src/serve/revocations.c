/* POST /api/v1/revocations on the admin listener: revokes tokens by id, or all that a subject has had.
 * Is:     {"jti":"…"} or {"sub":"…"}, with "before" (of a subject; else now) and "until" (else for ever), in seconds
 *         since 1970; 204 when it counts, for new requests and for live sessions.
 * Is not: the list (revoked.c).
 * SPDX-License-Identifier: MIT */
#include "serve/revoked.h"

#include "base/clock.h"
#include "codec/json.h"
#include "serve/server.h"

static bool bad(dx_exchange *x, const char *detail)
{
    dx_exchange_problem(x, 400, detail);
    return false;
}

/* value: of a member; a text of at most 255 bytes. */
static bool read_text(dx_bytes value, uint8_t memory[256], dx_bytes *ret)
{
    uint8_t text[6 * 256 + 2];

    if (dx_json_type_of(value) != DX_JSON_TEXT || value.size > sizeof text)
        return false;
    size_t size = dx_json_string_read(value, text);
    if (size == 0 || size > 255)
        return false;
    dx_copy(memory, text, size);
    *ret = dx_bytes_at(memory, size);
    return true;
}

static bool read_time(dx_bytes value, uint64_t *ms)
{
    uint64_t seconds;

    if (!dx_bytes_decimal(value, DX_FOR_EVER / 1000 - 1, &seconds))
        return false;
    *ms = seconds * 1000;
    return true;
}

static bool read_member(dx_bytes name, dx_bytes value, uint8_t memory[256], dx_revocation *to)
{
    if (dx_bytes_equal(name, DX_BYTES("\"jti\"")))
        return read_text(value, memory, &to->id);
    if (dx_bytes_equal(name, DX_BYTES("\"sub\"")))
        return read_text(value, memory, &to->subject);
    if (dx_bytes_equal(name, DX_BYTES("\"before\"")))
        return read_time(value, &to->before_ms);
    return dx_bytes_equal(name, DX_BYTES("\"until\"")) && read_time(value, &to->until_ms);
}

static bool read_body(dx_exchange *x, uint8_t memory[256], dx_revocation *ret)
{
    static const char allowed[] =
        "The body is a JSON object with jti or sub (a text of 1 to 255 bytes), perhaps before and "
        "until (whole seconds since 1970), and nothing else.";
    dx_revocation made = {.before_ms = dx_clock_wall_ms(), .until_ms = DX_FOR_EVER};
    dx_json_items items;
    dx_bytes name, value;
    size_t error_at = 0;

    if (dx_json_check(x->body, 4, &error_at) != DX_JSON_OK ||
        !dx_json_object_is_distinct(x->body) || !dx_json_items_init(&items, x->body))
        return bad(x, allowed);
    while (dx_json_object_next(&items, &name, &value))
        if ((made.id.at && made.subject.at) || !read_member(name, value, memory, &made))
            return bad(x, allowed);
    if (!made.id.at == !made.subject.at)
        return bad(x, allowed);
    *ret = made;
    return true;
}

static void handle(dx_exchange *x, void *server)
{
    uint8_t memory[256];
    dx_revocation entry;

    if (!read_body(x, memory, &entry))
        return;
    dx_err err = dx_server_revoke(server, &entry);
    if (err == DX_OK)
        dx_exchange_respond(x, &(dx_response){.status = 204});
    else if (err == DX_ERR_NAME)
        dx_exchange_problem(x, 400, "sub is a name of 1 to 255 bytes of UTF-8 without controls.");
    else if (err == DX_ERR_TOO_LARGE)
        dx_exchange_problem(x, 507, "The list is full: 100000 entries are kept.");
    else if (err == DX_ERR_SYSTEM)
        dx_exchange_problem(x, 503, "It cannot be written, and so it does not count.");
    else
        dx_exchange_problem(x, 503, "The server is going away, or out of memory: try again.");
}

dx_err dx_server_revocations(dx_server *s)
{
    return dx_server_admin_route(
        s, &(dx_route){"/api/v1/revocations", DX_BIT(DX_HTTP_POST), 4096, handle, s},
        DX_ADMIN_HOLDER);
}
