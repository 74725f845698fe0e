/* A connection through TLS: what comes is decrypted in place, what leaves is encrypted when it leaves.
 * Is:     the handshake, records in and out, close_notify, the alerts of a failure.
 * Is not: how it begins (conn_tls_shake.c), contexts and certificates (tls.c), the queue of what is not
 *         encrypted yet (conn_out.c).
 * Memory: all connections of a loop share one BIO, one record's worth of scratch. OpenSSL is given whole
 *         records only, so that it keeps no buffer between them.
 * Source: RFC 8446 §5, §6.1; RFC 5246.
 * SPDX-License-Identifier: MIT */
#include "net/conn_tls.h"

#include "base/assert.h"
#include "net/conn_tls_shake.h"
#include "net/socket.h"
#include "net/tls_inner.h"

#include <openssl/err.h>
#include <stdlib.h>

enum {
    RECORD_HEAD_BYTES = 5,
    RECORD_BYTES_MAX = DX_TLS_RECORD_BYTES,        /* of plaintext */
    RECORD_WIRE_BYTES_MAX = RECORD_BYTES_MAX + 2048, /* RFC 5246 §6.2.3; TLS 1.3 allows less */
    RECORD_MORE_BYTES = 64, /* at most, that a record of ours is larger than its content */
    ENCRYPT_BYTES_MAX = 128 * 1024,                /* at a time, of what is queued and of what is pulled */
    RECORD_TYPE_FIRST = 20,                        /* change_cipher_spec */
    RECORD_TYPE_LAST = 23,                         /* application_data */
    WINDOW_MS = 10000,                             /* in each such window, */
    MESSAGES_MAX = 100,                            /* so many KeyUpdates and such are taken */
};

static dx_conn_tls *tls_of(dx_conn *c)
{
    dx_assert(c->is_tls);
    return (dx_conn_tls *)c;
}

/* ---- birth and death -------------------------------------------------------------------------- */

dx_err dx_conn_tls_init(dx_conn_tls *t, dx_tls *tls, const dx_conn_target *to)
{
    dx_net *net = t->conn.net;

    dx_assert(tls->is_client == (to != NULL && to->host != NULL));
    dx_list_init(&t->shaking);
    if (net->tls == NULL)
        net->tls = dx_net_tls_new();
    if (net->tls == NULL)
        return DX_ERR_MEMORY;
    t->tls = tls;
    t->set = dx_tls_set_current(tls);
    if (to == NULL || dx_tls_shake_make(t, to)) /* a server waits until something comes */
        return DX_OK;
    dx_conn_tls_deinit(t);
    ERR_clear_error();
    return DX_ERR_MEMORY;
}

void dx_conn_tls_deinit(dx_conn_tls *t)
{
    while (t->first)
        dx_tls_out_drop_first(t);
    t->conn.flight_out = 0;
    dx_buffer_clear(&t->part);
    dx_tls_shake_end(t);
    SSL_free(t->ssl);
    t->ssl = NULL;
    free(t->subject);
    t->subject = NULL;
    dx_tls_set_unref(t->set);
    t->set = NULL;
}

/* ---- failures --------------------------------------------------------------------------------- */

/* OpenSSL gave up: its alert is sent, as far as it can be at once. */
static void fail(dx_conn_tls *t)
{
    dx_conn *c = &t->conn;
    dx_err err = c->net->tls->is_out_of_memory ? DX_ERR_MEMORY : DX_ERR_PROTOCOL;
    bool is_first = c->state == DX_CONN_CONNECTING;
    size_t sent = 0;

    t->why = dx_tls_why(t);
    dx_tls_shake_end(t);
    c->net->counts.handshakes_failed += is_first;
    if (is_first)
        dx_log_write(c->net->log, DX_LOG_DEBUG, "TLS handshake failed: %s", t->why);
    if (c->flight_out > 0 && !c->is_sending && !c->is_blocked &&
        dx_io_send_now(&c->io, &(struct iovec){(void *)t->first->at, t->first->size}, 1, &sent) == DX_OK)
        dx_tls_out_consume(t, sent);
    if (is_first && !t->tls->is_client && !c->is_sending && err == DX_ERR_PROTOCOL) {
        c->why = err; /* not at once: what the client has sent meanwhile would make a reset of it, and the
                         alert be lost */
        c->write_due_ms = 0;
        dx_conn_linger(c);
    } else {
        dx_conn_abort(c, err, false);
    }
}

