/* Tests of sha1.h.
 * SPDX-License-Identifier: MIT */
#include "codec/sha1.h"

#include "tests/tap.h"

static void check_sum(dx_bytes in, const char *hex)
{
    uint8_t sum[DX_SHA1_BYTES];
    char text[2 * DX_SHA1_BYTES + 1];

    dx_sha1(in, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    CHECK_MEM(text, strlen(text), hex, strlen(hex));
}

TEST("RFC 3174 §7.3 the test vectors")
{
    check_sum(DX_BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_sum(DX_BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    check_sum((dx_bytes){NULL, 0}, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    check_sum(dx_bytes_at(million, sizeof million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST("every size around the padding of a block")
{
    /* sums of n times 'x', from another implementation */
    static const struct {
        size_t size;
        const char *hex;
    } sums[] = {
        {1, "11f6ad8ec52a2984abaafd7c3b516503785c2072"},
        {54, "31045e7bb077ff8d188a776b196b980388735dbb"},
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},
        {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59"},
        {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
        {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},
        {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
        {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"},
        {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"},
        {127, "e463484d274607e1897d4099497cbf2aedcf8206"},
        {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
        {129, "2699b675922cc84a9b0dfd926eb7f8211c78693d"},
    };
    uint8_t text[129];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < DX_COUNT(sums); i++)
        check_sum(dx_bytes_at(text, sums[i].size), sums[i].hex);
}
