/* Settings while they are used.
 * SPDX-License-Identifier: MIT */
#include "cli/reload.h"

#include "cli/config.h"
#include "serve/server.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- what differs ----------------------------------------------------------------------------- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_list(const dx_cli_texts *a, const dx_cli_texts *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (!is_same_text(a->at[i], b->at[i]))
            return false;
    return a->count == b->count;
}

/* a, b: the structs that the option is of. */
static bool is_same(const dx_cli_option *o, const void *a, const void *b)
{
    const void *x = (const uint8_t *)a + o->at, *y = (const uint8_t *)b + o->at;

    switch (o->kind) {
    case DX_CLI_FLAG:
    case DX_CLI_SWITCH: return *(const bool *)x == *(const bool *)y;
    case DX_CLI_TEXT: return is_same_text(*(const char *const *)x, *(const char *const *)y);
    case DX_CLI_TEXTS: return is_same_list(x, y);
    case DX_CLI_NUMBER:
    case DX_CLI_SIZE:
    case DX_CLI_DURATION: return *(const uint64_t *)x == *(const uint64_t *)y;
    }
    dx_unreachable("dx_cli_kind outside its enum");
}

static bool are_same_namespaces(const dx_settings *a, const dx_settings *b)
{
    if (a->namespaces_count != b->namespaces_count)
        return false;
    for (size_t i = 0; i < a->namespaces_count; i++)
        for (size_t o = 0; o < DX_NAMESPACE_COUNT; o++)
            if (!is_same(&dx_namespace_options[o], &a->namespaces[i], &b->namespaces[i]))
                return false;
    return true;
}

/* Those that dx_reload changes. */
static bool is_changeable(const dx_cli_option *o)
{
    return o->at == offsetof(dx_settings, log_level) || o->at == offsetof(dx_settings, access_log) ||
           o->at == offsetof(dx_settings, drain_ms);
}

static bool add_name(dx_buffer *to, const char *name)
{
    return (to->size == 0 || dx_buffer_append(to, DX_BYTES(", "))) &&
           dx_buffer_append(to, dx_bytes_of(name));
}

static void say_what_stays(const dx_reloading *r, const dx_settings *now)
{
    dx_buffer names = {0};
    bool is_whole = true;

    for (size_t i = 0; i < DX_SETTINGS_COUNT; i++) {
        const dx_cli_option *o = &dx_settings_options[i];
        if (!o->is_local && !is_changeable(o) && !is_same(o, now, r->running))
            is_whole = add_name(&names, o->name) && is_whole;
    }
    if (!are_same_namespaces(now, r->running))
        is_whole = add_name(&names, "namespaces") && is_whole;
    if (names.size > 0 || !is_whole)
        dx_log_write(&r->server->log, DX_LOG_WARN, "needs a restart, or SIGUSR2: %.*s", DX_FORMAT(names));
    dx_buffer_clear(&names);
}

/* ---- changing --------------------------------------------------------------------------------- */

static void apply(const dx_reloading *r, const dx_settings *now)
{
    dx_access_log_policy policy;
    dx_err ignored = dx_server_set_log_level(r->server, now->log_level); /* a choice, and checked */

    (void)ignored;
    if (dx_access_log_policy_read(now->access_log, &policy))
        atomic_store(&r->server->access_log_policy, policy);
    *r->drain_ms = (uint32_t)now->drain_ms;
}

static void say_problems(const dx_reloading *r, dx_bytes problems)
{
    dx_bytes line;

    while (dx_bytes_split(&problems, '\n', &line))
        if (line.size > 0)
            dx_log_write(&r->server->log, DX_LOG_ERROR, "configuration stays as it was: %.*s",
                         DX_FORMAT(line));
}

void dx_reload(const dx_reloading *r)
{
    dx_config config;

    dx_config_init(&config);
    if (!dx_config_load(&config, r->flags, environ)) {
        say_problems(r, dx_buffer_view(&config.problems));
    } else if (dx_server_reload(r->server) == DX_OK) { /* else the log says what is wrong */
        apply(r, &config.settings);
        dx_log_write(&r->server->log, DX_LOG_INFO, "configuration is loaded again");
        say_what_stays(r, &config.settings);
    }
    dx_config_deinit(&config);
}
