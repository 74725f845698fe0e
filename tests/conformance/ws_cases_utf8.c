/* Autobahn's category 6: UTF-8 in text messages.
 * Is:      6.1 to 6.4 as scripts, 6.5 to 6.23 as one table: id, octets, whether they are valid.
 * Source:  RFC 6455 §8.1, RFC 3629; ids of the Autobahn|Testsuite.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#include <stdio.h>
#include <string.h>

#define BAD .bad = 1007
#define KOSME "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" /* the Greek word, accent and all */
#define UMLAUTS_1 "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4"
#define UMLAUTS_2 "\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"

static const wst_case scripts[] = {
    {"6.1.1", "§8.1", "empty text", SCRIPT(AT_ONCE, TEXT(""))},
    {"6.1.2", "§8.1", "three empty fragments",
     SCRIPT(AT_ONCE, TEXT("", MORE), CONTINUATION("", MORE), CONTINUATION(""))},
    {"6.1.3", "§8.1", "three fragments, only the middle one not empty",
     SCRIPT(AT_ONCE, TEXT("", MORE), CONTINUATION("middle frame payload", MORE), CONTINUATION(""))},
    {"6.2.1", "§8.1", "valid text in one frame", SCRIPT(AT_ONCE, TEXT(UMLAUTS_1 UMLAUTS_2))},
    {"6.2.2", "§8.1", "valid text in two fragments, between code points",
     SCRIPT(AT_ONCE, TEXT(UMLAUTS_1, MORE), CONTINUATION(UMLAUTS_2))},
    {"6.2.3", "§8.1", "valid text in fragments of one octet",
     SCRIPT(AT_ONCE, TEXT(UMLAUTS_1 UMLAUTS_2, .fragment = 1))},
    {"6.2.4", "§8.1", "Greek text in fragments of one octet",
     SCRIPT(AT_ONCE, TEXT(KOSME, .fragment = 1))},
    {"6.3.1", "§8.1", "a surrogate inside text, one frame",
     SCRIPT(AT_ONCE, TEXT(KOSME "\xed\xa0\x80"
                                "edited",
                          BAD))},
    {"6.3.2", "§8.1", "a surrogate inside text, fragments of one octet",
     SCRIPT(AT_ONCE, TEXT(KOSME "\xed\xa0\x80"
                                "edited",
                          BAD, .fragment = 1))},
    {"6.4.1", "§8.1", "fails fast: the second of three fragments is above U+10FFFF",
     SCRIPT(AT_ONCE, TEXT(KOSME, MORE), QUIET(50), CONTINUATION("\xf4\x90\x80\x80", MORE, BAD),
            AWAIT_END, CONTINUATION("edited"))},
    {"6.4.2", "§8.1", "fails fast: f4 ends a fragment, 90 is the next",
     SCRIPT(AT_ONCE, TEXT(KOSME "\xf4", MORE), QUIET(50), CONTINUATION("\x90", MORE, BAD),
            AWAIT_END,
            CONTINUATION("\x80\x80"
                         "edited"))},
};

/* Inside one frame: how many octets are sent as the good part, and how many then as the bad one. */
typedef struct in_frame {
    size_t good, bad;
} in_frame;

static const char whole[] = KOSME "\xf4\x90\x80\x80"
                                  "edited";
static const in_frame bad_piece = {11, 4}, bad_octet = {12, 1};

static void send_octets(wst_run *run, wst_client *client, uint8_t *at, size_t size)
{
    wst_send(run, client, &(wst_buffer){.at = at, .size = size}, AT_ONCE);
}

/* Sends the frame with its bad part; the rest only if the server has not failed by then. */
static wst_event send_in_parts(wst_run *run, wst_client *client, const in_frame *cut,
                               const wst_buffer *frame)
{
    size_t good_end = frame->size - (sizeof whole - 1) + cut->good, bad_end = good_end + cut->bad;

    send_octets(run, client, frame->at, good_end);
    wst_event event = wst_client_next(client, 50);
    if (event.kind != WST_EVENT_TIMEOUT) {
        wst_fail(run, "the server answered before the bad octet");
        return event;
    }
    send_octets(run, client, frame->at + good_end, cut->bad);
    event = wst_client_next(client, WST_FAIL_FAST_MS);
    if (event.kind != WST_EVENT_TIMEOUT)
        return event;
    wst_run_grade(run, WST_NON_STRICT, "nothing came at the bad octet");
    send_octets(run, client, frame->at + bad_end, frame->size - bad_end);
    return wst_client_next(client, client->wait_ms);
}

