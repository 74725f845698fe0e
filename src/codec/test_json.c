/* The JSON validator, the walk over elements, strings both ways.
 * SPDX-License-Identifier: MIT */
#include "codec/json.h"
#include "tests/tap.h"

static dx_bytes exact(const void *at, size_t size)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(size + 1);
    dx_copy(copy + 1, at, size);
    return dx_bytes_at(copy + 1, size);
}

static bool is_scalar(dx_bytes text)
{
    dx_json_type type = dx_json_type_of(text);
    return type == DX_JSON_NUMERIC || text.size == 0;
}

/* Good text; and every prefix of it is cut: at its end, or at the character that is not whole. */
static void check_good(dx_bytes text)
{
    size_t error_at = 4242;
    dx_json_fault fault = dx_json_check(exact(text.at, text.size), 64, &error_at);

    if (fault != DX_JSON_OK || error_at != 4242)
        TAP_FAIL("%.*s: fault %d at %zu", DX_FORMAT(text), (int)fault, error_at);
    dx_bytes inner = dx_json_trim(text);
    for (size_t size = 0; size < inner.size && !is_scalar(inner); size++) {
        fault = dx_json_check(exact(inner.at, size), 64, &error_at);
        if (size == 0 ? fault != DX_JSON_EMPTY : fault != DX_JSON_CUT && fault != DX_JSON_UTF8)
            TAP_FAIL("%zu bytes of %.*s: fault %d", size, DX_FORMAT(inner), (int)fault);
        if (fault == DX_JSON_UTF8 ? size - error_at > 3 : error_at != size)
            TAP_FAIL("%zu bytes of %.*s: told at %zu", size, DX_FORMAT(inner), error_at);
    }
}

static void check_bad(int line, dx_bytes text, dx_json_fault want, size_t want_at)
{
    size_t error_at = 4242;
    dx_json_fault fault = dx_json_check(exact(text.at, text.size), 64, &error_at);

    if (fault != want || error_at != want_at)
        TAP_FAIL("line %d: fault %d at %zu, expected %d at %zu", line, (int)fault, error_at,
                 (int)want, want_at);
}

#define GOOD(text) check_good(DX_BYTES(text))
#define BAD(text, name, at) check_bad(__LINE__, DX_BYTES(text), DX_JSON_##name, at)

TEST("RFC 8259 §3 and §5: values of every kind")
{
    GOOD("null");
    GOOD("true");
    GOOD("false");
    GOOD("\"\"");
    GOOD("[]");
    GOOD("{}");
    GOOD(" \t\r\n[ \t\r\n] \t\r\n");
    GOOD("[null,true,false,1,\"a\",[],{}]");
    GOOD("{\"a\":1,\"b\":[2,{\"c\":null}],\"\":{}, \"a\":2}");
    GOOD("[[[[]]],[{}],{\"a\":[]}]");
    GOOD("[ 1 , 2 ]");
    GOOD("{ \"a\" : 1 , \"b\" : 2 }");
}

TEST("RFC 8259 §6 numbers")
{
    static const char *const good[] = {"0",    "-0",   "1",     "-1",      "10",      "1234567890",
                                       "0.0",  "-0.1", "1.50",  "1e1",     "1E1",     "1e+1",
                                       "1e-1", "0e0",  "0.1e9", "1e99999", "-1.5E-05"};
    for (size_t i = 0; i < DX_COUNT(good); i++)
        check_good(dx_bytes_of(good[i]));
    BAD("-", CUT, 1);
    BAD("1.", CUT, 2);
    BAD("1e", CUT, 2);
    BAD("1e+", CUT, 3);
    BAD("01", NUMBER, 1);
    BAD("-01", NUMBER, 2);
    BAD("00", NUMBER, 1);
    BAD("[1.]", NUMBER, 3);
    BAD("[-]", NUMBER, 2);
    BAD("[1e]", NUMBER, 3);
    BAD("[1e+]", NUMBER, 4);
    BAD("[-a]", NUMBER, 2);
    BAD("[1.e1]", NUMBER, 3);
    BAD("[1e+-1]", NUMBER, 4);
    BAD("[.5]", VALUE, 1);
    BAD("[+1]", VALUE, 1);
    BAD("[0x1]", COMMA, 2);
    BAD("[1_0]", COMMA, 2);
    BAD("[1 0]", COMMA, 3);
    BAD("[NaN]", VALUE, 1);
    BAD("[Infinity]", VALUE, 1);
    BAD("[-Infinity]", NUMBER, 2);
    BAD("1a", TRAILING, 1);
}

