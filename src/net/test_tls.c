/* Tests of TLS: handshakes, records at every split, ends, failures; certificates.
 * SPDX-License-Identifier: MIT */
#include "net/test_tls_pair.h"

#include "net/conn_tls.h"
#include "net/tls_inner.h"
#include "tests/tap.h"

#include <sys/stat.h>
#include <unistd.h>

enum { KIB = 1024, MUCH = 900 * KIB };

static world w;
static pair p;
static dx_tls *server, *client;
static uint8_t bytes[MUCH];

static void begin_with(const dx_net_limits *limits, const char *ca, const char *host)
{
    certificates_make();
    world_init(&w, limits);
    server = server_tls(NULL, 0);
    client = client_tls(ca, false);
    pair_open(&p, &w, server, client, host);
}

static void begin(void)
{
    begin_with(NULL, dev.ca, "localhost");
}

static void finish(void)
{
    pair_close(&p);
    world_deinit(&w);
    dx_tls_free(server);
    dx_tls_free(client);
}

static void open_both(void)
{
    PAIR_UNTIL(&p, p.client.counts[PROBE_OPEN] == 1 && p.server.counts[PROBE_OPEN] == 1);
}

static SSL *ssl_of(const probe *of)
{
    return ((dx_conn_tls *)of->conn)->ssl;
}

LOOP_TEST("a handshake, bytes both ways, an orderly end; ALPN takes the first of ours that is offered")
{
    begin();
    CHECK(!dx_conn_is_open(p.server.conn));
    dx_conn_write(p.client.conn, DX_BYTES("early"));
    open_both();
    CHECK(dx_conn_is_open(p.server.conn));
    CHECK_BYTES(dx_conn_alpn(p.server.conn), "one");
    CHECK_BYTES(dx_conn_alpn(p.client.conn), "one");
    PAIR_UNTIL(&p, p.server.in.size == 5);
    CHECK_BYTES(p.server.in, "early");
    dx_conn_write(p.server.conn, DX_BYTES("answer"));
    PAIR_UNTIL(&p, p.client.in.size == 6);
    dx_conn_write(p.server.conn, DX_BYTES(" and the rest"));
    dx_conn_finish(p.server.conn);
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] && p.client.counts[PROBE_CLOSED]);
    CHECK_BYTES(p.client.in, "answer and the rest");
    CHECK_INT(p.client.counts[PROBE_END], 1);
    CHECK_INT(p.server.why, DX_OK);
    CHECK_INT(p.client.why, DX_OK);
    finish();
}

LOOP_TEST("§5.1 records that come byte by byte")
{
    begin();
    p.step = 1;
    open_both();
    for (unsigned i = 0; i < 3; i++) {
        dx_conn_write(p.client.conn, DX_BYTES("0123456789"));
        dx_conn_write(p.server.conn, DX_BYTES("abcdefghij"));
        PAIR_UNTIL(&p, p.server.in.size == 10 * (i + 1) && p.client.in.size == 10 * (i + 1));
    }
    CHECK_BYTES(p.server.in, "012345678901234567890123456789");
    CHECK(((dx_conn_tls *)p.server.conn)->part.at == NULL);
    finish();
}

/* Messages of 777 bytes are pulled while others are queued, large and small. */
static void move_much(size_t step)
{
    uint64_t seed = step;

    begin();
    fill_random(&seed, bytes, sizeof bytes);
    open_both();
    p.step = step;
    p.server.feed = bytes, p.server.feed_size = 700 * 777, p.server.message_bytes = 777;
    dx_conn_wake(p.server.conn);
    dx_conn_write_large(p.client.conn, dx_bytes_at(bytes, 9), dx_bytes_at(bytes + 9, MUCH - 9));
    PAIR_UNTIL(&p, p.client.in.size == 700 * 777 && p.server.in.size == MUCH);
    CHECK_MEM(p.client.in.at, p.client.in.size, bytes, 700 * 777);
    CHECK_MEM(p.server.in.at, p.server.in.size, bytes, MUCH);
    finish();
}

