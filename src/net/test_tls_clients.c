/* Tests of who may come by TLS: certificates of clients, keys of two kinds for one name, the budget for
 * handshakes.
 * SPDX-License-Identifier: MIT */
#include "net/test_tls_pair.h"

#include "net/conn_tls_bio.h"
#include "net/tls_inner.h"
#include "tests/tap.h"

#include <openssl/ssl.h>
#include <unistd.h>

static world w;
static pair p;
static dx_tls *server, *client;
static char paths[16][2][128]; /* certificates and keys of this file's tests */

static dx_tls_pair pair_at(size_t i)
{
    snprintf(paths[i][0], sizeof paths[i][0], "%s/c%zu.pem", directory, i);
    snprintf(paths[i][1], sizeof paths[i][1], "%s/c%zu-key.pem", directory, i);
    return (dx_tls_pair){paths[i][0], paths[i][1]};
}

static dx_tls_pair write_at(size_t i, certificate c)
{
    dx_tls_pair at = pair_at(i);

    if (c.to_s == 0)
        c.from_s = -60, c.to_s = 3600;
    certificate_write_as(&at, &c);
    return at;
}

static dx_tls *server_asks(const dx_tls_clients *clients)
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls_pair of_dev = {dev.cert, dev.key};
    dx_tls *tls = NULL;
    dx_err err = dx_tls_server_new(
        &(dx_tls_server){.pairs = &of_dev, .pairs_count = 1, .clients = *clients}, &tls, why);
    if (err != DX_OK)
        printf("# %s\n", why);
    dx_assert(err == DX_OK);
    return tls;
}

static dx_tls *client_shows(const dx_tls_pair *shown)
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls *tls = NULL;
    dx_err err = dx_tls_client_new(
        &(dx_tls_client){.ca = dev.ca, .pair = shown ? *shown : (dx_tls_pair){NULL, NULL}}, &tls,
        why);
    dx_assert(err == DX_OK);
    return tls;
}

static void finish(void)
{
    pair_close(&p);
    world_deinit(&w);
    dx_tls_free(server);
    dx_tls_free(client);
}

/* Connects; true if the server took it. */
static bool is_taken(const dx_tls_clients *clients, const dx_tls_pair *shown)
{
    world_init(&w, NULL);
    server = server_asks(clients);
    client = client_shows(shown);
    pair_open(&p, &w, server, client, "localhost");
    PAIR_UNTIL(&p, p.server.counts[PROBE_OPEN] || p.server.counts[PROBE_CLOSED]);
    return p.server.counts[PROBE_OPEN] == 1;
}

static bool is_refused(const dx_tls_clients *clients, const dx_tls_pair *shown, const char *text)
{
    bool is = !is_taken(clients, shown);

    PAIR_UNTIL(&p, p.client.counts[PROBE_CLOSED] == 1);
    is = is && p.server.why == DX_ERR_PROTOCOL && strstr(p.server.why_text, text) != NULL;
    if (!is)
        printf("# it says: %s\n", p.server.why_text ? p.server.why_text : "nothing");
    finish();
    return is;
}

static bool is_known_as(const dx_tls_clients *clients, const dx_tls_pair *shown, const char *name)
{
    bool is = is_taken(clients, shown);
    dx_bytes subject = is ? dx_conn_subject(p.server.conn) : (dx_bytes){NULL, 0};

    is = is && dx_bytes_equal(subject, dx_bytes_of(name));
    if (!is)
        printf("# it is \"%.*s\"\n", DX_FORMAT(subject));
    CHECK_INT(dx_conn_subject(p.client.conn).size, 0);
    finish();
    return is;
}

/* ---- certificates of clients ------------------------------------------------------------------ */

