/* Names, the table of fields, lists, parameters, what is accepted.
 * SPDX-License-Identifier: MIT */
#include "codec/http_fields.h"
#include "codec/http_list.h"
#include "tests/tap.h"

/* A table of "Name: value" lines, ended by NULL. */
static dx_http_fields *table(const char *const *lines)
{
    static dx_http_field memory[20];
    static dx_http_fields f;

    f.at = memory, f.count_max = DX_COUNT(memory);
    dx_http_fields_clear(&f);
    for (; *lines; lines++) {
        dx_bytes line = dx_bytes_of(*lines);
        size_t colon = dx_bytes_find(line, ':');
        CHECK(dx_http_fields_add(
            &f, (dx_bytes){line.at, colon},
            dx_bytes_trim((dx_bytes){line.at + colon + 1, line.size - colon - 1})));
    }
    return &f;
}

#define TABLE(...) table((const char *const[]){__VA_ARGS__, NULL})

TEST("RFC 9110 §5.1 every known name is found in any case, and nothing else is")
{
    char text[64];

    for (unsigned id = DX_HTTP_OTHER + 1; id < DX_HTTP_NAME_COUNT; id++) {
        dx_bytes name = dx_http_name_text((dx_http_name)id);
        CHECK(name.size > 0 && name.size < sizeof text);
        CHECK_INT(dx_http_name_of(name), id);
        for (size_t i = 0; i < name.size; i++) {
            memcpy(text, name.at, name.size);
            for (size_t k = 0; k < name.size; k++)
                text[k] = (char)(k % 2                              ? dx_ascii_lower(name.at[k])
                                 : text[k] >= 'a' && text[k] <= 'z' ? text[k] - 32
                                                                    : text[k]);
            CHECK_INT(dx_http_name_of(dx_bytes_at(text, name.size)), id);
            text[i] = '_'; /* and with any byte changed it is another */
            CHECK_INT(dx_http_name_of(dx_bytes_at(text, name.size)), DX_HTTP_OTHER);
        }
        CHECK_INT(dx_http_name_of((dx_bytes){name.at, name.size - 1}), DX_HTTP_OTHER);
        memcpy(text, name.at, name.size);
        text[name.size] = 's';
        CHECK_INT(dx_http_name_of(dx_bytes_at(text, name.size + 1)), DX_HTTP_OTHER);
    }
    CHECK_INT(dx_http_name_of(DX_BYTES("")), DX_HTTP_OTHER);
    CHECK_INT(dx_http_name_of(DX_BYTES("x")), DX_HTTP_OTHER);
    CHECK_INT(dx_http_name_text(DX_HTTP_OTHER).size, 0);
}

TEST("§5.3 fields are found by id and by name, in their order")
{
    dx_http_fields *f = TABLE("X-One: 1", "Accept: a", "Host: h", "accept: b", "ACCEPT: c");
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_ACCEPT);

    CHECK_BYTES(field->value, "a");
    field = dx_http_fields_next(f, field);
    CHECK_BYTES(field->value, "b");
    field = dx_http_fields_next(f, field);
    CHECK_BYTES(field->value, "c");
    CHECK(dx_http_fields_next(f, field) == NULL);
    CHECK_INT(dx_http_fields_count(f, DX_HTTP_ACCEPT), 2);
    CHECK_INT(dx_http_fields_count(f, DX_HTTP_HOST), 1);
    CHECK_INT(dx_http_fields_count(f, DX_HTTP_DATE), 0);
    CHECK(dx_http_fields_has(f, DX_HTTP_HOST) && !dx_http_fields_has(f, DX_HTTP_DATE));
    CHECK(dx_http_fields_get(f, DX_HTTP_DATE) == NULL);
    CHECK(dx_http_fields_value(f, DX_HTTP_DATE).at == NULL);
    CHECK_BYTES(dx_http_fields_value(f, DX_HTTP_HOST), "h");
    CHECK_BYTES(dx_http_fields_find(f, DX_BYTES("x-ONE"))->value, "1");
    CHECK_BYTES(dx_http_fields_find(f, DX_BYTES("host"))->value, "h");
    CHECK(dx_http_fields_find(f, DX_BYTES("X-Two")) == NULL);
}

TEST("a table takes as many fields as it has room for")
{
    dx_http_field memory[2];
    dx_http_fields f = {.at = memory, .count_max = 2};

    CHECK(dx_http_fields_add(&f, DX_BYTES("a"), DX_BYTES("1")));
    CHECK(dx_http_fields_add(&f, DX_BYTES("Date"), DX_BYTES("2")));
    CHECK(!dx_http_fields_add(&f, DX_BYTES("Host"), DX_BYTES("3")));
    CHECK(f.count == 2 && !dx_http_fields_has(&f, DX_HTTP_HOST));
    dx_http_fields_clear(&f);
    CHECK(f.count == 0 && !dx_http_fields_has(&f, DX_HTTP_DATE));
}

