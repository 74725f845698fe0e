/* Static files: types, validators, conditions, ranges, codings, directories.
 * Source: RFC 9110.
 * SPDX-License-Identifier: MIT */
#include "http/files_inner.h"
#include "http/test_files.h"
#include "tests/tap.h"

#include <stdio.h>
#include <unistd.h>

#define CHECK_FIELD(response, name, want) CHECK_BYTES(served_field(&(response), name), want)

static void check_whole(files_served *f, const char *line, const char *fields, const char *want)
{
    served_response r;

    files_ask(f, line, fields, &r);
    CHECK_INT(r.head.code, 200);
    CHECK_BYTES(r.body, want);
    served_response_deinit(&r);
}

TEST("a file comes whole, with its type, its length and what caches need")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "", &r);
    CHECK_INT(r.head.code, 200);
    CHECK_BYTES(r.body, "hello world\n");
    CHECK_FIELD(r, "Content-Type", "text/plain; charset=utf-8");
    CHECK_FIELD(r, "Content-Length", "12");
    CHECK_FIELD(r, "Accept-Ranges", "bytes");
    CHECK_FIELD(r, "Cache-Control", "no-cache");
    CHECK_FIELD(r, "Vary", "Accept-Encoding");
    CHECK_FIELD(r, "X-Content-Type-Options", "nosniff");
    CHECK_FIELD(r, "Content-Encoding", "");
    CHECK_INT(served_field(&r, "Last-Modified").size, DX_HTTP_DATE_SIZE);
    dx_bytes etag = served_field(&r, "ETag");
    CHECK(etag.size > 8 && etag.at[0] == '"' && etag.at[etag.size - 1] == '"');
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("types go by the last extension, in any case; what is not known is bytes")
{
    static const char *const rows[][2] = {
        {"a.html", "text/html; charset=utf-8"},
        {"a.HTML", "text/html; charset=utf-8"},
        {"a.css", "text/css; charset=utf-8"},
        {"a.js", "text/javascript; charset=utf-8"},
        {"a.mjs", "text/javascript; charset=utf-8"},
        {"a.json", "application/json"},
        {"a.js.map", "application/json"},
        {"a.webmanifest", "application/manifest+json"},
        {"a.svg", "image/svg+xml"},
        {"a.png", "image/png"},
        {"a.jpg", "image/jpeg"},
        {"a.jpeg", "image/jpeg"},
        {"a.webp", "image/webp"},
        {"a.avif", "image/avif"},
        {"a.gif", "image/gif"},
        {"a.ico", "image/vnd.microsoft.icon"},
        {"a.woff2", "font/woff2"},
        {"a.wasm", "application/wasm"},
        {"a.txt", "text/plain; charset=utf-8"},
        {"a.md", "text/markdown; charset=utf-8"},
        {"a.csv", "text/csv; charset=utf-8"},
        {"a.xml", "application/xml"},
        {"a.pdf", "application/pdf"},
        {"a.mp4", "video/mp4"},
        {"a.webm", "video/webm"},
        {"a.mp3", "audio/mpeg"},
        {"a.html.exe", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"x.html/a", "application/octet-stream"},
        {"a.", "application/octet-stream"},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        CHECK_BYTES(dx_bytes_of(dx_files_type_of(rows[i][0])->text), rows[i][1]);
}

TEST("§9.3.2 HEAD has the fields of GET and no content")
{
    files_served f;
    served_response get, head;

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "", &get);
    files_ask(&f, "HEAD /hello.txt", "", &head);
    CHECK_INT(head.head.code, 200);
    CHECK_INT(head.body.size, 0);
    CHECK_FIELD(head, "Content-Length", "12");
    CHECK(dx_bytes_equal(served_field(&head, "ETag"), served_field(&get, "ETag")));
    served_response_deinit(&get);
    served_response_deinit(&head);
    files_served_deinit(&f);
}

TEST("an empty file is an answer, not a fault")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    files_ask(&f, "GET /empty.css", "", &r);
    CHECK_INT(r.head.code, 200);
    CHECK_INT(r.body.size, 0);
    CHECK_FIELD(r, "Content-Length", "0");
    served_response_deinit(&r);
    CHECK_INT(files_code(&f, "GET /empty.css", "Range: bytes=0-0\r\n"), 416);
    files_served_deinit(&f);
}

TEST("§15.5.6 other methods are refused with Allow")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    files_ask(&f, "POST /hello.txt", "Content-Length: 0\r\n", &r);
    CHECK_INT(r.head.code, 405);
    CHECK_FIELD(r, "Allow", "GET, HEAD, OPTIONS");
    served_response_deinit(&r);
    files_served_deinit(&f);
}

/* ---- conditions ------------------------------------------------------------------------------- */

