/* The server's certificates: what was configured, loaded and loaded again.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include <stdlib.h>

/* In the order of our liking. */
static const char *const protocols[] = {DX_HTTP2_ALPN, DX_HTTP1_ALPN, NULL};
static const char *const protocols_old[] = {DX_HTTP1_ALPN, NULL};

static bool copy_files(dx_tls_pair *to, const dx_tls_files *from)
{
    to->cert = from->cert ? strdup(from->cert) : NULL;
    to->key = from->key ? strdup(from->key) : NULL;
    return (to->cert || !from->cert) && (to->key || !from->key);
}

bool dx_server_copy_tls(dx_server *s)
{
    size_t count = s->options.tls_count;

    if (s->options.tls_dev && (s->tls_dev = strdup(s->options.tls_dev)) == NULL)
        return false;
    s->pairs = calloc(count ? count : 1, sizeof *s->pairs);
    if (s->pairs == NULL)
        return false;
    for (; s->pairs_count < count; s->pairs_count++)
        if (!copy_files(&s->pairs[s->pairs_count], &s->options.tls[s->pairs_count]))
            return false;
    return true;
}

void dx_server_forget_tls(dx_server *s)
{
    for (size_t i = 0; s->pairs && i < s->options.tls_count; i++) {
        free((char *)(uintptr_t)s->pairs[i].cert);
        free((char *)(uintptr_t)s->pairs[i].key);
    }
    free(s->pairs);
    free(s->tls_dev);
}

static dx_err fail(const dx_server *s, const char *why)
{
    dx_log_write(&s->log, DX_LOG_ERROR, "%s", why);
    return DX_ERR_NAME;
}

/* ---- clients ---------------------------------------------------------------------------------- */

static bool find(const char *word, const char *const *words, size_t *ret)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static dx_err read_clients(const dx_server *s, dx_tls_clients *ret)
{
    static const char *const modes[] = {"required", "optional", "off", NULL};
    static const char *const names[] = {"cn", "email", "uri", "dns", NULL};
    size_t mode = 0, name = 0;

    if (s->client_mode[0] && !find(s->client_mode, modes, &mode))
        return fail(s, "client certificates are required, optional or off");
    if (s->client_name[0] && !find(s->client_name, names, &name))
        return fail(s, "the name in a client certificate is cn, email, uri or dns");
    if (s->client_ca[0] == '\0' || mode == 2)
        return DX_OK;
    if (s->pairs_count == 0 && s->tls_dev == NULL)
        return fail(s, "client certificates need TLS: --tls-cert FILE --tls-key FILE, or --tls dev");
    *ret = (dx_tls_clients){.ca = s->client_ca, .is_optional = mode == 1, .name = (dx_tls_name)name};
    return DX_OK;
}

/* ---- loading ---------------------------------------------------------------------------------- */

static void note_files(dx_server *s, const dx_tls_pair *pairs, size_t count, const dx_tls_clients *clients)
{
    s->tls_files_count = 0;
    for (size_t i = 0; i < count; i++) {
        s->tls_files[s->tls_files_count++] = pairs[i].cert;
        s->tls_files[s->tls_files_count++] = pairs[i].key;
    }
    if (clients->ca)
        s->tls_files[s->tls_files_count++] = clients->ca;
}

static dx_err load(dx_server *s, const dx_tls_pair *pairs, size_t count)
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls_clients clients = {0};
    dx_err err = read_clients(s, &clients);

    if (err != DX_OK)
        return err;
    dx_tls_server options = {.pairs = pairs,
                             .pairs_count = count,
                             .clients = clients,
                             .alpn = s->http_config.http2.streams_max > 0 ? protocols : protocols_old,
                             .plain_answer = dx_http1_not_tls,
                             .log = &s->log};
    s->tls_asks_clients = clients.ca != NULL;
    note_files(s, pairs, count, &clients);
    s->tls_state = dx_watch_look(s->tls_files, s->tls_files_count);
    err = dx_tls_server_new(&options, &s->tls, why);
    return err == DX_OK || err == DX_ERR_MEMORY ? err : fail(s, why);
}

