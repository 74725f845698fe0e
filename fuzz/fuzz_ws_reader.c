/* A whole WebSocket session: however it is cut, it tells the same.
 * Input: role and deflate, message limit, seed of the cuts, then the wire.
 * SPDX-License-Identifier: MIT */
#include "codec/test_ws_session.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t limits[] = {65536, 0, 1, 125, 126, 1000, 65535, UINT32_MAX};
    static const uint32_t chunks[] = {1, 3, 20, 1000};
    dx_bytes in = dx_bytes_at(data, size);
    uint8_t flags = fuzz_byte(&in);
    ws_session s = {
        .role = flags & 1 ? DX_WS_CLIENT : DX_WS_SERVER,
        .deflate = (flags & 2) != 0,
        .message_bytes_max = limits[fuzz_byte(&in) % DX_COUNT(limits)],
        .seed = fuzz_byte(&in),
    };
    char *whole = ws_session_run(&s, in);

    for (size_t i = in.size > 8192 ? 2 : 0; i < DX_COUNT(chunks);
         i++) { /* long ones not bytewise */
        s.chunk_max = chunks[i];
        char *cut = ws_session_run(&s, in);
        dx_assert(strcmp(whole, cut) == 0);
        free(cut);
    }
    free(whole);
    return 0;
}
