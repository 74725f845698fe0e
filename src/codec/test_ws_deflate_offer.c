/* Tests of ws_deflate_offer.h: rows of header value, policy, answer.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_deflate_offer.h"

#include "tests/tap.h"

#define PMD "permessage-deflate"
#define SNCT "; server_no_context_takeover"
#define CNCT "; client_no_context_takeover"
#define BOTH SNCT CNCT

static const dx_ws_deflate_policy forgets = {0};
static const dx_ws_deflate_policy keeps = {.server_takeover = true, .client_takeover = true};
static const dx_ws_deflate_policy small = {true, true, 10, 11};

/* The answer's text, or "none"; and the parameters as "SC15/15": letters for takeover. */
static const char *accept(const char *line, const char *line2, const dx_ws_deflate_policy *policy)
{
    static char text[256];
    dx_bytes lines[2] = {dx_bytes_of(line), dx_bytes_of(line2)};
    dx_ws_lines offered = {lines, line2 ? 2 : 1};
    dx_ws_deflate_params params;
    dx_ws_deflate_text answer;

    if (dx_ws_deflate_accept(offered, policy, &params, &answer) != DX_WS_DEFLATE_ACCEPTED)
        return "none";
    snprintf(text, sizeof text, "%.*s | %s%s%u/%u", (int)answer.size, answer.at,
             params.server_takeover ? "S" : "", params.client_takeover ? "C" : "",
             params.server_bits, params.client_bits);
    return text;
}

#define CHECK_ACCEPT(line, policy, want) CHECK_BYTES(dx_bytes_of(accept(line, NULL, policy)), want)

TEST("RFC 7692 §7.1.1 by default no context is kept, and that is answered")
{
    CHECK_ACCEPT(PMD, &forgets, PMD BOTH " | 15/15");
    CHECK_ACCEPT(PMD CNCT, &forgets, PMD BOTH " | 15/15");
    CHECK_ACCEPT(PMD SNCT, &forgets, PMD BOTH " | 15/15");
}

TEST("RFC 7692 §7.1.1 with takeover each side's wish to forget is answered")
{
    CHECK_ACCEPT(PMD, &keeps, PMD " | SC15/15");
    CHECK_ACCEPT(PMD SNCT, &keeps, PMD SNCT " | C15/15");
    CHECK_ACCEPT(PMD CNCT, &keeps, PMD CNCT " | S15/15");
    CHECK_ACCEPT(PMD CNCT SNCT, &keeps, PMD BOTH " | 15/15");
}

TEST("RFC 7692 §7.1.2.1 server_max_window_bits is answered, not above what was offered")
{
    CHECK_ACCEPT(PMD "; server_max_window_bits=10", &keeps,
                 PMD "; server_max_window_bits=10 | SC10/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=15", &keeps,
                 PMD "; server_max_window_bits=15 | SC15/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=9", &keeps,
                 PMD "; server_max_window_bits=9 | SC9/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=12", &small,
                 PMD "; server_max_window_bits=10 | SC10/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=9", &small,
                 PMD "; server_max_window_bits=9 | SC9/15");
    CHECK_ACCEPT(PMD, &small, PMD "; server_max_window_bits=10 | SC10/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=8", &keeps, "none");
}

TEST("RFC 7692 §7.1.2.2 client_max_window_bits is answered only if offered, and with a value")
{
    CHECK_ACCEPT(PMD "; client_max_window_bits", &keeps, PMD " | SC15/15");
    CHECK_ACCEPT(PMD "; client_max_window_bits", &small,
                 PMD "; server_max_window_bits=10; client_max_window_bits=11 | SC10/11");
    CHECK_ACCEPT(PMD "; client_max_window_bits=13", &small,
                 PMD "; server_max_window_bits=10; client_max_window_bits=11 | SC10/11");
    /* a client that says it stays below need not be told */
    CHECK_ACCEPT(PMD "; client_max_window_bits=9", &small,
                 PMD "; server_max_window_bits=10 | SC10/9");
    CHECK_ACCEPT(PMD "; client_max_window_bits=8", &keeps, PMD " | SC15/8");
}

