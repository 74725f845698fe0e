/* For tests of static files: a directory full of them, served.
 * Is:     a fresh directory DIR with DIR/www served at "/", and DIR/secret beside it.
 * Is not: a test.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_TEST_FILES_H
#define DX_HTTP_TEST_FILES_H

#include "http/files.h"
#include "http/test_served.h"

#define SECRET "none of your business"

typedef struct files_served {
    served served;
    dx_files *files;
    char dir[64]; /* an absolute path */
} files_served;

/* Makes www/hello.txt ("hello world\n"), www/index.html, www/sub/index.html, www/empty.css, and beside
 * www a file "secret" that holds SECRET. */
void files_served_init(files_served *f);
/* Stops, and removes everything. */
void files_served_deinit(files_served *f);

/* Writes DIR/`name`, making its directories. */
void files_write(const files_served *f, const char *name, dx_bytes content);
/* Makes the symbolic link DIR/`name` to `target`. */
void files_link(const files_served *f, const char *name, const char *target);

/* Sends "METHOD TARGET HTTP/1.1" with Host, Connection: close and `fields` (whole lines, or ""). */
void files_ask(files_served *f, const char *line, const char *fields, served_response *ret);
/* The same, for the status code alone. */
unsigned files_code(files_served *f, const char *line, const char *fields);

#endif