static void ask_with_etag(files_served *f, const char *name, const char *after,
                          served_response *ret)
{
    served_response first;
    char fields[512];

    files_ask(f, "GET /hello.txt", "", &first);
    dx_bytes etag = served_field(&first, "ETag");
    snprintf(fields, sizeof fields, "%s: %.*s\r\n%s", name, DX_FORMAT(etag), after);
    files_ask(f, "GET /hello.txt", fields, ret);
    served_response_deinit(&first);
}

TEST("§15.4.5 a 304 has ETag, Date, Vary and Cache-Control, and no content")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    ask_with_etag(&f, "If-None-Match", "", &r);
    CHECK_INT(r.head.code, 304);
    CHECK_INT(r.body.size, 0);
    CHECK(served_field(&r, "ETag").size > 0);
    CHECK(served_field(&r, "Date").size == DX_HTTP_DATE_SIZE);
    CHECK_FIELD(r, "Vary", "Accept-Encoding");
    CHECK_FIELD(r, "Cache-Control", "no-cache");
    CHECK_FIELD(r, "Content-Length", "");
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("§13 conditions: other tags, dates, and a Range beside a 304")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    check_whole(&f, "GET /hello.txt", "If-None-Match: \"other\"\r\n", "hello world\n");
    CHECK_INT(files_code(&f, "GET /hello.txt", "If-None-Match: *\r\n"), 304);
    CHECK_INT(files_code(&f, "GET /hello.txt", "If-Match: *\r\n"), 200);
    CHECK_INT(files_code(&f, "GET /hello.txt", "If-Match: \"other\"\r\n"), 412);
    CHECK_INT(
        files_code(&f, "GET /hello.txt", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        412);
    CHECK_INT(
        files_code(&f, "GET /hello.txt", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        200);
    ask_with_etag(&f, "If-None-Match", "Range: bytes=0-0\r\n", &r);
    CHECK_INT(r.head.code, 304);
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("§8.8.2 Last-Modified asked back gives 304")
{
    files_served f;
    served_response r;
    char fields[128];

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "", &r);
    snprintf(fields, sizeof fields, "If-Modified-Since: %.*s\r\n",
             DX_FORMAT(served_field(&r, "Last-Modified")));
    served_response_deinit(&r);
    CHECK_INT(files_code(&f, "GET /hello.txt", fields), 304);
    CHECK_INT(files_code(&f, "HEAD /hello.txt", fields), 304);
    files_served_deinit(&f);
}

TEST("§8.8.1 another content is another strong tag")
{
    files_served f;
    served_response before, after;

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "", &before);
    files_write(&f, "www/hello.txt", DX_BYTES("hello earth\n!"));
    files_ask(&f, "GET /hello.txt", "", &after);
    CHECK_BYTES(after.body, "hello earth\n!");
    CHECK(!dx_bytes_equal(served_field(&before, "ETag"), served_field(&after, "ETag")));
    served_response_deinit(&before);
    served_response_deinit(&after);
    files_served_deinit(&f);
}

/* ---- ranges ----------------------------------------------------------------------------------- */

static void check_range(files_served *f, const char *range, const char *content_range,
                        const char *want)
{
    served_response r;
    char fields[128];

    snprintf(fields, sizeof fields, "Range: %s\r\n", range);
    files_ask(f, "GET /hello.txt", fields, &r);
    CHECK_INT(r.head.code, 206);
    CHECK_FIELD(r, "Content-Range", content_range);
    CHECK_FIELD(r, "Content-Type", "text/plain; charset=utf-8");
    CHECK_BYTES(r.body, want);
    served_response_deinit(&r);
}

TEST("§14 one range is a 206 with Content-Range")
{
    files_served f;

    files_served_init(&f);
    check_range(&f, "bytes=0-4", "bytes 0-4/12", "hello");
    check_range(&f, "bytes=6-", "bytes 6-11/12", "world\n");
    check_range(&f, "bytes=-1", "bytes 11-11/12", "\n");
    check_range(&f, "bytes=-999", "bytes 0-11/12", "hello world\n");
    check_range(&f, "bytes=11-4000000000", "bytes 11-11/12", "\n");
    check_range(&f, "bytes=0-0, 99-", "bytes 0-0/12", "h");
    files_served_deinit(&f);
}