LOOP_TEST(
    "RFC 8446 §4.4.2.4 a client is taken if its certificate is by whom it must be, and for that")
{
    certificates_make();
    dx_tls_pair ca = write_at(0, (certificate){.cn = {"authority"}, .is_ca = true});
    dx_tls_pair ada =
        write_at(1, (certificate){.cn = {"ada"}, .issuer = ca, .usage = "clientAuth"});
    dx_tls_pair other = write_at(2, (certificate){.cn = {"ada"}});
    dx_tls_pair old =
        write_at(3, (certificate){.cn = {"ada"}, .issuer = ca, .from_s = -600, .to_s = -60});
    dx_tls_pair wrong =
        write_at(4, (certificate){.cn = {"ada"}, .issuer = ca, .usage = "serverAuth"});
    dx_tls_clients must = {.ca = ca.cert}, may = {.ca = ca.cert, .is_optional = true},
                   pinned = {.ca = other.cert};

    CHECK(is_known_as(&must, &ada, "ada"));
    CHECK(is_known_as(&may, &ada, "ada"));
    CHECK(is_known_as(&may, NULL, ""));
    CHECK(is_refused(&must, NULL, "did not return a certificate"));
    CHECK(is_refused(&must, &other, "self-signed"));
    CHECK(is_refused(&may, &other, "self-signed"));
    CHECK(is_refused(&must, &old, "expired"));
    CHECK(is_refused(&must, &wrong, "purpose"));
    CHECK(is_known_as(&pinned, &other, "ada")); /* believed itself, */
    CHECK(is_refused(&pinned, &ada, "local issuer"));
}

LOOP_TEST("a server that asks nobody knows nobody, whatever is shown")
{
    certificates_make();
    dx_tls_pair ada = write_at(1, (certificate){.cn = {"ada"}});

    CHECK(is_known_as(&(dx_tls_clients){0}, &ada, ""));
}

LOOP_TEST("RFC 5280 §4.2.1.6 a client is who the one name of the wanted kind says")
{
    static const struct {
        certificate made;
        dx_tls_name name;
        const char *who;
    } rows[] = {
        {{.cn = {"ada"}, .names = "URI:x:ada"}, DX_TLS_NAME_CN, "ada"},
        {{.cn = {"ada", "eve"}}, DX_TLS_NAME_CN, ""},
        {{.cn = {NULL}, .names = "DNS:ada"}, DX_TLS_NAME_CN, ""},
        {{.cn = {"J\xc3\xbcrgen"}}, DX_TLS_NAME_CN, "J\xc3\xbcrgen"},
        {{.cn = {"ada"}, .names = "email:ada@a.example,DNS:a"}, DX_TLS_NAME_EMAIL, "ada@a.example"},
        {{.cn = {"ada"}, .names = "email:a@a.example,email:b@a.example"}, DX_TLS_NAME_EMAIL, ""},
        {{.cn = {"ada@a.example"}}, DX_TLS_NAME_EMAIL, ""},
        {{.cn = {"ada"}, .names = "URI:spiffe://a/b,email:b@a.example"},
         DX_TLS_NAME_URI,
         "spiffe://a/b"},
        {{.cn = {"ada"}, .names = "DNS:ada.a.example"}, DX_TLS_NAME_DNS, "ada.a.example"},
        {{.cn = {"ada"}, .names = "URI:x:y"}, DX_TLS_NAME_DNS, ""},
    };

    certificates_make();
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        dx_tls_pair shown = write_at(1, rows[i].made);
        dx_tls_clients clients = {.ca = shown.cert, .name = rows[i].name};
        if (!is_known_as(&clients, &shown, rows[i].who))
            TAP_FAIL("row %zu", i);
    }
}

LOOP_TEST("a client that must show a certificate shows it each time: no session is taken up again")
{
    certificates_make();
    dx_tls_pair ada = write_at(1, (certificate){.cn = {"ada"}});
    dx_tls_clients must = {.ca = ada.cert};

    for (int i = 0; i < 2; i++) {
        CHECK(is_taken(&must, &ada));
        CHECK(!SSL_session_reused(((dx_conn_tls *)p.server.conn)->ssl));
        dx_conn_write(p.server.conn, DX_BYTES("x")); /* tickets would come before it */
        PAIR_UNTIL(&p, p.client.in.size == 1);
        SSL_SESSION *session = SSL_get1_session(((dx_conn_tls *)p.client.conn)->ssl);
        CHECK(!SSL_SESSION_is_resumable(session));
        SSL_SESSION_free(pair_session);
        pair_session = session;
        finish();
    }
    SSL_SESSION_free(pair_session);
    pair_session = NULL;
}

