/* A client and a server of TLS with a relay between them.
 * SPDX-License-Identifier: MIT */
#include "net/test_tls_pair.h"

#include "net/conn_tls.h"
#include "net/socket.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *pair_session;
dx_tls_dev dev;
char directory[64], alone[128], alone_key[128];

static void remove_all(void)
{
    DIR *all = opendir(directory);
    char path[sizeof directory + 256];

    for (struct dirent *one; all && (one = readdir(all)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", directory, one->d_name);
        if (one->d_name[0] != '.')
            unlink(path);
    }
    if (all)
        closedir(all);
    rmdir(directory);
}

void certificates_make(void)
{
    char why[DX_TLS_WHY_BYTES];

    if (directory[0])
        return;
    snprintf(directory, sizeof directory, "/tmp/duplex-test-tls-XXXXXX");
    char *made = mkdtemp(directory);
    dx_assert(made != NULL);
    atexit(remove_all);
    dx_err err = dx_tls_dev_make(directory, &dev, why);
    dx_assert(err == DX_OK);
    snprintf(alone, sizeof alone, "%s/b.pem", directory);
    snprintf(alone_key, sizeof alone_key, "%s/b-key.pem", directory);
    certificate_write(alone, alone_key, "b.example", -60, 3600);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = e && X509_add_ext(cert, e, -1);

    X509_EXTENSION_free(e);
    return ok;
}

static void read_issuer(const char *cert_path, const char *key_path, X509 **cert, EVP_PKEY **key)
{
    FILE *from = fopen(cert_path, "r"), *key_from = fopen(key_path, "r");

    dx_assert(from && key_from);
    *cert = PEM_read_X509(from, NULL, NULL, NULL);
    *key = PEM_read_PrivateKey(key_from, NULL, NULL, NULL);
    dx_assert(*cert && *key);
    fclose(from);
    fclose(key_from);
}

static void write_pair(const dx_tls_pair *to, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(to->cert, "w"), *key_file = fopen(to->key, "w");

    dx_assert(file && key_file);
    bool ok = PEM_write_X509(file, cert) && PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL);
    dx_assert(ok);
    fclose(file);
    fclose(key_file);
}

void certificate_write_as(const dx_tls_pair *to, const certificate *c)
{
    EVP_PKEY *key = c->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), *issuer_key = NULL;
    X509 *cert = X509_new(), *issuer = NULL;
    X509_NAME *subject = X509_get_subject_name(cert);
    bool ok = X509_set_version(cert, X509_VERSION_3);

    for (size_t i = 0; i < DX_COUNT(c->cn) && c->cn[i]; i++)
        ok = ok && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)c->cn[i], -1,
                                              -1, 0);
    if (c->issuer.cert)
        read_issuer(c->issuer.cert, c->issuer.key, &issuer, &issuer_key);
    ok = ok && X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) &&
         X509_gmtime_adj(X509_getm_notBefore(cert), c->from_s) &&
         X509_gmtime_adj(X509_getm_notAfter(cert), c->to_s) && X509_set_pubkey(cert, key) &&
         (!c->names || add_extension(cert, NID_subject_alt_name, c->names)) &&
         (!c->usage || add_extension(cert, NID_ext_key_usage, c->usage)) &&
         (!c->is_ca || add_extension(cert, NID_basic_constraints, "critical,CA:TRUE")) &&
         X509_sign(cert, issuer ? issuer_key : key, EVP_sha256());
    dx_assert(ok);
    write_pair(to, cert, key);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
}

void certificate_write(const char *cert_path, const char *key_path, const char *name, long from_s, long to_s)
{
    char names[128];

    snprintf(names, sizeof names, "DNS:%s", name);
    certificate_write_as(&(dx_tls_pair){cert_path, key_path},
                         &(certificate){.cn = {name}, .names = names, .from_s = from_s, .to_s = to_s});
}

