/* What `duplex serve` can be told, as one table: for flags, environment, files and documentation.
 * Is:     the settings, their rows, their defaults; those of a namespace.
 * Is not: reading them from a file (config.h), what becomes of them (command_serve.c).
 * Memory: texts are borrowed.
 * Threads: constant tables.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_SETTINGS_H
#define DX_CLI_SETTINGS_H

#include "cli/options.h"

#include <duplex/duplex.h>

enum { DX_SETTINGS_COUNT = 36, DX_NAMESPACE_COUNT = 15, DX_NAMESPACES_MAX = 64 };

#define DX_ADMIN_DEFAULT "127.0.0.1:4438"

/* The policy of the streams below a prefix. Zero where `dx_namespace_settle` decides. */
typedef struct dx_namespace_settings {
    const char *prefix, *creation, *durability, *type;
    uint64_t kept_count, kept_bytes, kept_age_ms, message_max, rate;
    const char *otherwise, *read, *publish, *create, *remove, *presence;
    uint32_t line;                      /* in the file; 0: shipped */
    uint32_t lines[DX_NAMESPACE_COUNT]; /* by option; 0: its default */
} dx_namespace_settings;

typedef struct dx_settings {
    const char *config;
    uint64_t given; /* on the command line: bit n is option n */
    dx_cli_texts listen, origins, trusted_from, tls_cert, tls_key, redirect, token_keys;
    uint64_t workers; /* 0: one per core */
    uint64_t message_max, ping_ms, idle_ms, wait_ms, drain_ms, http2_streams;
    const char *loop, *log_level, *log_format, *access_log, *pid_file, *data, *web, *subject_header, *tls;
    const char *token_audience, *token_cookie, *revocations;
    const char *tls_client_ca, *tls_client, *tls_client_name;
    const char *admin; /* NULL: DX_ADMIN_DEFAULT, if nobody has it */
    const char *admin_token_file;
    bool deflate, memory, demo, anonymous_write;
    const dx_namespace_settings *namespaces;
    size_t namespaces_count;
} dx_settings;

extern const dx_cli_option dx_settings_options[DX_SETTINGS_COUNT];
extern const dx_settings dx_settings_defaults;

extern const dx_cli_option dx_namespace_options[DX_NAMESPACE_COUNT];
extern const dx_namespace_settings dx_namespace_defaults;

/* Puts the defaults that depend on other values where there is none. */
void dx_namespace_settle(dx_namespace_settings *ns, const dx_settings *settings);

/* The same for the library. ns: settled. */
dx_stream_options dx_namespace_stream_options(const dx_namespace_settings *ns);

/* The key of an option in a file, without its group: "subject_header". */
enum { DX_SETTINGS_NAME_BYTES = 64 };
void dx_settings_key(const dx_cli_option *o, char key[DX_SETTINGS_NAME_BYTES]);
/* "DUPLEX_ACCESS_SUBJECT_HEADER" */
void dx_settings_variable(const dx_cli_option *o, char name[DX_SETTINGS_NAME_BYTES]);

#endif