static void run_in_frame(wst_run *run, const wst_case *c)
{
    wst_buffer frame = {0};
    wst_client client;

    if (wst_open(run, &client, c)) {
        wst_frame_write(&frame, &(wst_frame){.opcode = WST_TEXT}, whole, sizeof whole - 1,
                        wst_client_key(&client));
        wst_event event = send_in_parts(run, &client, c->data, &frame);
        if (event.kind == WST_EVENT_CLOSE && event.code == 1007) {
            wst_client_close(&client, 1007, "");
            wst_expect_end(run, &client, true);
        } else {
            char came[200];
            wst_event_text(&client, &event, came);
            wst_fail(run, "expected Close 1007, came %s", came);
        }
    }
    wst_close(run, &client);
    wst_buffer_deinit(&frame);
}

static const wst_case in_frames[] = {
    {"6.4.3", "§8.1", "fails fast inside one frame: the bad code point as one piece",
     .run = run_in_frame, .data = &bad_piece},
    {"6.4.4", "§8.1", "fails fast inside one frame: at the octet that makes it bad",
     .run = run_in_frame, .data = &bad_octet},
};

typedef struct sample {
    const char *id, *text;
    size_t size;
    bool is_valid;
} sample;

#define VALID(id, s)                                                                               \
    {                                                                                              \
        id, s, sizeof s - 1, true                                                                  \
    }
#define INVALID(id, s)                                                                             \
    {                                                                                              \
        id, s, sizeof s - 1, false                                                                 \
    }

