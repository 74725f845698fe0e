/* Configuration: what a file may say, what is wrong with one and where, which source wins, what is written
 * down; and that docs/configure.md has the same tables as the code.
 * SPDX-License-Identifier: MIT */
#include "cli/config.h"
#include "cli/value.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- units ------------------------------------------------------------------------------------ */

TEST("sizes: bytes, or KiB, MiB, GiB")
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"1", 1},
                {"65536", 65536},
                {"7B", 7},
                {"64KiB", 65536},
                {"16MiB", 16777216},
                {"2GiB", UINT64_C(2147483648)}};
    static const char *const bad[] = {"",      "KiB", "1kb",           "1K",
                                      "1 KiB", "-1",  "1.5MiB",        "1KiBB",
                                      "0x10",  "1e6", "8589934592GiB", "18446744073709551616"};
    char text[DX_CLI_UNITS_BYTES];
    uint64_t bytes = 77;

    for (size_t i = 0; i < DX_COUNT(good); i++)
        if (!dx_cli_size_read(dx_bytes_of(good[i].text), &bytes) || bytes != good[i].bytes)
            TAP_FAIL("%s", good[i].text);
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_cli_size_read(dx_bytes_of(bad[i]), &bytes))
            TAP_FAIL("\"%s\" was taken", bad[i]);
    dx_cli_size_write(65536, text);
    CHECK_BYTES(dx_bytes_of(text), "64KiB");
    dx_cli_size_write(65537, text);
    CHECK_BYTES(dx_bytes_of(text), "65537B");
    dx_cli_size_write(3u << 30, text);
    CHECK_BYTES(dx_bytes_of(text), "3GiB");
    dx_cli_size_write(0, text);
    CHECK_BYTES(dx_bytes_of(text), "0B");
}

TEST("times have a unit")
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0s", 0},      {"500ms", 500},  {"10s", 10000},
                {"5m", 300000}, {"1h", 3600000}, {"30d", UINT64_C(2592000000)}};
    static const char *const bad[] = {"",   "10",  "s",    "10 s",         "10S",
                                      "1w", "-1s", "1.5h", "106751991168d"};
    char text[DX_CLI_UNITS_BYTES];
    uint64_t ms = 77;

    for (size_t i = 0; i < DX_COUNT(good); i++)
        if (!dx_cli_duration_read(dx_bytes_of(good[i].text), &ms) || ms != good[i].ms)
            TAP_FAIL("%s", good[i].text);
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_cli_duration_read(dx_bytes_of(bad[i]), &ms))
            TAP_FAIL("\"%s\" was taken", bad[i]);
    for (size_t i = 0; i < DX_COUNT(good); i++) {
        dx_cli_duration_write(good[i].ms, text);
        CHECK_BYTES(dx_bytes_of(text), good[i].text);
    }
    dx_cli_duration_write(90000, text);
    CHECK_BYTES(dx_bytes_of(text), "90s");
}

/* ---- files ------------------------------------------------------------------------------------ */

static bool load(dx_config *c, const char *text)
{
    dx_config_init(c);
    bool ok = dx_config_read(c, "f.yaml", dx_bytes_of(text));
    return dx_config_finish(c, &dx_settings_defaults) && ok;
}

static const char whole[] = "# everything\n"
                            "listen: [127.0.0.1:1, unix:/run/x]\n"
                            "workers: 3\n"
                            "loop: epoll\n"
                            "log_level: debug\n"
                            "message_max: 128KiB\n"
                            "deflate: no\n"
                            "ping: 30s\n"
                            "idle: 2m\n"
                            "http2_streams: 1000\n"
                            "drain: 0s\n"
                            "web: /srv/www\n"
                            "origins:\n"
                            "  - https://a.example\n"
                            "  - http://b.example:8080\n"
                            "access:\n"
                            "  subject_header: X-Subject\n"
                            "  trusted_from: [127.0.0.1/8, unix]\n"
                            "namespaces:\n"
                            "  - prefix: /chat/\n"
                            "    type: application/json\n"
                            "    kept: {count: 50, bytes: 1MiB, age: unlimited}\n"
                            "    message_max: 4KiB\n"
                            "    rate: 10\n"
                            "    access: {default: anyone, publish: token}\n"
                            "  - prefix: /mail/{sub}/\n"
                            "    creation: put\n"
                            "    durability: disk\n"
                            "    access: {publish: known, delete: nobody}\n";

