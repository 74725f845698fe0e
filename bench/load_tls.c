/* TLS for the load.
 * SPDX-License-Identifier: MIT */
#include "load_tls.h"

#include <errno.h>
#include <openssl/ssl.h>

static SSL_CTX *context;

bool load_tls_init(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return false;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1;
}

void *load_tls_new(int fd)
{
    SSL *ssl = SSL_new(context);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

/* -1 with EAGAIN: later. 0: the end. */
static int outcome(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    if (result > 0)
        return result;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

int load_tls_shake(void *tls)
{
    int result = outcome(tls, SSL_do_handshake(tls));
    return result == -1 && errno == EAGAIN ? 0 : result == 1 ? 1 : -1;
}

ssize_t load_tls_send(void *tls, const void *bytes, size_t size)
{
    return outcome(tls, SSL_write(tls, bytes, (int)size));
}

ssize_t load_tls_recv(void *tls, void *bytes, size_t size)
{
    return outcome(tls, SSL_read(tls, bytes, (int)size));
}
