/* The model server: sockets, threads, and the frames of one connection. See ws_model.h.
 * Memory:  a session lives on its thread's stack.
 * Threads: one listens, one for each connection; `model.live` counts them, stop waits for zero.
 * Source:  RFC 6455 §5, §7; RFC 7692 §7.2.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_model.h"
#include "tests/conformance/ws_pmd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 65536,
    IDLE_MS = 15000,
    LINGER_MS = 1500,
    HEAD_BYTES_MAX = 16384,
};

struct wst_model {
    wst_model_options options;
    int listener;
    unsigned port;
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_int live;
};

typedef enum verdict { GO_ON, CLOSED_WELL, FAILED, GONE } verdict;

typedef struct session {
    const wst_model_options *options;
    const atomic_bool *stopping;
    int fd;
    wst_buffer in, out, message, held;
    size_t at; /* in `in` */
    bool has_head;
    wst_head head;
    uint64_t got; /* octets of the payload taken */
    uint8_t control[125];
    uint8_t opcode; /* of the open message; 0: none */
    bool is_deflated, has_pmd;
    size_t fragments;
    wst_utf8 utf8;
    wst_pmd pmd;
    double control_tokens;
    int64_t control_ms;
    uint16_t fail_code;
    uint8_t late_ping[125]; /* WST_FAULT_LAST_PONG_ONLY */
    size_t late_ping_size;
    bool has_late_ping;
} session;

static bool is(const session *s, wst_fault fault)
{
    return s->options->fault == fault;
}

/* ---- output ---- */

static void put_frame(session *s, wst_buffer *to, uint8_t opcode, uint8_t rsv, const void *at,
                      size_t size)
{
    wst_frame frame = {.opcode = opcode, .rsv = rsv, .unmasked = !is(s, WST_FAULT_MASKED)};

    if (is(s, WST_FAULT_LONG_LENGTH) && opcode < 8)
        frame.length_bits = 64;
    wst_frame_write(to, &frame, at, size, 0x12345679);
}

static void echo(session *s, uint8_t opcode, const uint8_t *at, size_t size)
{
    wst_buffer deflated = {0};

    if (is(s, WST_FAULT_WRONG_KIND))
        opcode = WST_BINARY;
    if (s->has_pmd) {
        wst_pmd_deflate(&s->pmd, at, size, &deflated);
        put_frame(s, &s->out, opcode, WST_RSV1, deflated.at, deflated.size);
    } else {
        put_frame(s, &s->out, opcode, 0, at, size);
        if (is(s, WST_FAULT_WRONG_OCTET) && size > 0)
            s->out.at[s->out.size - 1] ^= 1;
    }
    wst_buffer_deinit(&deflated);
}

static bool wait_for(const session *s, short events, int ms)
{
    for (; ms > 0 && !atomic_load(s->stopping); ms -= 100) {
        struct pollfd item = {.fd = s->fd, .events = events};
        if (poll(&item, 1, ms < 100 ? ms : 100) > 0)
            return true;
    }
    return false;
}

static bool flush(session *s)
{
    size_t sent = 0;

    while (sent < s->out.size) {
        ssize_t count =
            send(s->fd, s->out.at + sent, s->out.size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0)
            sent += (size_t)count;
        else if (errno != EAGAIN || !wait_for(s, POLLOUT, IDLE_MS))
            return false;
    }
    s->out.size = 0;
    return true;
}

static verdict fail(session *s, uint16_t code)
{
    s->fail_code = is(s, WST_FAULT_WRONG_CODE) && code == 1002 ? 1008 : code;
    return FAILED;
}

