/* Chunked content.
 * SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "codec/http_chunk.h"
#include "tests/tap.h"

typedef struct outcome {
    dx_http_status status;
    size_t rest; /* bytes that were not used, at END */
    size_t size;
    uint8_t content[4000];
} outcome;

/* Feeds pieces that end at the cuts (the last is the rest), each in a block of its own size. */
static void feed_cut(dx_bytes all, const size_t *cuts, size_t count, outcome *ret)
{
    dx_http_chunks c;
    size_t from = 0;

    dx_http_chunks_init(&c);
    *ret = (outcome){.status = DX_HTTP_MORE};
    for (size_t i = 0; i <= count && ret->status == DX_HTTP_MORE; i++) {
        size_t to = i < count ? cuts[i] : all.size;
        uint8_t *copy = malloc(to - from + 1);
        memcpy(copy + 1, all.at + from, to - from);
        dx_bytes in = dx_bytes_at(copy + 1, to - from), data;
        while ((ret->status = dx_http_chunk_read(&c, &in, &data)) == DX_HTTP_DATA) {
            CHECK(data.size > 0 && ret->size + data.size <= sizeof ret->content);
            memcpy(ret->content + ret->size, data.at, data.size);
            ret->size += data.size;
        }
        if (ret->status == DX_HTTP_MORE)
            CHECK_INT(in.size, 0);
        ret->rest = in.size + all.size - to;
        free(copy);
        from = to;
    }
}

static void check_same(const outcome *got, const outcome *want, size_t where)
{
    if (got->status != want->status || got->size != want->size ||
        memcmp(got->content, want->content, want->size) != 0 ||
        (want->status == DX_HTTP_END && got->rest != want->rest))
        TAP_FAIL("split at %zu: status %d, whole %d", where, (int)got->status, (int)want->status);
}

static const outcome *feed(dx_bytes all)
{
    static outcome whole, got;
    static size_t cuts[5000];

    feed_cut(all, NULL, 0, &whole);
    for (size_t cut = 0; cut <= all.size; cut += all.size > 2000 ? 97 : 1) {
        feed_cut(all, &cut, 1, &got);
        check_same(&got, &whole, cut);
    }
    if (all.size <= DX_COUNT(cuts)) {
        for (size_t i = 0; i < all.size; i++)
            cuts[i] = i;
        feed_cut(all, cuts, all.size, &got);
        check_same(&got, &whole, 10000);
    }
    for (unsigned seed = 1; seed < 20; seed++) {
        unsigned random = seed;
        size_t count = 0, cut = 0;
        while (count < 64 && cut < all.size) {
            random = random * 1103515245 + 12345;
            cut = dx_min_size(cut + (random >> 16 & 31), all.size);
            cuts[count++] = cut;
        }
        feed_cut(all, cuts, count, &got);
        check_same(&got, &whole, 20000 + seed);
    }
    return &whole;
}

static void check_good(int line, dx_bytes in, const char *want, size_t rest)
{
    const outcome *got = feed(in);

    if (got->status != DX_HTTP_END || got->rest != rest)
        TAP_FAIL("line %d: status %d, %zu left", line, (int)got->status, got->rest);
    CHECK_MEM(got->content, got->size, want, strlen(want));
}

static void check_status(int line, dx_bytes in, dx_http_status want)
{
    const outcome *got = feed(in);

    if (got->status != want)
        TAP_FAIL("line %d: status %d, expected %d", line, (int)got->status, (int)want);
}

#define GOOD(literal, want) check_good(__LINE__, DX_BYTES(literal), want, 0)
#define GOOD_THEN(literal, rest, want)                                                             \
    check_good(__LINE__, DX_BYTES(literal rest), want, sizeof(rest) - 1)
#define FAULT(literal, name) check_status(__LINE__, DX_BYTES(literal), DX_HTTP_FAULT_##name)
#define WAITS(literal) check_status(__LINE__, DX_BYTES(literal), DX_HTTP_MORE)

TEST("RFC 9112 §7.1 chunks are joined up to the last one")
{
    GOOD("0\r\n\r\n", "");
    GOOD("5\r\nhello\r\n0\r\n\r\n", "hello");
    GOOD("5\r\nhello\r\n1\r\n \r\n00A\r\n0123456789\r\n000\r\n\r\n", "hello 0123456789");
    GOOD("a\r\n\r\n\r\n0\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r\n0\r\n\r\n\r");
    GOOD_THEN("1\r\na\r\n0\r\n\r\n", "GET /", "a");
}

