/* The rows.
 * SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "serve/access.h"
#include "serve/listen.h"
#include "serve/server.h"

#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define WITHOUT_END UINT64_MAX

/* ---- values that have a form of their own ----------------------------------------------------- */

static bool is_address(const char *text)
{
    dx_listen ignored;

    return strchr(text, ' ') == NULL && strlen(text) < DX_ADDRESS_TEXT_BYTES &&
           dx_listen_read(dx_bytes_of(text), &ignored) == DX_OK;
}

static bool is_admin_address(const char *text)
{
    return strcmp(text, "none") == 0 || is_address(text);
}

static bool is_network(const char *text)
{
    dx_trust_range ignored;

    return dx_trust_range_read(dx_bytes_of(text), &ignored);
}

static bool is_origin(const char *text)
{
    return dx_origin_is_good(dx_bytes_of(text));
}

static bool is_access_log(const char *text)
{
    dx_access_log_policy ignored;

    return dx_access_log_policy_read(text, &ignored);
}

static bool is_field_name(const char *text)
{
    return dx_trust_header_is_good(dx_bytes_of(text));
}

/* "text/plain; charset=utf-8": a word, a slash, a word, and visible ASCII behind it. */
static bool is_type(const char *text)
{
    dx_bytes rest = dx_bytes_of(text), type, subtype;
    size_t size = rest.size;

    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return size <= DX_TYPE_BYTES_MAX && dx_bytes_split(&rest, '/', &type) &&
           dx_trust_header_is_good(type) && dx_bytes_split(&rest, ';', &subtype) &&
           dx_trust_header_is_good(dx_bytes_trim(subtype));
}

/* ---- the server ------------------------------------------------------------------------------- */

static const char *const loops[] = {"auto", "epoll", "io_uring", NULL};
static const char *const tls_modes[] = {"dev", NULL};
static const char *const client_modes[] = {"required", "optional", "off", NULL};
static const char *const client_names[] = {"cn", "email", "uri", "dns", NULL};
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_formats[] = {"auto", "logfmt", "json", NULL};