/* ---- control frames ---- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool control_allowed(session *s)
{
    int64_t now = now_ms();

    s->control_tokens += (double)(now - s->control_ms) * 0.020;
    s->control_ms = now;
    if (s->control_tokens > 100)
        s->control_tokens = 100;
    s->control_tokens -= 1;
    return s->control_tokens >= 0 || is(s, WST_FAULT_CONTROLS_OK);
}

static bool is_legal_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static verdict take_close(session *s, const uint8_t *at, size_t size)
{
    static const uint8_t code_1005[] = {1005 >> 8, 1005 & 255};

    if (size == 1)
        return fail(s, 1002);
    if (size >= 2 && !is(s, WST_FAULT_CODE_UNCHECKED) &&
        !is_legal_code((unsigned)(at[0] << 8 | at[1])))
        return fail(s, 1002);
    if (size > 2 && !is(s, WST_FAULT_REASON_UNCHECKED) && !wst_utf8_whole(at + 2, size - 2))
        return fail(s, 1007);
    if (size == 0 && is(s, WST_FAULT_SENDS_1005))
        put_frame(s, &s->out, WST_CLOSE, 0, code_1005, 2);
    else
        put_frame(s, &s->out, WST_CLOSE, 0, at, size >= 2 ? 2 : 0);
    if (is(s, WST_FAULT_CLOSE_TWICE))
        put_frame(s, &s->out, WST_CLOSE, 0, at, size >= 2 ? 2 : 0);
    return is(s, WST_FAULT_PONG_AFTER_CLOSE) ? GO_ON : CLOSED_WELL;
}

static verdict take_control(session *s)
{
    size_t size = (size_t)s->head.length;

    if (!control_allowed(s))
        return fail(s, 1008);
    if (s->head.opcode == WST_CLOSE)
        return take_close(s, s->control, size);
    if (s->head.opcode == WST_PONG)
        return GO_ON;
    if (is(s, WST_FAULT_LAST_PONG_ONLY)) {
        memcpy(s->late_ping, s->control, size);
        s->late_ping_size = size;
        s->has_late_ping = true;
        return GO_ON;
    }
    bool is_late = is(s, WST_FAULT_LATE_PONG) && s->opcode;
    put_frame(s, is_late ? &s->held : &s->out, WST_PONG, 0, s->control,
              is(s, WST_FAULT_EMPTY_PONG) ? 0 : size);
    return GO_ON;
}

/* ---- messages ---- */

static verdict finish_message(session *s)
{
    const uint8_t *at = s->message.at;
    size_t size = s->message.size;
    wst_buffer inflated = {0};
    uint8_t opcode = s->opcode;
    verdict result = GO_ON;

    s->opcode = 0;
    if (s->is_deflated) {
        size_t max = is(s, WST_FAULT_BOMB_OK) ? SIZE_MAX / 2 : s->options->message_max;
        wst_inflate_status status = wst_pmd_inflate(&s->pmd, at, size, max, &inflated);
        if (is(s, WST_FAULT_FORGETS_WINDOW))
            inflateReset(&s->pmd.inflate);
        if (status == WST_INFLATE_TOO_BIG)
            result = fail(s, 1009);
        if (status == WST_INFLATE_BAD)
            result = fail(s, is(s, WST_FAULT_BAD_DEFLATE_1002) ? 1002 : 1007);
        at = inflated.at;
        size = inflated.size;
    }
    bool is_checked = is(s, WST_FAULT_UTF8_LATE) || s->is_deflated;
    if (result == GO_ON && opcode == WST_TEXT && is_checked && !wst_utf8_whole(at, size))
        result = fail(s, 1007);
    if (result == GO_ON)
        echo(s, opcode, at, size);
    wst_buffer_add(&s->out, s->held.at, s->held.size);
    s->held.size = 0;
    wst_buffer_deinit(&inflated);
    return result;
}

static void hide_surrogates(uint8_t *at, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (at[i] == 0xed && at[i + 1] >= 0xa0)
            at[i + 1] = 0x90;
}

static verdict check_utf8(session *s, const uint8_t *at, size_t size, bool is_frame_end)
{
    wst_buffer copy = {0};
    bool is_good;

    if (s->opcode != WST_TEXT || s->is_deflated || is(s, WST_FAULT_UTF8_UNCHECKED) ||
        is(s, WST_FAULT_UTF8_LATE))
        return GO_ON;
    wst_buffer_add(&copy, at, size);
    if (is(s, WST_FAULT_UTF8_SURROGATES_OK))
        hide_surrogates(copy.at, size);
    is_good = wst_utf8_feed(&s->utf8, copy.at, size);
    wst_buffer_deinit(&copy);
    bool must_be_whole = is_frame_end && (s->head.fin || is(s, WST_FAULT_UTF8_BY_FRAME));
    return !is_good || (must_be_whole && s->utf8.need) ? fail(s, 1007) : GO_ON;
}

/* ---- frames ---- */

static verdict check_data_head(session *s)
{
    const wst_head *head = &s->head;
    bool is_first = head->opcode != WST_CONTINUATION;

    if (is_first && s->opcode)
        return fail(s, 1002);
    if (!is_first && !s->opcode && !is(s, WST_FAULT_STRAY_OK))
        return fail(s, 1002);
    if (is_first || !s->opcode) {
        s->opcode = is_first ? head->opcode : WST_TEXT;
        s->is_deflated = head->rsv & WST_RSV1;
        s->message.size = 0;
        s->fragments = 0;
        s->utf8 = (wst_utf8){0};
    }
    if (!is(s, WST_FAULT_SIZE_UNLIMITED) && !is(s, WST_FAULT_SIZE_AT_END) &&
        head->length > s->options->message_max - s->message.size)
        return fail(s, 1009);
    if (++s->fragments > 1024 + (s->message.size + head->length) / 32 &&
        !is(s, WST_FAULT_FRAGMENTS_OK))
        return fail(s, 1008);
    return GO_ON;
}

