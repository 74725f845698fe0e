/* Static files: Http11Probe's suite "capabilities" (9 cases), and ranges and conditions of our own.
 * Is:     the group "files"; each row asks for the whole file, then, on the same connection, what
 *         it is about.
 * Is not: how a URL becomes a file, or which URLs may (the traversal tests).
 * Source: case names of MDA2AV/Http11Probe; RFC 9110 §8.8, §13, §14.
 * Memory: constant data.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_checks.h"

#define POLICY(...) DX_PROBE_ROW(DX_PROBE_POLICY, __VA_ARGS__, .needs = DX_PROBE_FILE)
#define OWN(...) DX_PROBE_ROW(DX_PROBE_OWN, __VA_ARGS__, .needs = DX_PROBE_FILE)
#define DATED(tier, ...) DX_PROBE_ROW(tier, __VA_ARGS__, .needs = DX_PROBE_MODIFIED)
#define GET DX_PROBE_GET
#define ASK(fields) GET "\r\n" GET fields "\r\n"
#define LONG_AGO "Thu, 01 Jan 1970 00:00:00 GMT"
#define FAR_OFF "Fri, 31 Dec 2399 23:59:59 GMT"

#define SAME_ETAG .check = dx_probe_check_same_etag
#define WHOLE .check = dx_probe_check_same_body

static const dx_probe_case cases[] = {
    /* Conditions. */
    POLICY("CAP-ETAG-304", "9110 §13.1.2", "200 304 +", ASK("If-None-Match: {etag}\r\n")),
    POLICY("CAP-ETAG-IN-304", "9110 §15.4.5", "200 304 +", ASK("If-None-Match: {etag}\r\n"),
           SAME_ETAG),
    POLICY("CAP-ETAG-WEAK", "9110 §13.1.2", "200 304 +", ASK("If-None-Match: {weak}\r\n")),
    POLICY("CAP-INM-WILDCARD", "9110 §13.1.2", "200 304 +", ASK("If-None-Match: *\r\n")),
    POLICY("CAP-INM-UNQUOTED", "9110 §8.8.3", "200 200 +", ASK("If-None-Match: {bare}\r\n"), WHOLE),
    POLICY("CAP-INM-PRECEDENCE", "9110 §13.1.2", "200 304 +",
           ASK("If-None-Match: {etag}\r\nIf-Modified-Since: " LONG_AGO "\r\n")),
    DATED(DX_PROBE_POLICY, "CAP-LAST-MODIFIED-304", "9110 §13.1.3", "200 304 +",
          ASK("If-Modified-Since: {modified}\r\n")),
    DATED(DX_PROBE_POLICY, "CAP-IMS-FUTURE", "9110 §13.1.3", "200 200 +",
          ASK("If-Modified-Since: " FAR_OFF "\r\n"), WHOLE),
    POLICY("CAP-IMS-INVALID", "9110 §13.1.3", "200 200 +", ASK("If-Modified-Since: no date\r\n"),
           WHOLE),
    OWN("OWN-INM-OTHER", "9110 §13.1.2", "200 200 +", ASK("If-None-Match: \"other\"\r\n"), WHOLE),
    OWN("OWN-INM-LIST", "9110 §13.1.2", "200 304 +",
        ASK("If-None-Match: \"x,y\", W/\"z\" ,{etag}\r\n")),
    OWN("OWN-INM-TWO-LINES", "9110 §13.1.2", "200 304 +",
        ASK("If-None-Match: \"x\"\r\nIf-None-Match: {etag}\r\n")),
    OWN("OWN-INM-PREFIX", "9110 §8.8.3.2", "200 200 +", ASK("If-None-Match: \"{bare}x\"\r\n"),
        WHOLE),
    OWN("OWN-INM-BEATS-IMS-THE-OTHER-WAY", "9110 §13.1.3", "200 200 +",
        ASK("If-None-Match: \"other\"\r\nIf-Modified-Since: {modified}\r\n"), WHOLE),
    OWN("OWN-INM-HEAD", "9110 §13.1.2", "200 304 +",
        GET "\r\nHEAD {get} HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: {etag}\r\n\r\n", .heads = 2),
    OWN("OWN-IM-SAME", "9110 §13.1.1", "200 200 +", ASK("If-Match: {etag}\r\n"), WHOLE),
    OWN("OWN-IM-ANY", "9110 §13.1.1", "200 200 +", ASK("If-Match: *\r\n"), WHOLE),
    OWN("OWN-IM-OTHER", "9110 §13.1.1", "200 412 +", ASK("If-Match: \"other\"\r\n")),
    OWN("OWN-IM-WEAK", "9110 §13.1.1", "200 412 +", ASK("If-Match: {weak}\r\n")),
    OWN("OWN-IM-BEFORE-INM", "9110 §13.2.2", "200 412 +",
        ASK("If-Match: \"other\"\r\nIf-None-Match: {etag}\r\n")),
    DATED(DX_PROBE_OWN, "OWN-IUS-OLD", "9110 §13.1.4", "200 412 +",
          ASK("If-Unmodified-Since: " LONG_AGO "\r\n")),
    DATED(DX_PROBE_OWN, "OWN-IUS-SAME", "9110 §13.1.4", "200 200 +",
          ASK("If-Unmodified-Since: {modified}\r\n"), WHOLE),
    OWN("OWN-IUS-INVALID", "9110 §13.1.4", "200 200 +", ASK("If-Unmodified-Since: no date\r\n"),
        WHOLE),
    OWN("OWN-IUS-IGNORED-BESIDE-IM", "9110 §13.1.4", "200 200 +",
        ASK("If-Match: {etag}\r\nIf-Unmodified-Since: " LONG_AGO "\r\n"), WHOLE),
    DATED(DX_PROBE_OWN, "OWN-IMS-OLD", "9110 §13.1.3", "200 200 +",
          ASK("If-Modified-Since: " LONG_AGO "\r\n"), WHOLE),

    /* Ranges. */
    OWN("OWN-RANGE-FIRST", "9110 §14.1.2", "200 206 +", ASK("Range: bytes=0-0\r\n"),
        .check = dx_probe_check_first),
    OWN("OWN-RANGE-UNIT-CASE", "9110 §14.1", "200 206 +", ASK("Range: Bytes=0-0\r\n"),
        .check = dx_probe_check_first),
    OWN("OWN-RANGE-LAST", "9110 §14.1.2", "200 206 +", ASK("Range: bytes={last}-{last}\r\n"),
        .check = dx_probe_check_last),
    OWN("OWN-RANGE-SUFFIX", "9110 §14.1.2", "200 206 +", ASK("Range: bytes=-1\r\n"),
        .check = dx_probe_check_last),
    OWN("OWN-RANGE-SUFFIX-TOO-LONG", "9110 §14.1.2", "200 206 +",
        ASK("Range: bytes=-99999999999\r\n"), .check = dx_probe_check_all),
    OWN("OWN-RANGE-OPEN", "9110 §14.1.2", "200 206 +", ASK("Range: bytes=0-\r\n"),
        .check = dx_probe_check_all),
    OWN("OWN-RANGE-CLAMPED", "9110 §14.1.2", "200 206 +", ASK("Range: bytes=0-99999999999\r\n"),
        .check = dx_probe_check_all),
    OWN("OWN-RANGE-BEYOND", "9110 §15.5.17", "200 416 +", ASK("Range: bytes={size}-\r\n"),
        .check = dx_probe_check_beyond),
    OWN("OWN-RANGE-SUFFIX-ZERO", "9110 §14.1.2", "200 416 +", ASK("Range: bytes=-0\r\n"),
        .check = dx_probe_check_beyond),
    OWN("OWN-RANGE-OVERFLOW", "9110 §14.1.2", "200 416|200 +",
        ASK("Range: bytes=18446744073709551616-18446744073709551617\r\n")),
    OWN("OWN-RANGE-BACKWARDS", "9110 §14.1.1", "200 200|416 +", ASK("Range: bytes=5-2\r\n")),
    OWN("OWN-RANGE-NONSENSE", "9110 §14.2", "200 200|416 +", ASK("Range: bytes=x-y\r\n")),
    OWN("OWN-RANGE-OTHER-UNIT", "9110 §14.2", "200 200 +", ASK("Range: lines=0-0\r\n"), WHOLE),
    OWN("OWN-RANGE-TWO", "9110 §14.2", "200 206|200 +", ASK("Range: bytes=0-0,-1\r\n")),
    OWN("OWN-RANGE-OVERLAPPING", "9110 §14.2", "200 200 +", ASK("Range: bytes=0-,0-,0-\r\n"),
        WHOLE),
    OWN("OWN-RANGE-THOUSAND", "9110 §14.2", "200 200 +", ASK("Range: bytes={*999:0-0,}0-0\r\n"),
        WHOLE),
    OWN("OWN-RANGE-HEAD", "9110 §14.2", "200 200 +",
        GET "\r\nHEAD {get} HTTP/1.1\r\nHost: {host}\r\nRange: bytes=0-0\r\n\r\n", .heads = 2),
    OWN("OWN-RANGE-AND-304", "9110 §13.2.2", "200 304 +",
        ASK("Range: bytes=0-0\r\nIf-None-Match: {etag}\r\n")),
    OWN("OWN-IF-RANGE-SAME", "9110 §13.1.5", "200 206 +",
        ASK("Range: bytes=0-0\r\nIf-Range: {etag}\r\n"), .check = dx_probe_check_first),
    OWN("OWN-IF-RANGE-OTHER", "9110 §13.1.5", "200 200 +",
        ASK("Range: bytes=0-0\r\nIf-Range: \"other\"\r\n"), WHOLE),
    OWN("OWN-IF-RANGE-WEAK", "9110 §13.1.5", "200 200 +",
        ASK("Range: bytes=0-0\r\nIf-Range: {weak}\r\n"), WHOLE),
    OWN("OWN-IF-RANGE-OTHER-BEYOND", "9110 §13.1.5", "200 200 +",
        ASK("Range: bytes={size}-\r\nIf-Range: \"other\"\r\n"), WHOLE),

    /* Methods. */
    OWN("OWN-FILE-HEAD-LENGTH", "9110 §9.3.2", "200 200 +",
        "HEAD {get} HTTP/1.1\r\nHost: {host}\r\n\r\n" GET "\r\n", .heads = 1,
        .check = dx_probe_check_head_length),
    OWN("OWN-FILE-POST", "9110 §15.5.6", "200 405 ?",
        GET "\r\nPOST {get} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello",
        .check = dx_probe_check_allow_get),
};

const dx_probe_table dx_probe_files = DX_PROBE_TABLE(cases);