const dx_cli_option dx_settings_options[DX_SETTINGS_COUNT] = {
    {.name = "config",
     .value = "FILE",
     .help = "read settings from this file (see: duplex help check)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, config),
     .is_local = true},
    {.name = "listen",
     .value = "ADDR",
     .help = "where to listen (default 127.0.0.1:4437); again for more. HOST:PORT,\n"
             "[IPV6]:PORT, *:PORT, unix:/PATH, unix:@NAME, mptcp:HOST:PORT,\n"
             "sctp:HOST:PORT; port 0: any free one. http:// in front: in clear;\n"
             "https://: through TLS, as all but unix sockets if there is a certificate",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, listen),
     .is_good = is_address,
     .allowed = DX_LISTEN_FORMS ", without blanks"},
    {.name = "workers",
     .value = "N",
     .help = "how many threads serve, 1 to 256 (default auto: one per core)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_settings, workers),
     .min = 1,
     .max = DX_WORKERS_MAX,
     .word = "auto",
     .word_value = 0},
    {.name = "loop",
     .value = "NAME",
     .help = "auto, epoll or io_uring (default auto: io_uring if it works here)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, loop),
     .choices = loops},
    {.name = "log-level",
     .value = "LEVEL",
     .help = "error, warn, info or debug (default info)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, log_level),
     .choices = log_levels},
    {.name = "log-format",
     .value = "FORM",
     .help = "auto, logfmt or json (default auto: logfmt on a terminal, else json)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, log_format),
     .choices = log_formats},
    {.name = "access-log",
     .value = "WHICH",
     .help = "which answers are logged: off (default), errors, a part such as 5%, all;\n"
             "1000 a second at most",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, access_log),
     .is_good = is_access_log,
     .allowed = DX_ACCESS_LOG_FORMS},
    {.name = "message-max",
     .value = "SIZE",
     .help = "the largest WebSocket message that is taken, to 1GiB (default 64KiB)",
     .kind = DX_CLI_SIZE,
     .at = offsetof(dx_settings, message_max),
     .min = 1,
     .max = GIB},
    {.name = "deflate",
     .help = "WebSocket messages are compressed for who can take it (default: they are)",
     .kind = DX_CLI_SWITCH,
     .at = offsetof(dx_settings, deflate)},
    {.name = "ping",
     .value = "TIME",
     .help = "ask a silent WebSocket for a sign of life after so long, 1s to 1h\n"
             "(default 25s)",
     .kind = DX_CLI_DURATION,
     .at = offsetof(dx_settings, ping_ms),
     .min = SECOND,
     .max = HOUR},
    {.name = "idle",
     .value = "TIME",
     .help = "close an HTTP connection between requests after so long, 1s to 1h\n"
             "(default 75s)",
     .kind = DX_CLI_DURATION,
     .at = offsetof(dx_settings, idle_ms),
     .min = SECOND,
     .max = HOUR},
    {.name = "http2-streams",
     .value = "N",
     .help = "requests and WebSockets at once on an HTTP/2 connection, to 10000;\n"
             "0: no HTTP/2 (default 100)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_settings, http2_streams),
     .min = 0,
     .max = 10000},
    {.name = "wait",
     .value = "TIME",
     .help = "answer a long-poll that nothing came for after so long, 1s to 1m\n"
             "(default 20s)",
     .kind = DX_CLI_DURATION,
     .at = offsetof(dx_settings, wait_ms),
     .min = SECOND,
     .max = 60 * SECOND},
    {.name = "drain",
     .value = "TIME",
     .help = "when told to end, let what is under way finish for so long, to 1h\n"
             "(default 10s)",
     .kind = DX_CLI_DURATION,
     .at = offsetof(dx_settings, drain_ms),
     .min = 0,
     .max = HOUR},
    {.name = "pid-file",
     .value = "FILE",
     .help = "write the process's number there once it serves, and after an upgrade",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, pid_file),
     .allowed = "a file",
     .otherwise = "none"},
    {.name = "data",
     .value = "DIR",
     .help = "where streams are kept that are to be on disk (default $STATE_DIRECTORY, else\n"
             "./duplex-data)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, data),
     .allowed = "a directory, made if it is missing",
     .otherwise = "`$STATE_DIRECTORY`, else `duplex-data` in the working directory"},
    {.name = "memory",
     .help = "keep nothing on disk: all streams are in memory, and end with the server",
     .kind = DX_CLI_SWITCH,
     .at = offsetof(dx_settings, memory)},
    {.name = "web",
     .value = "DIR",
     .help = "serve the files below this directory at /, not the built-in pages; none, or\n"
             "--no-web: neither",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, web),
     .allowed = "a directory, or none",
     .off = "none",
     .otherwise = "the built-in pages"},
    {.name = "demo",
     .help = "run the ticker's feed, the game and comparisons for the pages that show them",
     .kind = DX_CLI_SWITCH,
     .at = offsetof(dx_settings, demo)},
    {.name = "origins",
     .value = "ORIGIN",
     .help = "whose pages may use streams, besides those of the same host, as\n"
             "https://HOST[:PORT]; *: all; again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, origins),
     .is_good = is_origin,
     .allowed = "*, http://HOST[:PORT] or https://HOST[:PORT]"},
    {.name = "access-subject-header",
     .value = "NAME",
     .help = "the header field that says who is asking; believed from\n"
             "--access-trusted-from only",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, subject_header),
     .is_good = is_field_name,
     .allowed = "the name of a header field, at most 64 bytes",
     .group = "access",
     .otherwise = "none: nobody is known"},
    {.name = "access-trusted-from",
     .value = "NET",
     .help = "from where that field is believed: ADDRESS, ADDRESS/BITS or unix;\n"
             "again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, trusted_from),
     .is_good = is_network,
     .allowed = DX_TRUST_FORMS,
     .group = "access",
     .otherwise = "none"},
    {.name = "access-token-keys",
     .value = "FILE",
     .help = "keys that tokens (JWT) are checked by: PEM, JWK or JWKS; again for more.\n"
             "ISSUER=FILE: for tokens of this issuer only. Read again when they change",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, token_keys),
     .allowed = "FILE or ISSUER=FILE",
     .group = "access",
     .otherwise = "none: tokens are not looked at"},
    {.name = "access-token-audience",
     .value = "TEXT",
     .help = "what a token must be for (aud); without it a token must have no aud",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, token_audience),
     .allowed = "a text",
     .group = "access",
     .otherwise = "none"},
    {.name = "access-token-cookie",
     .value = "NAME",
     .help = "the cookie that a token may come in",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, token_cookie),
     .is_good = is_field_name,
     .allowed = "the name of a cookie, at most 64 bytes",
     .group = "access",
     .otherwise = "none"},
    {.name = "access-anonymous-write",
     .help = "anyone may write, where the namespaces say so, also from other machines",
     .kind = DX_CLI_SWITCH,
     .at = offsetof(dx_settings, anonymous_write),
     .group = "access"},
    {.name = "access-revocations",
     .value = "FILE",
     .help = "where revoked tokens are kept (default: DIR/revocations of --data)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, revocations),
     .allowed = "a file, made if it is missing",
     .group = "access",
     .otherwise = "`revocations` in the directory of `data`; with `memory` none"},
    {.name = "tls-cert",
     .value = "FILE",
     .help = "a certificate and those that lead to its authority (PEM), for TLS; again\n"
             "for other names. Read again when it changes, and at SIGHUP",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, tls_cert),
     .allowed = "a file",
     .otherwise = "none: no TLS"},
    {.name = "tls-key",
     .value = "FILE",
     .help = "its private key (PEM); one for each certificate, in the same order",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, tls_key),
     .allowed = "a file",
     .otherwise = "none"},
    {.name = "tls",
     .value = "dev",
     .help = "makes a certificate for localhost and says how to trust it; for\n"
             "development only. Kept in $XDG_STATE_HOME/duplex, else ./duplex-tls",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, tls),
     .choices = tls_modes,
     .otherwise = "none"},
    {.name = "tls-client-ca",
     .value = "FILE",
     .help = "ask clients for certificates, and believe those that lead to one in this file\n"
             "(PEM), of authorities or of the clients themselves",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, tls_client_ca),
     .allowed = "a file",
     .otherwise = "none: nobody is asked"},
    {.name = "tls-client",
     .value = "HOW",
     .help = "who has no certificate: required sends them away (default), optional lets\n"
             "them in unknown, off asks nobody",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, tls_client),
     .choices = client_modes},
    {.name = "tls-client-name",
     .value = "KIND",
     .help = "by which name in it a client is known: cn (default), or of the alternative\n"
             "names email, uri or dns",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, tls_client_name),
     .choices = client_names},
    {.name = "redirect",
     .value = "ADDR",
     .help = "an address where every request is sent to the same URL behind https://\n"
             "(308); again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_settings, redirect),
     .is_good = is_address,
     .allowed = DX_ADDRESS_FORMS ", without blanks",
     .otherwise = "none"},
    {.name = "admin",
     .value = "ADDR",
     .help = "where those who run the server ask it: /metrics, /api/v1, /console/; none:\n"
             "nowhere (default " DX_ADMIN_DEFAULT ", or nowhere if that is in use). In clear\n"
             "unless https:// is in front",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, admin),
     .is_good = is_admin_address,
     .allowed = "none; " DX_LISTEN_FORMS ", without blanks",
     .off = "none",
     .otherwise = "`" DX_ADMIN_DEFAULT "`; nowhere if that is in use"},
    {.name = "admin-token-file",
     .value = "FILE",
     .help = "a file with the line that is asked for there, as Authorization: Bearer LINE;\n"
             "a must for an address that others than this machine can reach",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_settings, admin_token_file),
     .allowed = "a file with one line of 16 to 512 visible characters",
     .otherwise = "none"},
};

