/* Checks of responses that statuses alone do not tell.
 * Is:     the functions that rows name in `.check`.
 * Is not: what every response owes, which http_response asks of all.
 * Memory: none; the answer is a constant text, NULL if all is well.   Threads: any.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_run.h"

dx_probe_check dx_probe_check_allow_get;   /* Allow lists GET and HEAD, and not DELETE */
dx_probe_check dx_probe_check_allow_post;  /* Allow lists GET and POST, and not PATCH */
dx_probe_check dx_probe_check_close;       /* the last answer says Connection: close */
dx_probe_check dx_probe_check_type;        /* Content-Type is there, with content */
dx_probe_check dx_probe_check_problem;     /* application/problem+json with title and status */
dx_probe_check dx_probe_check_version;     /* Sec-WebSocket-Version lists 13 */
dx_probe_check dx_probe_check_date;        /* Date is there (its form is checked everywhere) */
dx_probe_check dx_probe_check_head_length; /* answers 1 (HEAD) and 2 (GET) agree on the length */
dx_probe_check dx_probe_check_no_secret;   /* no body holds "secret-token" */

/* Static files: the first answer is the whole file, the second what is asked about. */
dx_probe_check dx_probe_check_same_etag; /* both have an ETag, well formed, the same */
dx_probe_check dx_probe_check_same_body; /* both have the same body */
dx_probe_check dx_probe_check_first;     /* 206 with the first octet */
dx_probe_check dx_probe_check_last;      /* 206 with the last octet */
dx_probe_check dx_probe_check_all;       /* 206 with all octets */
dx_probe_check dx_probe_check_beyond;    // 416 with Content-Range: bytes */SIZE