LOOP_TEST("whom clients are believed by is loaded again; what cannot be read changes nothing")
{
    char why[DX_TLS_WHY_BYTES];

    certificates_make();
    dx_tls_pair ada = write_at(1, (certificate){.cn = {"ada"}}),
                eve = write_at(2, (certificate){.cn = {"eve"}});
    dx_tls_pair believed = write_at(3, (certificate){.cn = {"nobody"}});
    dx_tls_clients must = {.ca = believed.cert};

    world_init(&w, NULL);
    server = server_asks(&must);
    client = client_shows(&ada);
    CHECK_INT(rename(ada.cert, believed.cert), 0);
    CHECK_INT(dx_tls_reload(server, why), DX_OK);
    pair_open(&p, &w, server, client, "localhost");
    PAIR_UNTIL(&p, p.server.counts[PROBE_OPEN] == 1);
    pair_close(&p);
    CHECK_INT(truncate(believed.cert, 0), 0);
    CHECK_INT(dx_tls_reload(server, why), DX_ERR_NAME);
    CHECK(strstr(why, "clients are believed by, ") != NULL &&
          strstr(why, "no certificate in it") != NULL);
    CHECK_INT(unlink(believed.cert), 0);
    CHECK_INT(dx_tls_reload(server, why), DX_ERR_NOT_FOUND);
    pair_open(&p, &w, server, client, "localhost");
    PAIR_UNTIL(&p, p.server.counts[PROBE_OPEN] == 1);
    pair_close(&p);
    CHECK_INT(rename(eve.cert, believed.cert), 0);
    CHECK_INT(dx_tls_reload(server, why), DX_OK);
    pair_open(&p, &w, server, client, "localhost");
    PAIR_UNTIL(&p, p.server.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.server.counts[PROBE_OPEN], 0);
    finish();
}

TEST("what is wrong with a client's own certificate is said in words")
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls *tls = NULL;

    certificates_make();
    dx_tls_pair ada = write_at(1, (certificate){.cn = {"ada"}}),
                eve = write_at(2, (certificate){.cn = {"eve"}});
    CHECK_INT(
        dx_tls_client_new(&(dx_tls_client){.ca = dev.ca, .pair = {ada.cert, eve.key}}, &tls, why),
        DX_ERR_NAME);
    CHECK(strstr(why, "it does not fit the certificate") != NULL);
    CHECK_INT(
        dx_tls_client_new(&(dx_tls_client){.ca = dev.ca, .pair = {"/nowhere", eve.key}}, &tls, why),
        DX_ERR_NOT_FOUND);
}

/* ---- one name, two keys ----------------------------------------------------------------------- */

/* The kind of key that a client is shown which can use only `signatures`; 0: it was refused. */
static int kind_shown(const char *signatures, const char *host)
{
    int kind = 0;

    world_init(&w, NULL);
    client = client_tls(NULL, true);
    long ok = SSL_CTX_set1_sigalgs_list(client->set->contexts[0], signatures);
    dx_assert(ok == 1);
    pair_open(&p, &w, server, client, host);
    PAIR_UNTIL(&p, p.client.counts[PROBE_OPEN] || p.client.counts[PROBE_CLOSED]);
    if (p.client.counts[PROBE_OPEN]) {
        X509 *cert = SSL_get1_peer_certificate(((dx_conn_tls *)p.client.conn)->ssl);
        kind = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));
        X509_free(cert);
    }
    pair_close(&p);
    world_deinit(&w);
    dx_tls_free(client);
    return kind;
}

