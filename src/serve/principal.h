/* Who asks, and what that gives: one model for tokens, certificates, proxies and hooks, at every door.
 * Is:     a subject, how it was proved, until when it holds, and its capabilities: patterns of paths, each with
 *         what may be done there and within which bounds; reading capabilities from JSON; matching.
 * Is not: the proof itself (access_who.c), the policy of a namespace and the verdict (access.h).
 * Memory: one block each, counted; never changed once it is made.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_PRINCIPAL_H
#define DX_SERVE_PRINCIPAL_H

#include "base/bytes.h"

#include <stdatomic.h>

typedef enum dx_action {
    DX_ACTION_READ,    /* any way of reading, and metadata */
    DX_ACTION_PUBLISH, /* and closing */
    DX_ACTION_CREATE,
    DX_ACTION_DELETE,
    DX_ACTION_PRESENCE, /* seeing who is there */
} dx_action;

enum {
    DX_ACTIONS_COUNT = 5,
    DX_SUBJECT_BYTES_MAX = 255,
    DX_TOKEN_ID_BYTES_MAX = 255,
    DX_CAPABILITIES_MAX = 64,
    DX_CAPABILITY_PATTERN_MAX = 1024,
    DX_WHY_BYTES = 192,
};

#define DX_FOR_EVER UINT64_MAX

/* "read", "publish", "create", "delete", "presence". Static. */
const char *dx_action_name(dx_action action);

/* What may be done with the streams whose paths fit a pattern. */
typedef struct dx_capability {
    dx_bytes pattern;     /* see dx_capability_fits */
    uint8_t may;          /* DX_BIT of each dx_action */
    bool has_history;     /* else any depth: */
    uint32_t history_max; /* how many messages before the end may be read; 0: only what comes */
    uint32_t rate_max;    /* messages a second of the subject through this; 0: no bound */
    uint32_t message_bytes_max; /* 0: no bound */
    uint64_t until_ms;          /* wall time; DX_FOR_EVER: as long as the principal */
} dx_capability;

/* How it is known who somebody is. */
typedef enum dx_proof {
    DX_PROOF_PROXY,       /* a trusted proxy said so */
    DX_PROOF_CERTIFICATE, /* of the client */
    DX_PROOF_TOKEN,       /* a signed one */
    DX_PROOF_HOOK,        /* the application was asked */
} dx_proof;

typedef struct dx_principal {
    atomic_uint refs_count;
    dx_proof proof;
    dx_bytes subject;   /* empty: it has none, only capabilities */
    dx_bytes token_id;  /* empty: none */
    uint64_t issued_ms; /* wall time; 0: not known */
    uint64_t until_ms;  /* wall time: it is nobody from then on; DX_FOR_EVER */
    size_t capabilities_count;
    dx_capability *capabilities;
} dx_principal;

/* True if `subject` is a name: 1 to 255 bytes of UTF-8 without controls. */
bool dx_subject_is_good(dx_bytes subject);

/* like: proof, texts (borrowed, copied) and times; its capabilities are not looked at.
 * capabilities: JSON that dx_json_check found good, an array of objects such as
 *   {"stream":"/rooms/general","may":["read","publish"],"history":100,"rate":10,"message_max":4096,
 *    "until":1700000000}
 * of which stream and may must be there; empty: none.
 * why: what is wrong with them, on DX_ERR_NAME.
 * Errors: DX_ERR_NAME, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_principal_new(const dx_principal *like, dx_bytes capabilities,
                                    dx_principal **ret, char why[DX_WHY_BYTES]);
dx_principal *dx_principal_ref(dx_principal *who);
/* NULL is allowed. */
void dx_principal_unref(dx_principal *who);

/* Whether `path` fits the pattern: segments as they are; "*" for one segment; "{sub}" for one that is the
 * subject; "**" at the end for one or more. A subject that is empty, or has a slash, fits nothing. */
bool dx_capability_fits(dx_bytes pattern, dx_bytes subject, dx_bytes path);

/* The first capability that allows `action` at `path` at this time; NULL: there is none. */
const dx_capability *dx_principal_capability(const dx_principal *who, dx_action action,
                                             dx_bytes path, uint64_t now_ms);

#endif