TEST("RFC 8259 §7 strings and their escapes")
{
    GOOD("\"abcdefghijklmnopqrstuvwxyz 0123456789\"");
    GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e4\\uFFFF\"");
    GOOD("\"\\ud834\\udd1e\"");
    GOOD("\"\x7f\"");
    GOOD("[\"\xc3\xa4\",\"\xe2\x82\xac\",\"\xf0\x9d\x84\x9e\",\"\xef\xbf\xbf\"]");
    BAD("\"", CUT, 1);
    BAD("\"\\", CUT, 2);
    BAD("\"\\u12", CUT, 5);
    BAD("\"a\nb\"", STRING, 2);
    BAD("\"\t\"", STRING, 1);
    BAD("\"a\0b\"", STRING, 2);
    BAD("\"0123456789\x1f\"", STRING, 11);
    BAD("\"\\a\"", ESCAPE, 2);
    BAD("\"\\x41\"", ESCAPE, 2);
    BAD("\"\\\0\"", ESCAPE, 2);
    BAD("\"\\'\"", ESCAPE, 2);
    BAD("\"\\U0041\"", ESCAPE, 2);
    BAD("\"\\u12g4\"", ESCAPE, 5);
    BAD("\"\\u12\"", ESCAPE, 5);
    BAD("'a'", VALUE, 0);
}

TEST("RFC 8259 §8.2 half a surrogate pair is refused")
{
    BAD("\"\\ud834\"", SURROGATE, 3);
    BAD("\"\\ud834a\"", SURROGATE, 3);
    BAD("\"\\ud834\\n\"", SURROGATE, 3);
    BAD("\"\\ud834\\u0041\"", SURROGATE, 3);
    BAD("\"\\ud834\\ud834\"", SURROGATE, 3);
    BAD("\"\\udd1e\"", SURROGATE, 3);
    BAD("\"\\udfff\"", SURROGATE, 3);
    BAD("\"\\ud800\"", SURROGATE, 3);
    GOOD("\"\\ud7ff\\ue000\"");
    BAD("\"\\udd1e\\ud834\"", SURROGATE, 3);
    BAD("\"\\ud834\\u00g0\"", ESCAPE, 11);
    BAD("\"\\ud834", CUT, 7);
    BAD("\"\\ud834\\", CUT, 8);
    BAD("\"\\ud834\\u", CUT, 9);
}

TEST("RFC 8259 §8.1 text is UTF-8, without a byte order mark")
{
    BAD("\"\xff\"", UTF8, 1);
    BAD("\"a\xc3\"", UTF8, 2);
    BAD("\"\xc0\xaf\"", UTF8, 1);
    BAD("\"\xed\xa0\x80\"", UTF8, 1);
    BAD("[\"\xc3\xa4\", \xff", UTF8, 7);
    BAD("\"a\n\xff\"", STRING, 2); /* the first fault is told */
    BAD("1\xff", UTF8, 1);
    BAD("[]\xff", UTF8, 2);
    BAD("[] \xff", UTF8, 3);
    BAD("\xff", UTF8, 0);
    BAD("\xef\xbb\xbf[]", VALUE, 0);
    BAD("[\xc3\xa4]", VALUE, 1);
    BAD("[\xe2\x80\x83]", VALUE, 1);
}

