/* The messages of duplex compare: each has its number, all the same size.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "base/assert.h"

#include <inttypes.h>

enum { NUMBER_DIGITS = 6, NUMBER_BASE = 100000, NUMBER_MAX = 899999 };

#define BEGIN "{\"n\":"
#define BOOK ",\"symbol\":\"BTC-USD\",\"book\":["
#define ENTRY_FORMAT "[%05u.%02u,%u.%02u]"
#define REST "],\"id\":\""
#define END "\"}"

enum {
    BEGIN_BYTES = sizeof BEGIN - 1,
    ENTRY_BYTES = sizeof "[64250.11,0.52]" - 1,
    TAIL_BYTES = sizeof REST END - 1,
};

/* xorshift: the same messages in every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void put(uint8_t **at, const char *text, size_t size)
{
    memcpy(*at, text, size);
    *at += size;
}

static void put_entry(uint8_t **at, uint32_t *random)
{
    char entry[64];
    uint32_t price = next_random(random), amount = next_random(random);

    int size = snprintf(entry, sizeof entry, ENTRY_FORMAT, 64200 + price % 100, price / 100 % 100,
                        amount % 10, amount / 10 % 100);
    dx_assert(size == ENTRY_BYTES);
    put(at, entry, ENTRY_BYTES);
}

void dx_compare_message_write(uint64_t number, uint8_t *at, size_t size)
{
    uint32_t random = (uint32_t)number * 2654435761U + 88172645;
    const uint8_t *end = at + size;
    char digits[24];

    dx_assert(size >= DX_COMPARE_MESSAGE_MIN && number <= NUMBER_MAX);
    random = random ? random : 1;
    snprintf(digits, sizeof digits, "%" PRIu64, number + NUMBER_BASE);
    put(&at, BEGIN, BEGIN_BYTES);
    put(&at, digits, NUMBER_DIGITS);
    put(&at, BOOK, sizeof BOOK - 1);
    for (bool is_first = true; end - at >= ENTRY_BYTES + 1 + TAIL_BYTES; is_first = false) {
        if (!is_first)
            *at++ = ',';
        put_entry(&at, &random);
    }
    put(&at, REST, sizeof REST - 1);
    while (end - at > (ptrdiff_t)(sizeof END - 1))
        *at++ = (uint8_t) "0123456789abcdef"[next_random(&random) % 16];
    put(&at, END, sizeof END - 1);
    dx_assert(at == end);
}

bool dx_compare_message_number(dx_bytes message, uint64_t *ret)
{
    uint64_t number;
    dx_bytes digits;

    if (!dx_bytes_starts(message, DX_BYTES(BEGIN)))
        return false;
    dx_bytes_skip(&message, BEGIN_BYTES);
    if (!dx_bytes_take(&message, NUMBER_DIGITS, &digits) ||
        !dx_bytes_decimal(digits, UINT32_MAX, &number) || number < NUMBER_BASE)
        return false;
    *ret = number - NUMBER_BASE;
    return true;
}