static const sample samples[] = {
    /* 6.5 valid text */
    VALID("6.5.1", "hello\x24world"),
    VALID("6.5.2", "hello\xc2\xa2world"),
    VALID("6.5.3", "hello\xe2\x82\xacworld"),
    VALID("6.5.4", "hello\xf0\xa4\xad\xa2world"),
    VALID("6.5.5", KOSME),
    /* 6.6 every prefix of a valid text */
    INVALID("6.6.1", "\xce"),
    VALID("6.6.2", "\xce\xba"),
    INVALID("6.6.3", "\xce\xba\xe1"),
    INVALID("6.6.4", "\xce\xba\xe1\xbd"),
    VALID("6.6.5", "\xce\xba\xe1\xbd\xb9"),
    INVALID("6.6.6", "\xce\xba\xe1\xbd\xb9\xcf"),
    VALID("6.6.7", "\xce\xba\xe1\xbd\xb9\xcf\x83"),
    INVALID("6.6.8", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce"),
    VALID("6.6.9", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc"),
    INVALID("6.6.10", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce"),
    VALID("6.6.11", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"),
    /* 6.7 the first code point of each length */
    VALID("6.7.1", "\x00"),
    VALID("6.7.2", "\xc2\x80"),
    VALID("6.7.3", "\xe0\xa0\x80"),
    VALID("6.7.4", "\xf0\x90\x80\x80"),
    /* 6.8 the first of five and six octets */
    INVALID("6.8.1", "\xf8\x88\x80\x80\x80"),
    INVALID("6.8.2", "\xfc\x84\x80\x80\x80\x80"),
    /* 6.9 the last of each length */
    VALID("6.9.1", "\x7f"),
    VALID("6.9.2", "\xdf\xbf"),
    VALID("6.9.3", "\xef\xbf\xbf"),
    VALID("6.9.4", "\xf4\x8f\xbf\xbf"),
    /* 6.10 the last of four, five and six octets: beyond U+10FFFF */
    INVALID("6.10.1", "\xf7\xbf\xbf\xbf"),
    INVALID("6.10.2", "\xfb\xbf\xbf\xbf\xbf"),
    INVALID("6.10.3", "\xfd\xbf\xbf\xbf\xbf\xbf"),
    /* 6.11 other boundaries */
    VALID("6.11.1", "\xed\x9f\xbf"),
    VALID("6.11.2", "\xee\x80\x80"),
    VALID("6.11.3", "\xef\xbf\xbd"),
    VALID("6.11.4", "\xf4\x8f\xbf\xbf"),
    INVALID("6.11.5", "\xf4\x90\x80\x80"),
    /* 6.12 continuation octets alone */
    INVALID("6.12.1", "\x80"),
    INVALID("6.12.2", "\xbf"),
    INVALID("6.12.3", "\x80\xbf"),
    INVALID("6.12.4", "\x80\xbf\x80"),
    INVALID("6.12.5", "\x80\xbf\x80\xbf"),
    INVALID("6.12.6", "\x80\xbf\x80\xbf\x80"),
    INVALID("6.12.7", "\x80\xbf\x80\xbf\x80\xbf"),
    INVALID("6.12.8", "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
                      "\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f"
                      "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
                      "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe"),
    /* 6.13 lead octets alone, each with a space after it */
    INVALID("6.13.1", "\xc0 \xc1 \xc2 \xc3 \xc4 \xc5 \xc6 \xc7 \xc8 \xc9 \xca \xcb \xcc \xcd \xce "
                      "\xcf \xd0 \xd1 \xd2 \xd3 \xd4 \xd5 \xd6 \xd7 \xd8 \xd9 \xda \xdb \xdc \xdd "
                      "\xde "),
    INVALID("6.13.2",
            "\xe0 \xe1 \xe2 \xe3 \xe4 \xe5 \xe6 \xe7 \xe8 \xe9 \xea \xeb \xec \xed \xee "),
    INVALID("6.13.3", "\xf0 \xf1 \xf2 \xf3 \xf4 \xf5 \xf6 "),
    INVALID("6.13.4", "\xf8 \xf9 \xfa "),
    INVALID("6.13.5", "\xfc "),
    /* 6.14 the last continuation octet is missing */
    INVALID("6.14.1", "\xc0"),
    INVALID("6.14.2", "\xe0\x80"),
    INVALID("6.14.3", "\xf0\x80\x80"),
    INVALID("6.14.4", "\xf8\x80\x80\x80"),
    INVALID("6.14.5", "\xfc\x80\x80\x80\x80"),
    INVALID("6.14.6", "\xdf"),
    INVALID("6.14.7", "\xef\xbf"),
    INVALID("6.14.8", "\xf7\xbf\xbf"),
    INVALID("6.14.9", "\xfb\xbf\xbf\xbf"),
    INVALID("6.14.10", "\xfd\xbf\xbf\xbf\xbf"),
    /* 6.15 all of 6.14 joined */
    INVALID("6.15.1", "\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80"
                      "\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"),
    /* 6.16 octets that are never there */
    INVALID("6.16.1", "\xfe"),
    INVALID("6.16.2", "\xff"),
    INVALID("6.16.3", "\xfe\xfe\xff\xff"),
    /* 6.17 '/' overlong */
    INVALID("6.17.1", "\xc0\xaf"),
    INVALID("6.17.2", "\xe0\x80\xaf"),
    INVALID("6.17.3", "\xf0\x80\x80\xaf"),
    INVALID("6.17.4", "\xf8\x80\x80\x80\xaf"),
    INVALID("6.17.5", "\xfc\x80\x80\x80\x80\xaf"),
    /* 6.18 the largest overlong ones */
    INVALID("6.18.1", "\xc1\xbf"),
    INVALID("6.18.2", "\xe0\x9f\xbf"),
    INVALID("6.18.3", "\xf0\x8f\xbf\xbf"),
    INVALID("6.18.4", "\xf8\x87\xbf\xbf\xbf"),
    INVALID("6.18.5", "\xfc\x83\xbf\xbf\xbf\xbf"),
    /* 6.19 NUL overlong */
    INVALID("6.19.1", "\xc0\x80"),
    INVALID("6.19.2", "\xe0\x80\x80"),
    INVALID("6.19.3", "\xf0\x80\x80\x80"),
    INVALID("6.19.4", "\xf8\x80\x80\x80\x80"),
    INVALID("6.19.5", "\xfc\x80\x80\x80\x80\x80"),
    /* 6.20 single surrogates */
    INVALID("6.20.1", "\xed\xa0\x80"),
    INVALID("6.20.2", "\xed\xad\xbf"),
    INVALID("6.20.3", "\xed\xae\x80"),
    INVALID("6.20.4", "\xed\xaf\xbf"),
    INVALID("6.20.5", "\xed\xb0\x80"),
    INVALID("6.20.6", "\xed\xbe\x80"),
    INVALID("6.20.7", "\xed\xbf\xbf"),
    /* 6.21 pairs of surrogates */
    INVALID("6.21.1", "\xed\xa0\x80\xed\xb0\x80"),
    INVALID("6.21.2", "\xed\xa0\x80\xed\xbf\xbf"),
    INVALID("6.21.3", "\xed\xad\xbf\xed\xb0\x80"),
    INVALID("6.21.4", "\xed\xad\xbf\xed\xbf\xbf"),
    INVALID("6.21.5", "\xed\xae\x80\xed\xb0\x80"),
    INVALID("6.21.6", "\xed\xae\x80\xed\xbf\xbf"),
    INVALID("6.21.7", "\xed\xaf\xbf\xed\xb0\x80"),
    INVALID("6.21.8", "\xed\xaf\xbf\xed\xbf\xbf"),
    /* 6.22 non-characters: the last two of each plane, valid as UTF-8 */
    VALID("6.22.1", "\xef\xbf\xbe"),
    VALID("6.22.2", "\xef\xbf\xbf"),
    VALID("6.22.3", "\xf0\x9f\xbf\xbe"),
    VALID("6.22.4", "\xf0\x9f\xbf\xbf"),
    VALID("6.22.5", "\xf0\xaf\xbf\xbe"),
    VALID("6.22.6", "\xf0\xaf\xbf\xbf"),
    VALID("6.22.7", "\xf0\xbf\xbf\xbe"),
    VALID("6.22.8", "\xf0\xbf\xbf\xbf"),
    VALID("6.22.9", "\xf1\x8f\xbf\xbe"),
    VALID("6.22.10", "\xf1\x8f\xbf\xbf"),
    VALID("6.22.11", "\xf1\x9f\xbf\xbe"),
    VALID("6.22.12", "\xf1\x9f\xbf\xbf"),
    VALID("6.22.13", "\xf1\xaf\xbf\xbe"),
    VALID("6.22.14", "\xf1\xaf\xbf\xbf"),
    VALID("6.22.15", "\xf1\xbf\xbf\xbe"),
    VALID("6.22.16", "\xf1\xbf\xbf\xbf"),
    VALID("6.22.17", "\xf2\x8f\xbf\xbe"),
    VALID("6.22.18", "\xf2\x8f\xbf\xbf"),
    VALID("6.22.19", "\xf2\x9f\xbf\xbe"),
    VALID("6.22.20", "\xf2\x9f\xbf\xbf"),
    VALID("6.22.21", "\xf2\xaf\xbf\xbe"),
    VALID("6.22.22", "\xf2\xaf\xbf\xbf"),
    VALID("6.22.23", "\xf2\xbf\xbf\xbe"),
    VALID("6.22.24", "\xf2\xbf\xbf\xbf"),
    VALID("6.22.25", "\xf3\x8f\xbf\xbe"),
    VALID("6.22.26", "\xf3\x8f\xbf\xbf"),
    VALID("6.22.27", "\xf3\x9f\xbf\xbe"),
    VALID("6.22.28", "\xf3\x9f\xbf\xbf"),
    VALID("6.22.29", "\xf3\xaf\xbf\xbe"),
    VALID("6.22.30", "\xf3\xaf\xbf\xbf"),
    VALID("6.22.31", "\xf3\xbf\xbf\xbe"),
    VALID("6.22.32", "\xf3\xbf\xbf\xbf"),
    VALID("6.22.33", "\xf4\x8f\xbf\xbe"),
    VALID("6.22.34", "\xf4\x8f\xbf\xbf"),
    /* 6.23 specials */
    VALID("6.23.1", "\xef\xbf\xb9"),
    VALID("6.23.2", "\xef\xbf\xba"),
    VALID("6.23.3", "\xef\xbf\xbb"),
    VALID("6.23.4", "\xef\xbf\xbc"),
    VALID("6.23.5", "\xef\xbf\xbd"),
    VALID("6.23.6", "\xef\xbf\xbe"),
    VALID("6.23.7", "\xef\xbf\xbf"),
};

static void run_sample(wst_run *run, const wst_case *c)
{
    const sample *one = c->data;
    const wst_step steps[] = {
        {.kind = WST_SEND,
         .frame.opcode = WST_TEXT,
         .text = one->text,
         .size = one->size,
         .bad = one->is_valid ? 0 : 1007},
        {.kind = WST_STOP},
    };
    wst_case scripted = *c;

    scripted.steps = steps;
    wst_script_run(run, &scripted);
}

static void add_sample(wst_case_list *list, const sample *one)
{
    wst_case c = {.section = "§8.1", .run = run_sample, .data = one};
    char shown[3 * 8 + 4] = "";

    for (size_t i = 0; i < one->size && i < 8; i++)
        snprintf(shown + 3 * i, 4, " %02x", (unsigned char)one->text[i]);
    snprintf(c.id, sizeof c.id, "%s", one->id);
    snprintf(c.title, sizeof c.title, "%s UTF-8:%s%s", one->is_valid ? "valid" : "invalid", shown,
             one->size > 8 ? " ..." : "");
    wst_case_add(list, &c);
}

void wst_cases_utf8(wst_case_list *list)
{
    wst_case_add_rows(list, scripts, sizeof scripts / sizeof scripts[0]);
    wst_case_add_rows(list, in_frames, sizeof in_frames / sizeof in_frames[0]);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        add_sample(list, &samples[i]);
}
