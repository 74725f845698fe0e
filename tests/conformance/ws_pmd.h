/* permessage-deflate for the conformance client: terms read strictly, raw deflate by zlib.
 * Is:      both roles (the model server of the self-test uses the other one).
 * Is not:  frames (ws_wire) or who sends what when (ws_client).
 * Memory:  wst_pmd_init takes two zlib streams, wst_pmd_deinit gives them back.
 * Source:  RFC 7692 §5, §7.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_PMD_H
#define DX_CONFORMANCE_WS_PMD_H

#include "tests/conformance/ws_wire.h"

#include <zlib.h>

/* One offer, or one answer. Bits: 0 is absent, -1 is present without a value (in offers only). */
typedef struct wst_pmd_terms {
    bool server_no_context, client_no_context;
    int server_bits, client_bits;
} wst_pmd_terms;

/* Takes the first element off the comma-separated list at *list. False: the list is empty. */
bool wst_extension_next(const char **list, const char **ret_at, size_t *ret_size);

/* Reads one element. False: another extension, or a parameter unknown, double or of bad value. */
bool wst_pmd_terms_read(const char *at, size_t size, bool is_offer, wst_pmd_terms *ret);

/* May a server that got the header value `offers` answer with `answer`? */
bool wst_pmd_terms_allowed(const char *offers, const wst_pmd_terms *answer);

typedef struct wst_pmd {
    z_stream deflate, inflate;
    bool out_no_context, in_no_context;
} wst_pmd;

/* `terms`: as answered. `as_server`: whose side this is. */
void wst_pmd_init(wst_pmd *pmd, const wst_pmd_terms *terms, bool as_server);
void wst_pmd_deinit(wst_pmd *pmd);

/* Appends the deflated message, without its last four octets 00 00 ff ff. */
void wst_pmd_deflate(wst_pmd *pmd, const uint8_t *at, size_t size, wst_buffer *out);

typedef enum wst_inflate_status {
    WST_INFLATED,
    WST_INFLATE_BAD,
    WST_INFLATE_TOO_BIG
} wst_inflate_status;

/* Appends the inflated message; stops when it would be above `size_max`. */
wst_inflate_status wst_pmd_inflate(wst_pmd *pmd, const uint8_t *at, size_t size, size_t size_max,
                                   wst_buffer *out);

#endif