/* A client that speaks no TLS: told so in clear, if it may be somebody who can read. */
static void dismiss(dx_conn_tls *t)
{
    dx_conn *c = &t->conn;

    c->net->counts.not_tls++;
    if (t->tls->plain_answer.size == 0 || !dx_tls_out_append(t, t->tls->plain_answer)) {
        dx_conn_abort(c, DX_ERR_PROTOCOL, true);
        return;
    }
    c->why = DX_ERR_PROTOCOL;
    c->write_due_ms = 0;
    dx_conn_drop_output(c); /* that was for a client's eyes behind TLS */
    dx_conn_enter(c, DX_CONN_OPEN);
    dx_conn_finish(c);
}

/* ---- input ------------------------------------------------------------------------------------ */

/* The size of the record that begins at `at`, by its head; 0: there is no record like that. */
static size_t record_bytes(const uint8_t *at)
{
    size_t size = (size_t)at[3] << 8 | at[4];
    bool is_one = at[0] >= RECORD_TYPE_FIRST && at[0] <= RECORD_TYPE_LAST && size <= RECORD_WIRE_BYTES_MAX;
    return is_one ? RECORD_HEAD_BYTES + size : 0;
}

/* How many of these bytes are whole records. All, if they are none: OpenSSL shall say what is wrong. */
static size_t whole_records(dx_bytes in)
{
    size_t at = 0;

    while (in.size - at >= RECORD_HEAD_BYTES) {
        size_t size = record_bytes(in.at + at);
        if (size == 0)
            return in.size;
        if (in.size - at < size)
            break;
        at += size;
    }
    return at;
}

/* How many bytes are missing from a part of a record, as far as it tells; 0: none. */
static size_t missing_bytes(dx_bytes part)
{
    if (part.size < RECORD_HEAD_BYTES)
        return RECORD_HEAD_BYTES - part.size;
    size_t size = record_bytes(part.at);
    return size > part.size ? size - part.size : 0;
}

typedef enum verdict { GOES_ON, PEER_ENDED, FAILED } verdict;

static verdict judge(dx_conn_tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) { /* an int */
    case SSL_ERROR_WANT_READ: return GOES_ON;
    case SSL_ERROR_ZERO_RETURN: return PEER_ENDED;
    default: return FAILED;
    }
}

static void set_opened(dx_conn_tls *t)
{
    dx_tls_shake_end(t);
    dx_tls_take_name(t);
    dx_tls_set_unref(t->set);
    t->set = NULL;
    if (!t->tls->is_client) {
        t->conn.net->counts.handshakes[SSL_version(t->ssl) == TLS1_3_VERSION]++;
        t->conn.net->counts.resumed += SSL_session_reused(t->ssl) == 1;
    }
    t->conn.write_due_ms = 0; /* the handshake's deadline */
    dx_conn_on_open(&t->conn);
}

/* Shakes hands on; GOES_ON with the state OPEN when that is over. */
static verdict shake_hands(dx_conn_tls *t)
{
    ERR_clear_error(); /* callbacks leave things there; after the handshake nothing does */
    int result = SSL_do_handshake(t->ssl);
    return result == 1 ? GOES_ON : judge(t, result);
}

/* Decrypts all records into `to`, which may be where they lie: what was read is always longer. */
static verdict decrypt(dx_conn_tls *t, dx_net_tls *n, uint8_t *to, size_t max, size_t *size)
{
    *size = 0;
    while (n->in.size > 0 || SSL_has_pending(t->ssl)) {
        size_t before = n->in.size;
        int got = SSL_read(t->ssl, to + *size, (int)(max - *size));
        if (got > 0)
            *size += (size_t)got;
        else if (judge(t, got) != GOES_ON || n->in.size == before)
            return judge(t, got);
    }
    return GOES_ON;
}