static const dx_namespace_settings shipped[] = {
    {.prefix = "/s/", .creation = "put", .durability = "disk"},
    {.prefix = "/v1/stream/", .creation = "put", .durability = "disk"},
    {.prefix = "/live/", .creation = "use", .durability = "memory"},
    {.prefix = "/u/{sub}/", .creation = "use", .durability = "disk"},
};

const dx_settings dx_settings_defaults = {
    .listen = {{"127.0.0.1:4437"}, 1},
    .message_max = 64 * KIB,
    .ping_ms = 25 * SECOND,
    .idle_ms = 75 * SECOND,
    .http2_streams = 100,
    .wait_ms = 20 * SECOND,
    .drain_ms = 10 * SECOND,
    .loop = "auto",
    .log_level = "info",
    .log_format = "auto",
    .access_log = "off",
    .tls_client = "required",
    .tls_client_name = "cn",
    .deflate = true,
    .namespaces = shipped,
    .namespaces_count = DX_COUNT(shipped),
};

/* ---- a namespace ------------------------------------------------------------------------------ */

static const char *const creations[] = {"use", "put", NULL};
static const char *const durabilities[] = {"memory", "disk", NULL};
static const char *const whos[] = {"anyone", "nobody", "known", "sub", "token", NULL};

#define WHO(what, help_text, field_name, default_text)                                             \
    {                                                                                              \
        .name = "access-" what, .value = "WHO", .help = help_text, .kind = DX_CLI_TEXT,            \
        .at = offsetof(dx_namespace_settings, field_name), .choices = whos, .group = "access",     \
        .otherwise = default_text                                                                  \
    }