TEST("RFC 9112 §7.1 chunked content that is not whole waits")
{
    WAITS("");
    WAITS("5");
    WAITS("5\r");
    WAITS("5\r\n");
    WAITS("5\r\nhell");
    WAITS("5\r\nhello");
    WAITS("5\r\nhello\r\n");
    WAITS("5\r\nhello\r\n0\r\n");
    WAITS("5\r\nhello\r\n0\r\n\r");
    WAITS("0\r\nX: y\r\n");
}

TEST("RFC 9112 §7.1 a chunk starts with hex digits and nothing else")
{
    FAULT("\r\n", CHUNK_SIZE);
    FAULT(";a\r\n", CHUNK_SIZE);
    FAULT("0x5\r\nhello\r\n", CHUNK_SIZE);
    FAULT("5_\r\nhello\r\n", CHUNK_SIZE);
    FAULT("1_0\r\nhello\r\n", CHUNK_SIZE);
    FAULT("+5\r\nhello\r\n", CHUNK_SIZE);
    FAULT("-5\r\nhello\r\n", CHUNK_SIZE);
    FAULT(" 5\r\nhello\r\n", CHUNK_SIZE);
    FAULT("5 \r\nhello\r\n", CHUNK_SIZE);
    FAULT("5\t;a\r\nhello\r\n", CHUNK_SIZE);
    FAULT("g\r\n", CHUNK_SIZE);
    FAULT("\x00\r\n", CONTROL_BYTE);
    FAULT("5\x00\r\n", CONTROL_BYTE);
}

TEST("RFC 9112 §7.1 a size of 16 digits up to 2^63-1 is read, more is a fault")
{
    WAITS("7fffffffffffffff\r\nx");
    WAITS("0000000000000005\r\nx");
    FAULT("8000000000000000\r\nx", CHUNK_SIZE_LARGE);
    FAULT("ffffffffffffffff\r\nx", CHUNK_SIZE_LARGE);
    FAULT("10000000000000005\r\nx", CHUNK_SIZE_LARGE);
    FAULT("00000000000000005\r\nx", CHUNK_SIZE_LARGE);
}

TEST("RFC 9112 §7.1 CR LF ends a size line and follows the content, nothing else does")
{
    FAULT("5\nhello\r\n", BARE_LF);
    FAULT("\n", BARE_LF);
    FAULT("5\rhello\r\n", BARE_CR);
    FAULT("5\r\nhello\n0\r\n", CHUNK_END);
    FAULT("5\r\nhello\r0\r\n", CHUNK_END);
    FAULT("5\r\nhello0\r\n", CHUNK_END);
    FAULT("5\r\nhello!\r\n0\r\n", CHUNK_END);
    FAULT("4\r\nhello\r\n0\r\n", CHUNK_END);
    FAULT("0\n\n", BARE_LF);
    FAULT("0\r\n\n", BARE_LF);
    FAULT("0\r\n\rx", BARE_CR);
    FAULT("0\r\r\n", BARE_CR);
}

TEST("RFC 9112 §7.1.1 extensions are checked and dropped")
{
    GOOD("1;a\r\nx\r\n0;b=c\r\n\r\n", "x");
    GOOD("1;a;b;c=d;e=\"f\"\r\nx\r\n0\r\n\r\n", "x");
    GOOD("1;a=\"q;\\\"\\\\\xff\t\"\r\nx\r\n0\r\n\r\n", "x");
    GOOD("1; a \t=  b ; c=\"d\" ;e\r\nx\r\n0\r\n\r\n", "x");
    FAULT("1;\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;;a\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;=a\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a \r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a b\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=b c\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=b =c\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=b=c\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=\"b\"c\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;[\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=\"b\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a=\"b\\\r\nx\r\n", CHUNK_EXTENSION);
    FAULT("1;a\nx\r\n", BARE_LF);
    FAULT("1;a\rx\r\n", BARE_CR);
    FAULT("1;a=\"\n\"\r\nx\r\n", BARE_LF);
    FAULT("1;a\x00\r\nx\r\n", CONTROL_BYTE);
}