/* More than anybody needs? */
static bool is_flooded(dx_conn_tls *t)
{
    uint32_t now_ms = (uint32_t)dx_conn_now_ms(&t->conn);

    if (t->messages == 0)
        return false;
    if (now_ms - t->window_ms >= WINDOW_MS) {
        t->window_ms = now_ms;
        t->messages = 1;
    }
    return t->messages > MESSAGES_MAX;
}

static void take_records(dx_conn_tls *t, uint8_t *at, size_t size)
{
    dx_conn *c = &t->conn;
    dx_net_tls *n = dx_net_tls_enter(t, dx_bytes_at(at, size));
    verdict v = GOES_ON;
    size_t plain = 0;

    if (c->state == DX_CONN_CONNECTING) {
        v = shake_hands(t);
        if (v == GOES_ON && SSL_is_init_finished(t->ssl)) {
            dx_bytes rest = n->in;
            set_opened(t); /* which may encrypt something */
            if (c->state != DX_CONN_OPEN)
                return;
            n = dx_net_tls_enter(t, rest);
        }
    }
    if (v == GOES_ON && c->state == DX_CONN_OPEN)
        v = decrypt(t, n, at, size, &plain);
    if (v == FAILED) {
        fail(t);
        return;
    }
    if (is_flooded(t)) {
        t->why = "too many TLS messages beside the data";
        c->net->counts.tls_floods++;
        dx_conn_abort(c, DX_ERR_PROTOCOL, true);
        return;
    }
    if (c->flight_out > 0)
        dx_conn_wake(c);
    if (plain > 0)
        dx_conn_on_input(c, at, plain);
    if (v == PEER_ENDED && c->state == DX_CONN_CONNECTING)
        dx_conn_abort(c, DX_ERR_RESET, false);
    else if (v == PEER_ENDED && c->state != DX_CONN_CLOSED)
        dx_conn_on_input_end(c);
}

/* Completes the record that had come in part, if it can; gives how many bytes that took. */
static size_t complete_part(dx_conn_tls *t, dx_bytes in)
{
    size_t used = 0, missing;

    while ((missing = missing_bytes(dx_buffer_view(&t->part))) > 0 && used < in.size) {
        size_t take = dx_min_size(missing, in.size - used);
        if (!dx_buffer_append(&t->part, (dx_bytes){in.at + used, take})) {
            dx_conn_abort(&t->conn, DX_ERR_MEMORY, true);
            return in.size;
        }
        used += take;
    }
    if (missing > 0)
        return used;
    dx_buffer whole = t->part;
    t->part = (dx_buffer){0};
    take_records(t, whole.at, whole.size);
    dx_buffer_clear(&whole);
    return used;
}

static bool is_ending(const dx_conn *c)
{
    return c->state != DX_CONN_CONNECTING && c->state != DX_CONN_OPEN;
}

/* The first bytes have come at a server. */
static void begin(dx_conn_tls *t, uint8_t first)
{
    t->is_begun = true;
    if (first < RECORD_TYPE_FIRST || first > RECORD_TYPE_LAST) {
        dismiss(t);
    } else if (dx_tls_shake_make(t, NULL)) {
        dx_tls_shake_begin(t);
    } else {
        ERR_clear_error();
        dx_conn_abort(&t->conn, DX_ERR_MEMORY, true);
    }
}

static void on_recv(dx_io *io, uint8_t *at, size_t size)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    dx_conn_tls *t = tls_of(c);
    size_t used = 0;

    c->net->bytes_in += size;
    if (is_ending(c)) {
        dx_conn_discard(c, size);
        return;
    }
    if (c->is_fin_seen) { /* RFC 8446 §6.1: what comes after close_notify is nothing */
        dx_io_recv_stop(io);
        return;
    }
    if (!t->is_begun && !t->tls->is_client)
        begin(t, at[0]);
    if (is_ending(c))
        return;
    if (t->part.size > 0)
        used = complete_part(t, dx_bytes_at(at, size));
    if (is_ending(c) || c->is_fin_seen || used == size)
        return;
    size_t whole = whole_records(dx_bytes_at(at + used, size - used)), rest = size - used - whole;
    if (rest > 0 && !dx_buffer_append(&t->part, dx_bytes_at(at + used + whole, rest)))
        dx_conn_abort(c, DX_ERR_MEMORY, true);
    else if (whole > 0)
        take_records(t, at + used, whole);
}

