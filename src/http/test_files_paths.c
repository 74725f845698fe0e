/* Static files against paths that want out: two hundred of them, links, and random ones.
 * Source: CWE-22 and what its history shows: dots, encodings of dots and slashes, backslashes, NUL,
 * overlong UTF-8, absolute paths, symbolic links.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "http/test_files.h"
#include "tests/tap.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool holds(dx_bytes in, dx_bytes what)
{
    return memmem(in.at, in.size, what.at, what.size) != NULL;
}

/* The path must be refused, and nothing of what is outside may show. */
static void check_refused(files_served *f, const char *target)
{
    served_response r;
    char line[2048];

    snprintf(line, sizeof line, "GET %s", target);
    files_ask(f, line, "", &r);
    if (r.head.code != 400 && r.head.code != 404)
        TAP_FAIL("%s was answered with %u", target, r.head.code);
    if (holds(dx_buffer_view(&r.bytes), DX_BYTES(SECRET)) ||
        holds(dx_buffer_view(&r.bytes), DX_BYTES("root:")))
        TAP_FAIL("%s shows what it must not", target);
    served_response_deinit(&r);
}

/* What stands for "../" in them. */
static const char *const ups[] = {
    "../",         "..%2f",      "..%2F",         "%2e%2e/",        "%2E%2e%2f",
    ".%2e/",       "%2e./",      "..\\",          "..%5c",          "%2e%2e%5C",
    "%252e%252e/", "..%252f",    "..%255c",       "%c0%ae%c0%ae/",  "%e0%80%ae%e0%80%ae/",
    "..%c0%af",    "..%c1%9c",   "%uff0e%uff0e/", "..%00/",         "%00../",
    "..;/",        "....//",     "..././",        "./../",          "sub/../../",
    ".../",        "%2e%2e;%2f", "..%2f..%2f../", "sub%2f..%2f../", "%ef%bc%8e%ef%bc%8e/",
};

/* Where they lead, from in here. */
static const char *const ends[] = {"secret", "www/../secret", "etc/passwd"};

/* What they start from. */
static const char *const starts[] = {"/", "/sub/", "//"};

TEST("CWE-22 two hundred and more ways out of the directory are all refused")
{
    files_served f;
    char target[1024];
    int count = 0;

    files_served_init(&f);
    for (size_t u = 0; u < DX_COUNT(ups); u++)
        for (size_t s = 0; s < DX_COUNT(starts); s++)
            for (size_t e = 0; e < DX_COUNT(ends); e++, count++) {
                /* Far up for /etc/passwd, once or twice for what lies beside the directory. */
                int size = snprintf(target, sizeof target, "%s", starts[s]);
                for (size_t i = 0; i < (e == 2 ? 8 : 1 + s % 2); i++)
                    size += snprintf(target + size, sizeof target - (size_t)size, "%s", ups[u]);
                snprintf(target + size, sizeof target - (size_t)size, "%s", ends[e]);
                check_refused(&f, target);
            }
    CHECK(count >= 200);
    files_served_deinit(&f);
}

TEST("CWE-22 odd targets: absolute paths, NUL, other machines' paths, long names")
{
    static const char *const targets[] = {
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/%2Fetc/passwd",
        "///etc/passwd",
        "/hello.txt%00",
        "/hello.txt%00.html",
        "/secret%00",
        "/..",
        "/.",
        "/sub/..",
        "/sub/.",
        "/sub/%2e%2e",
        "/C:/windows/x",
        "/c:%5cwindows",
        "/%5c%5chost%5cx",
        "/\\hello.txt",
        "/file:///etc/x",
        "/hello.txt%20",
        "/hello.txt.",
        "/hello.txt::$DATA",
        "/hello.txt%2f",
        "/hello.txt/..",
        "/%",
        "/%2",
        "/%zz",
        "/%ff",
        "/%80",
        "/a%0d%0aX:%20y",
        "/%7f",
        "/proc/self/environ",
        "/dev/stdin",
        "/hello.tx",
        "/hello.txtt",
        "/HELLO.TXT",
        "/www/hello.txt",
        "/sub/index.html/",
    };
    files_served f;
    char longest[8000] = "/";

    files_served_init(&f);
    for (size_t i = 0; i < DX_COUNT(targets); i++)
        check_refused(&f, targets[i]);
    memset(longest + 1, 'a', 300); /* longer than a name may be */
    check_refused(&f, longest);
    for (size_t i = 1; i < 1900; i += 2) /* deeper than what is there */
        memcpy(longest + i, "a/", 2);
    check_refused(&f, longest);
    files_served_deinit(&f);
}

static unsigned code_of_long_path(files_served *f, size_t size)
{
    char line[8000] = "GET /";

    memset(line + 5, 'a', size);
    for (size_t i = 205; i < 5 + size; i += 200)
        line[i] = '/';
    return files_code(f, line, "");
}

TEST("a path as long as the system takes, and longer, is not found")
{
    files_served f;

    files_served_init(&f);
    CHECK_INT(code_of_long_path(&f, 4000), 404);
    CHECK_INT(code_of_long_path(&f, 4080), 404);
    CHECK_INT(code_of_long_path(&f, 4096), 404);
    CHECK_INT(code_of_long_path(&f, 7000), 404);
    files_served_deinit(&f);
}