dx_tls *server_tls(const dx_tls_pair *pairs, size_t count)
{
    static const char *const protocols[] = {"two", "one", NULL};
    char why[DX_TLS_WHY_BYTES];
    dx_tls *tls = NULL;
    dx_tls_pair of_dev = {dev.cert, dev.key};
    dx_err err = dx_tls_server_new(&(dx_tls_server){.pairs = pairs ? pairs : &of_dev,
                                                    .pairs_count = pairs ? count : 1,
                                                    .alpn = protocols,
                                                    .plain_answer = DX_BYTES("speak TLS")},
                                   &tls, why);
    dx_assert(err == DX_OK);
    return tls;
}

dx_tls *client_tls(const char *ca, bool is_insecure)
{
    static const char *const protocols[] = {"three", "one", NULL};
    char why[DX_TLS_WHY_BYTES];
    dx_tls *tls = NULL;
    dx_err err = dx_tls_client_new(
        &(dx_tls_client){.ca = ca, .is_insecure = is_insecure, .alpn = protocols}, &tls, why);
    dx_assert(err == DX_OK);
    return tls;
}

void pair_open(pair *p, world *w, dx_tls *server, dx_tls *client, const char *host)
{
    int fds[2], fd;
    dx_conn_target to = {.tls = client, .host = host};

    *p = (pair){.w = w, .step = SIZE_MAX, .to_client = -1};
    dx_err err = dx_address_parse(DX_BYTES("127.0.0.1:0"), &to.address);
    dx_assert(err == DX_OK);
    err = dx_socket_listen(&to.address, 1, &fd);
    dx_assert(err == DX_OK);
    err = dx_conn_connect_to(&w->net, &to, &probe_ops, &p->client, &p->client.conn);
    dx_assert(err == DX_OK);
    if (pair_session)
        SSL_set_session(((dx_conn_tls *)p->client.conn)->ssl, pair_session);
    for (int i = 0; i < 1000 && p->to_client < 0; i++) {
        dx_loop_step(w->loop, 1);
        p->to_client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    close(fd);
    dx_assert(p->to_client >= 0);
    socket_pair(fds);
    p->to_server = fds[1];
    p->server.conn = dx_conn_accept_tls(&w->net, fds[0], server, &probe_ops, &p->server);
    dx_assert(p->server.conn != NULL);
}

/* Gives what was relayed; 0 and *is_over at the end. */
static size_t relay(pair *p, int from, int to, bool *is_over, bool is_up)
{
    uint8_t piece[65536];
    ssize_t got = *is_over ? -1 : recv(from, piece, dx_min_size(sizeof piece, p->step), 0);

    if (got < 0)
        return 0;
    if (got == 0) {
        *is_over = true;
        shutdown(to, SHUT_WR);
        return 0;
    }
    if (is_up && p->spoilt > p->up && p->spoilt <= p->up + (size_t)got)
        piece[p->spoilt - p->up - 1] ^= 0x55;
    for (size_t at = 0; at < (size_t)got;) {
        ssize_t sent = send(to, piece + at, (size_t)got - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (sent < 0 && errno != EAGAIN)
            break; /* it is gone */
        dx_loop_step(p->w->loop, 0);
    }
    return (size_t)got;
}

void pair_turn(pair *p)
{
    size_t moved = 0;

    if (!p->is_up_stopped)
        moved += relay(p, p->to_client, p->to_server, &p->is_up_over, true);
    p->up += moved;
    if (!p->is_down_stopped) {
        size_t down = relay(p, p->to_server, p->to_client, &p->is_down_over, false);
        p->down += down;
        moved += down;
    }
    dx_loop_step(p->w->loop, moved > 0 ? 0 : 1);
}

void pair_close(pair *p)
{
    if (p->client.conn)
        dx_conn_abort(p->client.conn, DX_OK, false);
    if (p->server.conn)
        dx_conn_abort(p->server.conn, DX_OK, false);
    for (int i = 0; i < 1000 && (p->client.conn || p->server.conn); i++)
        dx_loop_step(p->w->loop, 1);
    dx_assert(p->client.counts[PROBE_CLOSED] == 1 && p->server.counts[PROBE_CLOSED] == 1);
    close(p->to_client);
    close(p->to_server);
    probe_deinit(&p->client);
    probe_deinit(&p->server);
}