TEST("RFC 8259 §2 brackets, commas, colons and names are where they belong")
{
    BAD("", EMPTY, 0);
    BAD(" \n", EMPTY, 2);
    BAD("[", CUT, 1);
    BAD("{", CUT, 1);
    BAD("[1", CUT, 2);
    BAD("[1,", CUT, 3);
    BAD("{\"a\"", CUT, 4);
    BAD("{\"a\":", CUT, 5);
    BAD("]", VALUE, 0);
    BAD("[1]]", TRAILING, 3);
    BAD("[] []", TRAILING, 3);
    BAD("[,]", VALUE, 1);
    BAD("[1,]", VALUE, 3);
    BAD("[1,,2]", VALUE, 3);
    BAD("[1}", COMMA, 2);
    BAD("[1:2]", COMMA, 2);
    BAD("[\"a\":1]", COMMA, 4);
    BAD("{]", NAME, 1);
    BAD("{,}", NAME, 1);
    BAD("{1:2}", NAME, 1);
    BAD("{a:1}", NAME, 1);
    BAD("{\"a\"}", COLON, 4);
    BAD("{\"a\",1}", COLON, 4);
    BAD("{\"a\" 1}", COLON, 5);
    BAD("{\"a\":}", VALUE, 5);
    BAD("{\"a\":1,}", NAME, 7);
    BAD("{\"a\":1]", COMMA, 6);
    BAD("{\"a\":1 \"b\":2}", COMMA, 7);
    BAD("{\"a\":1,\"b\"}", COLON, 10);
    BAD("tru", CUT, 3);
    BAD("[tru]", LITERAL, 4);
    BAD("[nul,]", LITERAL, 4);
    BAD("[falsE]", LITERAL, 5);
    BAD("[True]", VALUE, 1);
    BAD("[truex]", COMMA, 5);
    BAD("undefined", VALUE, 0);
    BAD("// c\n1", VALUE, 0);
    BAD("[1/**/]", COMMA, 2);
    BAD("[1]\0", TRAILING, 3);
    BAD("[\v1]", VALUE, 1);
    BAD("[\f1]", VALUE, 1);
}

static dx_json_fault nested(size_t depth, unsigned depth_max, const char *open, const char *close)
{
    static char text[20000];
    size_t error_at, used = 0;

    for (size_t i = 0; i < depth; i++, used += strlen(open))
        memcpy(text + used, open, strlen(open) + 1);
    text[used++] = '1';
    for (size_t i = 0; i < depth; i++, used += strlen(close))
        memcpy(text + used, close, strlen(close) + 1);
    dx_json_fault fault = dx_json_check(exact(text, used), depth_max, &error_at);
    if (fault == DX_JSON_DEPTH)
        CHECK_INT(error_at, depth_max * strlen(open));
    return fault;
}

TEST("RFC 8259 §9 nesting is limited: 64 open brackets are read, 65 are a fault")
{
    CHECK_INT(nested(64, 64, "[", "]"), DX_JSON_OK);
    CHECK_INT(nested(65, 64, "[", "]"), DX_JSON_DEPTH);
    CHECK_INT(nested(64, 64, "{\"a\":", "}"), DX_JSON_OK);
    CHECK_INT(nested(65, 64, "{\"a\":", "}"), DX_JSON_DEPTH);
    CHECK_INT(nested(1, 1, "[", "]"), DX_JSON_OK);
    CHECK_INT(nested(2, 1, "[", "]"), DX_JSON_DEPTH);
    CHECK_INT(nested(1024, DX_JSON_DEPTH_MAX, "[", "]"), DX_JSON_OK);
    CHECK_INT(nested(1025, DX_JSON_DEPTH_MAX, "[", "]"), DX_JSON_DEPTH);
    CHECK_INT(nested(500, DX_JSON_DEPTH_MAX, "[{\"a\":", "}]"), DX_JSON_OK);
    CHECK_INT(nested(500, DX_JSON_DEPTH_MAX, "[{\"a\":", "]}"), DX_JSON_COMMA);
}