TEST("symbolic links are followed inside, and never out")
{
    files_served f;
    char target[160];

    files_served_init(&f);
    files_link(&f, "www/inside.txt", "hello.txt");
    files_link(&f, "www/alias", "sub");
    files_link(&f, "www/sub/up.txt", "../hello.txt");
    files_link(&f, "www/out.txt", "../secret");
    files_link(&f, "www/outdir", "..");
    files_link(&f, "www/chain", "outdir/secret");
    files_link(&f, "www/absolute", "/etc/passwd");
    snprintf(target, sizeof target, "%s/www/hello.txt", f.dir);
    files_link(&f, "www/home.txt", target);
    files_link(&f, "www/there-and-back", "../www/hello.txt");
    files_link(&f, "www/loop", "loop");
    files_link(&f, "www/magic", "/proc/self/root/etc/passwd");
    CHECK_INT(files_code(&f, "GET /inside.txt", ""), 200);
    CHECK_INT(files_code(&f, "GET /alias/", ""), 200);
    CHECK_INT(files_code(&f, "GET /alias", ""), 301);
    CHECK_INT(files_code(&f, "GET /sub/up.txt", ""), 200);
    static const char *const out[] = {"/out.txt",  "/outdir/secret", "/chain",
                                      "/absolute", "/home.txt",      "/there-and-back",
                                      "/loop",     "/magic",         "/outdir/www/hello.txt"};
    for (size_t i = 0; i < DX_COUNT(out); i++)
        check_refused(&f, out[i]);
    files_served_deinit(&f);
}

TEST("a sibling that leads out is not taken")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    files_link(&f, "www/hello.txt.gz", "../secret");
    files_ask(&f, "GET /hello.txt", "Accept-Encoding: gzip\r\n", &r);
    CHECK_INT(r.head.code, 200);
    CHECK_BYTES(r.body, "hello world\n");
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("what is no regular file is not there, and does not hang")
{
    files_served f;
    char path[128];

    files_served_init(&f);
    snprintf(path, sizeof path, "%s/www/fifo", f.dir);
    CHECK_INT(mkfifo(path, 0644), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/www/socket", f.dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    check_refused(&f, "/fifo");
    check_refused(&f, "/fifo/");
    check_refused(&f, "/socket");
    close(fd);
    files_served_deinit(&f);
}

TEST("names that begin with a dot are hidden, but for .well-known")
{
    files_served f;

    files_served_init(&f);
    files_write(&f, "www/.env", DX_BYTES(SECRET));
    files_write(&f, "www/.git/config", DX_BYTES(SECRET));
    files_write(&f, "www/sub/.hidden/x.txt", DX_BYTES(SECRET));
    files_write(&f, "www/.well-known/security.txt", DX_BYTES("Contact: me"));
    check_refused(&f, "/.env");
    check_refused(&f, "/%2eenv");
    check_refused(&f, "/.git/config");
    check_refused(&f, "/.git");
    check_refused(&f, "/sub/.hidden/x.txt");
    CHECK_INT(files_code(&f, "GET /.well-known/security.txt", ""), 200);
    files_served_deinit(&f);
}

TEST("the directory stays the one that was opened, also when it is moved away")
{
    files_served f;
    char from[128], to[128];

    files_served_init(&f);
    snprintf(from, sizeof from, "%s/www", f.dir);
    snprintf(to, sizeof to, "%s/moved", f.dir);
    CHECK_INT(rename(from, to), 0);
    files_write(&f, "www/hello.txt", DX_BYTES(SECRET));
    files_write(&f, "www/new.txt", DX_BYTES(SECRET));
    CHECK_INT(files_code(&f, "GET /hello.txt", ""), 200);
    check_refused(&f, "/new.txt");
    files_served_deinit(&f);
}

TEST("random paths never show what is outside")
{
    static const char *const pieces[] = {
        "/",          "/",   "..",     ".",   "%2e", "%2f",   "\\",     "%5c",       "%00",
        "%25",        "%c0", "%ae",    "sub", "www", "out",   "secret", "hello.txt", "index.html",
        "etc/passwd", "~",   "outdir", ";",   "%20", "..%2f", "%2e%2e", "/../",
    };
    files_served f;
    uint8_t random[12];

    files_served_init(&f);
    files_link(&f, "www/outdir", "..");
    files_link(&f, "www/out", "../secret");
    for (int i = 0; i < 1500; i++) {
        char line[512] = "GET /";
        served_response r;
        dx_random_fill(random, sizeof random);
        for (size_t p = 0; p < sizeof random - 1 && p < random[sizeof random - 1] % 12u; p++)
            strcat(line, pieces[random[p] % DX_COUNT(pieces)]);
        files_ask(&f, line, "", &r);
        if (holds(dx_buffer_view(&r.bytes), DX_BYTES(SECRET)) ||
            holds(dx_buffer_view(&r.bytes), DX_BYTES("root:")))
            TAP_FAIL("%s shows what it must not", line);
        CHECK(r.head.code == 200 || r.head.code == 301 || r.head.code == 400 || r.head.code == 404);
        served_response_deinit(&r);
    }
    files_served_deinit(&f);
}