TEST("everything that a file can say")
{
    dx_config c;

    CHECK(load(&c, whole));
    CHECK_BYTES(dx_buffer_view(&c.problems), "");
    const dx_settings *s = &c.settings;
    CHECK_INT(s->listen.count, 2);
    CHECK(strcmp(s->listen.at[0], "127.0.0.1:1") == 0 &&
          strcmp(s->listen.at[1], "unix:/run/x") == 0);
    CHECK_INT(s->workers, 3);
    CHECK(strcmp(s->loop, "epoll") == 0 && strcmp(s->log_level, "debug") == 0);
    CHECK_INT(s->message_max, 131072);
    CHECK(!s->deflate);
    CHECK_INT(s->ping_ms, 30000);
    CHECK_INT(s->idle_ms, 120000);
    CHECK_INT(s->http2_streams, 1000);
    CHECK_INT(s->drain_ms, 0);
    CHECK(strcmp(s->web, "/srv/www") == 0);
    CHECK_INT(s->origins.count, 2);
    CHECK(strcmp(s->origins.at[1], "http://b.example:8080") == 0);
    CHECK(strcmp(s->subject_header, "X-Subject") == 0);
    CHECK_INT(s->trusted_from.count, 2);
    CHECK_INT(s->namespaces_count, 2);
    const dx_namespace_settings *chat = &s->namespaces[0], *mail = &s->namespaces[1];
    CHECK(strcmp(chat->prefix, "/chat/") == 0 && strcmp(chat->type, "application/json") == 0);
    CHECK_INT(chat->line, 20);
    dx_stream_options o = dx_namespace_stream_options(chat);
    CHECK_INT(o.kept_count_max, 50);
    CHECK_INT(o.kept_bytes_max, 1048576);
    CHECK(o.kept_ms_max == DX_UNBOUNDED);
    CHECK_INT(o.message_bytes_max, 4096);
    CHECK_INT(o.append_rate_max, 10);
    CHECK(!o.is_by_put && o.durability == DX_STREAM_IN_MEMORY);
    CHECK_INT(o.access.read, DX_MAY_ANYONE);
    CHECK_INT(o.access.publish, DX_MAY_TOKEN);
    CHECK_INT(o.access.create, DX_MAY_ANYONE);
    o = dx_namespace_stream_options(mail);
    CHECK(o.is_by_put && o.durability == DX_STREAM_ON_DISK && o.type == NULL);
    CHECK(o.kept_count_max == DX_UNBOUNDED_COUNT && o.kept_bytes_max == DX_UNBOUNDED &&
          o.kept_ms_max == DX_UNBOUNDED);
    CHECK_INT(o.message_bytes_max, 1048576);
    CHECK_INT(o.append_rate_max, 0);
    CHECK_INT(o.access.read, DX_MAY_SUB);
    CHECK_INT(o.access.publish, DX_MAY_KNOWN);
    CHECK_INT(o.access.create, DX_MAY_TOKEN);
    CHECK_INT(o.access.remove, DX_MAY_NOBODY);
    CHECK_INT(o.access.presence, DX_MAY_SUB);
    dx_config_deinit(&c);
}

