/* Names of the versions of HTTP for ALPN.
 * Source: RFC 7301 §6.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_ALPN_H
#define DX_HTTP_ALPN_H

#define DX_HTTP1_ALPN "http/1.1"
#define DX_HTTP2_ALPN "h2"

#endif
