/* Media types by the end of a file's name.
 * Source: the IANA registry of media types; RFC 9239 for JavaScript, RFC 7763 for Markdown.
 * SPDX-License-Identifier: MIT */
#include "http/files_inner.h"

#include "base/bytes.h"

static const dx_files_type types[] = {
    {"html", "text/html; charset=utf-8", false},
    {"htm", "text/html; charset=utf-8", false},
    {"css", "text/css; charset=utf-8", false},
    {"js", "text/javascript; charset=utf-8", false},
    {"mjs", "text/javascript; charset=utf-8", false},
    {"json", "application/json", false},
    {"map", "application/json", false},
    {"webmanifest", "application/manifest+json", false},
    {"svg", "image/svg+xml", false},
    {"txt", "text/plain; charset=utf-8", false},
    {"md", "text/markdown; charset=utf-8", false},
    {"csv", "text/csv; charset=utf-8", false},
    {"xml", "application/xml", false},
    {"wasm", "application/wasm", false},
    {"pdf", "application/pdf", false},
    {"ico", "image/vnd.microsoft.icon", false},
    {"png", "image/png", true},
    {"jpg", "image/jpeg", true},
    {"jpeg", "image/jpeg", true},
    {"webp", "image/webp", true},
    {"avif", "image/avif", true},
    {"gif", "image/gif", true},
    {"woff2", "font/woff2", true},
    {"mp4", "video/mp4", true},
    {"webm", "video/webm", true},
    {"mp3", "audio/mpeg", true},
    {"gz", "application/gzip", true},
    {"zip", "application/zip", true},
    {"br", "application/octet-stream", true},
};

const dx_files_type *dx_files_type_of(const char *name)
{
    static const dx_files_type unknown = {"", "application/octet-stream", false};
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');

    for (size_t i = 0; dot && i < DX_COUNT(types); i++)
        if (dx_bytes_equal_nocase(dx_bytes_of(dot + 1), dx_bytes_of(types[i].extension)))
            return &types[i];
    return &unknown;
}
