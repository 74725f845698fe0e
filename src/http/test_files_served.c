/* A directory of files, served.
 * SPDX-License-Identifier: MIT */
#include "http/test_files.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_of(const files_served *f, const char *name, char path[512])
{
    int size = snprintf(path, 512, "%s/%s", f->dir, name);
    dx_assert(size > 0 && size < 512);
}

static void make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        dx_assert(made == 0 || errno == EEXIST);
        *slash = '/';
    }
}

void files_write(const files_served *f, const char *name, dx_bytes content)
{
    char path[512];

    path_of(f, name, path);
    make_directories(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    dx_assert(fd >= 0);
    while (content.size > 0) {
        ssize_t written = write(fd, content.at, content.size);
        dx_assert(written > 0);
        dx_bytes_skip(&content, (size_t)written);
    }
    close(fd);
}

void files_link(const files_served *f, const char *name, const char *target)
{
    char path[512];

    path_of(f, name, path);
    make_directories(path);
    int made = symlink(target, path);
    dx_assert(made == 0);
}

void files_served_init(files_served *f)
{
    *f = (files_served){.dir = "/tmp/duplex-files-XXXXXX"};
    if (mkdtemp(f->dir) == NULL)
        dx_unreachable("no directory for the test");
    files_write(f, "secret", DX_BYTES(SECRET));
    files_write(f, "www/hello.txt", DX_BYTES("hello world\n"));
    files_write(f, "www/index.html", DX_BYTES("<p>root"));
    files_write(f, "www/sub/index.html", DX_BYTES("<p>sub"));
    files_write(f, "www/empty.css", DX_BYTES(""));
    char path[512];
    path_of(f, "www", path);
    dx_err err = dx_files_new(path, &f->files);
    dx_assert(err == DX_OK);
    served_init(&f->served, &(dx_route){.pattern = "/**",
                                        .methods = DX_BIT(DX_HTTP_GET) | DX_BIT(DX_HTTP_POST),
                                        .body_bytes_max = 1024,
                                        .handle = dx_files_handle,
                                        .context = f->files});
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat, (void)type, (void)walk;
    return remove(path);
}

void files_served_deinit(files_served *f)
{
    served_deinit(&f->served);
    dx_files_free(f->files);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void files_ask(files_served *f, const char *line, const char *fields, served_response *ret)
{
    char text[16384];
    int size =
        snprintf(text, sizeof text,
                 "%s HTTP/1.1\r\nHost: files.test\r\nConnection: close\r\n%s\r\n", line, fields);

    dx_assert(size > 0 && (size_t)size < sizeof text);
    served_ask(&f->served, dx_bytes_at(text, (size_t)size), ret);
}

unsigned files_code(files_served *f, const char *line, const char *fields)
{
    served_response r;

    files_ask(f, line, fields, &r);
    served_response_deinit(&r);
    return r.head.code;
}