LOOP_TEST("much both ways, queued and pulled, in pieces of every kind")
{
    static const size_t steps[] = {4099, 16384, 16406, 65536};

    for (size_t i = 0; i < DX_COUNT(steps); i++)
        move_much(steps[i]);
}

LOOP_TEST("large and small writes leave in their order")
{
    size_t at = 0;

    begin();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    open_both();
    for (size_t i = 0; at + 3 * (size_t)i * 1000 + 50 < MUCH; i++) {
        dx_conn_write(p.server.conn, dx_bytes_at(bytes + at, 10));
        dx_conn_write_large(p.server.conn, dx_bytes_at(bytes + at + 10, 4), dx_bytes_at(bytes + at + 14, i * 3000));
        at += 14 + i * 3000;
        if (i % 3 == 0)
            pair_turn(&p);
        dx_conn_write_large(p.server.conn, dx_bytes_at(bytes + at, 3), dx_bytes_at(bytes + at + 3, 7));
        at += 10;
    }
    PAIR_UNTIL(&p, p.client.in.size == at);
    CHECK_MEM(p.client.in.at, p.client.in.size, bytes, at);
    finish();
}

LOOP_TEST("a peer that does not read holds up what is pulled, and little is encrypted ahead")
{
    begin();
    open_both();
    p.is_down_stopped = true;
    set_buffer_bytes(p.server.conn->io.fd, SO_SNDBUF, 4096);
    p.server.feed = bytes, p.server.feed_size = sizeof bytes;
    dx_conn_wake(p.server.conn);
    for (int i = 0; i < 50; i++)
        pair_turn(&p);
    CHECK(p.server.conn->is_blocked);
    CHECK(p.server.feed_at < sizeof bytes);
    CHECK(dx_conn_queued(p.server.conn) > 0 && dx_conn_queued(p.server.conn) < 300 * KIB);
    p.is_down_stopped = false;
    PAIR_UNTIL(&p, p.client.in.size == sizeof bytes);
    CHECK_INT(dx_conn_queued(p.server.conn), 0);
    finish();
}

LOOP_TEST("the rest of a message may be queued while what was encrypted of it is on its way")
{
    begin();
    open_both();
    p.is_down_stopped = true;
    set_buffer_bytes(p.server.conn->io.fd, SO_SNDBUF, 4096);
    p.server.feed = bytes, p.server.feed_size = p.server.message_bytes = sizeof bytes;
    dx_conn_wake(p.server.conn);
    PAIR_UNTIL(&p, p.server.conn->is_pull_cut);
    p.server.feed_size = p.server.feed_at; /* it is gone, as a feed's may be for who reads slowly */
    dx_conn_write_rest(p.server.conn, dx_bytes_at(bytes + p.server.feed_at, sizeof bytes - p.server.feed_at));
    p.is_down_stopped = false;
    PAIR_UNTIL(&p, p.client.in.size == sizeof bytes);
    CHECK_MEM(p.client.in.at, p.client.in.size, bytes, sizeof bytes);
    finish();
}

LOOP_TEST("room is told once all that was encrypted has left")
{
    begin();
    open_both();
    p.is_down_stopped = true;
    set_buffer_bytes(p.server.conn->io.fd, SO_SNDBUF, 4096);
    dx_conn_write(p.server.conn, dx_bytes_at(bytes, 100 * KIB));
    dx_conn_want_room(p.server.conn);
    for (int i = 0; i < 20; i++)
        pair_turn(&p);
    CHECK_INT(p.server.counts[PROBE_ROOM], 0);
    p.is_down_stopped = false;
    PAIR_UNTIL(&p, p.server.counts[PROBE_ROOM] == 1);
    CHECK(p.server.conn->flight_out == 0);
    finish();
}