TEST("§15.5.17 a range beyond the end is a 416 that says the size")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "Range: bytes=12-\r\n", &r);
    CHECK_INT(r.head.code, 416);
    CHECK_FIELD(r, "Content-Range", "bytes */12");
    CHECK_FIELD(r, "Content-Type", "application/problem+json");
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("§14.2 ranges that are nonsense, of other units, overlapping, or for HEAD are ignored")
{
    files_served f;

    files_served_init(&f);
    check_whole(&f, "GET /hello.txt", "Range: bytes=x-y\r\n", "hello world\n");
    check_whole(&f, "GET /hello.txt", "Range: lines=0-1\r\n", "hello world\n");
    check_whole(&f, "GET /hello.txt", "Range: bytes=0-,0-,0-\r\n", "hello world\n");
    check_whole(&f, "HEAD /hello.txt", "Range: bytes=0-0\r\n", "");
    files_served_deinit(&f);
}

TEST("§13.1.5 If-Range with the tag gives the part, with another the whole")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    ask_with_etag(&f, "If-Range", "Range: bytes=0-4\r\n", &r);
    CHECK_INT(r.head.code, 206);
    CHECK_BYTES(r.body, "hello");
    served_response_deinit(&r);
    check_whole(&f, "GET /hello.txt", "If-Range: \"x\"\r\nRange: bytes=0-4\r\n", "hello world\n");
    files_served_deinit(&f);
}

TEST("§14.6 several ranges are multipart/byteranges, part by part in the order asked")
{
    files_served f;
    served_response r;
    char want[1024];

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "Range: bytes=6-10,0-1,-1\r\n", &r);
    CHECK_INT(r.head.code, 206);
    CHECK_FIELD(r, "Content-Range", "");
    dx_bytes type = served_field(&r, "Content-Type");
    dx_bytes boundary = type;
    CHECK(dx_bytes_starts(type, DX_BYTES("multipart/byteranges; boundary=")));
    dx_bytes_skip(&boundary, dx_bytes_find(type, '=') + 1);
    CHECK_INT(boundary.size, 32);
    int size = (int)boundary.size;
    const char *text = (const char *)boundary.at;
    snprintf(
        want, sizeof want,
        "--%.*s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 6-10/12\r\n"
        "\r\nworld\r\n--%.*s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
        "0-1/12\r\n\r\nhe\r\n--%.*s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: "
        "bytes 11-11/12\r\n\r\n\n\r\n--%.*s--\r\n",
        size, text, size, text, size, text, size, text);
    CHECK_BYTES(r.body, want);
    CHECK_INT(r.head.framing.content_length, r.body.size);
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("§14.6 no two multipart answers have the same boundary")
{
    files_served f;
    served_response one, two;

    files_served_init(&f);
    files_ask(&f, "GET /hello.txt", "Range: bytes=0-0,2-2\r\n", &one);
    files_ask(&f, "GET /hello.txt", "Range: bytes=0-0,2-2\r\n", &two);
    CHECK(!dx_bytes_equal(served_field(&one, "Content-Type"), served_field(&two, "Content-Type")));
    served_response_deinit(&one);
    served_response_deinit(&two);
    files_served_deinit(&f);
}

/* ---- codings ---------------------------------------------------------------------------------- */

static void write_page(files_served *f)
{
    files_write(f, "www/page.html", DX_BYTES("as it is"));
    files_write(f, "www/page.html.gz", DX_BYTES("gzipped"));
    files_write(f, "www/page.html.br", DX_BYTES("brotlied"));
}

static void check_coding(files_served *f, const char *accept, const char *coding, const char *want)
{
    served_response r;
    char fields[128];

    snprintf(fields, sizeof fields, "Accept-Encoding: %s\r\n", accept);
    files_ask(f, "GET /page.html", fields, &r);
    CHECK_INT(r.head.code, 200);
    CHECK_FIELD(r, "Content-Encoding", coding);
    CHECK_FIELD(r, "Content-Type", "text/html; charset=utf-8");
    CHECK_FIELD(r, "Vary", "Accept-Encoding");
    CHECK_BYTES(r.body, want);
    served_response_deinit(&r);
}

TEST("§12.5.3 a precompressed sibling is sent to whom accepts it")
{
    files_served f;

    files_served_init(&f);
    write_page(&f);
    check_coding(&f, "gzip, br", "br", "brotlied");
    check_coding(&f, "gzip", "gzip", "gzipped");
    check_coding(&f, "br;q=0.5, gzip", "gzip", "gzipped");
    check_coding(&f, "br;q=0, gzip;q=0.1", "gzip", "gzipped");
    check_coding(&f, "br;q=0, gzip;q=0", "", "as it is");
    check_coding(&f, "deflate", "", "as it is");
    check_coding(&f, "*", "br", "brotlied");
    check_whole(&f, "GET /page.html", "", "as it is");
    files_served_deinit(&f);
}

