/* From a URL to an address and a loop.
 * SPDX-License-Identifier: MIT */
#include "cli/remote.h"

#include "base/random.h"
#include "cli/options.h"
#include "codec/http_status.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLOSING_TURNS_MAX = 200, CLOSING_WAIT_MS = 10 };
enum { BACKOFF_MS = 250, BACKOFF_MS_MAX = 15000, DETAIL_BYTES_MAX = 700 };

const char *const dx_cli_versions[] = {"auto", "1.1", "2", NULL};

static dx_http_version version_of(const dx_cli_reach *reach)
{
    const char *http = reach->http ? reach->http : "auto";

    if (strcmp(http, "2") == 0)
        return DX_HTTP_VERSION_2;
    return strcmp(http, "1.1") == 0 ? DX_HTTP_VERSION_1_1 : DX_HTTP_VERSION_AUTO;
}

static int resolve(dx_cli_remote *r)
{
    bool is_local = dx_bytes_equal_nocase(r->url.host, DX_BYTES("localhost"));

    if (r->url.host.size >= sizeof r->host) {
        dx_cli_say(r->command, "the host of the URL is longer than %d bytes",
                   DX_CLI_HOST_BYTES - 1);
        return DX_EXIT_USAGE;
    }
    memcpy(r->host, r->url.host.at, r->url.host.size);
    r->host[r->url.host.size] = '\0';
    r->to.host = r->host;
    /* As for --listen, localhost is 127.0.0.1: a server that listens there may not listen on ::1. */
    if (dx_address_resolve(is_local ? "127.0.0.1" : r->host, r->url.port, &r->to.address) == DX_OK)
        return DX_EXIT_OK;
    dx_cli_say(r->command, "cannot find the host %s", r->host);
    return DX_EXIT_FAILURE;
}

static bool write_target(dx_cli_remote *r)
{
    bool needs_slash = r->url.target.size == 0 || r->url.target.at[0] != '/';

    return (!needs_slash || dx_buffer_append(&r->target, DX_BYTES("/"))) &&
           dx_buffer_append(&r->target, r->url.target);
}

static int fail_memory(const dx_cli_remote *r)
{
    dx_cli_say(r->command, "%s", dx_err_text(DX_ERR_MEMORY));
    return DX_EXIT_FAILURE;
}

/* For https and wss. */
static int prepare_tls(dx_cli_remote *r, const dx_cli_reach *reach)
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls_client options = {.ca = reach->cacert,
                             .is_insecure = reach->insecure,
                             .pair = {reach->cert, reach->key},
                             .alpn = dx_http_alpn_of(version_of(reach))};

    if ((reach->cert == NULL) != (reach->key == NULL)) {
        dx_cli_say(r->command, "a certificate needs its key: --cert FILE --key FILE");
        return DX_EXIT_USAGE;
    }

    if (!r->url.is_secure || dx_tls_client_new(&options, &r->to.tls, why) == DX_OK)
        return DX_EXIT_OK;
    dx_cli_say(r->command, "%s", why);
    return DX_EXIT_FAILURE;
}

int dx_cli_remote_open(dx_cli_remote *r, const char *command, const char *url,
                       const dx_cli_reach *reach)
{
    *r = (dx_cli_remote){.command = command};
    dx_url_fault fault = dx_url_read(dx_bytes_of(url), &r->url);
    if (fault != DX_URL_OK) {
        dx_cli_say(command, "%.200s: %s", url, dx_url_fault_text(fault));
        return DX_EXIT_USAGE;
    }
    int code = prepare_tls(r, reach);
    if (code == DX_EXIT_OK)
        code = resolve(r);
    if (code != DX_EXIT_OK)
        return code;
    /* epoll: one connection has nothing to gain from io_uring, and it starts everywhere. */
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &r->loop);
    if (err != DX_OK) {
        dx_cli_say(command, "cannot make an event loop: %s", dx_err_text(err));
        return DX_EXIT_FAILURE;
    }
    dx_net_init(&r->net, r->loop, &DX_NET_LIMITS_DEFAULT, NULL);
    dx_http_origin_init(&r->origin, &r->net, &r->to, version_of(reach));
    return write_target(r) ? DX_EXIT_OK : fail_memory(r);
}