/* Joins the elements of a list with "|". Reads from a block of the list's own size. */
static void check_list(const char *list, const char *want)
{
    char got[500] = "";
    size_t size = strlen(list);
    uint8_t *copy = malloc(size + 1);
    memcpy(copy + 1, list, size);
    dx_bytes in = dx_bytes_at(copy + 1, size), element;

    while (dx_http_list_next(&in, &element)) {
        CHECK(element.size > 0);
        sprintf(got + strlen(got), "%.*s|", DX_FORMAT(element));
    }
    CHECK_MEM(got, strlen(got), want, strlen(want));
    free(copy);
}

TEST("RFC 9110 §5.6.1 a list is cut at commas, empty elements are skipped")
{
    check_list("", "");
    check_list(",", "");
    check_list(" \t, ,,", "");
    check_list("a", "a|");
    check_list("a,b", "a|b|");
    check_list(" a b\t, ,c ,", "a b|c|");
}

TEST("RFC 9110 §5.6.4 a comma inside of a quoted string does not cut")
{
    check_list("a=\"b,c\",d", "a=\"b,c\"|d|");
    check_list("\"\\\",\",d", "\"\\\",\"|d|");
    check_list("\"\\\\\",d", "\"\\\\\"|d|");
    check_list("\"a,b", "\"a,b|");
    check_list("\"a\\", "\"a\\|");
    check_list("a\\,b", "a\\|b|");
}

TEST("a token is found in a list, in any case, over several lines")
{
    dx_http_fields *f = TABLE("Connection: keep-alive, x", "Connection: UPGRADE");

    CHECK(dx_http_list_has(DX_BYTES("a, Bc ,d"), DX_BYTES("bC")));
    CHECK(!dx_http_list_has(DX_BYTES("a, Bcd"), DX_BYTES("bc")));
    CHECK(!dx_http_list_has(DX_BYTES(""), DX_BYTES("bc")));
    CHECK(dx_http_fields_have_token(f, DX_HTTP_CONNECTION, DX_BYTES("upgrade")));
    CHECK(dx_http_fields_have_token(f, DX_HTTP_CONNECTION, DX_BYTES("Keep-Alive")));
    CHECK(!dx_http_fields_have_token(f, DX_HTTP_CONNECTION, DX_BYTES("close")));
    CHECK(!dx_http_fields_have_token(f, DX_HTTP_UPGRADE, DX_BYTES("upgrade")));
}

/* Prints head and parameters: "head name=value name name='quoted' ..." and "BAD" where it breaks. */
static void check_parameters(const char *text, const char *want)
{
    char got[500];
    size_t size = strlen(text);
    uint8_t *copy = malloc(size + 1);
    memcpy(copy + 1, text, size);
    dx_bytes in = dx_bytes_at(copy + 1, size), head = dx_http_parameters_head(&in);
    dx_http_parameter p;
    dx_http_parameter_status status;

    sprintf(got, "%.*s", DX_FORMAT(head));
    while ((status = dx_http_parameter_next(&in, &p)) == DX_HTTP_PARAMETER_OK)
        sprintf(got + strlen(got),
                p.is_quoted  ? " %.*s='%.*s'"
                : p.value.at ? " %.*s=%.*s"
                             : " %.*s",
                DX_FORMAT(p.name), DX_FORMAT(p.value));
    if (status == DX_HTTP_PARAMETER_BAD)
        strcat(got, " BAD");
    CHECK_MEM(got, strlen(got), want, strlen(want));
    free(copy);
}

TEST("RFC 9110 §5.6.6 parameters have a name and perhaps a value, quoted or not")
{
    check_parameters("", "");
    check_parameters("text/html", "text/html");
    check_parameters("text/html;charset=utf-8", "text/html charset=utf-8");
    check_parameters(" text/html ; a=1 ;\tb ", "text/html a=1 b");
    check_parameters("x;a=\"q;,\\\"\"; b", "x a='q;,\\\"' b");
    check_parameters("x;a=\"\"", "x a=''");
    check_parameters("x;;; a;", "x a");
    check_parameters("x;a = b", "x a=b");
    check_parameters("x;=b", "x BAD");
    check_parameters("x;a=", "x BAD");
    check_parameters("x;a b", "x BAD");
    check_parameters("x;a=b c", "x BAD");
    check_parameters("x;a=\"b", "x BAD");
    check_parameters("x;a=\"b\"c", "x BAD");
    check_parameters("x;a=\"", "x BAD");
    check_parameters("x;a=\"b\\\"", "x BAD");
    check_parameters("x;a;b=(;c", "x a BAD");
}

