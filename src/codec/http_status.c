/* The table of faults, and reason phrases.
 * SPDX-License-Identifier: MIT */
#include "codec/http_status.h"

#include "base/assert.h"

#define FAULT(name) [DX_HTTP_FAULT_##name]

static const dx_http_fault faults[DX_HTTP_STATUS_COUNT] = {
    FAULT(BARE_LF) = {400, "A line ends with LF alone; every line of the head ends with CR LF.",
                      "RFC 9112 section 2.2"},
    FAULT(BARE_CR) = {400, "A CR is not followed by LF; every line of the head ends with CR LF.",
                      "RFC 9112 section 2.2"},
    FAULT(CONTROL_BYTE) = {400,
                           "The head holds a control byte; only visible characters, space and tab "
                           "may stand there.",
                           "RFC 9110 section 5.5"},
    FAULT(REQUEST_LINE_LONG) = {414,
                                "The request line is longer than this server reads; 8192 bytes are "
                                "allowed unless it was configured otherwise.",
                                "RFC 9112 section 3"},
    FAULT(FIELDS_LARGE) = {431,
                           "The header fields together are larger than this server reads; 16384 "
                           "bytes are allowed unless it was configured otherwise.",
                           "RFC 6585 section 5"},
    FAULT(FIELDS_MANY) = {431,
                          "There are more header fields than this server reads; 100 are allowed "
                          "unless it was configured otherwise.",
                          "RFC 6585 section 5"},
    FAULT(REQUEST_LINE) = {400,
                           "The first line is not METHOD TARGET HTTP/1.1 with exactly one space "
                           "between each two.",
                           "RFC 9112 section 3"},
    FAULT(METHOD) = {400, "The method is not a token of letters, digits and !#$%&'*+-.^_`|~.",
                     "RFC 9110 section 9.1"},
    FAULT(METHOD_LONG) = {501, "The method is longer than any that is known here.",
                          "RFC 9112 section 3"},
    FAULT(TARGET_BYTE) = {400,
                          "The request target holds a byte that is not visible ASCII; write others "
                          "as %xx.",
                          "RFC 9112 section 3.2"},
    FAULT(TARGET_FRAGMENT) = {400, "The request target holds a \"#\"; fragments are not sent.",
                              "RFC 9110 section 7.1"},
    FAULT(TARGET_FORM) = {400,
                          "The request target does not fit the method: a path, or an absolute http "
                          "or https URL; \"*\" with OPTIONS only; host:port with CONNECT only.",
                          "RFC 9112 section 3.2"},
    FAULT(
        TARGET_AUTHORITY) = {400,
                             "The host in the request target is not a valid host with an optional "
                             "port; a user name is not allowed.",
                             "RFC 9110 section 4.2"},
    FAULT(VERSION) = {400, "The version is not HTTP/1.1 or HTTP/1.0, written exactly so.",
                      "RFC 9112 section 2.3"},
    FAULT(VERSION_MAJOR) = {505, "This connection speaks HTTP/1.1 and HTTP/1.0 only.",
                            "RFC 9110 section 15.6.6"},
    FAULT(BLANK_BEFORE_FIELDS) = {400,
                                  "There is a blank between the first line and the first field "
                                  "name.",
                                  "RFC 9112 section 2.2"},
    FAULT(FOLD) = {400, "A header field is folded over two lines; each must be on one.",
                   "RFC 9112 section 5.2"},
    FAULT(BLANK_BEFORE_COLON) = {400, "There is a blank between a field name and its colon.",
                                 "RFC 9112 section 5.1"},
    FAULT(NO_COLON) = {400, "A header line has no colon; a field is NAME: VALUE.",
                       "RFC 9112 section 5"},
    FAULT(NAME_EMPTY) = {400, "A header line starts with its colon; the name is missing.",
                         "RFC 9110 section 5.1"},
    FAULT(NAME) = {400, "A field name is not a token of letters, digits and !#$%&'*+-.^_`|~.",
                   "RFC 9110 section 5.1"},
    FAULT(LENGTH) = {400,
                     "Content-Length is not one decimal number without sign, leading zero or list.",
                     "RFC 9110 section 8.6"},
    FAULT(LENGTH_REPEATED) = {400, "Content-Length is there more than once.",
                              "RFC 9112 section 6.3"},
    FAULT(CODING) = {400, "Transfer-Encoding is empty or not a list; only \"chunked\" is allowed.",
                     "RFC 9112 section 6.1"},
    FAULT(CODING_UNKNOWN) = {501, "The transfer coding is not known here; only chunked is.",
                             "RFC 9112 section 6.1"},
    FAULT(CODING_NOT_LAST) = {400, "The last transfer coding is not chunked.",
                              "RFC 9112 section 6.3"},
    FAULT(CODING_REPEATED) = {400, "The chunked coding is there more than once.",
                              "RFC 9112 section 6.1"},
    FAULT(CODING_AND_LENGTH) = {400,
                                "Both Content-Length and Transfer-Encoding are there; only one may "
                                "say where the content ends.",
                                "RFC 9112 section 6.1"},
    FAULT(CODING_IN_1_0) = {400, "Transfer-Encoding does not exist in HTTP/1.0.",
                            "RFC 9112 section 6.1"},
    FAULT(HOST_MISSING) = {400, "There is no Host field; HTTP/1.1 asks for exactly one.",
                           "RFC 9112 section 3.2"},
    FAULT(HOST_REPEATED) = {400, "There is more than one Host field; exactly one is allowed.",
                            "RFC 9112 section 3.2"},
    FAULT(HOST) = {400, "The value of Host is not a host name or address with an optional port.",
                   "RFC 9110 section 7.2"},
    FAULT(EXPECT) = {417, "The expectation is not known; only 100-continue is.",
                     "RFC 9110 section 10.1.1"},

    FAULT(CHUNK_SIZE) = {400,
                         "A chunk does not start with its size in 1 to 16 hex digits, then \";\" "
                         "or CR LF.",
                         "RFC 9112 section 7.1"},
    FAULT(CHUNK_SIZE_LARGE) = {400, "The size of a chunk is too large.", "RFC 9112 section 7.1"},
    FAULT(CHUNK_EXTENSION) = {400, "A chunk extension is not ;NAME, ;NAME=TOKEN or ;NAME=\"TEXT\".",
                              "RFC 9112 section 7.1.1"},
    FAULT(CHUNK_EXTENSION_LONG) = {400,
                                   "The extensions of a chunk are too long; 256 bytes are allowed.",
                                   "RFC 9112 section 7.1.1"},
    FAULT(CHUNK_END) = {400, "The data of a chunk is not followed by CR LF.",
                        "RFC 9112 section 7.1"},
    FAULT(
        CHUNK_OVERHEAD) = {400,
                           "The content is cut in chunks so small that less than a quarter of all "
                           "bytes are content.",
                           "RFC 9112 section 7.1"},
    FAULT(TRAILERS_LARGE) = {431, "The trailer fields are too large; 4096 bytes are allowed.",
                             "RFC 6585 section 5"},

    FAULT(STATUS_LINE) = {502, "The first line of the answer is not HTTP/1.1 CODE REASON.",
                          "RFC 9112 section 4"},
};