TEST("a file that says nothing leaves the defaults, which have the shipped namespaces")
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}\n"};
    dx_config c;

    for (size_t i = 0; i < DX_COUNT(texts); i++) {
        bool ok = load(&c, texts[i]);
        if (i != 2) /* a document of nothing is an empty value, and no mapping */
            CHECK(ok);
        else
            CHECK(!ok);
        CHECK_INT(c.settings.listen.count, 1);
        CHECK(strcmp(c.settings.listen.at[0], "127.0.0.1:4437") == 0);
        CHECK_INT(c.settings.namespaces_count, 4);
        dx_stream_options live = dx_namespace_stream_options(&c.settings.namespaces[2]);
        CHECK_INT(live.kept_count_max, 1000);
        CHECK_INT(live.kept_bytes_max, 16 << 20);
        CHECK_INT(live.kept_ms_max, 3600000);
        CHECK_INT(live.durability, DX_STREAM_IN_MEMORY);
        dx_stream_options inbox = dx_namespace_stream_options(&c.settings.namespaces[3]);
        CHECK_INT(inbox.access.read, DX_MAY_SUB);
        CHECK_INT(inbox.access.publish, DX_MAY_ANYONE);
        CHECK_INT(inbox.durability, DX_STREAM_ON_DISK);
        dx_config_deinit(&c);
    }
}

#define KEYS                                                                                                         \
    "listen, workers, loop, log_level, log_format, access_log, message_max, deflate, ping, idle, http2_streams, wait, drain, pid_file, data, memory, " \
    "web, demo, origins, access, tls_cert, tls_key, tls, tls_client_ca, tls_client, tls_client_name, "               \
    "redirect, admin, admin_token_file, namespaces"