bool dx_cli_remote_add_argument(dx_cli_remote *r, const char *name, const char *value)
{
    dx_bytes text = dx_bytes_of(value);
    size_t size_max = 3 * text.size;
    const char *glue = dx_bytes_find(dx_buffer_view(&r->target), '?') < r->target.size ? "&" : "?";

    if (!dx_buffer_append(&r->target, dx_bytes_of(glue)) ||
        !dx_buffer_append(&r->target, dx_bytes_of(name)) ||
        !dx_buffer_append(&r->target, DX_BYTES("=")) || !dx_buffer_reserve(&r->target, size_max))
        return false;
    r->target.size += dx_url_encode(text, false, r->target.at + r->target.size, size_max);
    return true;
}

/* The sentence in a problem (RFC 9457 §3.1.4); empty if the answer is none. */
static dx_bytes problem_detail(dx_bytes answer, uint8_t *memory)
{
    size_t error_at;
    dx_bytes detail;

    if (dx_json_check(answer, DX_JSON_DEPTH_DEFAULT, &error_at) != DX_JSON_OK ||
        !dx_json_object_find(answer, DX_BYTES("detail"), &detail) ||
        dx_json_type_of(detail) != DX_JSON_TEXT)
        return (dx_bytes){NULL, 0};
    return dx_bytes_at(memory, dx_json_string_read(detail, memory));
}

void dx_cli_refusal_write(unsigned status, dx_bytes body, char text[DX_CLI_REFUSAL_BYTES])
{
    const char *reason = dx_http_reason(status);
    uint8_t *memory = malloc(body.size + 1);
    dx_bytes detail = memory ? problem_detail(body, memory) : (dx_bytes){NULL, 0};

    snprintf(text, DX_CLI_REFUSAL_BYTES, "the server answered %u%s%s%s%.*s", status,
             reason[0] ? " " : "", reason, detail.size > 0 ? ": " : "",
             (int)dx_min_size(detail.size, DETAIL_BYTES_MAX),
             detail.size > 0 ? (const char *)detail.at : "");
    free(memory);
}

/* Errors of connecting alone. */
static bool is_unreachable(dx_err err)
{
    return err == DX_ERR_REFUSED || err == DX_ERR_ADDRESS || err == DX_ERR_DENIED ||
           err == DX_ERR_SYSTEM;
}

void dx_cli_remote_failure_write(const dx_cli_remote *r, dx_err err, const char *text,
                                 char ret[DX_CLI_FAILURE_BYTES])
{
    bool has_colon = strchr(r->host, ':') != NULL;

    if (is_unreachable(err))
        snprintf(ret, DX_CLI_FAILURE_BYTES, "cannot connect to %s%s%s:%u: %s%s",
                 has_colon ? "[" : "", r->host, has_colon ? "]" : "", r->url.port, text,
                 err == DX_ERR_REFUSED ? "; is a server listening there?" : "");
    else
        snprintf(ret, DX_CLI_FAILURE_BYTES, "%s", text);
}

uint32_t dx_cli_backoff_ms(uint64_t failures)
{
    uint64_t most = failures > 6
                        ? BACKOFF_MS_MAX
                        : dx_min_u64(BACKOFF_MS_MAX, (uint64_t)BACKOFF_MS << (failures - 1));
    uint32_t random;

    dx_random_fill(&random, sizeof random);
    return (uint32_t)(most / 2 + random % (most / 2 + 1));
}

void dx_cli_remote_close(dx_cli_remote *r)
{
    dx_buffer_clear(&r->target);
    if (r->loop == NULL) {
        dx_tls_free(r->to.tls);
        return;
    }
    dx_http_origin_deinit(&r->origin);
    for (dx_list *l = r->net.live.next; l != &r->net.live; l = l->next)
        dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, false);
    for (int i = 0; i < CLOSING_TURNS_MAX && r->net.conns_count > 0; i++)
        dx_loop_step(r->loop, CLOSING_WAIT_MS);
    dx_net_deinit(&r->net);
    dx_loop_free(r->loop);
    dx_tls_free(r->to.tls);
    r->loop = NULL;
}