const dx_http_fault *dx_http_fault_of(dx_http_status fault)
{
    dx_assert(dx_http_is_fault(fault) && fault < DX_HTTP_STATUS_COUNT);
    return &faults[fault];
}

static const char *const reasons_1[] = {"Continue", "Switching Protocols", "Processing",
                                        "Early Hints"};
static const char *const reasons_2[] = {"OK",
                                        "Created",
                                        "Accepted",
                                        "Non-Authoritative Information",
                                        "No Content",
                                        "Reset Content",
                                        "Partial Content",
                                        "Multi-Status",
                                        "Already Reported"};
static const char *const reasons_3[] = {
    "Multiple Choices",  "Moved Permanently", "Found", "See Other",
    "Not Modified",      "Use Proxy",         "",      "Temporary Redirect",
    "Permanent Redirect"};
static const char *const reasons_4[] = {"Bad Request",
                                        "Unauthorized",
                                        "Payment Required",
                                        "Forbidden",
                                        "Not Found",
                                        "Method Not Allowed",
                                        "Not Acceptable",
                                        "Proxy Authentication Required",
                                        "Request Timeout",
                                        "Conflict",
                                        "Gone",
                                        "Length Required",
                                        "Precondition Failed",
                                        "Content Too Large",
                                        "URI Too Long",
                                        "Unsupported Media Type",
                                        "Range Not Satisfiable",
                                        "Expectation Failed",
                                        "",
                                        "",
                                        "",
                                        "Misdirected Request",
                                        "Unprocessable Content",
                                        "Locked",
                                        "Failed Dependency",
                                        "Too Early",
                                        "Upgrade Required",
                                        "",
                                        "Precondition Required",
                                        "Too Many Requests",
                                        "",
                                        "Request Header Fields Too Large"};
static const char *const reasons_5[] = {"Internal Server Error",
                                        "Not Implemented",
                                        "Bad Gateway",
                                        "Service Unavailable",
                                        "Gateway Timeout",
                                        "HTTP Version Not Supported",
                                        "Variant Also Negotiates",
                                        "Insufficient Storage",
                                        "Loop Detected",
                                        "",
                                        "",
                                        "Network Authentication Required"};

static const struct {
    const char *const *at;
    size_t count;
} reasons[] = {
    {reasons_1, DX_COUNT(reasons_1)}, {reasons_2, DX_COUNT(reasons_2)},
    {reasons_3, DX_COUNT(reasons_3)}, {reasons_4, DX_COUNT(reasons_4)},
    {reasons_5, DX_COUNT(reasons_5)},
};

const char *dx_http_reason(unsigned code)
{
    unsigned row = code / 100 - 1, column = code % 100; /* 0 wraps to a row that is not there */

    if (row >= DX_COUNT(reasons) || column >= reasons[row].count)
        return "";
    return reasons[row].at[column];
}