LOOP_TEST(
    "RFC 8446 §4.4.2.2 of two certificates for the same names a client gets the one it can use")
{
    certificates_make();
    dx_tls_pair pairs[] = {
        write_at(1, (certificate){.cn = {"x"}, .names = "DNS:x.example"}),
        write_at(2, (certificate){.cn = {"a"}, .names = "DNS:a.example,DNS:*.b.example"}),
        write_at(
            3,
            (certificate){.cn = {"r"}, .names = "DNS:*.b.example,DNS:a.example", .is_rsa = true}),
        write_at(4, (certificate){.cn = {"o"}, .names = "DNS:a.example", .is_rsa = true}),
    };

    server = server_tls(pairs, DX_COUNT(pairs));
    CHECK_INT(server->set->count, 3);
    for (int i = 0; i < 2; i++) {
        const char *host = i ? "a.example" : "y.b.example";
        CHECK_INT(kind_shown("RSA-PSS+SHA256", host), EVP_PKEY_RSA);
        CHECK_INT(kind_shown("ECDSA+SHA256", host), EVP_PKEY_EC);
        CHECK_INT(kind_shown("ECDSA+SHA256:RSA-PSS+SHA256", host), EVP_PKEY_EC);
    }
    CHECK_INT(kind_shown("RSA-PSS+SHA256", "x.example"), 0); /* it has but one */
    CHECK_INT(kind_shown("ECDSA+SHA256", "unknown.example"), EVP_PKEY_EC);
    dx_tls_free(server);
}

/* ---- the budget ------------------------------------------------------------------------------- */

enum { BUDGET = 8, FLOOD = 40 };

static const uint8_t hello_begins[] = {0x16, 3, 1, 2, 0, 1}; /* and does not go on */

LOOP_TEST("A30 of handshakes that stall only so many are kept, and a good client comes in between")
{
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;
    probe of[FLOOD] = {0};
    peer others[FLOOD];
    int fds[2], given_up = 0;

    limits.handshakes_count_max = BUDGET;
    certificates_make();
    world_init(&w, &limits);
    server = server_tls(NULL, 0);
    client = client_tls(dev.ca, false);
    for (size_t i = 0; i < FLOOD; i++) {
        socket_pair(fds);
        peer_open(&others[i], fds[1]);
        of[i].conn = dx_conn_accept_tls(&w.net, fds[0], server, &probe_ops, &of[i]);
        dx_assert(of[i].conn != NULL);
    }
    turn_for(w.loop, 20);
    CHECK_INT(w.net.tls->shaking_count, 0); /* who says nothing costs nothing of OpenSSL's */
    CHECK(((dx_conn_tls *)of[0].conn)->ssl == NULL);
    for (size_t i = 0; i < FLOOD; i++) {
        peer_write_some(&others[i], dx_bytes_at(hello_begins, sizeof hello_begins));
        TURN_UNTIL(w.loop, w.net.tls->shaking_count == dx_min_size(i + 1, BUDGET) &&
                               w.net.tls->given_up == (i < BUDGET ? 0 : i + 1 - BUDGET));
    }
    pair_open(&p, &w, server, client, "localhost");
    PAIR_UNTIL(&p, p.client.counts[PROBE_OPEN] && p.server.counts[PROBE_OPEN]);
    dx_conn_write(p.client.conn, DX_BYTES("good"));
    PAIR_UNTIL(&p, p.server.in.size == 4);
    for (size_t i = 0; i < FLOOD; i++) {
        given_up += of[i].counts[PROBE_CLOSED];
        CHECK((of[i].conn == NULL) == (i < FLOOD - BUDGET + 1)); /* the oldest, in their order */
        if (of[i].conn == NULL)
            CHECK_INT(of[i].why, DX_ERR_BUSY);
        else
            dx_conn_abort(of[i].conn, DX_OK, false);
    }
    CHECK_INT(given_up, FLOOD - BUDGET + 1);
    pair_close(&p);
    TURN_UNTIL(w.loop, w.net.conns_count == 0);
    CHECK_INT(w.net.tls->shaking_count, 0);
    for (size_t i = 0; i < FLOOD; i++) {
        probe_deinit(&of[i]);
        peer_close(&others[i]);
    }
    world_deinit(&w);
    dx_tls_free(server);
    dx_tls_free(client);
}