static verdict check_head(session *s)
{
    const wst_head *head = &s->head;
    bool is_control = head->opcode >= 8;
    bool may_rsv1 = s->has_pmd && ((!is_control && head->opcode != WST_CONTINUATION) ||
                                   is(s, WST_FAULT_RSV1_ANYWHERE));

    if (!head->masked && !is(s, WST_FAULT_UNMASKED_OK))
        return fail(s, 1002);
    if (head->rsv && !(head->rsv == WST_RSV1 && may_rsv1))
        return fail(s, 1002);
    bool is_known = head->opcode <= WST_BINARY || (is_control && head->opcode <= WST_PONG);
    if (!is_known && !is(s, WST_FAULT_UNKNOWN_OPCODE_OK))
        return fail(s, 1002);
    if (!head->shortest && !is(s, WST_FAULT_LENGTH_OK))
        return fail(s, 1002);
    if (head->length >> 63 || (is_control && (head->length > 125 || !head->fin)))
        return fail(s, 1002);
    return is_control || !is_known ? GO_ON : check_data_head(s);
}

static verdict take_payload(session *s)
{
    wst_head *head = &s->head;
    size_t there = s->in.size - s->at;
    size_t size = head->length - s->got < there ? (size_t)(head->length - s->got) : there;
    uint8_t *at = s->in.at + s->at;
    verdict result = GO_ON;

    if (head->masked && size > 0)
        wst_mask(at, size, head->key, (size_t)s->got);
    if (head->opcode >= WST_CLOSE && head->opcode <= WST_PONG)
        memcpy(s->control + s->got, at, size);
    else if (head->opcode <= WST_BINARY)
        wst_buffer_add(&s->message, at, size);
    s->at += size;
    s->got += size;
    bool is_end = s->got == head->length;
    if (head->opcode <= WST_BINARY) {
        result = check_utf8(s, at, size, is_end);
        if (is(s, WST_FAULT_SIZE_AT_END) && is_end && s->message.size > s->options->message_max)
            result = fail(s, 1009);
    }
    if (result != GO_ON || !is_end)
        return result;
    s->has_head = false;
    if (head->opcode >= WST_CLOSE && head->opcode <= WST_PONG)
        return take_control(s);
    return head->opcode <= WST_BINARY && head->fin ? finish_message(s) : GO_ON;
}

/* Everything that is in `in`. */
static verdict take_input(session *s)
{
    verdict result = GO_ON;

    while (result == GO_ON) {
        if (!s->has_head) {
            size_t there = s->in.size - s->at;
            if (!wst_head_read(s->in.at + s->at, there, &s->head)) {
                if (there > 0 && is(s, WST_FAULT_WHOLE_HEADS))
                    return fail(s, 1002);
                break;
            }
            s->at += s->head.size;
            s->has_head = true;
            s->got = 0;
            result = check_head(s);
        } else if (s->at == s->in.size && s->got < s->head.length) {
            break;
        } else {
            result = take_payload(s);
        }
    }
    if (s->at == s->in.size)
        s->in.size = s->at = 0;
    return result;
}

/* ---- a connection ---- */

static verdict read_more(session *s)
{
    if (s->at > 0 && s->at < s->in.size) {
        memmove(s->in.at, s->in.at + s->at, s->in.size - s->at);
        s->in.size -= s->at;
        s->at = 0;
    }
    if (!wait_for(s, POLLIN, IDLE_MS))
        return GONE;
    uint8_t *room = wst_buffer_grow(&s->in, READ_BYTES);
    ssize_t count = recv(s->fd, room, READ_BYTES, 0);
    s->in.size -= READ_BYTES - (count > 0 ? (size_t)count : 0);
    if (count == 0 && is(s, WST_FAULT_FIN_IGNORED))
        while (!atomic_load(s->stopping))
            usleep(10000);
    return count > 0 ? GO_ON : GONE;
}

