/* REST with JSON: notes that are made, read and deleted at /notes.
 * The bodies are stored as they come; a JSON library of your choice looks into them. Handlers run on several workers
 * at once, so what they share has a lock.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 1000, NOTE_BYTES_MAX = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *notes[NOTES_MAX]; /* by id - 1; NULL: deleted, or not made yet */
static size_t made_count;

static void answer_json(dx_exchange *x, unsigned status, const char *text)
{
    dx_exchange_respond(x, &(dx_response){.status = status,
                                          .type = dx_bytes_of("application/json"),
                                          .body = dx_bytes_of(text)});
}

/* POST /notes: 201 with where it is. */
static void make_note(dx_exchange *x, void *context)
{
    dx_bytes body = dx_exchange_body(x);
    char where[40];

    (void)context;
    if (body.size == 0 || body.size > NOTE_BYTES_MAX || body.at[0] != '{') {
        dx_exchange_problem(x, 400, "A note is a JSON object of at most 4096 bytes.");
        return;
    }
    pthread_mutex_lock(&lock);
    size_t id = made_count < NOTES_MAX ? ++made_count : 0;
    if (id)
        notes[id - 1] = strndup((const char *)body.at, body.size);
    pthread_mutex_unlock(&lock);
    if (id == 0) {
        dx_exchange_problem(x, 507, "There is room for 1000 notes.");
        return;
    }
    snprintf(where, sizeof where, "/notes/%zu", id);
    dx_header location = {dx_bytes_of("Location"), dx_bytes_of(where)};
    dx_exchange_respond(x, &(dx_response){.status = 201, .headers = &location, .headers_count = 1});
}

/* GET and DELETE /notes/{id} */
static void one_note(dx_exchange *x, void *context)
{
    bool is_delete = context != NULL;
    char number[20];
    dx_bytes text = dx_exchange_parameter(x, "id");
    char *note = NULL;

    snprintf(number, sizeof number, "%.*s", (int)text.size, (const char *)text.at);
    size_t id = strtoul(number, NULL, 10);
    pthread_mutex_lock(&lock);
    if (id >= 1 && id <= made_count && notes[id - 1])
        note = is_delete ? notes[id - 1] : strdup(notes[id - 1]);
    if (note && is_delete)
        notes[id - 1] = NULL;
    pthread_mutex_unlock(&lock);
    if (note == NULL)
        dx_exchange_problem(x, 404, "There is no such note.");
    else if (is_delete)
        dx_exchange_respond(x, &(dx_response){.status = 204});
    else
        answer_json(x, 200, note);
    free(note);
}

int main(int argc, char **argv)
{
    static char is_delete;
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_route(server, "POST", "/notes", make_note, NULL) != DX_OK ||
        dx_server_route(server, "GET", "/notes/{id}", one_note, NULL) != DX_OK ||
        dx_server_route(server, "DELETE", "/notes/{id}", one_note, &is_delete) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