const dx_cli_option dx_namespace_options[DX_NAMESPACE_COUNT] = {
    {.name = "prefix",
     .value = "PATH",
     .help = "the streams below this path; {sub} stands for a segment that names an owner",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_namespace_settings, prefix),
     .is_good = dx_stream_prefix_is_good,
     .allowed =
         "a path that begins and ends with /, of at most 128 bytes; one segment may be {sub}",
     .otherwise = "none: it must be given"},
    {.name = "creation",
     .value = "HOW",
     .help = "whether a stream is made by its first use, or by PUT only",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_namespace_settings, creation),
     .choices = creations},
    {.name = "durability",
     .value = "WHERE",
     .help = "what an acknowledged message survives",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_namespace_settings, durability),
     .choices = durabilities},
    {.name = "type",
     .value = "TYPE",
     .help = "the content type of all its streams",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_namespace_settings, type),
     .is_good = is_type,
     .allowed = "a media type such as application/json, at most 255 bytes",
     .otherwise = "each stream has its own"},
    {.name = "kept-count",
     .value = "N",
     .help = "how many messages of a stream are kept",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_namespace_settings, kept_count),
     .min = 1,
     .max = DX_UNBOUNDED_COUNT - 1,
     .word = "unlimited",
     .word_value = WITHOUT_END,
     .group = "kept",
     .otherwise = "1000; on disk unlimited"},
    {.name = "kept-bytes",
     .value = "SIZE",
     .help = "how much of a stream is kept; its newest message in any case",
     .kind = DX_CLI_SIZE,
     .at = offsetof(dx_namespace_settings, kept_bytes),
     .min = 1,
     .max = 1024 * GIB,
     .word = "unlimited",
     .word_value = WITHOUT_END,
     .group = "kept",
     .otherwise = "16MiB; on disk unlimited"},
    {.name = "kept-age",
     .value = "TIME",
     .help = "how long a message is kept",
     .kind = DX_CLI_DURATION,
     .at = offsetof(dx_namespace_settings, kept_age_ms),
     .min = SECOND,
     .max = 36500 * DAY,
     .word = "unlimited",
     .word_value = WITHOUT_END,
     .group = "kept",
     .otherwise = "1h; on disk unlimited"},
    {.name = "message-max",
     .value = "SIZE",
     .help = "the largest message that is taken",
     .kind = DX_CLI_SIZE,
     .at = offsetof(dx_namespace_settings, message_max),
     .min = 1,
     .max = GIB,
     .otherwise = "1MiB, or the server's message_max if that is more"},
    {.name = "rate",
     .value = "N",
     .help = "messages a second that a stream takes, a burst of as many",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_namespace_settings, rate),
     .min = 1,
     .max = 1000000000,
     .word = "unlimited",
     .word_value = WITHOUT_END},
    WHO("default", "who may do what is not named here", otherwise,
        "anyone in a namespace that is shipped, else token"),
    WHO("read", "who may read", read, "`access.default`; with {sub} in the prefix sub"),
    WHO("publish", "who may publish", publish, "`access.default`"),
    WHO("create", "who may create", create, "`access.default`"),
    WHO("delete", "who may delete", remove, "`access.default`; with {sub} in the prefix sub"),
    WHO("presence", "who may see who is present", presence,
        "`access.default`; with {sub} in the prefix sub"),
};