TEST("RFC 7692 §7 an offer with an unknown, repeated or wrong parameter is passed over")
{
    static const char *const bad[] = {
        PMD "; foo",
        PMD "; foo=1",
        PMD ";",
        PMD "; ;",
        PMD "; =1",
        PMD SNCT SNCT,
        PMD CNCT CNCT,
        PMD SNCT "=1",
        PMD SNCT "=",
        PMD CNCT "=\"\"",
        PMD "; server_max_window_bits",
        PMD "; server_max_window_bits=",
        PMD "; server_max_window_bits=7",
        PMD "; server_max_window_bits=16",
        PMD "; server_max_window_bits=08",
        PMD "; server_max_window_bits=010",
        PMD "; server_max_window_bits=+9",
        PMD "; server_max_window_bits=1 0",
        PMD "; server_max_window_bits=0xa",
        PMD "; server_max_window_bits=100",
        PMD "; server_max_window_bits=9; server_max_window_bits=9",
        PMD "; server_max_window_bits=99999999999999999999",
        PMD "; server_max_window_bits=\"\"",
        PMD "; server_max_window_bits=\"9",
        PMD "; server_max_window_bits=9\"",
        PMD "; client_max_window_bits=",
        PMD "; client_max_window_bits=7",
        PMD "; client_max_window_bits=16",
        PMD "; client_max_window_bits=09",
        PMD "; client_max_window_bits; client_max_window_bits",
        PMD "; client_max_window_bits; client_max_window_bits=10",
        PMD "; Server_No_Context_Takeover",
        PMD " server_no_context_takeover",
        "x-webkit-deflate-frame",
        "permessage-deflat",
        "permessage-deflate2",
        "",
        ",,",
        ";",
        "\"" PMD "\"",
    };
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (strcmp(accept(bad[i], NULL, &keeps), "none") != 0)
            TAP_FAIL("%s was accepted", bad[i]);
}

TEST("RFC 7692 §5.1 the next offer is taken then, in the same line or another")
{
    CHECK_ACCEPT(PMD "; server_max_window_bits=7, " PMD, &keeps, PMD " | SC15/15");
    CHECK_ACCEPT("foo; bar=\"a, b\", " PMD "; server_max_window_bits=8 ," PMD SNCT, &keeps,
                 PMD SNCT " | C15/15");
    CHECK_BYTES(dx_bytes_of(accept(PMD "; foo", PMD CNCT, &keeps)), PMD CNCT " | S15/15");
    CHECK_BYTES(dx_bytes_of(accept(PMD "; foo", PMD "; bar", &keeps)), "none");
    CHECK_ACCEPT(PMD SNCT ", " PMD, &keeps, PMD SNCT " | C15/15"); /* the first that can be taken */
}

TEST("RFC 6455 §9.1 a quoted value is as good as a token")
{
    CHECK_ACCEPT(PMD "; server_max_window_bits=\"10\"", &keeps,
                 PMD "; server_max_window_bits=10 | SC10/15");
    CHECK_ACCEPT(PMD " ;  server_max_window_bits = \"1\\0\"", &keeps,
                 PMD "; server_max_window_bits=10 | SC10/15");
    CHECK_ACCEPT(PMD "; server_max_window_bits=\"010\"", &keeps, "none");
}

TEST("nothing offered, nothing answered")
{
    dx_ws_deflate_params params = {.server_bits = 99};
    dx_ws_deflate_text text = {.size = 99};
    CHECK_INT(dx_ws_deflate_accept((dx_ws_lines){NULL, 0}, &keeps, &params, &text),
              DX_WS_DEFLATE_NONE);
    CHECK(params.server_bits == 99 && text.size == 99);
}

/* ---- client ----------------------------------------------------------------------------------- */

static const char *offer_text(const dx_ws_deflate_policy *policy)
{
    static char text[DX_WS_DEFLATE_TEXT_MAX + 1];
    dx_ws_deflate_text offer;
    dx_ws_deflate_offer(policy, &offer);
    snprintf(text, sizeof text, "%.*s", (int)offer.size, offer.at);
    return text;
}

TEST("RFC 7692 §7.1 what a client offers")
{
    static const dx_ws_deflate_policy least_of_all = {false, false, 10, 10};
    CHECK_BYTES(dx_bytes_of(offer_text(&forgets)), PMD BOTH "; client_max_window_bits");
    CHECK_BYTES(dx_bytes_of(offer_text(&keeps)), PMD "; client_max_window_bits");
    CHECK_BYTES(dx_bytes_of(offer_text(&small)),
                PMD "; server_max_window_bits=10; client_max_window_bits=11");
    CHECK_BYTES(dx_bytes_of(offer_text(&least_of_all)),
                PMD BOTH "; server_max_window_bits=10; client_max_window_bits=10");
}

static const char *check(const char *line, const char *line2, const dx_ws_deflate_policy *policy)
{
    static char text[32];
    dx_bytes lines[2] = {dx_bytes_of(line), dx_bytes_of(line2)};
    dx_ws_lines answered = {lines, line2 ? 2 : line ? 1 : 0};
    dx_ws_deflate_params params;

    switch (dx_ws_deflate_check(answered, policy, &params)) {
    case DX_WS_DEFLATE_NONE: return "none";
    case DX_WS_DEFLATE_BAD: return "bad";
    case DX_WS_DEFLATE_ACCEPTED: break;
    }
    snprintf(text, sizeof text, "%s%s%u/%u", params.server_takeover ? "S" : "",
             params.client_takeover ? "C" : "", params.server_bits, params.client_bits);
    return text;
}