TEST("what is wrong is told with its place, and with what is allowed")
{
    static const struct {
        const char *text, *problems;
    } rows[] = {
        {"wrokers: 4\n", "f.yaml:1:1: unknown key \"wrokers\"; allowed: " KEYS "\n"},
        {"config: x\n", "f.yaml:1:1: unknown key \"config\"; allowed: " KEYS "\n"},
        {"workers: 0\n", "f.yaml:1:10: workers: \"0\" is not a number from 1 to 256, or auto\n"},
        {"\nworkers: many\n",
         "f.yaml:2:10: workers: \"many\" is not a number from 1 to 256, or auto\n"},
        {"workers:\n", "f.yaml:1:9: workers: \"\" is not a number from 1 to 256, or auto\n"},
        {"workers: [1]\n", "f.yaml:1:10: workers: there must be a value, not a list\n"},
        {"loop: kqueue\n", "f.yaml:1:7: loop: \"kqueue\" is none of auto, epoll, io_uring\n"},
        {"deflate: maybe\n", "f.yaml:1:10: deflate: \"maybe\" is none of true, false\n"},
        {"message_max: 2GiB\n",
         "f.yaml:1:14: message_max: \"2GiB\" is no size in bytes, KiB, MiB or GiB from 1B to 1GiB\n"},
        {"ping: 10\n", "f.yaml:1:7: ping: \"10\" is no time in ms, s, m, h or d from 1s to 1h\n"},
        {"ping: 2h\n", "f.yaml:1:7: ping: \"2h\" is no time in ms, s, m, h or d from 1s to 1h\n"},
        {"listen: [a, 127.0.0.1:1]\n",
         "f.yaml:1:10: listen: \"a\" is none of HOST:PORT, [IPV6]:PORT, *:PORT, mptcp:HOST:PORT, "
         "sctp:HOST:PORT, unix:/PATH or unix:@NAME, perhaps behind http:// or https://, without blanks\n"},
        {"listen: []\n", "listen: there must be an address to listen on\n"},
        {"workers: 1\nworkers: 2\n", "f.yaml:2:1: workers: it stands in line 1 already\n"},
        {"access: x\n", "f.yaml:1:9: access: there must be a mapping, not a value\n"},
        {"access: {who: x}\n",
         "f.yaml:1:10: unknown key \"who\"; allowed: subject_header, trusted_from, token_keys, "
         "token_audience, token_cookie, anonymous_write, revocations\n"},
        {"access: {access: {}}\n",
         "f.yaml:1:10: unknown key \"access\"; allowed: subject_header, trusted_from, token_keys, "
         "token_audience, token_cookie, anonymous_write, revocations\n"},
        {"access:\n  trusted_from: 10.0.0.0/40\n",
         "f.yaml:2:17: trusted_from: \"10.0.0.0/40\" is none of ADDRESS, ADDRESS/BITS or unix\n"},
        {"access:\n  subject_header: \"X Y\"\n",
         "f.yaml:2:19: subject_header: \"X Y\" is none of the name of a header field, at most 64 bytes\n"},
        {"origins: a.example\n",
         "f.yaml:1:10: origins: \"a.example\" is none of *, http://HOST[:PORT] or https://HOST[:PORT]\n"},
        {"namespaces: /x/\n",
         "f.yaml:1:13: namespaces: there must be a list of mappings, each beginning "
         "with \"- prefix:\"\n"},
        {"namespaces: [/x/]\n",
         "f.yaml:1:14: namespaces: there must be a mapping that begins with prefix, "
         "not a value\n"},
        {"namespaces:\n  - creation: put\n",
         "f.yaml:2:5: prefix is missing: it says which streams this is about\n"},
        {"namespaces:\n  - prefix: /x\n",
         "f.yaml:2:13: prefix: \"/x\" is none of a path that begins and ends with /, of at most 128 bytes; "
         "one segment may be {sub}\n"},
        {"namespaces:\n  - prefix: /x/\n    kept: {size: 4}\n",
         "f.yaml:3:12: unknown key \"size\"; allowed: count, bytes, age\n"},
        {"namespaces:\n  - prefix: /x/\n    color: red\n",
         "f.yaml:3:5: unknown key \"color\"; allowed: prefix, creation, durability, type, kept, "
         "message_max, rate, access\n"},
        {"namespaces:\n  - prefix: /x/\n    namespaces: []\n",
         "f.yaml:3:5: unknown key \"namespaces\"; allowed: prefix, creation, durability, type, kept, "
         "message_max, rate, access\n"},
        {"namespaces:\n  - prefix: /x/\n  - prefix: /x/\n",
         "f.yaml:3:13: prefix: /x/ stands in line 2 already\n"},
        {"namespaces:\n  - prefix: /x/\n    access: {read: sub}\n",
         "f.yaml:3:20: read: sub needs {sub} in the prefix, such as /u/{sub}/\n"},
        {"namespaces:\n  - prefix: /x/\n    access: {read: me}\n",
         "f.yaml:3:20: read: \"me\" is none of anyone, nobody, known, sub, token\n"},
        {"namespaces:\n  - prefix: /x/\n    type: json\n",
         "f.yaml:3:11: type: \"json\" is none of a media type such as application/json, at most 255 bytes\n"},
        {"namespaces:\n  - prefix: /x/\n    kept: {count: 0}\n",
         "f.yaml:3:19: count: \"0\" is not a number from 1 to 4294967294, or unlimited\n"},
        {"- a\n", "f.yaml:1:1: there must be a mapping such as \"workers: 4\", not a list\n"},
        {"a: &x 1\n", "f.yaml:1:4: anchors (&) and tags (!) are not supported\n"},
        {"a: &x [1]\n", "f.yaml:1:4: anchors (&), aliases (*) and tags (!) are not supported\n"},
        {"a: *x\n", "f.yaml:1:4: anchors (&), aliases (*) and tags (!) are not supported\n"},
        {"a: !!str x\n", "f.yaml:1:4: anchors (&) and tags (!) are not supported\n"},
        {"[a]: x\n", "f.yaml:1:1: a key is a plain word\n"},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a value holds a NUL\n"},
        {"workers: 1\n---\nworkers: 2\n", "f.yaml:2:1: one document is enough\n"},
        {"a: [[[[[[[[1]]]]]]]]\n", "f.yaml:1:11: nested deeper than any key is\n"},
        {"\"a\\x1b[31m\": 1\n", "f.yaml:1:1: unknown key \"a?[31m\"; allowed: " KEYS "\n"},
        {"workers: 0\nloop: x\n",
         "f.yaml:1:10: workers: \"0\" is not a number from 1 to 256, or auto\n"
         "f.yaml:2:7: loop: \"x\" is none of auto, epoll, io_uring\n"},
    };
    dx_config c;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        if (load(&c, rows[i].text))
            TAP_FAIL("%s: taken", rows[i].text);
        CHECK_BYTES(dx_buffer_view(&c.problems), rows[i].problems);
        dx_config_deinit(&c);
    }
}

