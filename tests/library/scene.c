/* What the tests of the library share.
 * SPDX-License-Identifier: MIT */
#include "tests/library/scene.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/duplex-library-XXXXXX";

static void die(const char *what)
{
    printf("Bail out! %s\n", what);
    abort();
}

dx_server *scene_server(uint16_t port, const char *data)
{
    char listen[40];

    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    return dx_server_new(&(dx_server_options){
        .listen = listen, .loop = "epoll", .log_level = "error", .workers = 2, .data = data});
}

void scene_start(dx_server *s)
{
    const dx_stream_options disk = {.durability = DX_STREAM_ON_DISK};
    const dx_stream_options by_put = {.durability = DX_STREAM_ON_DISK, .is_by_put = true};

    if (dx_server_streams(s, "/live/", NULL) != DX_OK ||
        dx_server_streams(s, "/kept/", &disk) != DX_OK ||
        dx_server_streams(s, "/s/", &by_put) != DX_OK)
        die("no streams");
    if (dx_server_start(s) != DX_OK)
        die("the server does not start");
}

void scene_stop(dx_server *s)
{
    dx_server_free(s);
}

dx_client *scene_client(void)
{
    dx_client *c = NULL;

    if (dx_client_new(NULL, &c) != DX_OK)
        die("no client");
    return c;
}

uint64_t scene_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool scene_until(dx_client *c, const unsigned *what, unsigned want)
{
    uint64_t until_ms = scene_now_ms() + WAIT_MS_MAX;

    while (*what < want && scene_now_ms() < until_ms)
        dx_client_step(c, 100);
    return *what >= want;
}

const char *scene_url_at(const char *scheme, uint16_t port, const char *path)
{
    static char text[4][300];
    static unsigned turn;
    char *at = text[turn++ % 4];

    snprintf(at, sizeof text[0], "%s://127.0.0.1:%u%s", scheme, port, path);
    return at;
}

const char *scene_url(const char *scheme, const dx_server *s, const char *path)
{
    return scene_url_at(scheme, dx_server_port(s), path);
}

const char *scene_directory(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (mkdtemp(directory) == NULL)
        die("no directory");
    return directory;
}

void scene_directory_end(void)
{
    DIR *dir = opendir(directory);
    char path[400];

    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(directory);
}
