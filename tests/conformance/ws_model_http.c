/* The model server's handshake. See ws_model.h.
 * Source: RFC 6455 §4.2, RFC 7692 §7.1.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_client.h"
#include "tests/conformance/ws_model.h"

#include <stdio.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void refuse(int status, const char *fields, wst_buffer *out)
{
    char text[256];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n",
                        status, fields);

    wst_buffer_add(out, text, (size_t)size);
}

static bool is_key(const char *value)
{
    return strlen(value) == 24 && strspn(value, base64_digits) == 22 &&
           strcmp(value + 22, "==") == 0;
}

static bool is_foreign(const char *head)
{
    char origin[256], host[256], allowed[300];

    if (wst_field(head, "Origin", origin) == 0 || wst_field(head, "Host", host) != 1)
        return false;
    snprintf(allowed, sizeof allowed, "http://%s", host);
    return strcmp(origin, allowed) != 0;
}

/* 0: a good request to become a WebSocket. */
static int judge(const wst_model_options *options, const char *head, const char **ret_fields)
{
    char value[256];

    *ret_fields = "";
    if (strncmp(head, "GET ", 4) != 0)
        return 405;
    const char *line_end = strstr(head, "\r\n");
    if (line_end - head < 9 || memcmp(line_end - 9, " HTTP/1.1", 9) != 0)
        return 400;
    if (wst_field(head, "Host", value) != 1)
        return 400;
    if (options->fault != WST_FAULT_BODY_ACCEPTED &&
        (wst_field(head, "Content-Length", value) || wst_field(head, "Transfer-Encoding", value)))
        return 400;
    if (!wst_field_has(head, "Upgrade", "websocket") ||
        !wst_field_has(head, "Connection", "upgrade"))
        return 400;
    int versions = wst_field(head, "Sec-WebSocket-Version", value);
    if (versions == 1 && strcmp(value, "13") != 0) {
        *ret_fields = options->fault == WST_FAULT_BARE_426
                          ? "Upgrade: websocket\r\n"
                          : "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        return 426;
    }
    if (versions != 1 || wst_field(head, "Sec-WebSocket-Key", value) != 1 || !is_key(value))
        return 400;
    return options->fault != WST_FAULT_ANY_ORIGIN && is_foreign(head) ? 403 : 0;
}

static void answer_offer(const wst_model_options *options, const wst_pmd_terms *offer,
                         char ret[static 256])
{
    bool keeps = options->keeps_context;
    int used = snprintf(ret, 256, "permessage-deflate%s%s",
                        !keeps || offer->server_no_context ? "; server_no_context_takeover" : "",
                        keeps ? "" : "; client_no_context_takeover");

    if (offer->server_bits)
        used += snprintf(ret + used, 256 - (size_t)used, "; server_max_window_bits=%d",
                         offer->server_bits);
    if (offer->client_bits > 8)
        snprintf(ret + used, 256 - (size_t)used, "; client_max_window_bits=%d", offer->client_bits);
}

static void choose_extension(const wst_model_options *options, const char *head,
                             char ret[static 256])
{
    char offers[256];
    const char *list = offers, *at;
    size_t size;
    wst_pmd_terms offer;

    *ret = 0;
    if (options->fault == WST_FAULT_UNASKED_EXTENSION)
        snprintf(ret, 256, "permessage-deflate");
    if (wst_field(head, "Sec-WebSocket-Extensions", offers) == 0)
        return;
    while (wst_extension_next(&list, &at, &size))
        if (wst_pmd_terms_read(at, size, true, &offer) && offer.server_bits != 8) {
            answer_offer(options, &offer, ret);
            return;
        }
}

bool wst_model_answer(const wst_model_options *options, const char *head, wst_buffer *out,
                      char ret_extension[static 256])
{
    const char *fields;
    char key[256], accept[29], text[600];
    int status = judge(options, head, &fields);

    if (status) {
        refuse(status, fields, out);
        return false;
    }
    wst_field(head, "Sec-WebSocket-Key", key);
    wst_accept(key, accept);
    if (options->fault == WST_FAULT_WRONG_ACCEPT)
        accept[3] = accept[3] == 'x' ? 'y' : 'x';
    choose_extension(options, head, ret_extension);
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                        accept, *ret_extension ? "Sec-WebSocket-Extensions: " : "", ret_extension,
                        *ret_extension ? "\r\n" : "");
    wst_buffer_add(out, text, (size_t)size);
    return true;
}
