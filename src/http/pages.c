/* Pages in memory: from a path to a content.
 * SPDX-License-Identifier: MIT */
#include "http/pages.h"

#include "base/platform.h"
#include "codec/http_list.h"
#include "http/exchange.h"
#include "http/files_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 256 };

/* No inline script and style, nothing from elsewhere; streams of this server only. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static int compare_path(const void *key, const void *page)
{
    return strcmp(key, ((const dx_page *)page)->path);
}

/* The page at `path` with `suffix` behind it, or NULL. */
static const dx_page *find(const dx_pages *pages, dx_bytes path, const char *suffix)
{
    char key[PATH_BYTES];
    int size = snprintf(key, sizeof key, "%.*s%s", DX_FORMAT(path), suffix);

    if (size < 0 || (size_t)size >= sizeof key || pages->count == 0)
        return NULL;
    return bsearch(key, pages->at, pages->count, sizeof *pages->at, compare_path);
}

static void answer_page(dx_exchange *x, const dx_page *page)
{
    const dx_files_type *type = dx_files_type_of(page->path);
    /* Ranges are of the page as it is: offsets into a coding would differ from client to client. */
    bool is_gzip = page->gzip.size > 0 && !dx_http_fields_has(&x->head.fields, DX_HTTP_RANGE) &&
                   dx_http_accepts_coding(&x->head.fields, DX_BYTES("gzip")) > 0;
    dx_bytes bytes = is_gzip ? page->gzip : page->plain;
    dx_files_content content = {
        .fd = -1,
        .memory = bytes.at,
        .size = bytes.size,
        .type = type->text,
        .coding = is_gzip ? "gzip" : NULL,
        .policy = policy,
    };

    snprintf(content.etag, sizeof content.etag, "\"%s%s\"", page->hash, is_gzip ? "-gzip" : "");
    dx_files_answer(x, &content);
}

void dx_pages_handle(dx_exchange *x, void *context)
{
    const dx_pages *pages = context;
    dx_bytes path = dx_exchange_path(x);

    dx_bytes_skip(&path, 1); /* the slash in front */
    bool is_directory = path.size == 0 || path.at[path.size - 1] == '/';
    const dx_page *page = find(pages, path, is_directory ? "index.html" : "");
    bool is_slash_missing = page == NULL && !is_directory && find(pages, path, "/index.html");

    if (page == NULL && !is_slash_missing && x->match.allowed)
        dx_exchange_answer_method(x, x->match.allowed); /* the path is another route's */
    else if (page == NULL && !is_slash_missing)
        dx_exchange_problem(x, 404, "Nothing is served at this path.");
    else if (x->head.method != DX_HTTP_GET && x->head.method != DX_HTTP_HEAD)
        dx_exchange_answer_method(x, DX_BIT(DX_HTTP_GET));
    else if (page == NULL)
        dx_files_answer_slash(x, path);
    else
        answer_page(x, page);
}