#define CHECK_CHECK(line, policy, want) CHECK_BYTES(dx_bytes_of(check(line, NULL, policy)), want)

TEST("RFC 7692 §7.1 answers that a client takes")
{
    CHECK_CHECK(NULL, &keeps, "none");
    CHECK_CHECK("", &keeps, "none");
    CHECK_CHECK(NULL, NULL, "none");
    CHECK_CHECK(PMD, &keeps, "SC15/15");
    CHECK_CHECK(PMD BOTH, &keeps, "15/15");
    CHECK_CHECK(PMD BOTH, &forgets, "15/15");
    CHECK_CHECK(PMD SNCT, &forgets, "15/15"); /* we said that we forget */
    CHECK_CHECK(PMD "; server_max_window_bits=8", &keeps, "SC8/15");
    CHECK_CHECK(PMD "; client_max_window_bits=8", &keeps, "SC15/8");
    CHECK_CHECK(PMD "; server_max_window_bits=10; client_max_window_bits=11", &small, "SC10/11");
    CHECK_CHECK(PMD "; server_max_window_bits=9", &small, "SC9/11");
}

TEST("RFC 7692 §7.1 an answer that was not asked for or is out of range fails the connection")
{
    CHECK_CHECK(PMD, NULL, "bad");
    CHECK_CHECK("x", NULL, "bad");
    CHECK_CHECK("x", &keeps, "bad");
    CHECK_CHECK(PMD ", " PMD, &keeps, "bad");
    CHECK_CHECK(PMD ", x", &keeps, "bad");
    CHECK_BYTES(dx_bytes_of(check(PMD, PMD, &keeps)), "bad");
    CHECK_CHECK(PMD "; foo", &keeps, "bad");
    CHECK_CHECK(PMD BOTH CNCT, &keeps, "bad");
    CHECK_CHECK(PMD "; server_max_window_bits=16", &keeps, "bad");
    CHECK_CHECK(PMD "; server_max_window_bits", &keeps, "bad");
    CHECK_CHECK(PMD "; client_max_window_bits", &keeps, "bad"); /* a value is a must in answers */
    CHECK_CHECK(PMD, &forgets, "bad");      /* server_no_context_takeover was offered */
    CHECK_CHECK(PMD CNCT, &forgets, "bad"); /* likewise */
    CHECK_CHECK(PMD, &small, "bad");        /* server_max_window_bits was offered */
    CHECK_CHECK(PMD "; server_max_window_bits=11", &small, "bad");
    CHECK_CHECK(PMD "; server_max_window_bits=10; client_max_window_bits=12", &small, "bad");
}

TEST("RFC 7692 §7.1 what our client offers, our server accepts, and our client takes the answer")
{
    for (unsigned i = 0; i < 4 * 8 * 8 * 4 * 8 * 8; i++) {
        dx_ws_deflate_policy ours = {i & 1, (i & 2) != 0, (uint8_t)(i / 4 % 8 ? 8 + i / 4 % 8 : 0),
                                     (uint8_t)(i / 32 % 8 ? 8 + i / 32 % 8 : 0)};
        unsigned k = i / 256;
        dx_ws_deflate_policy theirs = {k & 1, (k & 2) != 0,
                                       (uint8_t)(k / 4 % 8 ? 8 + k / 4 % 8 : 0),
                                       (uint8_t)(k / 32 % 8 ? 8 + k / 32 % 8 : 0)};
        dx_ws_deflate_text offer, answer;
        dx_ws_deflate_params server, client;
        dx_ws_deflate_offer(&ours, &offer);
        dx_bytes line = dx_bytes_at(offer.at, offer.size);
        CHECK_INT(dx_ws_deflate_accept((dx_ws_lines){&line, 1}, &theirs, &server, &answer),
                  DX_WS_DEFLATE_ACCEPTED);
        line = dx_bytes_at(answer.at, answer.size);
        CHECK_INT(dx_ws_deflate_check((dx_ws_lines){&line, 1}, &ours, &client),
                  DX_WS_DEFLATE_ACCEPTED);
        CHECK(server.server_takeover == client.server_takeover);
        CHECK(server.client_takeover == client.client_takeover);
        CHECK(server.server_bits == client.server_bits && server.client_bits == client.client_bits);
    }
}