/* FIN without close_notify before: something may be missing (RFC 8446 §6.1). */
static void on_recv_end(dx_io *io, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    dx_conn_tls *t = tls_of(c);

    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
    } else if (c->state == DX_CONN_FLUSHING || c->state == DX_CONN_LINGERING) {
        dx_conn_on_input_end(c);
    } else if (!c->is_fin_seen) {
        t->why = c->state == DX_CONN_OPEN ? "the connection was cut: it ended without a TLS close"
                                          : "the connection ended during the TLS handshake";
        dx_conn_abort(c, DX_ERR_RESET, false);
    }
}

/* ---- output ----------------------------------------------------------------------------------- */

static size_t wire_bytes(size_t plain)
{
    return plain + (plain / RECORD_BYTES_MAX + 1) * RECORD_MORE_BYTES;
}

static bool encrypt_piece(dx_conn_tls *t, const uint8_t *at, size_t size)
{
    return size == 0 || SSL_write(t->ssl, at, (int)size) == (int)size;
}

/* Whole records from where the bytes lie, small pieces by way of the scratch. */
static bool encrypt(dx_conn_tls *t, const struct iovec *iov, uint32_t count)
{
    dx_net_tls *n = dx_net_tls_enter(t, (dx_bytes){0});
    size_t used = 0;

    for (uint32_t i = 0; i < count; i++) {
        dx_bytes in = dx_bytes_at(iov[i].iov_base, iov[i].iov_len);
        if (count == 1) /* nothing to put together */
            return encrypt_piece(t, in.at, in.size);
        while (in.size > 0) {
            size_t part = dx_min_size(in.size, RECORD_BYTES_MAX - used);
            if (part == RECORD_BYTES_MAX) {
                part = in.size / RECORD_BYTES_MAX * RECORD_BYTES_MAX;
                if (!encrypt_piece(t, in.at, part))
                    return false;
            } else {
                memcpy(n->scratch + used, in.at, part);
                used += part;
            }
            dx_bytes_skip(&in, part);
            if (used == RECORD_BYTES_MAX) {
                if (!encrypt_piece(t, n->scratch, used))
                    return false;
                used = 0;
            }
        }
    }
    return encrypt_piece(t, n->scratch, used);
}

static void encrypt_failed(dx_conn_tls *t)
{
    dx_err err = t->conn.net->tls->is_out_of_memory ? DX_ERR_MEMORY : DX_ERR_PROTOCOL;

    t->why = dx_tls_complaint(dx_err_text(err));
    dx_conn_abort(&t->conn, err, true);
}

static size_t iov_bytes(const struct iovec *iov, uint32_t count)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

/* What is queued and pulled becomes records: it counts as sent. */
static void encrypt_load(dx_conn_tls *t)
{
    dx_conn *c = &t->conn;
    dx_conn_load load;

    if (t->ssl == NULL)
        return;
    dx_conn_gather(c, ENCRYPT_BYTES_MAX, &load);
    if (load.count == 0 || !dx_conn_can_send(c))
        return;
    size_t size = (size_t)load.out + load.pulled;
    if (!dx_tls_out_reserve(t, wire_bytes(size)))
        dx_conn_abort(c, DX_ERR_MEMORY, true);
    else if (!encrypt(t, load.iov, load.count))
        encrypt_failed(t);
    else
        dx_conn_took(c, &load, size);
}

static void notify_end(dx_conn_tls *t)
{
    if (t->is_notified || t->ssl == NULL)
        return;
    t->is_notified = true;
    dx_net_tls_enter(t, (dx_bytes){0});
    SSL_shutdown(t->ssl); /* 0: ours is made, the peer's has not come */
    ERR_clear_error();
}

static void send_records(dx_conn_tls *t)
{
    struct iovec iov[DX_CONN_IOV_MAX];
    uint32_t count = 0;

    t->sending = 0;
    for (dx_chunk *chunk = t->first; chunk && count < DX_CONN_IOV_MAX; chunk = chunk->next) {
        iov[count++] = (struct iovec){(void *)chunk->at, chunk->size};
        t->sending += (uint32_t)chunk->size;
    }
    t->conn.is_sending = true;
    dx_io_send(&t->conn.io, iov, count);
}