static void log_trust(const dx_server *s, const dx_tls_dev *dev)
{
    dx_log_write(&s->log, DX_LOG_WARN, "TLS with a development certificate, for localhost only");
    dx_log_write(&s->log, DX_LOG_INFO, "%s authority is %s", dev->is_new_ca ? "its new" : "its", dev->ca);
    dx_log_write(&s->log, DX_LOG_INFO, "to trust it: duplex sub --cacert FILE, curl --cacert FILE, "
                                       "NODE_EXTRA_CA_CERTS=FILE, SSL_CERT_FILE=FILE for Python");
    dx_log_write(&s->log, DX_LOG_INFO,
                 "in Chromium: certutil -d sql:$HOME/.pki/nssdb -A -n duplex-dev -t C,, -i FILE; in "
                 "Firefox: Settings, Certificates, Authorities, Import");
}

static dx_err load_dev(dx_server *s)
{
    char why[DX_TLS_WHY_BYTES];
    dx_err err = dx_tls_dev_make(s->tls_dev, &s->dev, why);

    if (err != DX_OK)
        return err == DX_ERR_MEMORY ? err : fail(s, why);
    err = load(s, &(dx_tls_pair){s->dev.cert, s->dev.key}, 1);
    if (err == DX_OK)
        log_trust(s, &s->dev);
    return err;
}

dx_err dx_server_start_tls(dx_server *s)
{
    if (s->pairs_count > DX_TLS_PAIRS_MAX)
        return fail(s, "at most 64 certificates can be used");
    for (size_t i = 0; i < s->pairs_count; i++)
        if (s->pairs[i].cert == NULL || s->pairs[i].key == NULL)
            return fail(s, "each certificate needs its key: --tls-cert FILE --tls-key FILE, in this order");
    if (s->pairs_count > 0 && s->tls_dev)
        return fail(s, "either certificates of your own or a development certificate, not both");
    if (s->pairs_count > 0)
        return load(s, s->pairs, s->pairs_count);
    if (s->tls_dev)
        return load_dev(s);
    dx_err err = read_clients(s, &(dx_tls_clients){0});
    if (err != DX_OK)
        return err;
    for (size_t i = 0; i < s->listens_count; i++)
        if (s->listens[i].security == DX_LISTEN_TLS)
            return fail(s, "listening on https:// needs a certificate: --tls-cert FILE --tls-key FILE, or "
                           "--tls dev to make one");
    return DX_OK;
}

/* ---- loading again ---------------------------------------------------------------------------- */

static dx_err reload(dx_server *s, uint64_t *state)
{
    char why[DX_TLS_WHY_BYTES];

    pthread_mutex_lock(&s->reload_lock);
    *state = dx_watch_look(s->tls_files, s->tls_files_count);
    dx_err err = dx_tls_reload(s->tls, why);
    pthread_mutex_unlock(&s->reload_lock);
    if (err == DX_OK)
        dx_log_write(&s->log, DX_LOG_INFO, "certificates are loaded again");
    else
        dx_log_write(&s->log, DX_LOG_ERROR, "certificates stay as they were: %s", why);
    return err;
}

dx_err dx_server_reload(dx_server *s)
{
    uint64_t state;

    dx_err of_tokens = dx_server_reload_tokens(s);
    if (s->tls == NULL)
        return of_tokens;
    dx_err err = reload(s, &state);
    dx_watch_know(s->watch, state); /* also of files that are no good: that was said */
    return err == DX_OK ? of_tokens : err;
}

static void on_changed(void *context)
{
    uint64_t state;
    dx_err ignored = reload(context, &state); /* if they change once more meanwhile, the watch sees that */

    (void)ignored;
}

dx_err dx_server_watch_tls(dx_server *s)
{
    if (s->tls == NULL)
        return DX_OK;
    return dx_watch_new(&(dx_watch_options){.files = s->tls_files,
                                            .count = s->tls_files_count,
                                            .changed = on_changed,
                                            .context = s,
                                            .known = s->tls_state},
                        &s->watch);
}