static verdict shake_hands(session *s)
{
    char extension[256];
    uint8_t *end = NULL;

    while (!end) {
        if (s->in.size > HEAD_BYTES_MAX || read_more(s) != GO_ON)
            return GONE;
        end = memmem(s->in.at, s->in.size, "\r\n\r\n", 4);
    }
    s->at = (size_t)(end - s->in.at) + 4;
    char *head = strndup((const char *)s->in.at, s->at);
    if (!head)
        abort();
    bool is_good = wst_model_answer(s->options, head, &s->out, extension);
    free(head);
    if (!is_good)
        return CLOSED_WELL;
    wst_pmd_terms terms = {0};
    if (*extension && wst_pmd_terms_read(extension, strlen(extension), false, &terms)) {
        if (is(s, WST_FAULT_WIDE_WINDOW))
            terms.server_bits = 15;
        if (is(s, WST_FAULT_KEEPS_CONTEXT))
            terms.server_no_context = false;
        wst_pmd_init(&s->pmd, &terms, true);
        s->has_pmd = true;
    }
    return flush(s) ? GO_ON : GONE;
}

static void put_late_pong(session *s)
{
    if (s->has_late_ping)
        put_frame(s, &s->out, WST_PONG, 0, s->late_ping, s->late_ping_size);
    s->has_late_ping = false;
}

static void say_failure(session *s)
{
    uint8_t code[2] = {(uint8_t)(s->fail_code >> 8), (uint8_t)s->fail_code};

    if (is(s, WST_FAULT_ECHO_LOST))
        s->out.size = 0;
    if (!is(s, WST_FAULT_NO_CLOSE))
        put_frame(s, &s->out, WST_CLOSE, 0, code, sizeof code);
}

/* FIN, then read what the client still sends, or the kernel answers it by RST. */
static void end_tcp(session *s, verdict result)
{
    struct linger now = {.l_onoff = 1};

    flush(s);
    if (is(s, WST_FAULT_NEVER_CLOSES_TCP) && result != GONE)
        while (!atomic_load(s->stopping))
            usleep(10000);
    if (is(s, WST_FAULT_RST)) {
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else {
        int64_t deadline = now_ms() + LINGER_MS;
        uint8_t waste[4096];
        shutdown(s->fd, SHUT_WR);
        while (now_ms() < deadline && wait_for(s, POLLIN, LINGER_MS))
            if (recv(s->fd, waste, sizeof waste, 0) <= 0)
                break;
    }
    close(s->fd);
}

static void serve(session *s)
{
    verdict result = shake_hands(s);

    while (result == GO_ON) {
        result = take_input(s);
        put_late_pong(s);
        if (result == FAILED)
            say_failure(s);
        if (!flush(s))
            result = GONE;
        if (result == GO_ON)
            result = read_more(s);
    }
    end_tcp(s, result);
}

typedef struct connection {
    wst_model *model;
    int fd;
} connection;

static void *serve_thread(void *context)
{
    connection one = *(connection *)context;
    session s = {.options = &one.model->options,
                 .stopping = &one.model->stopping,
                 .fd = one.fd,
                 .control_tokens = 100,
                 .control_ms = now_ms()};

    free(context);
    serve(&s);
    if (s.has_pmd)
        wst_pmd_deinit(&s.pmd);
    wst_buffer_deinit(&s.in);
    wst_buffer_deinit(&s.out);
    wst_buffer_deinit(&s.message);
    wst_buffer_deinit(&s.held);
    atomic_fetch_sub(&one.model->live, 1);
    return NULL;
}

static void start_connection(wst_model *model, int fd)
{
    connection *one = malloc(sizeof *one);
    pthread_t thread;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    atomic_fetch_add(&model->live, 1);
    if (one)
        *one = (connection){model, fd};
    if (!one || pthread_create(&thread, NULL, serve_thread, one))
        abort();
    pthread_detach(thread);
}

static void *accept_thread(void *context)
{
    wst_model *model = context;

    while (!atomic_load(&model->stopping)) {
        struct pollfd item = {.fd = model->listener, .events = POLLIN};
        if (poll(&item, 1, 50) <= 0)
            continue;
        int fd = accept4(model->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_connection(model, fd);
    }
    return NULL;
}

/* ---- life ---- */

wst_model *wst_model_start(const wst_model_options *options)
{
    wst_model *model = calloc(1, sizeof *model);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    if (!model)
        return NULL;
    model->options = *options;
    model->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (model->listener < 0 || bind(model->listener, (struct sockaddr *)&address, size) ||
        listen(model->listener, 256) ||
        getsockname(model->listener, (struct sockaddr *)&address, &size) ||
        pthread_create(&model->acceptor, NULL, accept_thread, model)) {
        if (model->listener >= 0)
            close(model->listener);
        free(model);
        return NULL;
    }
    model->port = ntohs(address.sin_port);
    return model;
}

unsigned wst_model_port(const wst_model *model)
{
    return model->port;
}

void wst_model_stop(wst_model *model)
{
    atomic_store(&model->stopping, true);
    pthread_join(model->acceptor, NULL);
    while (atomic_load(&model->live) > 0)
        usleep(1000);
    close(model->listener);
    free(model);
}