LOOP_TEST("a paused connection is given what came, and then the end, when it goes on")
{
    begin();
    open_both();
    dx_conn_pause(p.server.conn);
    dx_conn_write(p.client.conn, DX_BYTES("kept"));
    dx_conn_finish(p.client.conn);
    for (int i = 0; i < 20; i++)
        pair_turn(&p);
    CHECK_INT(p.server.in.size, 0);
    dx_conn_resume(p.server.conn);
    PAIR_UNTIL(&p, p.server.counts[PROBE_END] == 1);
    CHECK_BYTES(p.server.in, "kept");
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] && p.client.counts[PROBE_CLOSED]);
    CHECK_INT(p.server.why, DX_OK);
    finish();
}

LOOP_TEST("§6.1 an end without close_notify is no end: the connection was cut")
{
    begin();
    open_both();
    dx_conn_write(p.client.conn, DX_BYTES("all?"));
    PAIR_UNTIL(&p, p.server.in.size == 4);
    shutdown(p.to_server, SHUT_WR);
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.server.counts[PROBE_END], 0);
    CHECK_INT(p.server.why, DX_ERR_RESET);
    finish();
}

LOOP_TEST("a byte that was turned over on the way ends both, and nothing of its record is given")
{
    begin();
    open_both();
    dx_conn_write(p.client.conn, DX_BYTES("good"));
    PAIR_UNTIL(&p, p.server.in.size == 4);
    p.spoilt = p.up + 12;
    dx_conn_write(p.client.conn, DX_BYTES("bad"));
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] && p.client.counts[PROBE_CLOSED]);
    CHECK_BYTES(p.server.in, "good");
    CHECK_INT(p.server.why, DX_ERR_PROTOCOL);
    finish();
}

LOOP_TEST("each byte of the client's handshake that is turned over ends it, without harm")
{
    size_t size;

    begin();
    open_both();
    size = p.up;
    finish();
    for (size_t i = 1; i <= size; i += 7) {
        begin();
        p.spoilt = i;
        for (int turns = 0; turns < 300 && (p.server.conn || p.client.conn) && !p.server.counts[PROBE_OPEN]; turns++)
            pair_turn(&p);
        finish();
    }
}

static void check_refusal(const char *ca, const char *host, const char *text)
{
    begin_with(NULL, ca, host);
    PAIR_UNTIL(&p, p.client.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.client.counts[PROBE_OPEN], 0);
    CHECK_INT(p.client.why, DX_ERR_PROTOCOL);
    CHECK(strstr(p.client.why_text, text) != NULL);
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.server.counts[PROBE_OPEN], 0);
    finish();
}

LOOP_TEST("a client refuses a server it cannot believe, and one that is somebody else")
{
    certificates_make();
    check_refusal(alone, "localhost", "self-signed");
    check_refusal(dev.ca, "other.example", "mismatch");
    check_refusal(dev.ca, "127.0.0.2", "mismatch");
    begin_with(NULL, dev.ca, "127.0.0.1");
    open_both();
    finish();
}

LOOP_TEST("a client that is told to believes anybody")
{
    certificates_make();
    world_init(&w, NULL);
    server = server_tls(NULL, 0);
    client = client_tls(NULL, true);
    pair_open(&p, &w, server, client, "other.example");
    open_both();
    finish();
}

LOOP_TEST("RFC 6066 §3: the first certificate for the name that the client asks for")
{
    certificates_make();
    dx_tls_pair pairs[] = {{dev.cert, dev.key}, {alone, alone_key}};

    world_init(&w, NULL);
    server = server_tls(pairs, 2);
    client = client_tls(alone, false);
    pair_open(&p, &w, server, client, "b.example");
    open_both();
    finish();
    world_init(&w, NULL);
    server = server_tls(pairs, 2);
    client = client_tls(dev.ca, false);
    pair_open(&p, &w, server, client, "localhost");
    open_both();
    finish();
}

static void write_and_wait(pair *in, size_t size)
{
    dx_conn_write(in->client.conn, dx_bytes_at(bytes, size));
    size += in->server.in.size;
    PAIR_UNTIL(in, in->server.in.size == size);
}