TEST("what is not YAML at all is told with its place, too")
{
    static const char *const texts[] = {"a: [1\n",   "a: 'x\n",   "a: {\n", "\ta: 1\n",
                                        "a: b: c\n", "a: \xff\n", "}"};
    dx_config c;

    for (size_t i = 0; i < DX_COUNT(texts); i++) {
        CHECK(!load(&c, texts[i]));
        unsigned line = 0, column = 0;
        if (c.problems.size == 0 ||
            sscanf((const char *)c.problems.at, "f.yaml:%u:%u: not YAML: ", &line, &column) != 2 ||
            line < 1 || column < 1)
            TAP_FAIL("%s: %.*s", texts[i], DX_FORMAT(dx_buffer_view(&c.problems)));
        dx_config_deinit(&c);
    }
}

TEST("a file has an end: bytes, values, namespaces, problems")
{
    static char text[DX_YAML_BYTES_MAX + 2];
    dx_config c;

    memset(text, '#', sizeof text - 1);
    CHECK(!load(&c, text));
    CHECK(memmem(c.problems.at, c.problems.size, "too large", 9) != NULL);
    dx_config_deinit(&c);

    size_t size = (size_t)sprintf(text, "origins: [");
    for (int i = 0; i < DX_YAML_NODES_MAX; i++)
        size += (size_t)sprintf(text + size, "x,");
    sprintf(text + size, "]\n");
    CHECK(!load(&c, text));
    CHECK(memmem(c.problems.at, c.problems.size, "at most 10000 values", 20) != NULL);
    dx_config_deinit(&c);

    size = (size_t)sprintf(text, "namespaces:\n");
    for (int i = 0; i <= DX_NAMESPACES_MAX; i++)
        size += (size_t)sprintf(text + size, "- prefix: /x%d/\n", i);
    CHECK(!load(&c, text));
    CHECK_BYTES(dx_buffer_view(&c.problems),
                "f.yaml:66:3: namespaces: at most 64 of them are taken\n");
    dx_config_deinit(&c);

    size = 0;
    for (int i = 0; i < 100; i++)
        size += (size_t)sprintf(text + size, "x%d: 1\n", i);
    CHECK(!load(&c, text));
    CHECK_INT(c.problems_count, 100);
    size_t lines = 0;
    for (size_t i = 0; i < c.problems.size; i++)
        lines += c.problems.at[i] == '\n';
    CHECK_INT(lines, 20);
    dx_config_deinit(&c);
}

TEST("every prefix of a good file, and every byte of it changed, is read without harm")
{
    char text[sizeof whole];
    dx_config c;

    for (size_t i = 0; i < sizeof whole; i++) {
        memcpy(text, whole, i);
        text[i] = '\0';
        if (!load(&c, text))
            CHECK(c.problems.size > 0);
        dx_config_deinit(&c);
        memcpy(text, whole, sizeof whole);
        text[i] = text[i] ? '{' : '\0';
        (void)load(&c, text);
        dx_config_deinit(&c);
    }
}

/* ---- sources ---------------------------------------------------------------------------------- */