TEST("RFC 9110 §5.6.4 backslashes are taken out of quoted strings")
{
    uint8_t memory[20];
    size_t size = dx_http_unquote(DX_BYTES("a\\\"b\\\\c\\d"), memory);
    CHECK_MEM(memory, size, "a\"b\\cd", 6);
    CHECK_INT(dx_http_unquote(DX_BYTES(""), memory), 0);
}

TEST("RFC 9110 §12.5.1 the most specific range of Accept decides")
{
    dx_http_fields *f = TABLE("Accept: text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed,",
                              "Accept: text/plain;format=fixed;q=0.4, */*;q=0.5");

    CHECK_INT(dx_http_accepts(f, DX_BYTES("text/plain;format=flowed")), 1000);
    CHECK_INT(dx_http_accepts(f, DX_BYTES("text/plain")), 700);
    CHECK_INT(dx_http_accepts(f, DX_BYTES("Text/HTML")), 300);
    CHECK_INT(dx_http_accepts(f, DX_BYTES("image/jpeg")), 500);
    CHECK_INT(dx_http_accepts(f, DX_BYTES("text/plain;format=fixed")), 400);
    CHECK_INT(dx_http_accepts(f, DX_BYTES("texts/html")), 500);
}

TEST("RFC 9110 §12.4.2 a quality is 0 to 1 with three digits; without one it is 1")
{
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=0.001"), DX_BYTES("a/b")), 1);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;Q=1.000"), DX_BYTES("a/b")), 1000);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=1."), DX_BYTES("a/b")), 1000);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=0"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=0, */*"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=1.001"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=0.0001"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=-1"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=.5"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q=2"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;q="), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("Accept: a/b;level=1;q=0.5;ext=2"), DX_BYTES("a/b;level=1")),
              500);
    CHECK_INT(dx_http_accepts(TABLE("Accept: c/d"), DX_BYTES("a/b")), 0);
    CHECK_INT(dx_http_accepts(TABLE("X: y"), DX_BYTES("a/b")), 1000);
}

TEST("a type that is named is told from one that a wildcard lets in")
{
    CHECK(
        dx_http_accepts_exactly(TABLE("Accept: text/event-stream"), DX_BYTES("text/event-stream")));
    CHECK(dx_http_accepts_exactly(TABLE("Accept: */*, Text/Event-Stream;q=0.1"),
                                  DX_BYTES("text/event-stream")));
    CHECK(!dx_http_accepts_exactly(TABLE("Accept: */*"), DX_BYTES("text/event-stream")));
    CHECK(!dx_http_accepts_exactly(TABLE("Accept: text/*"), DX_BYTES("text/event-stream")));
    CHECK(!dx_http_accepts_exactly(TABLE("Accept: text/event-stream;q=0"),
                                   DX_BYTES("text/event-stream")));
    CHECK(!dx_http_accepts_exactly(TABLE("X: y"), DX_BYTES("text/event-stream")));
}

TEST("RFC 9110 §12.5.3 codings are accepted by name or by star; identity unless refused")
{
    dx_bytes gzip = DX_BYTES("gzip"), identity = DX_BYTES("identity");

    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: GZIP, br;q=0.5"), gzip), 1000);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: gzip, br;q=0.5"), DX_BYTES("br")),
              500);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: br"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: br", "Accept-Encoding: gzip"), gzip),
              1000);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: *;q=0.2"), gzip), 200);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: *, gzip;q=0"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: gzip;q=x"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: gzip;level=1"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding:"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("X: y"), gzip), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("X: y"), identity), 1000);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: gzip"), identity), 1000);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: *;q=0.5"), identity), 1000);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: *;q=0"), identity), 0);
    CHECK_INT(dx_http_accepts_coding(TABLE("Accept-Encoding: identity;q=0, *"), identity), 0);
}

TEST("RFC 9110 §8.3 a content type is compared without its parameters and its case")
{
    CHECK(
        dx_http_type_is(DX_BYTES("Application/JSON; charset=utf-8"), DX_BYTES("application/json")));
    CHECK(!dx_http_type_is(DX_BYTES("application/json5"), DX_BYTES("application/json")));
    CHECK(!dx_http_type_is(DX_BYTES(""), DX_BYTES("application/json")));
}