LOOP_TEST("new connections get what was loaded again, old ones go on; a bad file changes nothing")
{
    char cert[128], key[128], why[DX_TLS_WHY_BYTES];
    pair old;

    certificates_make();
    snprintf(cert, sizeof cert, "%s/x.pem", directory);
    snprintf(key, sizeof key, "%s/y.pem", directory);
    certificate_write(cert, key, "b.example", -60, 3600);
    world_init(&w, NULL);
    server = server_tls(&(dx_tls_pair){cert, key}, 1);
    client = client_tls(NULL, true);
    pair_open(&old, &w, server, client, "b.example");
    PAIR_UNTIL(&old, old.client.counts[PROBE_OPEN] && old.server.counts[PROBE_OPEN]);
    X509 *first = SSL_get1_peer_certificate(ssl_of(&old.client));
    pair_open(&p, &w, server, client, "b.example"); /* it begins with the old one, and keeps it */
    certificate_write(cert, key, "c.example", -60, 3600);
    CHECK_INT(dx_tls_reload(server, why), DX_OK);
    open_both();
    X509 *second = SSL_get1_peer_certificate(ssl_of(&p.client));
    CHECK_INT(X509_cmp(first, second), 0);
    X509_free(second);
    pair_close(&p);
    unlink(cert);
    CHECK_INT(dx_tls_reload(server, why), DX_ERR_NOT_FOUND);
    pair_open(&p, &w, server, client, "c.example");
    open_both();
    second = SSL_get1_peer_certificate(ssl_of(&p.client));
    CHECK(X509_cmp(first, second) != 0);
    write_and_wait(&p, 100);
    write_and_wait(&old, 100);
    X509_free(first);
    X509_free(second);
    pair_close(&old);
    finish();
}

/* Connects, with the session of before if there is one; gives whether it was taken up, and the new one. */
static bool resume(SSL_SESSION **session)
{
    pair_session = *session;
    pair_open(&p, &w, server, client, "localhost");
    pair_session = NULL;
    SSL_SESSION_free(*session);
    open_both();
    dx_conn_write(p.server.conn, DX_BYTES("x")); /* tickets come before it */
    PAIR_UNTIL(&p, p.client.in.size == 1);
    *session = SSL_get1_session(ssl_of(&p.client));
    bool is_reused = SSL_session_reused(ssl_of(&p.server));
    dx_conn_finish(p.client.conn); /* one that was cut is not taken up again */
    PAIR_UNTIL(&p, p.client.conn == NULL);
    pair_close(&p);
    return is_reused;
}

static void age_tickets(void)
{
    for (size_t i = 0; i < DX_TLS_TICKET_KEYS; i++)
        if (server->tickets[i].made_ms)
            server->tickets[i].made_ms -= DX_TLS_TICKET_KEY_S * 1000;
}

LOOP_TEST("RFC 5077: a ticket is good while one of three keys opens it, which change each hour")
{
    SSL_SESSION *session = NULL, *kept;

    certificates_make();
    world_init(&w, NULL);
    server = server_tls(NULL, 0);
    client = client_tls(dev.ca, false);
    CHECK(!resume(&session));
    CHECK(resume(&session));
    age_tickets();
    CHECK(resume(&session)); /* by the key of before */
    CHECK(resume(&session));
    kept = SSL_SESSION_dup(session);
    uint8_t name[16];
    memcpy(name, server->tickets[0].name, sizeof name);
    for (int i = 0; i < DX_TLS_TICKET_KEYS; i++) {
        age_tickets();
        SSL_SESSION *other = NULL;
        resume(&other);
        SSL_SESSION_free(other);
    }
    CHECK(memcmp(name, server->tickets[0].name, sizeof name) != 0);
    CHECK(!resume(&kept));
    SSL_SESSION_free(session);
    SSL_SESSION_free(kept);
    world_deinit(&w);
    dx_tls_free(server);
    dx_tls_free(client);
}