TEST("flags go before the environment, that before the file, that before defaults")
{
    char *environment[] = {(char *)"DUPLEX_WORKERS=5",
                           (char *)"DUPLEX_LOOP=epoll",
                           (char *)"DUPLEX_LISTEN=127.0.0.1:5  127.0.0.1:6",
                           (char *)"DUPLEX_WEB=",
                           (char *)"DUPLEX_ACCESS_SUBJECT_HEADER=X-Env",
                           (char *)"OTHER=1",
                           NULL};
    dx_settings flags = dx_settings_defaults;
    dx_config c;

    dx_config_init(&c);
    CHECK(dx_config_read(&c, "f.yaml",
                         dx_bytes_of("workers: 4\nloop: auto\ndrain: 1s\nlisten: 127.0.0.1:4\n")));
    CHECK(dx_config_read_environment(&c, environment));
    flags.workers = 6;
    flags.deflate = false;
    flags.given = UINT64_C(1) << 2 | UINT64_C(1) << 8; /* by their rows */
    CHECK(strcmp(dx_settings_options[2].name, "workers") == 0 &&
          strcmp(dx_settings_options[8].name, "deflate") == 0);
    CHECK(dx_config_finish(&c, &flags));
    CHECK_INT(c.settings.workers, 6);
    CHECK(strcmp(c.settings.loop, "epoll") == 0);
    CHECK_INT(c.settings.drain_ms, 1000);
    CHECK_INT(c.settings.listen.count, 2);
    CHECK(strcmp(c.settings.listen.at[1], "127.0.0.1:6") == 0);
    CHECK(c.settings.web == NULL && !c.settings.deflate);
    CHECK(strcmp(c.settings.subject_header, "X-Env") == 0);
    CHECK_INT(c.sources[2].from, DX_FROM_FLAG);
    CHECK_INT(c.sources[3].from, DX_FROM_ENVIRONMENT);
    CHECK_INT(c.sources[13].from, DX_FROM_FILE);
    CHECK_INT(c.sources[13].line, 3);
    CHECK_INT(c.sources[5].from, DX_FROM_DEFAULT);
    dx_config_deinit(&c);
}

TEST("a variable that makes no sense is named")
{
    char *environment[] = {(char *)"DUPLEX_WORKERS=x",
                           (char *)"DUPLEX_CONFIG=/nonexistent/duplex.yaml", NULL};
    dx_config c;

    dx_config_init(&c);
    CHECK(!dx_config_load(&c, &dx_settings_defaults, environment));
    CHECK_BYTES(dx_buffer_view(&c.problems),
                "/nonexistent/duplex.yaml: No such file or directory\n"
                "DUPLEX_WORKERS: \"x\" is not a number from 1 to 256, or auto\n");
    dx_config_deinit(&c);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static char *written(const dx_config *c)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    dx_config_write(c, to);
    fclose(to);
    return text;
}

/* The text without its comments. */
static void strip(char *text)
{
    char *to = text;
    bool is_comment = false;

    for (const char *from = text; *from; from++) {
        if (*from == '#')
            is_comment = true;
        if (*from == '\n') {
            is_comment = false;
            while (to > text && to[-1] == ' ')
                to--;
        }
        if (!is_comment)
            *to++ = *from;
    }
    *to = '\0';
}

TEST("what is written down reads as the same, and says where each value is from")
{
    dx_config c, again;

    CHECK(load(&c, whole));
    char *text = written(&c);
    CHECK(strstr(text, "workers: 3 ") && strstr(text, "# f.yaml:3\n"));
    CHECK(strstr(text, "    rate: 10 ") && strstr(text, "# f.yaml:23\n"));
    CHECK(load(&again, text));
    CHECK_BYTES(dx_buffer_view(&again.problems), "");
    char *second = written(&again);
    strip(text), strip(second);
    CHECK_BYTES(dx_bytes_of(second), text);
    free(text), free(second);
    dx_config_deinit(&again), dx_config_deinit(&c);

    CHECK(load(&c, "web: \"a \\\" b: [\\\\]\"\norigins: []\n"));
    text = written(&c);
    CHECK(load(&again, text));
    CHECK(again.settings.web && strcmp(again.settings.web, "a \" b: [\\]") == 0);
    CHECK_INT(again.settings.origins.count, 0);
    free(text);
    dx_config_deinit(&again), dx_config_deinit(&c);

    CHECK(load(&c, "web: \"\\x85\\x9f \\u2028 \\L\\uFEFF\\U0001F600\\e[m\\n \u00e4\"\n"));
    text = written(&c);
    CHECK(load(&again, text));
    CHECK(again.settings.web && strcmp(again.settings.web, c.settings.web) == 0);
    free(text);
    dx_config_deinit(&again), dx_config_deinit(&c);

    CHECK(load(&c, ""));
    text = written(&c);
    CHECK(strstr(text, "# web:") && strstr(text, "workers: auto "));
    CHECK(strstr(text, "  - prefix: \"/u/{sub}/\" "));
    CHECK(load(&again, text));
    CHECK_INT(again.settings.namespaces_count, 4);
    free(text);
    dx_config_deinit(&again), dx_config_deinit(&c);
}

