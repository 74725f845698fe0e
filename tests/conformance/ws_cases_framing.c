/* Autobahn's categories 1 to 5, 7 and 10: framing, pings, reserved bits, fragments, closing.
 * Is:      rows by Autobahn's id. A step with .bad is the one that breaks a rule.
 * Is not:  UTF-8 (ws_cases_utf8.c), big messages (ws_cases_load.c).
 * Source:  RFC 6455; ids of the Autobahn|Testsuite.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_case.h"

#define FAIL .bad = 1002
#define OCTETS_125                                                                                 \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe" \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe" \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe" \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe" \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe" \
    "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe"
#define TEN_PINGS                                                                                  \
    PING("payload-0"), PING("payload-1"), PING("payload-2"), PING("payload-3"), PING("payload-4"), \
        PING("payload-5"), PING("payload-6"), PING("payload-7"), PING("payload-8"),                \
        PING("payload-9")
#define HELLO TEXT("Hello, world!")
#define STARS_40 "****************************************"
#define STARS_123 STARS_40 STARS_40 STARS_40 "***"
#define NOTHING_OPEN "continuation with nothing to continue, then text"

static const wst_case frames[] = {
    {"1.1.1", "§5.6", "text of 0 octets", SCRIPT(AT_ONCE, TEXT(""))},
    {"1.1.2", "§5.6", "text of 125 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 125))},
    {"1.1.3", "§5.6", "text of 126 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 126))},
    {"1.1.4", "§5.6", "text of 127 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 127))},
    {"1.1.5", "§5.6", "text of 128 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 128))},
    {"1.1.6", "§5.6", "text of 65535 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 65535))},
    {"1.1.7", "§5.6", "text of 65536 octets", SCRIPT(AT_ONCE, FILL(WST_TEXT, 65536))},
    {"1.1.8", "§5.6", "text of 65536 octets in writes of 997", SCRIPT(997, FILL(WST_TEXT, 65536))},
    {"1.2.1", "§5.6", "binary of 0 octets", SCRIPT(AT_ONCE, BINARY(""))},
    {"1.2.2", "§5.6", "binary of 125 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 125))},
    {"1.2.3", "§5.6", "binary of 126 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 126))},
    {"1.2.4", "§5.6", "binary of 127 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 127))},
    {"1.2.5", "§5.6", "binary of 128 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 128))},
    {"1.2.6", "§5.6", "binary of 65535 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 65535))},
    {"1.2.7", "§5.6", "binary of 65536 octets", SCRIPT(AT_ONCE, FILL(WST_BINARY, 65536))},
    {"1.2.8", "§5.6", "binary of 65536 octets in writes of 997",
     SCRIPT(997, FILL(WST_BINARY, 65536))},
};

static const wst_case pings[] = {
    {"2.1", "§5.5.2", "empty ping", SCRIPT(AT_ONCE, PING(""))},
    {"2.2", "§5.5.2", "ping with text", SCRIPT(AT_ONCE, PING("Hello, world!"))},
    {"2.3", "§5.5.2", "ping with octets that are not UTF-8",
     SCRIPT(AT_ONCE, PING("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))},
    {"2.4", "§5.5.2", "ping of 125 octets", SCRIPT(AT_ONCE, PING(OCTETS_125))},
    {"2.5", "§5.5", "ping of 126 octets is a fault",
     SCRIPT(AT_ONCE, PING(OCTETS_125 "\xfe", FAIL))},
    {"2.6", "§5.5.2", "ping of 125 octets, octet by octet", SCRIPT(1, PING(OCTETS_125))},
    {"2.7", "§5.5.3", "unsolicited empty pong", SCRIPT(AT_ONCE, PONG(""), QUIET(50), PING(""))},
    {"2.8", "§5.5.3", "unsolicited pong with payload",
     SCRIPT(AT_ONCE, PONG("unsolicited pong payload"), QUIET(50), PING(""))},
    {"2.9", "§5.5.3", "unsolicited pong with payload, then a ping",
     SCRIPT(AT_ONCE, PONG("unsolicited pong payload"), PING("ping payload"))},
    {"2.10", "§5.5.2", "ten pings at once: ten pongs in order", SCRIPT(AT_ONCE, TEN_PINGS)},
    {"2.11", "§5.5.2", "ten pings, octet by octet", SCRIPT(1, TEN_PINGS)},
};

static const wst_case reserved[] = {
    {"3.1", "§5.2", "text with RSV=1", SCRIPT(AT_ONCE, TEXT("Hello, world!", RSV(1), FAIL))},
    {"3.2", "§5.2", "good text, text with RSV=2, ping: one echo, no pong",
     SCRIPT(AT_ONCE, HELLO, TEXT("Hello, world!", RSV(2), FAIL), PING(""))},
    {"3.3", "§5.2", "good text, text with RSV=3, ping, by frame",
     SCRIPT(BY_FRAME, HELLO, TEXT("Hello, world!", RSV(3), FAIL), PING(""))},
    {"3.4", "§5.2", "good text, text with RSV=4, ping, octet by octet",
     SCRIPT(1, HELLO, TEXT("Hello, world!", RSV(4), FAIL), PING(""))},
    {"3.5", "§5.2", "binary with RSV=5",
     SCRIPT(AT_ONCE, BINARY("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", RSV(5), FAIL))},
    {"3.6", "§5.2", "ping with RSV=6", SCRIPT(AT_ONCE, PING("Hello, world!", RSV(6), FAIL))},
    {"3.7", "§5.2", "Close with RSV=7", SCRIPT(AT_ONCE, CLOSE("\x03\xe8", RSV(7), FAIL))},
    {"4.1.1", "§5.2", "opcode 3", SCRIPT(AT_ONCE, FRAME(3, "", FAIL))},
    {"4.1.2", "§5.2", "opcode 4 with payload", SCRIPT(AT_ONCE, FRAME(4, "reserved", FAIL))},
    {"4.1.3", "§5.2", "good text, opcode 5, ping",
     SCRIPT(BY_FRAME, HELLO, FRAME(5, "", FAIL), PING(""))},
    {"4.1.4", "§5.2", "good text, opcode 6 with payload, ping",
     SCRIPT(BY_FRAME, HELLO, FRAME(6, "Hello, world!", FAIL), PING(""))},
    {"4.1.5", "§5.2", "good text, opcode 7 with payload, ping, octet by octet",
     SCRIPT(1, HELLO, FRAME(7, "Hello, world!", FAIL), PING(""))},
    {"4.2.1", "§5.2", "opcode 11", SCRIPT(AT_ONCE, FRAME(11, "", FAIL))},
    {"4.2.2", "§5.2", "opcode 12 with payload", SCRIPT(AT_ONCE, FRAME(12, "reserved", FAIL))},
    {"4.2.3", "§5.2", "good text, opcode 13, ping",
     SCRIPT(BY_FRAME, HELLO, FRAME(13, "", FAIL), PING(""))},
    {"4.2.4", "§5.2", "good text, opcode 14 with payload, ping",
     SCRIPT(BY_FRAME, HELLO, FRAME(14, "Hello, world!", FAIL), PING(""))},
    {"4.2.5", "§5.2", "good text, opcode 15 with payload, ping, octet by octet",
     SCRIPT(1, HELLO, FRAME(15, "Hello, world!", FAIL), PING(""))},
};

#define TWO_FRAGMENTS TEXT("fragment1", MORE), CONTINUATION("fragment2")
#define TWO_AND_PING TEXT("fragment1", MORE), PING("ping payload"), CONTINUATION("fragment2")
#define STRAY_LAST CONTINUATION("non-continuation payload", FAIL), TEXT("Hello, world!")
#define STRAY_FIRST CONTINUATION("non-continuation payload", MORE, FAIL), TEXT("Hello, world!")
#define FIVE_FRAGMENTS                                                                             \
    TEXT("fragment1", MORE), CONTINUATION("fragment2", MORE), PING("pongme 1!"), AWAIT, QUIET(50), \
        CONTINUATION("fragment3", MORE), CONTINUATION("fragment4", MORE), PING("pongme 2!"),       \
        AWAIT, CONTINUATION("fragment5")

static const wst_case fragments[] = {
    {"5.1", "§5.4", "ping in two fragments",
     SCRIPT(AT_ONCE, PING("fragment1", MORE, FAIL), CONTINUATION("fragment2"))},
    {"5.2", "§5.4", "pong in two fragments",
     SCRIPT(AT_ONCE, PONG("fragment1", MORE, FAIL), CONTINUATION("fragment2"))},
    {"5.3", "§5.4", "text in two fragments, at once", SCRIPT(AT_ONCE, TWO_FRAGMENTS)},
    {"5.4", "§5.4", "text in two fragments, by frame", SCRIPT(BY_FRAME, TWO_FRAGMENTS)},
    {"5.5", "§5.4", "text in two fragments, octet by octet", SCRIPT(1, TWO_FRAGMENTS)},
    {"5.6", "§5.4", "ping between two fragments, at once: pong, then text",
     SCRIPT(AT_ONCE, TWO_AND_PING)},
    {"5.7", "§5.4", "ping between two fragments, by frame", SCRIPT(BY_FRAME, TWO_AND_PING)},
    {"5.8", "§5.4", "ping between two fragments, octet by octet", SCRIPT(1, TWO_AND_PING)},
    {"5.9", "§5.4", NOTHING_OPEN ": FIN=1, at once", SCRIPT(AT_ONCE, STRAY_LAST)},
    {"5.10", "§5.4", NOTHING_OPEN ": FIN=1, by frame", SCRIPT(BY_FRAME, STRAY_LAST)},
    {"5.11", "§5.4", NOTHING_OPEN ": FIN=1, by octet", SCRIPT(1, STRAY_LAST)},
    {"5.12", "§5.4", NOTHING_OPEN ": FIN=0, at once", SCRIPT(AT_ONCE, STRAY_FIRST)},
    {"5.13", "§5.4", NOTHING_OPEN ": FIN=0, by frame", SCRIPT(BY_FRAME, STRAY_FIRST)},
    {"5.14", "§5.4", NOTHING_OPEN ": FIN=0, by octet", SCRIPT(1, STRAY_FIRST)},
    {"5.15", "§5.4", "good fragments, then a stray continuation: echo first",
     SCRIPT(AT_ONCE, TWO_FRAGMENTS, CONTINUATION("fragment3", MORE, FAIL), TEXT("fragment4"))},
    {"5.16", "§5.4", "twice: stray continuation FIN=0, then text in two fragments",
     SCRIPT(AT_ONCE, CONTINUATION("fragment1", MORE, FAIL), TEXT("fragment2", MORE),
            CONTINUATION("fragment3"), CONTINUATION("fragment1", MORE), TEXT("fragment2", MORE),
            CONTINUATION("fragment3"))},
    {"5.17", "§5.4", "twice: stray continuation FIN=1, then text in two fragments",
     SCRIPT(AT_ONCE, CONTINUATION("fragment1", FAIL), TEXT("fragment2", MORE),
            CONTINUATION("fragment3"), CONTINUATION("fragment1"), TEXT("fragment2", MORE),
            CONTINUATION("fragment3"))},
    {"5.18", "§5.4", "the second fragment has the opcode of text",
     SCRIPT(AT_ONCE, TEXT("fragment1", MORE), TEXT("fragment2", FAIL))},
    {"5.19", "§5.4", "five fragments with two pings: the first pong before the rest is sent",
     SCRIPT(AT_ONCE, FIVE_FRAGMENTS)},
    {"5.20", "§5.4", "the same, each frame by itself", SCRIPT(BY_FRAME, FIVE_FRAGMENTS)},
};

static const wst_case closes[] = {
    {"7.1.1", "§7.1", "message, then Close", SCRIPT(AT_ONCE, HELLO)},
    {"7.1.2", "§5.5.1", "two Closes: one answer",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8"), CLOSE("\x03\xe8"))},
    {"7.1.3", "§5.5.1", "ping after Close: no pong", SCRIPT(AT_ONCE, CLOSE("\x03\xe8"), PING(""))},
    {"7.1.4", "§5.5.1", "text after Close: ignored", SCRIPT(AT_ONCE, CLOSE("\x03\xe8"), HELLO)},
    {"7.1.5", "§5.5.1", "Close between two fragments",
     SCRIPT(AT_ONCE, TEXT("fragment1", MORE), CLOSE("\x03\xe8"), CONTINUATION("fragment2"))},
    {"7.1.6", "§5.5.1", "message of 256 KiB, text, Close, ping",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 262144), HELLO, CLOSE("\x03\xe8"), PING("")),
     .flags = WST_IS_INFORMATIONAL},
    {"7.3.1", "§5.5.1", "Close without payload", SCRIPT(AT_ONCE, CLOSE(""))},
    {"7.3.2", "§5.5.1", "Close with one octet", SCRIPT(AT_ONCE, CLOSE("a", FAIL))},
    {"7.3.3", "§5.5.1", "Close with a code", SCRIPT(AT_ONCE, CLOSE("\x03\xe8"))},
    {"7.3.4", "§5.5.1", "Close with code and reason",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8Hello World!"))},
    {"7.3.5", "§5.5.1", "Close with a reason of 123 octets",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8" STARS_123))},
    {"7.3.6", "§5.5", "Close with a reason of 124 octets",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8" STARS_123 "*", FAIL))},
    {"7.5.1", "§8.1", "Close with a reason that is not UTF-8",
     SCRIPT(AT_ONCE, CLOSE("\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
                           "edited",
                           .bad = 1007, .or_bad = 1002))},
    {"7.7.1", "§7.4", "code 1000", SCRIPT(AT_ONCE, CLOSE("\x03\xe8"))},
    {"7.7.2", "§7.4", "code 1001", SCRIPT(AT_ONCE, CLOSE("\x03\xe9"))},
    {"7.7.3", "§7.4", "code 1002", SCRIPT(AT_ONCE, CLOSE("\x03\xea"))},
    {"7.7.4", "§7.4", "code 1003", SCRIPT(AT_ONCE, CLOSE("\x03\xeb"))},
    {"7.7.5", "§7.4", "code 1007", SCRIPT(AT_ONCE, CLOSE("\x03\xef"))},
    {"7.7.6", "§7.4", "code 1008", SCRIPT(AT_ONCE, CLOSE("\x03\xf0"))},
    {"7.7.7", "§7.4", "code 1009", SCRIPT(AT_ONCE, CLOSE("\x03\xf1"))},
    {"7.7.8", "§7.4", "code 1010", SCRIPT(AT_ONCE, CLOSE("\x03\xf2"))},
    {"7.7.9", "§7.4", "code 1011", SCRIPT(AT_ONCE, CLOSE("\x03\xf3"))},
    {"7.7.10", "§7.4", "code 3000", SCRIPT(AT_ONCE, CLOSE("\x0b\xb8"))},
    {"7.7.11", "§7.4", "code 3999", SCRIPT(AT_ONCE, CLOSE("\x0f\x9f"))},
    {"7.7.12", "§7.4", "code 4000", SCRIPT(AT_ONCE, CLOSE("\x0f\xa0"))},
    {"7.7.13", "§7.4", "code 4999", SCRIPT(AT_ONCE, CLOSE("\x13\x87"))},
    {"7.9.1", "§7.4", "code 0", SCRIPT(AT_ONCE, CLOSE("\x00\x00", FAIL))},
    {"7.9.2", "§7.4", "code 999", SCRIPT(AT_ONCE, CLOSE("\x03\xe7", FAIL))},
    {"7.9.3", "§7.4", "code 1004", SCRIPT(AT_ONCE, CLOSE("\x03\xec", FAIL))},
    {"7.9.4", "§7.4", "code 1005", SCRIPT(AT_ONCE, CLOSE("\x03\xed", FAIL))},
    {"7.9.5", "§7.4", "code 1006", SCRIPT(AT_ONCE, CLOSE("\x03\xee", FAIL))},
    {"7.9.6", "§7.4", "code 1016", SCRIPT(AT_ONCE, CLOSE("\x03\xf8", FAIL))},
    {"7.9.7", "§7.4", "code 1100", SCRIPT(AT_ONCE, CLOSE("\x04\x4c", FAIL))},
    {"7.9.8", "§7.4", "code 2000", SCRIPT(AT_ONCE, CLOSE("\x07\xd0", FAIL))},
    {"7.9.9", "§7.4", "code 2999", SCRIPT(AT_ONCE, CLOSE("\x0b\xb7", FAIL))},
    {"7.13.1", "§7.4", "code 5000", SCRIPT(AT_ONCE, CLOSE("\x13\x88", FAIL)),
     .flags = WST_IS_INFORMATIONAL},
    {"7.13.2", "§7.4", "code 65535", SCRIPT(AT_ONCE, CLOSE("\xff\xff", FAIL)),
     .flags = WST_IS_INFORMATIONAL},
};

static const wst_case automatic[] = {
    {"10.1.1", "§5.4", "text of 65536 octets in frames of 1300",
     SCRIPT(AT_ONCE, FILL(WST_TEXT, 65536, .fragment = 1300))},
};

#define ADD(list, rows) wst_case_add_rows(list, rows, sizeof rows / sizeof rows[0])

void wst_cases_framing(wst_case_list *list)
{
    ADD(list, frames);
    ADD(list, pings);
    ADD(list, reserved);
    ADD(list, fragments);
    ADD(list, closes);
    ADD(list, automatic);
}
