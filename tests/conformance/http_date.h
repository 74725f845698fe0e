/* IMF-fixdate, read strictly.
 * Is:     "Sun, 06 Nov 1994 08:49:37 GMT" to seconds, with its weekday checked.
 * Is not: the two obsolete forms: a server must not send them.
 * Source: RFC 9110 §5.6.7.   Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_case.h"

/* Reads `text`; *ret: seconds since 1970. False: it is no IMF-fixdate. */
bool dx_probe_date_parse(dx_probe_text text, int64_t *ret);

/* True if `text` is an IMF-fixdate within 10 s of this machine's clock. */
bool dx_probe_date_is_now(dx_probe_text text);