static bool is_way_free(const dx_conn *c)
{
    return !c->is_sending && !c->is_blocked && c->state != DX_CONN_LINGERING &&
           c->state != DX_CONN_CLOSED;
}

void dx_conn_tls_flush(dx_conn *c)
{
    dx_conn_tls *t = tls_of(c);

    t->is_wanted = !is_way_free(c) || c->flight_out > 0;
    if (!is_way_free(c))
        return;
    if (c->flight_out == 0 && dx_conn_can_send(c)) {
        dx_conn_tell_room(c);
        if (dx_conn_can_send(c))
            encrypt_load(t);
        if (!is_way_free(c))
            return;
        if (c->flight_out == 0 && c->state == DX_CONN_FLUSHING && c->out_bytes == 0)
            notify_end(t);
    }
    if (c->flight_out > 0)
        send_records(t);
    else if (c->state == DX_CONN_FLUSHING)
        dx_conn_linger(c);
}

size_t dx_conn_tls_write(dx_conn *c, const struct iovec *iov, uint32_t count)
{
    dx_conn_tls *t = tls_of(c);
    size_t size = iov_bytes(iov, count);

    if (c->state != DX_CONN_OPEN || c->out_first || c->is_pull_cut || t->ssl == NULL ||
        c->flight_out + size > ENCRYPT_BYTES_MAX)
        return 0;
    if (!dx_tls_out_reserve(t, wire_bytes(size))) {
        dx_conn_abort(c, DX_ERR_MEMORY, true);
        return 0;
    }
    if (!encrypt(t, iov, count))
        encrypt_failed(t);
    dx_conn_wake(c);
    return size;
}

static void on_sent(dx_io *io, size_t sent, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    dx_conn_tls *t = tls_of(c);

    c->net->bytes_out += sent;
    c->is_sending = false;
    c->is_blocked = err == DX_OK && sent < t->sending;
    if (c->state == DX_CONN_CLOSED)
        return;
    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
        return;
    }
    dx_tls_out_consume(t, sent);
    if (c->is_blocked) {
        if (sent > 0 || c->write_due_ms == 0)
            dx_conn_write_progress(c, true);
        return;
    }
    if (c->write_due_ms)
        dx_conn_write_progress(c, false);
    if (t->is_wanted || c->flight_out > 0 || c->out_first || c->is_room_wanted ||
        c->state == DX_CONN_FLUSHING || c->pauses)
        dx_conn_wake(c);
}

/* ---- beginnings ------------------------------------------------------------------------------- */

static void on_connect(dx_io *io, dx_err err)
{
    dx_conn *c = DX_CONTAINER(io, dx_conn, io);
    dx_conn_tls *t = tls_of(c);

    if (err != DX_OK) {
        dx_conn_abort(c, err, false);
        return;
    }
    dx_socket_tune(io->fd);
    dx_conn_set_handshake_deadline(c);
    dx_io_recv_start(io);
    dx_net_tls_enter(t, (dx_bytes){0});
    if (shake_hands(t) == FAILED)
        fail(t);
    else
        dx_conn_wake(c);
}

const dx_io_ops dx_conn_tls_io_ops = {
    .on_recv = on_recv,
    .on_recv_end = on_recv_end,
    .on_sent = on_sent,
    .on_writable = dx_conn_on_writable,
    .on_connect = on_connect,
    .on_closed = dx_conn_on_io_closed,
};

dx_bytes dx_conn_alpn(const dx_conn *c)
{
    const uint8_t *at = NULL;
    unsigned size = 0;

    if (c->is_tls && ((const dx_conn_tls *)c)->ssl)
        SSL_get0_alpn_selected(((const dx_conn_tls *)c)->ssl, &at, &size);
    return dx_bytes_at(at, size);
}

const char *dx_conn_why(const dx_conn *c)
{
    const char *why = c->is_tls ? ((const dx_conn_tls *)c)->why : NULL;
    return why ? why : dx_err_text(c->why);
}