static void update_keys(int count)
{
    for (int i = 0; i < count && p.client.conn; i++) {
        SSL_key_update(ssl_of(&p.client), SSL_KEY_UPDATE_REQUESTED);
        dx_conn_write(p.client.conn, DX_BYTES("x"));
        pair_turn(&p);
    }
}

LOOP_TEST("§4.6.3 keys may be updated, but not without end")
{
    begin();
    open_both();
    update_keys(10);
    PAIR_UNTIL(&p, p.server.in.size == 10);
    CHECK(p.server.conn != NULL);
    update_keys(300);
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.server.why, DX_ERR_PROTOCOL);
    finish();
}

LOOP_TEST("an idle connection holds no buffer")
{
    begin();
    open_both();
    write_and_wait(&p, 40000);
    dx_conn_write(p.server.conn, dx_bytes_at(bytes, 40000));
    PAIR_UNTIL(&p, p.client.in.size == 40000);
    world_settle(&w);
    for (int i = 0; i < 2; i++) {
        const dx_conn_tls *t = (dx_conn_tls *)(i ? p.server.conn : p.client.conn);
        CHECK(t->first == NULL && t->part.at == NULL && t->conn.kept == NULL && t->set == NULL);
        CHECK_INT(SSL_has_pending(t->ssl), 0);
    }
    CHECK_INT(w.net.chunks.live_count, 0);
    finish();
}

/* ---- a bare client ---------------------------------------------------------------------------- */

static void open_bare(const dx_net_limits *limits, probe *of, peer *other)
{
    int fds[2];

    certificates_make();
    *of = (probe){0};
    world_init(&w, limits);
    server = server_tls(NULL, 0);
    client = NULL;
    socket_pair(fds);
    peer_open(other, fds[1]);
    of->conn = dx_conn_accept_tls(&w.net, fds[0], server, &probe_ops, of);
    dx_assert(of->conn != NULL);
}

static void close_bare(probe *of, peer *other)
{
    if (of->conn)
        dx_conn_abort(of->conn, DX_OK, false);
    world_deinit(&w);
    CHECK_INT(of->counts[PROBE_CLOSED], 1);
    probe_deinit(of);
    peer_close(other);
    dx_tls_free(server);
}