/* ---- the documentation ------------------------------------------------------------------------ */

static char *document(void)
{
    static char text[65536];
    int fd = open(DX_SOURCE_ROOT "/docs/configure.md", O_RDONLY);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    CHECK(size > 0 && size < (ssize_t)sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    return text;
}

/* A value for a table: "|" would end the cell. */
static void default_of(const dx_cli_option *o, const void *defaults, char text[512])
{
    char *value = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&value, &size);

    if (o->otherwise)
        fputs(o->otherwise, to);
    else
        dx_cli_value_write(o, defaults, to);
    fclose(to);
    snprintf(text, 512, o->otherwise ? "%s" : "`%s`", value);
    free(value);
}

static void row_of(const dx_cli_option *o, const void *defaults, bool is_setting, char row[2048])
{
    char key[DX_SETTINGS_NAME_BYTES], variable[DX_SETTINGS_NAME_BYTES], otherwise[512], flag[128];
    char allowed[DX_CLI_WHY_BYTES];

    dx_settings_key(o, key);
    dx_settings_variable(o, variable);
    dx_cli_value_allowed(o, allowed);
    default_of(o, defaults, otherwise);
    snprintf(flag, sizeof flag, dx_cli_option_is_switched(o) ? "--[no-]%s" : "--%s", o->name);
    if (is_setting)
        snprintf(row, 2048, "\n| `%s%s%s` | `%s` | `%s` | %s | %s |\n", o->group ? o->group : "",
                 o->group ? "." : "", key, flag, variable, otherwise, allowed);
    else
        snprintf(row, 2048, "\n| `%s%s%s` | %s | %s | %s |\n", o->group ? o->group : "",
                 o->group ? "." : "", key, o->help, otherwise, allowed);
}

TEST("the example is good")
{
    dx_config c;

    dx_config_init(&c);
    CHECK(dx_config_read_file(&c, DX_SOURCE_ROOT "/examples/duplex.yaml"));
    CHECK(dx_config_finish(&c, &dx_settings_defaults));
    CHECK_BYTES(dx_buffer_view(&c.problems), "");
    dx_config_deinit(&c);
}

TEST("docs/configure.md has every key, its flag, variable, default and range, and no other")
{
    const char *text = document();
    size_t rows = 0, wanted = 0;
    char row[2048];

    for (size_t i = 0; i < DX_SETTINGS_COUNT; i++) {
        if (dx_settings_options[i].is_local)
            continue;
        row_of(&dx_settings_options[i], &dx_settings_defaults, true, row);
        wanted++;
        if (strstr(text, row) == NULL)
            TAP_FAIL("missing:%.*s", (int)strlen(row) - 1, row);
    }
    for (size_t i = 0; i < DX_NAMESPACE_COUNT; i++, wanted++) {
        row_of(&dx_namespace_options[i], &dx_namespace_defaults, false, row);
        if (strstr(text, row) == NULL)
            TAP_FAIL("missing:%.*s", (int)strlen(row) - 1, row);
    }
    for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at++)
        rows += at[4] >= 'a' && at[4] <= 'z'; /* not the table of prefixes */
    CHECK_INT(rows, wanted);
}
