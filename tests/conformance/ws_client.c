/* One WebSocket client connection under test. See ws_client.h for the contract.
 * Source: RFC 6455 §4.1 (handshake), §5 (frames), §7 (closing); RFC 7692 §6.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- life ---- */

uint64_t wst_random(void)
{
    static atomic_uint_fast64_t counter;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t x = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32 ^ (uint64_t)getpid() << 20;
    x += atomic_fetch_add(&counter, 1) * 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

uint32_t wst_client_key(wst_client *client)
{
    client->random = client->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(client->random >> 32) |
           1; /* a key of 0 would hide a server that does not unmask */
}

static void make_key(char ret[static 25])
{
    uint64_t nonce[2] = {wst_random(), wst_random()};

    wst_base64((const uint8_t *)nonce, sizeof nonce, ret);
}

static void make_path(wst_client *client, const dx_peer_url *url, const char *more)
{
    size_t plain = strcspn(url->path, "?");
    const char *slash = plain > 0 && url->path[plain - 1] == '/' ? "" : "/";

    if (!more)
        snprintf(client->path, sizeof client->path, "%s", url->path);
    else
        snprintf(client->path, sizeof client->path, "%.*s%s%s%s", (int)plain, url->path, slash,
                 more, url->path + plain);
}

const char *wst_client_connect(wst_client *client, const dx_peer_url *url, const char *path_more,
                               int wait_ms)
{
    bool is_ipv6 = strchr(url->host, ':') != NULL;

    *client = (wst_client){.wait_ms = wait_ms, .random = wst_random()};
    make_path(client, url, path_more);
    make_key(client->key);
    snprintf(client->host, sizeof client->host, is_ipv6 ? "[%s]:%s" : "%s:%s", url->host,
             url->port);
    dx_peer_status status = dx_peer_connect(&client->peer, url->host, url->port, wait_ms);
    return status == DX_PEER_OK ? NULL : "cannot connect";
}

void wst_client_deinit(wst_client *client)
{
    dx_peer_deinit(&client->peer);
    wst_buffer_deinit(&client->head);
    wst_buffer_deinit(&client->message);
    wst_buffer_deinit(&client->inflated);
    if (client->has_pmd)
        wst_pmd_deinit(&client->pmd);
    client->has_pmd = false;
}

/* ---- HTTP ---- */

void wst_client_expand(const wst_client *client, const char *text, wst_buffer *out)
{
    const struct {
        const char *name, *value;
    } words[] = {{"$PATH", client->path},
                 {"$HOST", client->host},
                 {"$KEY", client->key},
                 {"$SCHEME", client->peer.tls ? "https" : "http"}};
    const size_t count = sizeof words / sizeof words[0];

    while (*text) {
        size_t taken = strcspn(text, "$");
        wst_buffer_add(out, text, taken);
        text += taken;
        if (!*text)
            break;
        size_t i = 0;
        while (i < count && strncmp(text, words[i].name, strlen(words[i].name)) != 0)
            i++;
        if (i == count)
            abort(); /* a template of ours is wrong */
        wst_buffer_add(out, words[i].value, strlen(words[i].value));
        text += strlen(words[i].name);
    }
}

const char *wst_client_response(wst_client *client)
{
    size_t size;
    dx_peer_status status = dx_peer_need_mark(&client->peer, "\r\n\r\n", &size, client->wait_ms);

    if (status != DX_PEER_OK) {
        snprintf(client->fault, sizeof client->fault, "no whole response head: %s after %zu octets",
                 dx_peer_status_text(status), dx_peer_input_size(&client->peer));
        return client->fault;
    }
    client->head.size = 0;
    wst_buffer_add(&client->head, dx_peer_input(&client->peer), size);
    wst_buffer_add(&client->head, "", 1);
    dx_peer_skip(&client->peer, size);
    if (sscanf((const char *)client->head.at, "HTTP/1.1 %3d ", &client->status) != 1)
        return "the response does not begin with HTTP/1.1 and a status";
    return NULL;
}

const char *wst_client_request(wst_client *client, const char *request)
{
    wst_buffer text = {0};

    wst_client_expand(client, request, &text);
    dx_peer_status status = dx_peer_send(&client->peer, text.at, text.size, client->wait_ms);
    wst_buffer_deinit(&text);
    if (status == DX_PEER_TIMEOUT)
        return "the request could not be sent";
    return wst_client_response(client);
}

/* Calls for each field line with this name: copies its value, returns the next line, or NULL. */
static const char *field_next(const char *line, const char *name, char ret[static 256])
{
    size_t name_size = strlen(name);

    while (line && (line = strstr(line, "\r\n")) && strncmp(line, "\r\n\r\n", 4) != 0) {
        line += 2;
        if (strncasecmp(line, name, name_size) != 0 || line[name_size] != ':')
            continue;
        const char *value = line + name_size + 1;
        value += strspn(value, " \t");
        size_t size = strcspn(value, "\r");
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
            size--;
        snprintf(ret, 256, "%.*s", (int)(size < 255 ? size : 255), value);
        return line;
    }
    return NULL;
}

int wst_field(const char *head, const char *name, char ret[static 256])
{
    char other[256];
    int count = 0;

    while ((head = field_next(head, name, count ? other : ret)))
        count++;
    return count;
}

bool wst_field_has(const char *head, const char *name, const char *token)
{
    char value[256];

    while ((head = field_next(head, name, value))) {
        const char *list = value, *at;
        size_t size;
        while (wst_extension_next(&list, &at, &size))
            if (strlen(token) == size && strncasecmp(at, token, size) == 0)
                return true;
    }
    return false;
}

int wst_client_field(const wst_client *client, const char *name, char ret[static 256])
{
    return wst_field((const char *)client->head.at, name, ret);
}

bool wst_client_field_has(const wst_client *client, const char *name, const char *token)
{
    return wst_field_has((const char *)client->head.at, name, token);
}

static const char *check_extensions(wst_client *client, const char *offers)
{
    char value[256];
    const char *list = value, *at;
    size_t size;
    int count = wst_client_field(client, "Sec-WebSocket-Extensions", value);

    if (count == 0)
        return NULL;
    if (!offers)
        return "an extension that was not offered";
    if (count > 1 || !wst_extension_next(&list, &at, &size) || strchr(value, ','))
        return "the extension answer is not one element on one line";
    if (!wst_pmd_terms_read(at, size, false, &client->terms))
        return "the extension answer is not permessage-deflate with good parameters";
    if (!wst_pmd_terms_allowed(offers, &client->terms))
        return "the extension answer fits no offer";
    wst_pmd_init(&client->pmd, &client->terms, false);
    client->has_pmd = true;
    return NULL;
}

const char *wst_client_check_101(wst_client *client, const char *offers)
{
    char value[256], accept[29];

    if (client->status != 101) {
        snprintf(client->fault, sizeof client->fault, "status %d, not 101", client->status);
        return client->fault;
    }
    if (wst_client_field(client, "Upgrade", value) != 1 || strcasecmp(value, "websocket") != 0)
        return "the response has no 'Upgrade: websocket'";
    if (!wst_client_field_has(client, "Connection", "upgrade"))
        return "the response has no 'Connection: Upgrade'";
    wst_accept(client->key, accept);
    if (wst_client_field(client, "Sec-WebSocket-Accept", value) != 1 || strcmp(value, accept) != 0)
        return "Sec-WebSocket-Accept is not the one of the key";
    if (wst_client_field(client, "Sec-WebSocket-Protocol", value) != 0)
        return "a subprotocol that was not asked for, or is not known";
    if (wst_client_field(client, "Content-Length", value) ||
        wst_client_field(client, "Transfer-Encoding", value))
        return "the 101 has a Content-Length or Transfer-Encoding";
    return check_extensions(client, offers);
}

const char *wst_client_handshake(wst_client *client, const char *offers)
{
    char request[1024];

    snprintf(request, sizeof request,
             "GET $PATH HTTP/1.1\r\nHost: $HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: $KEY\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
             offers ? "Sec-WebSocket-Extensions: " : "", offers ? offers : "",
             offers ? "\r\n" : "");
    const char *fault = wst_client_request(client, request);
    return fault ? fault : wst_client_check_101(client, offers);
}

/* ---- receiving ---- */

static wst_event fault_event(wst_client *client, const char *text)
{
    snprintf(client->fault, sizeof client->fault, "the server broke a rule: %s", text);
    return (wst_event){.kind = WST_EVENT_FAULT};
}

/* NULL, or the rule that a frame from a server breaks by its head. */
static const char *head_fault(const wst_client *client, const wst_head *head)
{
    bool is_control = head->opcode >= 8,
         is_first = head->opcode == WST_TEXT || head->opcode == WST_BINARY;

    if (head->masked)
        return "§5.1 a masked frame";
    if (!head->shortest)
        return "§5.2 a length that is not in its shortest form";
    if (head->opcode > WST_PONG || (head->opcode > WST_BINARY && head->opcode < WST_CLOSE))
        return "§5.2 an unknown opcode";
    if (head->rsv && (head->rsv != WST_RSV1 || !client->has_pmd || !is_first))
        return "§5.2 an RSV bit that was not agreed";
    if (is_control && (!head->fin || head->length > 125))
        return "§5.5 a control frame in fragments or above 125 octets";
    if (is_first && client->opcode)
        return "§5.4 a new message inside another one";
    if (head->opcode == WST_CONTINUATION && !client->opcode)
        return "§5.4 a continuation of nothing";
    return NULL;
}

static bool is_legal_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static wst_event close_event(wst_client *client, const uint8_t *at, size_t size)
{
    wst_event event = {.kind = WST_EVENT_CLOSE};

    client->close_seen = true;
    if (size == 1)
        return fault_event(client, "§5.5.1 a Close with one octet");
    if (size == 0)
        return event;
    event.code = (uint16_t)(at[0] << 8 | at[1]);
    event.at = at + 2;
    event.size = size - 2;
    if (!is_legal_code(event.code))
        return fault_event(client, "§7.4 a close code that may not be sent");
    if (!wst_utf8_whole(event.at, event.size))
        return fault_event(client, "§5.5.1 a close reason that is not UTF-8");
    return event;
}

static wst_event control_event(wst_client *client, const wst_head *head, const uint8_t *payload,
                               bool *ret_quiet)
{
    size_t size = (size_t)head->length;

    if (head->opcode == WST_CLOSE)
        return close_event(client, payload, size);
    if (head->opcode == WST_PONG)
        return (wst_event){.kind = WST_EVENT_PONG, .at = payload, .size = size};
    wst_buffer out = {0}; /* the server's keep-alive */
    wst_frame_write(&out, &(wst_frame){.opcode = WST_PONG}, payload, size, wst_client_key(client));
    dx_peer_skip(&client->peer, client->skip); /* a send may move the input */
    client->skip = 0;
    dx_peer_send(&client->peer, out.at, out.size, client->wait_ms);
    wst_buffer_deinit(&out);
    *ret_quiet = true;
    return (wst_event){0};
}

/* The whole payload of a message is at `at`; inflates it if need be. */
static wst_event message_event(wst_client *client, const uint8_t *at, size_t size)
{
    wst_event event = {.kind = WST_EVENT_MESSAGE, .opcode = client->opcode, .at = at, .size = size};

    client->opcode = 0;
    if (!client->is_deflated)
        return event;
    event.raw = at;
    event.raw_size = size;
    if (client->known && client->known_size == size && memcmp(client->known, at, size) == 0) {
        event.is_known = true;
        return event;
    }
    client->inflated.size = 0;
    if (wst_pmd_inflate(&client->pmd, at, size, SIZE_MAX / 2, &client->inflated) != WST_INFLATED)
        return fault_event(client, "a message that does not inflate on the agreed terms");
    event.at = client->inflated.at;
    event.size = client->inflated.size;
    return event;
}

static wst_event data_event(wst_client *client, const wst_head *head, const uint8_t *payload,
                            bool *ret_quiet)
{
    size_t size = (size_t)head->length;
    bool is_first = head->opcode != WST_CONTINUATION;

    if (is_first) {
        client->opcode = head->opcode;
        client->is_deflated = head->rsv == WST_RSV1;
        client->message.size = 0;
        if (head->fin)
            return message_event(client, payload, size);
    }
    wst_buffer_add(&client->message, payload, size);
    if (head->fin)
        return message_event(client, client->message.at, client->message.size);
    *ret_quiet = true;
    return (wst_event){0};
}

/* Waits for `size` octets of input as long as there is progress. */
static dx_peer_status need(wst_client *client, size_t size, int timeout_ms)
{
    dx_peer_status status = DX_PEER_OK;

    while (dx_peer_input_size(&client->peer) < size && status == DX_PEER_OK)
        status = dx_peer_fill(&client->peer, timeout_ms);
    return status;
}

static wst_event stopped_event(wst_client *client, dx_peer_status status)
{
    size_t left = dx_peer_input_size(&client->peer);

    if (status == DX_PEER_TIMEOUT)
        return (wst_event){.kind = WST_EVENT_TIMEOUT};
    if (left > 0 && !client->close_seen)
        return fault_event(client, "the connection ended inside a frame");
    return (wst_event){.kind = WST_EVENT_END, .status = status};
}

wst_event wst_client_next(wst_client *client, int timeout_ms)
{
    bool quiet = true;
    wst_event event = {0};

    while (quiet) {
        wst_head head;
        dx_peer_status status = DX_PEER_OK;

        quiet = false;
        dx_peer_skip(&client->peer, client->skip);
        client->skip = 0;
        for (size_t size = 2; status == DX_PEER_OK; size = dx_peer_input_size(&client->peer) + 1) {
            status = need(client, size, timeout_ms);
            if (client->close_seen && dx_peer_input_size(&client->peer) > 0)
                return fault_event(client, "§5.5.1 octets after its Close");
            if (wst_head_read(dx_peer_input(&client->peer), dx_peer_input_size(&client->peer),
                              &head))
                break;
        }
        if (status != DX_PEER_OK)
            return stopped_event(client, status);
        const char *fault = head_fault(client, &head);
        if (fault)
            return fault_event(client, fault);
        status = need(client, head.size + (size_t)head.length, timeout_ms);
        if (status != DX_PEER_OK)
            return stopped_event(client, status);
        client->skip = head.size + (size_t)head.length;
        const uint8_t *payload = dx_peer_input(&client->peer) + head.size;
        event = head.opcode >= 8 ? control_event(client, &head, payload, &quiet)
                                 : data_event(client, &head, payload, &quiet);
    }
    return event;
}

/* ---- sending ---- */

void wst_client_frames(wst_client *client, const wst_frame *first, const uint8_t *at, size_t size,
                       size_t fragment, wst_buffer *out)
{
    wst_frame frame = *first;
    size_t sent = 0;

    do {
        size_t now = fragment && size - sent > fragment ? fragment : size - sent;
        frame.more = first->more || sent + now < size;
        wst_frame_write(out, &frame, at ? at + sent : NULL, now, wst_client_key(client));
        sent += now;
        frame.opcode = WST_CONTINUATION;
        frame.rsv = 0;
    } while (sent < size);
}

void wst_client_message(wst_client *client, uint8_t opcode, const uint8_t *at, size_t size,
                        size_t fragment, wst_buffer *out)
{
    if (!client->has_pmd) {
        wst_client_frames(client, &(wst_frame){.opcode = opcode}, at, size, fragment, out);
        return;
    }
    wst_buffer deflated = {0};
    wst_pmd_deflate(&client->pmd, at, size, &deflated);
    wst_client_frames(client, &(wst_frame){.opcode = opcode, .rsv = WST_RSV1}, deflated.at,
                      deflated.size, fragment, out);
    wst_buffer_deinit(&deflated);
}

dx_peer_status wst_client_close(wst_client *client, uint16_t code, const char *reason)
{
    uint8_t payload[125] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t size = code ? 2 : 0;
    wst_buffer out = {0};

    if (code && reason) {
        size_t reason_size = strlen(reason);
        memcpy(payload + 2, reason, reason_size < 123 ? reason_size : 123);
        size += reason_size < 123 ? reason_size : 123;
    }
    dx_peer_skip(&client->peer, client->skip); /* a send may move the input */
    client->skip = 0;
    wst_frame_write(&out, &(wst_frame){.opcode = WST_CLOSE}, payload, size, wst_client_key(client));
    dx_peer_status status = dx_peer_send(&client->peer, out.at, out.size, client->wait_ms);
    wst_buffer_deinit(&out);
    return status;
}