LOOP_TEST("who speaks no TLS is answered in clear, and his bytes are given to nobody")
{
    probe of;
    peer other;

    open_bare(NULL, &of, &other);
    peer_write(&w, &other, DX_BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    PEER_UNTIL_END(&w, &other);
    CHECK_BYTES(other.in, "speak TLS");
    peer_finish(&other);
    TURN_UNTIL(w.loop, of.conn == NULL);
    CHECK_INT(of.counts[PROBE_BYTES] + of.counts[PROBE_OPEN] + of.counts[PROBE_END], 0);
    close_bare(&of, &other);
}

LOOP_TEST("a handshake has so much time, however its bytes come")
{
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;
    probe of;
    peer other;

    limits.handshake_ms = 100;
    open_bare(&limits, &of, &other);
    dx_conn_set_deadline(of.conn, 60000); /* the protocol's own is another matter */
    uint64_t begun_ms = dx_clock_ms();
    peer_write(&w, &other, DX_BYTES("\x16\x03\x01\x40\x00"));
    for (uint64_t sent = 0; of.conn && dx_clock_ms() - begun_ms < 5000;) {
        if (dx_clock_ms() - begun_ms > 5 * sent && ++sent)
            peer_write_some(&other, DX_BYTES("\x01"));
        dx_loop_step(w.loop, 5);
    }
    CHECK(of.conn == NULL && dx_clock_ms() - begun_ms < 2000);
    CHECK_INT(of.why, DX_ERR_TIMEOUT);
    close_bare(&of, &other);
}

LOOP_TEST("a connection that is open has no handshake's deadline any more")
{
    begin();
    CHECK(p.server.conn->write_due_ms != 0);
    open_both();
    CHECK(p.client.conn->write_due_ms == 0 && p.server.conn->write_due_ms == 0);
    write_and_wait(&p, 10);
    finish();
}

LOOP_TEST("what is no handshake is answered with an alert, and the connection ends")
{
    static const char *const inputs[] = {"\x16\x03\x01\xff\xff", "\x17\x03\x03", "\x15\x03\x01"};
    probe of;
    peer other;

    for (size_t i = 0; i < DX_COUNT(inputs); i++) {
        open_bare(NULL, &of, &other);
        peer_write(&w, &other, dx_bytes_of(inputs[i]));
        if (strlen(inputs[i]) == 3)
            peer_write(&w, &other, dx_bytes_at("\x00\x02\x02\x28", 4));
        PEER_UNTIL_END(&w, &other);
        peer_finish(&other);
        TURN_UNTIL(w.loop, of.conn == NULL);
        CHECK_INT(of.why, DX_ERR_PROTOCOL);
        close_bare(&of, &other);
    }
}

LOOP_TEST("a part of a record costs what came of it")
{
    probe of;
    peer other;

    open_bare(NULL, &of, &other);
    peer_write(&w, &other, dx_bytes_at("\x16\x03\x01\x40\x00\x01", 6));
    world_settle(&w);
    const dx_conn_tls *t = (dx_conn_tls *)of.conn;
    CHECK_INT(t->part.size, 6);
    CHECK(t->part.capacity <= 256);
    close_bare(&of, &other);
}

/* ---- certificates ----------------------------------------------------------------------------- */

static void check_files(const char *cert, const char *key, dx_err want, const char *text)
{
    char why[DX_TLS_WHY_BYTES] = "";
    dx_tls *tls = NULL;
    dx_tls_pair files = {cert, key};

    CHECK_INT(dx_tls_server_new(&(dx_tls_server){.pairs = &files, .pairs_count = 1}, &tls, why), want);
    CHECK(strstr(why, text) != NULL);
    if (strstr(why, text) == NULL)
        printf("# it says: %s\n", why);
    dx_tls_free(tls);
}

TEST("what is wrong with a file is said in words")
{
    char empty[128];

    certificates_make();
    snprintf(empty, sizeof empty, "%s/x.pem", directory);
    fclose(fopen(empty, "w"));
    check_files("/nowhere/cert.pem", dev.key, DX_ERR_NOT_FOUND, "certificate /nowhere/cert.pem: not found");
    check_files(dev.cert, "/nowhere/key.pem", DX_ERR_NOT_FOUND, "key /nowhere/key.pem: not found");
    check_files(empty, dev.key, DX_ERR_NAME, "there is no certificate in it");
    check_files(dev.cert, empty, DX_ERR_NAME, "there is no private key in it");
    check_files(dev.cert, dev.cert, DX_ERR_NAME, "there is no private key in it");
    check_files(dev.cert, alone_key, DX_ERR_NAME, "it does not fit the certificate");
    check_files(dev.cert, dev.key, DX_OK, "");
}

TEST("the development certificate is kept, renewed with its authority, and readable by its owner alone")
{
    dx_tls_dev again;
    char why[DX_TLS_WHY_BYTES], path[128];
    struct stat st;

    certificates_make();
    CHECK_INT(dx_tls_dev_make(directory, &again, why), DX_OK);
    CHECK(!again.is_new_ca && dev.is_new_ca);
    CHECK_INT(stat(dev.key, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/ca-key.pem", directory);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    unlink(path);
    CHECK_INT(dx_tls_dev_make(directory, &again, why), DX_OK);
    CHECK(again.is_new_ca);
    begin();
    open_both();
    finish();
    CHECK_INT(dx_tls_dev_make("/proc/nowhere", &again, why), DX_ERR_NOT_FOUND);
    CHECK(strstr(why, "/proc/nowhere") != NULL);
}
