/* A peer through TLS. See peer_tls.h.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/peer_tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>

static SSL_CTX *context; /* NULL: in clear */

bool dx_peer_tls_use(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return false;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}

static SSL *session(const dx_peer *peer)
{
    return peer->tls;
}

/* What a call that did not succeed means, as errno and -1 or 0. */
static ssize_t failed(const dx_peer *peer, int result)
{
    int error = SSL_get_error(session(peer), result);

    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

dx_peer_status dx_peer_tls_begin(dx_peer *peer, int timeout_ms)
{
    int64_t deadline_ms = dx_peer_now_ms() + timeout_ms;

    if (!context)
        return DX_PEER_OK;
    peer->tls = SSL_new(context);
    if (!peer->tls || SSL_set_fd(session(peer), peer->fd) != 1)
        return DX_PEER_ERROR;
    for (;;) {
        int result = SSL_connect(session(peer));
        int64_t left_ms = deadline_ms - dx_peer_now_ms();

        if (result == 1)
            return DX_PEER_OK;
        if (failed(peer, result) == 0 || errno != EAGAIN)
            return DX_PEER_RESET;
        if (left_ms <= 0)
            return DX_PEER_TIMEOUT;
        short events = SSL_want_write(session(peer)) ? POLLOUT : POLLIN;
        (void)poll(&(struct pollfd){.fd = peer->fd, .events = events}, 1, (int)left_ms);
    }
}

void dx_peer_tls_end(dx_peer *peer)
{
    SSL_free(session(peer));
    peer->tls = NULL;
}

ssize_t dx_peer_tls_recv(dx_peer *peer, void *to, size_t size)
{
    int got = SSL_read(session(peer), to, size < INT_MAX ? (int)size : INT_MAX);
    return got > 0 ? got : failed(peer, got);
}

ssize_t dx_peer_tls_send(dx_peer *peer, const void *from, size_t size)
{
    int sent = SSL_write(session(peer), from, size < INT_MAX ? (int)size : INT_MAX);

    if (sent > 0)
        return sent;
    if (failed(peer, sent) == 0)
        errno = EPIPE;
    return -1;
}

void dx_peer_tls_finish(dx_peer *peer)
{
    SSL_shutdown(session(peer));
    ERR_clear_error();
}