TEST("§8.8.3.3 each coding has its own tag, and is not modified by its own tag alone")
{
    files_served f;
    served_response plain, gzip;
    char fields[256];

    files_served_init(&f);
    write_page(&f);
    files_ask(&f, "GET /page.html", "", &plain);
    files_ask(&f, "GET /page.html", "Accept-Encoding: gzip\r\n", &gzip);
    CHECK(!dx_bytes_equal(served_field(&plain, "ETag"), served_field(&gzip, "ETag")));
    snprintf(fields, sizeof fields, "Accept-Encoding: gzip\r\nIf-None-Match: %.*s\r\n",
             DX_FORMAT(served_field(&gzip, "ETag")));
    CHECK_INT(files_code(&f, "GET /page.html", fields), 304);
    snprintf(fields, sizeof fields, "Accept-Encoding: gzip\r\nIf-None-Match: %.*s\r\n",
             DX_FORMAT(served_field(&plain, "ETag")));
    CHECK_INT(files_code(&f, "GET /page.html", fields), 200);
    served_response_deinit(&plain);
    served_response_deinit(&gzip);
    files_served_deinit(&f);
}

TEST("§8.8.3.3 also where the sibling is the same file by another name")
{
    files_served f;
    served_response plain, gzip;
    char from[128], to[128];

    files_served_init(&f);
    snprintf(from, sizeof from, "%s/www/hello.txt", f.dir);
    snprintf(to, sizeof to, "%s/www/hello.txt.gz", f.dir);
    CHECK_INT(link(from, to), 0);
    files_ask(&f, "GET /hello.txt", "", &plain);
    files_ask(&f, "GET /hello.txt", "Accept-Encoding: gzip\r\n", &gzip);
    CHECK_FIELD(gzip, "Content-Encoding", "gzip");
    CHECK(!dx_bytes_equal(served_field(&plain, "ETag"), served_field(&gzip, "ETag")));
    served_response_deinit(&plain);
    served_response_deinit(&gzip);
    files_served_deinit(&f);
}

TEST("§14 a range is of the file as it is, whatever codings are accepted")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    write_page(&f);
    files_ask(&f, "GET /page.html", "Accept-Encoding: br, gzip\r\nRange: bytes=0-1\r\n", &r);
    CHECK_INT(r.head.code, 206);
    CHECK_FIELD(r, "Content-Encoding", "");
    CHECK_BYTES(r.body, "as");
    served_response_deinit(&r);
    files_served_deinit(&f);
}

TEST("a sibling is a file, and needs the file it is of")
{
    files_served f;

    files_served_init(&f);
    files_write(&f, "www/lone.txt.gz", DX_BYTES("gzipped"));
    files_write(&f, "www/odd.txt", DX_BYTES("as it is"));
    files_write(&f, "www/odd.txt.gz/x", DX_BYTES("a directory"));
    CHECK_INT(files_code(&f, "GET /lone.txt", "Accept-Encoding: gzip\r\n"), 404);
    check_whole(&f, "GET /odd.txt", "Accept-Encoding: gzip\r\n", "as it is");
    files_served_deinit(&f);
}

/* ---- directories ------------------------------------------------------------------------------ */

TEST("a path that ends in a slash is its index.html")
{
    files_served f;

    files_served_init(&f);
    check_whole(&f, "GET /", "", "<p>root");
    check_whole(&f, "GET /sub/", "", "<p>sub");
    files_write(&f, "www/bare/x.txt", DX_BYTES("x"));
    CHECK_INT(files_code(&f, "GET /bare/", ""), 404);
    CHECK_INT(files_code(&f, "GET /hello.txt/", ""), 404);
    files_served_deinit(&f);
}

static void check_redirect(files_served *f, const char *line, const char *location)
{
    served_response r;

    files_ask(f, line, "", &r);
    CHECK_INT(r.head.code, 301);
    CHECK_FIELD(r, "Location", location);
    served_response_deinit(&r);
}

TEST("§15.4.2 a directory without its slash is moved to it, and keeps its query")
{
    files_served f;

    files_served_init(&f);
    files_write(&f, "www/a/b c:d/index.html", DX_BYTES("deep"));
    check_redirect(&f, "GET /sub", "sub/");
    check_redirect(&f, "GET /sub?x=1&y", "sub/?x=1&y");
    check_redirect(&f, "GET /a/b%20c:d", "b%20c%3Ad/");
    check_whole(&f, "GET /a/b%20c%3Ad/", "", "deep");
    files_served_deinit(&f);
}

TEST("dx_files_new tells a missing directory and a file apart from a good one")
{
    files_served f;
    dx_files *files = NULL;
    char path[128];

    files_served_init(&f);
    CHECK_INT(dx_files_new("/nonexistent/dir", &files), DX_ERR_NOT_FOUND);
    snprintf(path, sizeof path, "%s/secret", f.dir);
    CHECK_INT(dx_files_new(path, &files), DX_ERR_NOT_FOUND);
    CHECK(files == NULL);
    files_served_deinit(&f);
}
