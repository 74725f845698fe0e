/* F2 for TLS connections: every allocation of ours fails in turn, and every place in OpenSSL that allocates,
 * the first, second, fourth, eighth, … time that it does: it decodes one key with thousands of allocations
 * from few places. A connection may be dropped for that, never more.
 * SPDX-License-Identifier: MIT */
#include "net/test_tls_pair.h"

#include "net/tls_inner.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

static world w;
static uint8_t bytes[60000];

enum { PLACES_MAX = 4096 };

/* Where OpenSSL has allocated in this run, and how often. */
static struct place {
    const char *file; /* static; NULL: none is here */
    int line;
    unsigned count;
} places[PLACES_MAX];

static unsigned *count_at(const char *file, int line)
{
    size_t i = ((uintptr_t)file / 8 * 31 + (unsigned)line) % PLACES_MAX;

    for (size_t tries = 0; tries < PLACES_MAX; tries++, i = (i + 1) % PLACES_MAX) {
        struct place *p = &places[i];
        if (p->file == NULL)
            *p = (struct place){.file = file, .line = line};
        if (p->file == file && p->line == line)
            return &p->count;
    }
    dx_unreachable("more places than anybody would think");
}

/* Whether this allocation is one of those that shall fail; after a failure all count, as the sweep wants. */
static bool is_due(const char *file, int line)
{
    if (!failmalloc_is_inside() || failmalloc_has_failed())
        return true;
    unsigned count = ++*count_at(file, line);
    return (count & (count - 1)) == 0;
}

/* OpenSSL lies in a shared library, whose calls the linker does not wrap. */
static void *give_again(void *old, size_t size, const char *file, int line)
{
    void *at;

    if (is_due(file, line))
        return realloc(old, size);
    NOT_FAILING(at = realloc(old, size));
    return at;
}

static void *give(size_t size, const char *file, int line)
{
    return give_again(NULL, size, file, line);
}

static void take(void *old, const char *file, int line)
{
    (void)file, (void)line;
    free(old);
}

__attribute__((constructor(101))) static void use_our_malloc(void)
{
    int ok = CRYPTO_set_mem_functions(give, give_again, take);
    dx_assert(ok == 1); /* else something was allocated before */
}

static struct {
    dx_conn *conn;
    size_t in_size;
    int opens, closed;
    dx_err why;
} seen;

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)at;
    seen.in_size += size;
    dx_conn_write(conn, dx_bytes_at(bytes, size));
    return size;
}

static void on_open(dx_conn *conn)
{
    (void)conn;
    seen.opens++;
}

static void on_closed(dx_conn *conn, dx_err why)
{
    (void)conn;
    seen.closed++;
    seen.why = why;
    seen.conn = NULL;
}

static const dx_conn_ops ops = {.on_bytes = on_bytes, .on_closed = on_closed, .on_open = on_open};

static dx_tls *server, *client;

/* A client without our code, that never blocks. */
typedef struct bare {
    SSL *ssl;
    size_t sent, got;
    bool is_over;
} bare;

static void bare_turn(bare *b)
{
    static uint8_t sink[16384];
    int result = SSL_do_handshake(b->ssl);

    if (result == 1 && b->sent < sizeof bytes &&
        (result = SSL_write(b->ssl, bytes + b->sent, (int)dx_min_size(5000, sizeof bytes - b->sent))) > 0)
        b->sent += (size_t)result;
    while (result > 0 && (result = SSL_read(b->ssl, sink, sizeof sink)) > 0)
        b->got += (size_t)result;
    int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(b->ssl, result);
    b->is_over = error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
}

static void serve(void)
{
    int fds[2];
    bare b = {.ssl = SSL_new(client->set->contexts[0])};

    memset(places, 0, sizeof places);
    memset(&seen, 0, sizeof seen);
    world_init(&w, NULL);
    socket_pair(fds);
    SSL_set_fd(b.ssl, fds[1]);
    SSL_set_connect_state(b.ssl);
    FAILING(seen.conn = dx_conn_accept_tls(&w.net, fds[0], server, &ops, NULL));
    bool was_open = seen.conn != NULL;
    for (int i = 0; i < 200 && seen.conn && !b.is_over && b.got < sizeof bytes; i++) {
        bare_turn(&b);
        FAILING(dx_loop_step(w.loop, 0));
    }
    if (!failmalloc_has_failed())
        CHECK_INT(b.got, sizeof bytes);
    CHECK(was_open || failmalloc_has_failed());
    if (seen.conn)
        FAILING(dx_conn_finish(seen.conn));
    for (int i = 0; i < 5 && seen.conn; i++) {
        FAILING(dx_loop_step(w.loop, 0));
        bare_turn(&b);
    }
    if (seen.conn)
        dx_conn_abort(seen.conn, DX_OK, false);
    world_deinit(&w);
    CHECK_INT(seen.closed, was_open);
    SSL_free(b.ssl);
    close(fds[1]);
}

static void load(void)
{
    char why[DX_TLS_WHY_BYTES];
    dx_tls *tls = NULL;
    dx_tls_pair files = {dev.cert, dev.key};
    dx_err err;

    memset(places, 0, sizeof places);
    FAILING(err = dx_tls_server_new(&(dx_tls_server){.pairs = &files, .pairs_count = 1}, &tls, why));
    CHECK((err == DX_OK) == (tls != NULL));
    CHECK(err == DX_OK || failmalloc_has_failed());
    dx_tls_free(tls);
    tls = NULL;
    FAILING(err = dx_tls_client_new(&(dx_tls_client){.ca = dev.ca}, &tls, why));
    CHECK((err == DX_OK) == (tls != NULL));
    dx_tls_free(tls);
}

TEST("F2 certificates and contexts")
{
    certificates_make();
    CHECK(failmalloc_sweep(load) > 300);
}

LOOP_TEST("F2 a TLS connection that shakes hands, echoes and ends")
{
    certificates_make();
    server = server_tls(NULL, 0);
    client = client_tls(NULL, true);
    CHECK(failmalloc_sweep(serve) > 300);
    dx_tls_free(server);
    dx_tls_free(client);
}
