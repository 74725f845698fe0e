/* duplex.v1: what was read lies inside of the input, and written again it reads the same.
 * Input: one WebSocket message, read as either end would.
 * SPDX-License-Identifier: MIT */
#include "codec/duplex_v1.h"
#include "codec/json.h"
#include "fuzz/fuzz.h"

static dx_bytes id_of(const dx_v1_server_frame *f)
{
    return dx_bytes_at(f->id, f->id_size);
}

static void read_as_server(dx_bytes in)
{
    dx_v1_client_frame f, again;
    uint8_t line[DX_V1_ID_BYTES_MAX + 1];
    dx_v1_control c;

    if (dx_v1_client_read(in, &f) != DX_V1_OK)
        return;
    FUZZ_CHECK(fuzz_is_inside(f.data, in) && fuzz_is_inside(f.id, in));
    switch (f.kind) {
    case DX_V1_PUBLISH: {
        size_t size = dx_v1_publish_write(f.id, line);
        FUZZ_CHECK(size + f.data.size == in.size && memcmp(in.at, line, size) == 0);
        return;
    }
    case DX_V1_PRESENCE: dx_v1_presence_write(f.data, &c); break;
    case DX_V1_PING: dx_v1_ping_write(f.data, &c); break;
    case DX_V1_TOKEN: return; /* no client of ours writes it */
    }
    FUZZ_CHECK(dx_v1_client_read(dx_v1_control_bytes(&c), &again) == DX_V1_OK);
    FUZZ_CHECK(again.kind == f.kind && dx_bytes_equal(again.data, f.data));
}

/* False: it is of a kind that is not written. */
static bool write_again(const dx_v1_server_frame *f, dx_v1_control *c)
{
    switch (f->kind) {
    case DX_V1_MESSAGE:
    case DX_V1_MEMBERS: return false;
    case DX_V1_ACK:
        (f->is_duplicate ? dx_v1_ack_again_write : dx_v1_ack_write)(id_of(f), f->offset, c);
        return true;
    case DX_V1_ERROR: dx_v1_error_write(id_of(f), f->status, DX_BYTES("?"), c); return true;
    case DX_V1_GAP: dx_v1_gap_write(&f->gap, c); return true;
    case DX_V1_CAUGHT_UP: dx_v1_caught_up_write(f->offset, c); return true;
    case DX_V1_CLOSED: dx_v1_closed_write(c); return true;
    case DX_V1_RECONNECT: dx_v1_reconnect_write(f->after_ms, c); return true;
    case DX_V1_PONG:
        if (f->data.size > DX_V1_PING_BYTES_MAX)
            return false;
        dx_v1_pong_write(f->data, c);
        return true;
    }
    return false;
}

static bool is_same(const dx_v1_server_frame *a, const dx_v1_server_frame *b)
{
    return a->kind == b->kind && dx_offset_compare(a->offset, b->offset) == 0 &&
           dx_bytes_equal(id_of(a), id_of(b)) && a->status == b->status &&
           a->after_ms == b->after_ms && a->gap.lost == b->gap.lost &&
           a->gap.is_lost_known == b->gap.is_lost_known &&
           dx_offset_compare(a->gap.requested, b->gap.requested) == 0 &&
           dx_offset_compare(a->gap.earliest, b->gap.earliest) == 0;
}

static void read_as_client(dx_bytes in)
{
    dx_v1_server_frame f, again;
    dx_v1_control c;

    if (dx_v1_server_read(in, &f) != DX_V1_OK)
        return;
    FUZZ_CHECK(fuzz_is_inside(f.data, in));
    FUZZ_CHECK(f.id_size == 0 || dx_v1_id_is_good(id_of(&f)));
    if (!write_again(&f, &c))
        return;
    FUZZ_CHECK(dx_v1_server_read(dx_v1_control_bytes(&c), &again) == DX_V1_OK);
    FUZZ_CHECK(is_same(&f, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as_server((dx_bytes){data, size});
    read_as_client((dx_bytes){data, size});
    return 0;
}