const dx_namespace_settings dx_namespace_defaults = {
    .creation = "use", .durability = "memory", .rate = WITHOUT_END};

static void settle_number(uint64_t *number, uint64_t otherwise)
{
    if (*number == 0)
        *number = otherwise;
}

static void settle_text(const char **text, const char *otherwise)
{
    if (*text == NULL)
        *text = otherwise;
}

/* What everybody gets without a configuration stays open in one, too; all else is closed until it is opened. */
static bool is_shipped(const char *prefix)
{
    for (size_t i = 0; i < DX_COUNT(shipped); i++)
        if (strcmp(shipped[i].prefix, prefix) == 0)
            return true;
    return false;
}

void dx_namespace_settle(dx_namespace_settings *ns, const dx_settings *settings)
{
    bool is_on_disk = strcmp(ns->durability, "disk") == 0;
    bool has_own_default = ns->otherwise != NULL;

    settle_text(&ns->otherwise, is_shipped(ns->prefix) ? "anyone" : "token");
    const char *owner = strstr(ns->prefix, "{sub}") && !has_own_default ? "sub" : ns->otherwise;

    settle_number(&ns->kept_count, is_on_disk ? WITHOUT_END : 1000);
    settle_number(&ns->kept_bytes, is_on_disk ? WITHOUT_END : 16 * MIB);
    settle_number(&ns->kept_age_ms, is_on_disk ? WITHOUT_END : HOUR);
    settle_number(&ns->message_max, settings->message_max > MIB ? settings->message_max : MIB);
    settle_number(&ns->rate, WITHOUT_END);
    settle_text(&ns->read, owner);
    settle_text(&ns->publish, ns->otherwise);
    settle_text(&ns->create, ns->otherwise);
    settle_text(&ns->remove, owner);
    settle_text(&ns->presence, owner);
}

static dx_stream_may may_of(const char *who)
{
    static const dx_stream_may mays[] = {DX_MAY_ANYONE, DX_MAY_NOBODY, DX_MAY_KNOWN, DX_MAY_SUB,
                                         DX_MAY_TOKEN};

    for (size_t i = 0; i < DX_COUNT(mays); i++)
        if (strcmp(whos[i], who) == 0)
            return mays[i];
    dx_unreachable("a choice that is none");
}

dx_stream_options dx_namespace_stream_options(const dx_namespace_settings *ns)
{
    return (dx_stream_options){
        .kept_count_max =
            ns->kept_count == WITHOUT_END ? DX_UNBOUNDED_COUNT : (uint32_t)ns->kept_count,
        .kept_bytes_max = ns->kept_bytes,
        .kept_ms_max = ns->kept_age_ms,
        .is_by_put = strcmp(ns->creation, "put") == 0,
        .durability = strcmp(ns->durability, "disk") == 0 ? DX_STREAM_ON_DISK : DX_STREAM_IN_MEMORY,
        .type = ns->type,
        .message_bytes_max = (uint32_t)ns->message_max,
        .append_rate_max = ns->rate == WITHOUT_END ? 0 : (uint32_t)ns->rate,
        .access = {.read = may_of(ns->read),
                   .publish = may_of(ns->publish),
                   .create = may_of(ns->create),
                   .remove = may_of(ns->remove),
                   .presence = may_of(ns->presence)},
    };
}

/* ---- names ------------------------------------------------------------------------------------ */

void dx_settings_key(const dx_cli_option *o, char key[DX_SETTINGS_NAME_BYTES])
{
    snprintf(key, DX_SETTINGS_NAME_BYTES, "%s", o->name + (o->group ? strlen(o->group) + 1 : 0));
    for (char *c = key; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

void dx_settings_variable(const dx_cli_option *o, char name[DX_SETTINGS_NAME_BYTES])
{
    snprintf(name, DX_SETTINGS_NAME_BYTES, "DUPLEX_%s", o->name);
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
}