TEST("RFC 9112 §7.1.2 trailers are checked and dropped")
{
    GOOD("0\r\nX: y\r\n\r\n", "");
    GOOD("1\r\na\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nHost:\r\nX:\t\xff\r\n\r\n",
         "a");
    GOOD_THEN("0\r\nX: y\r\n\r\n", "GET / HTTP/1.1\r\n", "");
    FAULT("0\r\nX : y\r\n\r\n", BLANK_BEFORE_COLON);
    FAULT("0\r\nX: y\r\n z\r\n\r\n", FOLD);
    FAULT("0\r\n X: y\r\n\r\n", BLANK_BEFORE_FIELDS);
    FAULT("0\r\n: y\r\n\r\n", NAME_EMPTY);
    FAULT("0\r\nX\r\n\r\n", NO_COLON);
    FAULT("0\r\n(: y\r\n\r\n", NAME);
    FAULT("0\r\nX(: y\r\n\r\n", NAME);
    FAULT("0\r\nX: y\n\r\n", BARE_LF);
    FAULT("0\r\nX: y\rz\r\n\r\n", BARE_CR);
    FAULT("0\r\nX: \x01\r\n\r\n", CONTROL_BYTE);
}

static dx_http_status sized(const char *before, size_t fill, const char *after)
{
    static char text[300000];
    size_t used = (size_t)sprintf(text, "%s", before);
    memset(text + used, 'x', fill);
    used += fill;
    used += (size_t)sprintf(text + used, "%s", after);
    return feed(dx_bytes_at(text, used))->status;
}

TEST("limits: 256 bytes of extensions are read on a line, 257 are a fault")
{
    CHECK_INT(sized("0;", 255, "\r\n\r\n"), DX_HTTP_END);
    CHECK_INT(sized("0;", 256, "\r\n\r\n"), DX_HTTP_FAULT_CHUNK_EXTENSION_LONG);
    CHECK_INT(sized("0;a=\"", 65536, ""), DX_HTTP_FAULT_CHUNK_EXTENSION_LONG);
}

TEST("limits: 4096 bytes of trailers are read, 4097 are a fault")
{
    CHECK_INT(sized("0\r\nX:", 4096 - 6, "\r\n\r\n"), DX_HTTP_END);
    CHECK_INT(sized("0\r\nX:", 4097 - 6, "\r\n\r\n"), DX_HTTP_FAULT_TRAILERS_LARGE);
    CHECK_INT(sized("0\r\nX:", 65536, ""), DX_HTTP_FAULT_TRAILERS_LARGE);
}

/* Chunks of `size` bytes, each with `extension` bytes of extensions; how many are read before the
 * overhead is refused, `count` if it never is. */
static size_t chunks_read(size_t count, size_t size, size_t extension)
{
    char line[400];
    static char content[2000];
    dx_http_chunks c;
    dx_http_status status = DX_HTTP_MORE;
    size_t head = (size_t)sprintf(line, "%zx", size), i;

    if (extension > 0) {
        line[head++] = ';';
        memset(line + head, 'e', extension - 1);
        head += extension - 1;
    }
    memcpy(line + head, "\r\n", 2);
    head += 2;
    dx_http_chunks_init(&c);
    for (i = 0; i < count; i++) {
        dx_bytes in = dx_bytes_at(line, head), end = DX_BYTES("\r\n"), data;
        if (dx_http_chunk_read(&c, &in, &data) != DX_HTTP_MORE)
            break;
        in = dx_bytes_at(content, size);
        CHECK_INT(dx_http_chunk_read(&c, &in, &data), DX_HTTP_DATA);
        CHECK_INT(data.size, size);
        status = dx_http_chunk_read(&c, &end, &data);
        if (status != DX_HTTP_MORE)
            break;
    }
    return i;
}

TEST("limits: overhead of 100 KiB and over three quarters of all bytes is a fault")
{
    CHECK_INT(chunks_read(1000, 1000, 0), 1000);
    CHECK_INT(chunks_read(100000, 2, 0), 100000);         /* 5 of 7 bytes */
    CHECK_INT(chunks_read(100000, 1, 0), 102400 / 5 - 1); /* the last byte is one too many */
    CHECK_INT(chunks_read(10000, 1000, 200), 10000);
    CHECK_INT(chunks_read(10000, 1, 200), 102400 / 205);
}

TEST("§7.1 the head of a chunk is its size in hex, and reads back")
{
    static const struct {
        uint64_t size;
        const char *head;
    } rows[] = {{1, "1\r\n"},
                {15, "f\r\n"},
                {16, "10\r\n"},
                {0xdeadbeef, "deadbeef\r\n"},
                {INT64_MAX, "7fffffffffffffff\r\n"},
                {UINT64_MAX, "ffffffffffffffff\r\n"}};
    uint8_t head[DX_HTTP_CHUNK_HEAD_MAX];

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        size_t size = dx_http_chunk_head_write(rows[i].size, head);
        CHECK_MEM(head, size, rows[i].head, strlen(rows[i].head));
    }
}