TEST("quotes, backslashes and control bytes are found at every place of a long string")
{
    for (size_t place = 1; place < 40; place++) {
        char text[64];
        memset(text, 'a', sizeof text);
        text[0] = '"', text[45] = '"';
        for (unsigned c = 0; c < 0x20; c++) {
            text[place] = (char)c;
            check_bad(__LINE__, dx_bytes_at(text, 46), DX_JSON_STRING, place);
        }
        text[place] = '"';
        check_bad(__LINE__, dx_bytes_at(text, 46), DX_JSON_TRAILING, place + 1);
        text[place] = '\\';
        check_bad(__LINE__, dx_bytes_at(text, 46), DX_JSON_ESCAPE, place + 1);
        text[place] = 0x7f;
        check_good(dx_bytes_at(text, 46));
    }
}

TEST("every fault has a sentence")
{
    for (unsigned fault = 0; fault < DX_JSON_FAULT_COUNT; fault++) {
        const char *text = dx_json_fault_text((dx_json_fault)fault);
        CHECK(text && text[strlen(text) - 1] == '.');
    }
}

TEST("the type of a value is told by its first byte")
{
    CHECK_INT(dx_json_type_of(DX_BYTES(" null")), DX_JSON_NULL);
    CHECK_INT(dx_json_type_of(DX_BYTES("true")), DX_JSON_BOOL);
    CHECK_INT(dx_json_type_of(DX_BYTES("false")), DX_JSON_BOOL);
    CHECK_INT(dx_json_type_of(DX_BYTES("-1")), DX_JSON_NUMERIC);
    CHECK_INT(dx_json_type_of(DX_BYTES("\"a\"")), DX_JSON_TEXT);
    CHECK_INT(dx_json_type_of(DX_BYTES("\n[]")), DX_JSON_ARRAY);
    CHECK_INT(dx_json_type_of(DX_BYTES("{}")), DX_JSON_OBJECT);
}

static void check_items(const char *text, const char *want)
{
    char got[500] = "";
    dx_json_items it;
    dx_bytes in = exact(text, strlen(text)), name, value;

    if (!dx_json_items_init(&it, in))
        strcpy(got, "neither");
    else if (dx_json_type_of(in) == DX_JSON_ARRAY)
        while (dx_json_array_next(&it, &value))
            sprintf(got + strlen(got), "%.*s|", DX_FORMAT(value));
    else
        while (dx_json_object_next(&it, &name, &value))
            sprintf(got + strlen(got), "%.*s=%.*s|", DX_FORMAT(name), DX_FORMAT(value));
    CHECK_MEM(got, strlen(got), want, strlen(want));
}

TEST("the elements of an array are given as the bytes they came as")
{
    check_items("[]", "");
    check_items(" [ ] ", "");
    check_items("[1]", "1|");
    check_items(" [ 1.50 , \"a,]\\\"[\" ,[2,[3, 4]],{\"b\":[5,6],\"c\":{}}\n, null ] ",
                "1.50|\"a,]\\\"[\"|[2,[3, 4]]|{\"b\":[5,6],\"c\":{}}|null|");
    check_items("[\"\\\\\",\"\\\\\\\"\"]", "\"\\\\\"|\"\\\\\\\"\"|");
    check_items("1", "neither");
    check_items("\"[1]\"", "neither");
}

TEST("the members of an object are given as name and value")
{
    check_items("{}", "");
    check_items("{\"a\":1}", "\"a\"=1|");
    check_items(" { \"a:b\" : [1,2] , \"c\\\"\":{\"d\":\"}\"} } ",
                "\"a:b\"=[1,2]|\"c\\\"\"={\"d\":\"}\"}|");
}

