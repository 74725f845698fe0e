/* Follows a stream of a server, and goes on where it was: the cursor is kept in a file together with what came.
 * build/examples/follow ws://127.0.0.1:4437/live/room cursor.txt [COUNT]; stop it, publish, start it again.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    dx_client *client;
    const char *file;
    long left; /* messages; 0: no end */
    int code;
} reader;

static void keep_cursor(const reader *r, dx_bytes offset)
{
    FILE *file = fopen(r->file, "w");

    if (file == NULL || fwrite(offset.at, 1, offset.size, file) != offset.size ||
        fclose(file) != 0) {
        perror(r->file);
        exit(1); /* what is not kept would come again: the program must not go on as if it were */
    }
}

static void on_message(dx_follower *f, dx_bytes offset, dx_bytes payload, void *context)
{
    reader *r = context;

    printf("%.*s\n", (int)payload.size, (const char *)payload.at);
    fflush(stdout);
    keep_cursor(r, offset);
    if (r->left > 0 && --r->left == 0) {
        dx_follower_free(f);
        dx_client_stop(r->client);
    }
}

static void on_gap(dx_follower *f, const dx_follow_gap *gap, void *context)
{
    (void)f, (void)context;
    fprintf(stderr, "%llu messages are not retained any more\n", (unsigned long long)gap->lost);
}

static void on_trouble(dx_follower *f, const char *why, uint32_t again_ms, void *context)
{
    (void)f, (void)context;
    fprintf(stderr, "%s; again in %u ms\n", why, again_ms);
}

static void on_end(dx_follower *f, dx_err err, unsigned status, const char *text, void *context)
{
    reader *r = context;

    (void)f, (void)status;
    fprintf(stderr, "%s\n", text);
    r->code = err == DX_OK ? 0 : 1;
    dx_client_stop(r->client);
}

int main(int argc, char **argv)
{
    char cursor[64] = "-1";
    reader r = {.file = argc > 2 ? argv[2] : "cursor.txt", .left = argc > 3 ? atol(argv[3]) : 0};
    dx_follow_handler handler = {
        .message = on_message, .gap = on_gap, .trouble = on_trouble, .end = on_end, .context = &r};

    if (argc < 2 || dx_client_new(NULL, &r.client) != DX_OK) {
        fprintf(stderr, "usage: follow URL [CURSOR-FILE [COUNT]]\n");
        return 2;
    }
    FILE *file = fopen(r.file, "r");
    if (file && fgets(cursor, sizeof cursor, file) == NULL)
        strcpy(cursor, "-1");
    if (file)
        fclose(file);
    dx_err err =
        dx_client_follow(r.client, argv[1], &(dx_follow_options){.offset = cursor}, &handler, NULL);
    if (err == DX_OK)
        dx_client_run(r.client);
    else
        fprintf(stderr, "%s: %s\n", argv[1], dx_err_text(err));
    dx_client_free(r.client);
    return err == DX_OK ? r.code : 2;
}
