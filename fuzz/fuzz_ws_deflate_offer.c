/* Negotiation: an accepted offer gives an answer that a client which offers everything takes, with
 * the same parameters; and any text as an answer is judged without a crash.
 * Input: policies (4 bytes), then lines.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_deflate_offer.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

enum { LINES_MAX = 16 };

static uint8_t bits_of(uint8_t choice)
{
    return choice % 8 ? (uint8_t)(8 + choice % 8) : 0;
}

static void check_params(const dx_ws_deflate_params *p, uint8_t server_bits_min)
{
    dx_assert(p->server_bits >= server_bits_min && p->server_bits <= 15);
    dx_assert(p->client_bits >= 8 && p->client_bits <= 15);
}

static void check_accepted(const dx_ws_deflate_policy *policy, const dx_ws_deflate_params *params,
                           const dx_ws_deflate_text *text)
{
    static const dx_ws_deflate_policy takes_all = {true, true, 0, 0};
    dx_bytes line = dx_bytes_at(text->at, text->size);
    dx_ws_deflate_params seen;

    check_params(params, 9);
    dx_assert(policy->server_takeover || !params->server_takeover);
    dx_assert(policy->client_takeover || !params->client_takeover);
    dx_assert(policy->server_bits_max == 0 || params->server_bits <= policy->server_bits_max);
    dx_assert(dx_ws_deflate_check((dx_ws_lines){&line, 1}, &takes_all, &seen) ==
              DX_WS_DEFLATE_ACCEPTED);
    dx_assert(seen.server_takeover == params->server_takeover);
    dx_assert(seen.client_takeover == params->client_takeover);
    dx_assert(seen.server_bits == params->server_bits && seen.client_bits >= params->client_bits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size), lines[LINES_MAX];
    uint8_t takeover = fuzz_byte(&in);
    dx_ws_deflate_policy policy = {takeover & 1, (takeover & 2) != 0, bits_of(fuzz_byte(&in)),
                                   bits_of(fuzz_byte(&in))};
    dx_ws_deflate_params params;
    dx_ws_deflate_text text;
    size_t count = 0;
    dx_bytes copy = fuzz_copy(in);

    in = copy;
    while (count < LINES_MAX && dx_bytes_split(&in, '\n', &lines[count]))
        count++;
    dx_ws_lines all = {lines, count};
    if (dx_ws_deflate_accept(all, &policy, &params, &text) == DX_WS_DEFLATE_ACCEPTED)
        check_accepted(&policy, &params, &text);
    if (dx_ws_deflate_check(all, &policy, &params) == DX_WS_DEFLATE_ACCEPTED)
        check_params(&params, 8);
    dx_assert(dx_ws_deflate_check(all, NULL, &params) != DX_WS_DEFLATE_ACCEPTED);
    fuzz_free(copy);
    return 0;
}
