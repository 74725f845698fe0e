/* The server's keys for tokens, and its list of revocations: what was configured, loaded and loaded again.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include <stdio.h>
#include <stdlib.h>

bool dx_server_copy_tokens(dx_server *s)
{
    const dx_server_options *o = &s->options;

    s->token_keys = calloc(o->token_keys_count + 1, sizeof *s->token_keys);
    s->token_audience = strdup(o->token_audience ? o->token_audience : "");
    s->token_cookie = strdup(o->token_cookie ? o->token_cookie : "");
    s->revocations = strdup(o->revocations ? o->revocations : "");
    if (s->token_keys == NULL || s->token_audience == NULL || s->token_cookie == NULL ||
        s->revocations == NULL)
        return false;
    for (; s->token_keys_count < o->token_keys_count; s->token_keys_count++)
        if ((s->token_keys[s->token_keys_count] = strdup(o->token_keys[s->token_keys_count])) ==
            NULL)
            return false;
    return true;
}

void dx_server_forget_tokens(dx_server *s)
{
    for (size_t i = 0; s->token_keys && i < s->token_keys_count; i++)
        free(s->token_keys[i]);
    free(s->token_keys);
    free(s->token_audience);
    free(s->token_cookie);
    free(s->revocations);
}

static dx_err fail(const dx_server *s, dx_err err, const char *why)
{
    dx_log_write(&s->log, DX_LOG_ERROR, "%s", why);
    return err == DX_ERR_MEMORY ? err : DX_ERR_NAME;
}

static void note_files(dx_server *s)
{
    s->token_files = dx_tokens_files(s->tokens, &s->token_files_count);
    s->token_state = dx_watch_look(s->token_files, s->token_files_count);
}

static dx_err start_keys(dx_server *s)
{
    char why[DX_TOKENS_WHY_BYTES];
    const dx_tokens_options options = {.keys = (const char *const *)s->token_keys,
                                       .keys_count = s->token_keys_count,
                                       .audience = s->token_audience};

    if (s->token_keys_count == 0 && (s->token_audience[0] || s->token_cookie[0]))
        return fail(
            s, DX_ERR_NAME,
            "access.token_audience and access.token_cookie need access.token_keys: a file with keys");
    if (s->token_cookie[0] && !dx_trust_header_is_good(dx_bytes_of(s->token_cookie)))
        return fail(s, DX_ERR_NAME,
                    "access.token_cookie is the name of a cookie, at most 64 bytes");
    if (s->token_keys_count == 0)
        return DX_OK;
    dx_err err = dx_tokens_new(&options, &s->tokens, why);
    if (err != DX_OK)
        return fail(s, err, why);
    note_files(s);
    return DX_OK;
}

dx_err dx_server_start_tokens(dx_server *s)
{
    char why[DX_REVOKED_WHY_BYTES] = "out of memory";
    dx_err err = start_keys(s);

    if (err != DX_OK)
        return err;
    err = dx_revoked_init(&s->revoked, s->revocations, why);
    s->has_revoked = err == DX_OK;
    return err == DX_OK ? DX_OK : fail(s, err, why);
}

void dx_server_end_tokens(dx_server *s)
{
    dx_watch_free(s->token_watch);
    s->token_watch = NULL;
    dx_tokens_free(s->tokens);
    s->tokens = NULL;
    if (s->has_revoked)
        dx_revoked_deinit(&s->revoked);
    s->has_revoked = false;
}

/* ---- loading again ---------------------------------------------------------------------------- */

static dx_err reload(dx_server *s, uint64_t *state)
{
    char why[DX_TOKENS_WHY_BYTES];

    pthread_mutex_lock(&s->reload_lock);
    *state = dx_watch_look(s->token_files, s->token_files_count);
    dx_err err = dx_tokens_reload(s->tokens, why);
    pthread_mutex_unlock(&s->reload_lock);
    if (err == DX_OK)
        dx_log_write(&s->log, DX_LOG_INFO, "keys for tokens are loaded again");
    else
        dx_log_write(&s->log, DX_LOG_ERROR, "keys for tokens stay as they were: %s", why);
    return err;
}

dx_err dx_server_reload_tokens(dx_server *s)
{
    uint64_t state;

    if (s->tokens == NULL)
        return DX_OK;
    dx_err err = reload(s, &state);
    dx_watch_know(s->token_watch, state);
    return err;
}

static void on_changed(void *context)
{
    uint64_t state;
    dx_err ignored = reload(context, &state);

    (void)ignored;
}

dx_err dx_server_watch_tokens(dx_server *s)
{
    if (s->tokens == NULL)
        return DX_OK;
    return dx_watch_new(&(dx_watch_options){.files = s->token_files,
                                            .count = s->token_files_count,
                                            .changed = on_changed,
                                            .context = s,
                                            .known = s->token_state},
                        &s->token_watch);
}
