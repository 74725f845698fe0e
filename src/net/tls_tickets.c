/* Session tickets: sealed by keys of this process that change every hour.
 * Is not: kept anywhere: a restart makes all tickets worthless, and a full handshake follows.
 * Source: RFC 5077 §4, RFC 8446 §4.6.1.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/random.h"
#include "net/tls_inner.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

/* Makes a key if the newest is too old. Under the lock. */
static void rotate(dx_tls *tls, uint64_t now_ms)
{
    dx_tls_ticket_key *keys = tls->tickets;

    if (keys[0].made_ms && now_ms - keys[0].made_ms < DX_TLS_TICKET_KEY_S * 1000)
        return;
    memmove(&keys[1], &keys[0], (DX_TLS_TICKET_KEYS - 1) * sizeof keys[0]);
    dx_random_fill(&keys[0], sizeof keys[0]);
    keys[0].made_ms = now_ms;
}

/* The newest key, or the one with that name: its index, -1 if it is gone. */
static int find_key(dx_tls *tls, const uint8_t *name, dx_tls_ticket_key *ret)
{
    uint64_t now_ms = dx_clock_ms();
    int found = -1;

    pthread_mutex_lock(&tls->lock);
    rotate(tls, now_ms);
    for (int i = 0; i < DX_TLS_TICKET_KEYS && found < 0; i++)
        if (tls->tickets[i].made_ms &&
            (name == NULL || memcmp(tls->tickets[i].name, name, sizeof tls->tickets[i].name) == 0))
            found = i;
    if (found >= 0)
        *ret = tls->tickets[found];
    pthread_mutex_unlock(&tls->lock);
    return found;
}

static bool set_mac(EVP_MAC_CTX *mac, dx_tls_ticket_key *key)
{
    static const char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 go on, 2 go on and renew, 0 not ours, -1 failure. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_sealing)
{
    dx_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    dx_tls_ticket_key key;
    int index = find_key(tls, is_sealing ? NULL : name, &key), ok;

    if (index < 0)
        return is_sealing ? -1 : 0;
    if (is_sealing) {
        memcpy(name, key.name, sizeof key.name);
        dx_random_fill(iv, 16);
        ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
    } else {
        ok = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
    }
    ok = ok == 1 && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    if (!ok)
        return -1;
    return index == 0 ? 1 : 2;
}

dx_err dx_tls_use_tickets(SSL_CTX *context)
{
    SSL_CTX_set_timeout(context, DX_TLS_TICKET_LIFE_S);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1 ? DX_OK : DX_ERR_MEMORY;
}
