/* The access log.
 * SPDX-License-Identifier: MIT */
#include "serve/access_log.h"

#include "base/clock.h"
#include "base/random.h"
#include "net/address.h"
#include "net/socket.h"

#include <stdlib.h>

enum {
    MILLION = 1000000,
    ERRORS_BIT = 1 << 30,
    FAILURES_BIT = 1 << 29,
    PARTS_MASK = FAILURES_BIT - 1
};

/* ---- the policy ------------------------------------------------------------------------------- */

/* "0.5%": digits, perhaps a point and up to four more. */
static bool read_percentage(const char *text, uint32_t *ret_parts)
{
    uint32_t parts = 0, unit = MILLION / 100;
    const char *c = text;

    for (; *c >= '0' && *c <= '9' && parts <= MILLION; c++)
        parts = parts * 10 + (uint32_t)(*c - '0') * unit;
    if (c == text)
        return false;
    if (*c == '.')
        for (c++; *c >= '0' && *c <= '9' && unit > 1; c++)
            parts += (uint32_t)(*c - '0') * (unit /= 10);
    if (strcmp(c, "%") != 0 || parts > MILLION)
        return false;
    *ret_parts = parts;
    return true;
}

bool dx_access_log_policy_read(const char *text, dx_access_log_policy *ret)
{
    uint32_t parts = 0;

    if (strcmp(text, "off") == 0)
        *ret = 0;
    else if (strcmp(text, "errors") == 0)
        *ret = ERRORS_BIT;
    else if (strcmp(text, "all") == 0)
        *ret = MILLION;
    else if (read_percentage(text, &parts))
        *ret = parts | FAILURES_BIT;
    else
        return false;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------ */

void dx_access_log_init(dx_access_log *a, const dx_log *log, const atomic_uint *policy,
                        uint32_t workers_count)
{
    *a = (dx_access_log){
        .log = log, .policy = policy, .lines_max = DX_ACCESS_LOG_LINES_MAX / workers_count};
    if (a->lines_max == 0)
        a->lines_max = 1;
    dx_random_fill(&a->random, sizeof a->random);
    a->random |= 1;
}

/* xorshift64 (Marsaglia 2003): which of the answers are the sample is nobody's secret. */
static bool is_sampled(dx_access_log *a, uint32_t parts)
{
    a->random ^= a->random << 13;
    a->random ^= a->random >> 7;
    a->random ^= a->random << 17;
    return parts >= MILLION || a->random % MILLION < parts;
}

static bool is_wanted(dx_access_log *a, unsigned status)
{
    uint32_t policy = atomic_load_explicit(a->policy, memory_order_relaxed);

    return (policy & ERRORS_BIT && status >= 400) || (policy & FAILURES_BIT && status >= 500) ||
           ((policy & PARTS_MASK) > 0 && is_sampled(a, policy & PARTS_MASK));
}

/* Whether this second has a line left; tells of those that found none in the one before. */
static bool take_line(dx_access_log *a, uint64_t now_ms)
{
    const dx_log_field lines = DX_LOG_NUMBER("lines", a->left_out_count);

    if (now_ms / 1000 != a->second) {
        if (a->left_out_count > 0)
            dx_log_line(a->log, DX_LOG_INFO,
                        DX_BYTES("requests were left out of the log: too many"), &lines, 1);
        a->second = now_ms / 1000;
        a->lines_count = 0;
        a->left_out_count = 0;
    }
    if (a->lines_count < a->lines_max) {
        a->lines_count++;
        return true;
    }
    a->left_out_count++;
    return false;
}

static dx_bytes peer_text(int fd, char to[DX_ADDRESS_TEXT_BYTES])
{
    dx_address peer;

    if (fd < 0 || !dx_socket_peer(fd, &peer))
        return (dx_bytes){NULL, 0};
    dx_address_format(&peer, to);
    return dx_bytes_of(to);
}

static void write_line(dx_access_log *a, const dx_exchange *x)
{
    char peer[DX_ADDRESS_TEXT_BYTES];
    const dx_conn *conn = dx_exchange_conn(x);
    const bool is_read = x->head.path.size > 0;
    dx_bytes none = {NULL, 0};
    dx_log_field fields[9];
    size_t count = 0;

    fields[count++] = DX_LOG_TEXT("peer", peer_text(dx_conn_fd(conn), peer));
    fields[count++] = DX_LOG_NUMBER("connection", (uint64_t)dx_conn_fd(conn));
    if (x->number > 0)
        fields[count++] = DX_LOG_NUMBER("stream", x->number);
    fields[count++] = DX_LOG_TEXT("method", is_read ? x->head.method_text : none);
    fields[count++] = DX_LOG_TEXT("path", is_read ? x->head.path : none);
    fields[count++] = DX_LOG_NUMBER("status", x->status);
    if (x->is_endless) /* it goes on: nobody knows how long, and how much there will be */
        fields[count++] = DX_LOG_TEXT("live", DX_BYTES("true"));
    else
        fields[count++] = DX_LOG_NUMBER("bytes", x->sent_bytes);
    fields[count++] = DX_LOG_NUMBER("duration_us", (dx_clock_ns() - x->begun_ns) / 1000);
    dx_log_line(a->log, DX_LOG_INFO, DX_BYTES("request"), fields, count);
}

void dx_access_log_note(dx_access_log *a, const dx_exchange *x)
{
    if (is_wanted(a, x->status) && dx_log_is_on(a->log, DX_LOG_INFO) &&
        take_line(a, x->begun_ns / 1000000))
        write_line(a, x);
}
