/* Tests of addresses in text.
 * SPDX-License-Identifier: MIT */
#include "net/address.h"
#include "tests/tap.h"

static dx_err parse(const char *text, dx_address *ret)
{
    return dx_address_parse(dx_bytes_of(text), ret);
}

/* Parsed and written again it is `written`. */
static void check_form(const char *text, dx_transport transport, const char *written)
{
    dx_address a;
    char back[DX_ADDRESS_TEXT_BYTES];

    if (parse(text, &a) != DX_OK) {
        TAP_FAIL("'%s' was refused", text);
        return;
    }
    CHECK_INT(a.transport, transport);
    dx_address_format(&a, back);
    CHECK_MEM(back, strlen(back), written, strlen(written));
    dx_address again;
    CHECK_INT(parse(back, &again), DX_OK);
    CHECK_MEM(&again.any, again.size, &a.any, a.size);
}

TEST("every form of an address is read, and written as it can be read again")
{
    check_form("127.0.0.1:80", DX_TCP, "127.0.0.1:80");
    check_form("tcp:127.0.0.1:80", DX_TCP, "127.0.0.1:80");
    check_form("localhost:4437", DX_TCP, "127.0.0.1:4437");
    check_form("0.0.0.0:0", DX_TCP, "0.0.0.0:0");
    check_form("255.255.255.255:65535", DX_TCP, "255.255.255.255:65535");
    check_form("[::1]:8080", DX_TCP, "[::1]:8080");
    check_form("[::]:8080", DX_TCP, "[::]:8080");
    check_form("[2001:DB8:0:0::1]:1", DX_TCP, "[2001:db8::1]:1");
    check_form("[::ffff:192.0.2.1]:1", DX_TCP, "[::ffff:192.0.2.1]:1");
    check_form("*:80", DX_TCP, "[::]:80");
    check_form(":80", DX_TCP, "[::]:80");
    check_form("mptcp:127.0.0.1:1", DX_MPTCP, "mptcp:127.0.0.1:1");
    check_form("mptcp:*:1", DX_MPTCP, "mptcp:[::]:1");
    check_form("sctp:[::1]:9", DX_SCTP, "sctp:[::1]:9");
    check_form("unix:/run/duplex.sock", DX_UNIX, "unix:/run/duplex.sock");
    check_form("unix:@duplex", DX_UNIX, "unix:@duplex");
    check_form("unix:/a:80", DX_UNIX, "unix:/a:80");
}

TEST("every address that is none of the forms is refused, and leaves the result alone")
{
    static const char *const faults[] = {
        "", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "127.0.0.1:0x50", "127.0.0.1: 80", "127.0.0.1:80 ", " 127.0.0.1:80", "127.0.0.1:99999999999",
        "127.1:80", "127.0.0.1.1:80", "256.0.0.1:80", "127.0.0.01x:80", "host.example:80", "LOCALHOST:80",
        "::1:80", "[::1]", "[::1", "[]:80", "[127.0.0.1]:80", "[::1%lo]:80", "[::g]:80", "::1]:80",
        "[*]:80", "**:80", "tcp:", "tcp:80", "tcp:tcp:127.0.0.1:80", "udp:127.0.0.1:80", "TCP:127.0.0.1:80",
        "http://127.0.0.1:80", "sctp:", "mptcp:127.0.0.1", "unix:", "unix:@", "unix:relative", "unix:8080",
        "[1:2:3:4:5:6:7:8:9]:80", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
        "1234567890123456789012345678901234567890123456789012345678901234567890:80",
    };

    for (size_t i = 0; i < DX_COUNT(faults); i++) {
        dx_address a = {.size = 77};
        if (parse(faults[i], &a) != DX_ERR_ADDRESS)
            TAP_FAIL("'%s' was not refused", faults[i]);
        CHECK_INT(a.size, 77);
    }
}

TEST("a NUL byte inside an address is refused, not read as its end")
{
    static const char *const texts[] = {"127.0.0.1\0:80", "*\0:80", "localhost\0x:80", "[::1\0]:80"};
    static const size_t sizes[] = {13, 5, 14, 9};
    dx_address a;

    for (size_t i = 0; i < DX_COUNT(texts); i++)
        CHECK_INT(dx_address_parse(dx_bytes_at(texts[i], sizes[i]), &a), DX_ERR_ADDRESS);
    CHECK_INT(dx_address_parse(dx_bytes_at("unix:/a\0b", 9), &a), DX_ERR_ADDRESS);
    CHECK_INT(dx_address_parse(dx_bytes_at("unix:@a\0b", 9), &a), DX_ERR_ADDRESS);
}

TEST("a unix path of 107 bytes is taken, one of 108 is not")
{
    char text[5 + 108 + 1] = "unix:/", back[DX_ADDRESS_TEXT_BYTES];
    dx_address a;

    memset(text + 6, 'a', 107);
    CHECK_INT(dx_address_parse(dx_bytes_at(text, 5 + 108), &a), DX_ERR_ADDRESS);
    CHECK_INT(dx_address_parse(dx_bytes_at(text, 5 + 107), &a), DX_OK);
    CHECK_INT(a.size, offsetof(struct sockaddr_un, sun_path) + 108);
    dx_address_format(&a, back);
    CHECK_MEM(back, strlen(back), text, 5 + 107);
    text[5] = '@';
    CHECK_INT(dx_address_parse(dx_bytes_at(text, 5 + 107), &a), DX_OK);
    CHECK_INT(a.size, offsetof(struct sockaddr_un, sun_path) + 107); /* no NUL at the end of those */
    dx_address_format(&a, back);
    CHECK_MEM(back, strlen(back), text, 5 + 107);
}

TEST("ports are read and set for both families, and are 0 for unix sockets")
{
    static const char *const texts[] = {"127.0.0.1:1", "[::1]:1"};
    dx_address a;

    for (size_t i = 0; i < DX_COUNT(texts); i++) {
        CHECK_INT(parse(texts[i], &a), DX_OK);
        CHECK_INT(dx_address_port(&a), 1);
        dx_address_set_port(&a, 54321);
        CHECK_INT(dx_address_port(&a), 54321);
    }
    CHECK_INT(parse("unix:/a", &a), DX_OK);
    dx_address_set_port(&a, 5);
    CHECK_INT(dx_address_port(&a), 0);
    CHECK(strcmp(a.local.sun_path, "/a") == 0);
}

TEST("an unnamed unix client is written as such")
{
    dx_address a = {.transport = DX_UNIX,
                    .size = offsetof(struct sockaddr_un, sun_path),
                    .local = {.sun_family = AF_UNIX}};
    char back[DX_ADDRESS_TEXT_BYTES];

    dx_address_format(&a, back);
    CHECK(strcmp(back, "unix:") == 0);
}

TEST("numeric hosts and localhost are looked up without asking anyone, nonsense is not found")
{
    dx_address a;
    char back[DX_ADDRESS_TEXT_BYTES];

    CHECK_INT(dx_address_resolve("127.0.0.1", 80, &a), DX_OK);
    dx_address_format(&a, back);
    CHECK(strcmp(back, "127.0.0.1:80") == 0);
    CHECK_INT(dx_address_resolve("localhost", 81, &a), DX_OK);
    dx_address_format(&a, back);
    CHECK(strcmp(back, "127.0.0.1:81") == 0); /* as the server takes it, whatever /etc/hosts says */
    CHECK_INT(dx_address_resolve("not a host", 1, &a), DX_ERR_ADDRESS);
    CHECK_INT(dx_address_resolve("", 1, &a), DX_ERR_ADDRESS);
}