TEST("a member is found by what its name means, the last one wins")
{
    dx_bytes text = DX_BYTES(" {\"a\":1,\"b\":{\"x\":2},\"\\u0061\":3,\"\\ud834\\udd1e\\n\":4} "),
             value;

    CHECK(dx_json_object_find(text, DX_BYTES("a"), &value));
    CHECK_BYTES(value, "3");
    CHECK(dx_json_object_find(text, DX_BYTES("b"), &value));
    CHECK_BYTES(value, "{\"x\":2}");
    CHECK(dx_json_object_find(text, DX_BYTES("\xf0\x9d\x84\x9e\n"), &value));
    CHECK_BYTES(value, "4");
    CHECK(!dx_json_object_find(text, DX_BYTES("x"), &value));
    CHECK(!dx_json_object_find(text, DX_BYTES(""), &value));
    CHECK(!dx_json_object_find(text, DX_BYTES("ab"), &value));
    CHECK(!dx_json_object_find(DX_BYTES("[\"a\",1]"), DX_BYTES("a"), &value));
}

TEST("RFC 8259 §7 a string is read to the bytes that it means")
{
    static const char *const rows[][2] = {{"\"\"", ""},
                                          {" \"abc\" ", "abc"},
                                          {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
                                          {"\"\\u0041\\u00e4\\u20AC\\ud834\\udd1e\\udbff\\udfff\"",
                                           "A\xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e\xf4\x8f\xbf\xbf"},
                                          {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                                           "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"}};

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        uint8_t memory[100];
        size_t size = dx_json_string_read(exact(rows[i][0], strlen(rows[i][0])), memory);
        CHECK_MEM(memory, size, rows[i][1], strlen(rows[i][1]));
    }
}

static void check_write(dx_bytes text, const char *want)
{
    uint8_t memory[200], back[200];
    size_t need = strlen(want), error_at;

    memset(memory, 'x', sizeof memory);
    CHECK_INT(dx_json_write_string(text, memory, need - 1), need);
    CHECK_INT(memory[0], 'x');
    size_t size = dx_json_write_string(text, memory, need);
    CHECK_MEM(memory, size, want, need);
    CHECK_INT(memory[need], 'x');
    CHECK_INT(dx_json_check(dx_bytes_at(memory, size), 1, &error_at), DX_JSON_OK);
    if (strstr(want, "\xef\xbf\xbd") == NULL) {
        size = dx_json_string_read(dx_bytes_at(memory, size), back);
        CHECK_MEM(back, size, text.at, text.size);
    }
}

TEST("RFC 8259 §7 a string is written with the escapes that it needs, and reads back")
{
    check_write(DX_BYTES(""), "\"\"");
    check_write(DX_BYTES("a/b <c> \x7f"), "\"a/b <c> \x7f\"");
    check_write(DX_BYTES("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    check_write(DX_BYTES("\0\x01\x1f"), "\"\\u0000\\u0001\\u001f\"");
    check_write(DX_BYTES("\xc3\xa4\xf0\x9d\x84\x9e"), "\"\xc3\xa4\xf0\x9d\x84\x9e\"");
    check_write(DX_BYTES("a\xff"
                         "b\xc3"),
                "\"a\xef\xbf\xbd"
                "b\xef\xbf\xbd\"");
}

TEST("an object is distinct if no two names mean the same, however they are written")
{
    static const char *const distinct[] = {"{}", "{\"a\":1}",
                                           "{\"a\":1,\"b\":{\"a\":1},\"aa\":2,\"\":3}"};
    static const char *const others[] = {"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"\\u0061\":3}",
                                         "{\"\":1,\"\":2}", "[]", "1"};
    char many[65 * 10 + 2] = "{";

    for (size_t i = 0; i < DX_COUNT(distinct); i++)
        CHECK(dx_json_object_is_distinct(dx_bytes_of(distinct[i])));
    for (size_t i = 0; i < DX_COUNT(others); i++)
        CHECK(!dx_json_object_is_distinct(dx_bytes_of(others[i])));
    for (int i = 0; i < 65; i++) {
        snprintf(many + strlen(many), 10, "%s\"%d\":1", i ? "," : "", i);
        if (i == 63)
            CHECK(dx_json_object_is_distinct(dx_bytes_of(strcat(many, "}"))));
        if (i == 63)
            many[strlen(many) - 1] = '\0';
    }
    CHECK(!dx_json_object_is_distinct(dx_bytes_of(strcat(many, "}"))));
}
