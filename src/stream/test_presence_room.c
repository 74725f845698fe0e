/* Tests of the members of one stream: what is told of them, and pages; with a random model.
 * SPDX-License-Identifier: MIT */
#include "stream/presence_room.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t seed[2] = {1, 2};

static dx_person *enter(dx_room *room, const char *id, const char *data)
{
    dx_person *person = NULL;

    CHECK_INT(dx_room_enter(room, dx_bytes_of(id), dx_bytes_of(data), &person), DX_PRESENCE_OK);
    return person;
}

/* What is told now; empty: nothing. */
static void check_digest(dx_room *room, const char *expected)
{
    dx_buffer text = {0};

    CHECK(dx_room_digest(room, &text));
    CHECK_BYTES(dx_buffer_view(&text), expected);
    dx_buffer_clear(&text);
    dx_room_settle(room);
    CHECK(!dx_room_has_changed(room));
}

static uint64_t check_page(const dx_room *room, uint64_t after, uint32_t count_max,
                           const char *expected)
{
    dx_presence_read read = {.after = after, .count_max = count_max};

    CHECK(dx_room_page(room, &read));
    CHECK_BYTES(dx_bytes_at(read.text, read.text_size), expected);
    CHECK_INT(read.count, room->count);
    dx_presence_release(&read);
    return read.next;
}

TEST("who comes, changes and leaves is told once, together")
{
    dx_room room;

    dx_room_init(&room, seed);
    check_digest(&room, "");
    dx_person *ann = enter(&room, "ann", "{\"n\":1}"), *bob = enter(&room, "bob", "");
    check_digest(&room, "{\"join\":[{\"id\":\"ann\",\"data\":{\"n\":1}},{\"id\":\"bob\"}],"
                        "\"leave\":[],\"count\":2}");
    check_digest(&room, "");
    dx_room_leave(&room, ann);
    CHECK_INT(dx_room_set(&room, bob, DX_BYTES("7")), DX_PRESENCE_OK);
    enter(&room, "eve", "");
    check_digest(&room, "{\"join\":[{\"id\":\"bob\",\"data\":7},{\"id\":\"eve\"}],"
                        "\"leave\":[\"ann\"],\"count\":2}");
    CHECK_INT(room.persons.count, 2);
    CHECK_INT(dx_room_set(&room, bob, DX_BYTES("")), DX_PRESENCE_OK);
    check_digest(&room, "{\"join\":[{\"id\":\"bob\"}],\"leave\":[],\"count\":2}");
    CHECK_INT(dx_room_set(&room, bob, DX_BYTES("")), DX_PRESENCE_OK);
    check_digest(&room, ""); /* the same data as before */
    dx_room_deinit(&room);
}

TEST("what comes to nothing within a digest is not told")
{
    dx_room room;

    dx_room_init(&room, seed);
    dx_room_leave(&room, enter(&room, "ann", "1"));
    check_digest(&room, "");
    CHECK_INT(room.persons.count, 0);
    dx_person *bob = enter(&room, "bob", "1");
    check_digest(&room, "{\"join\":[{\"id\":\"bob\",\"data\":1}],\"leave\":[],\"count\":1}");
    dx_room_leave(&room, bob); /* a page that is loaded again */
    CHECK(enter(&room, "bob", "1") == bob);
    check_digest(&room, "");
    dx_room_leave(&room, bob);
    enter(&room, "bob", "2");
    check_digest(&room, "{\"join\":[{\"id\":\"bob\",\"data\":2}],\"leave\":[],\"count\":1}");
    dx_room_leave(&room, bob);
    enter(&room, "bob", ""); /* it came without, so that the data of before are not its own */
    check_digest(&room, "{\"join\":[{\"id\":\"bob\"}],\"leave\":[],\"count\":1}");
    dx_room_deinit(&room);
}

TEST("two connections with one id are one member, with the data that came last")
{
    dx_room room;

    dx_room_init(&room, seed);
    dx_person *ann = enter(&room, "ann", "1");
    CHECK(enter(&room, "ann", "2") == ann);
    CHECK(enter(&room, "ann", "") == ann);
    check_digest(&room, "{\"join\":[{\"id\":\"ann\",\"data\":2}],\"leave\":[],\"count\":1}");
    dx_room_leave(&room, ann);
    dx_room_leave(&room, ann);
    check_digest(&room, "");
    CHECK_INT(room.count, 1);
    dx_room_leave(&room, ann);
    CHECK_INT(room.count, 0);
    check_digest(&room, "{\"join\":[],\"leave\":[\"ann\"],\"count\":0}");
    CHECK_INT(room.persons.count, 0);
    dx_room_deinit(&room);
}

TEST("ids are escaped, data stand on one line")
{
    dx_room room;

    dx_room_init(&room, seed);
    enter(&room, "a\"\\b\xc3\xa9", " {\"a\":\r\n\t[1, 2]}\n");
    check_digest(&room, "{\"join\":[{\"id\":\"a\\\"\\\\b\xc3\xa9\",\"data\":{\"a\":   [1, 2]}}],"
                        "\"leave\":[],\"count\":1}");
    dx_room_deinit(&room);
}

static size_t occurrences(dx_bytes text, const char *what)
{
    size_t count = 0;

    for (size_t i = 0; i + strlen(what) <= text.size; i++)
        count += memcmp(text.at + i, what, strlen(what)) == 0;
    return count;
}

TEST(
    "of 100 joins and 100 leaves all are listed, of more the first 100 of each, and how many are not")
{
    static const size_t sizes[] = {99, 100, 101, 350};

    for (size_t k = 0; k < DX_COUNT(sizes); k++) {
        dx_room room;
        dx_person *old[350];
        char id[32], tail[80];
        dx_buffer text = {0};
        dx_room_init(&room, seed);
        for (size_t i = 0; i < sizes[k]; i++) {
            snprintf(id, sizeof id, "old%zu", i);
            old[i] = enter(&room, id, "");
        }
        dx_room_settle(&room);
        for (size_t i = 0; i < sizes[k]; i++) {
            dx_room_leave(&room, old[i]);
            snprintf(id, sizeof id, "new%zu", i);
            enter(&room, id, "0");
        }
        CHECK(dx_room_digest(&room, &text));
        size_t listed = sizes[k] < 100 ? sizes[k] : 100;
        CHECK_INT(occurrences(dx_buffer_view(&text), "\"new"), listed);
        CHECK_INT(occurrences(dx_buffer_view(&text), "\"old"), listed);
        CHECK_INT(occurrences(dx_buffer_view(&text), "\"data\":0"), listed);
        if (sizes[k] > 100)
            snprintf(tail, sizeof tail, "],\"count\":%zu,\"more\":%zu}", sizes[k],
                     2 * (sizes[k] - 100));
        else
            snprintf(tail, sizeof tail, "],\"count\":%zu}", sizes[k]);
        CHECK_BYTES(dx_bytes_at(text.at + text.size - strlen(tail), strlen(tail)), tail);
        dx_buffer_clear(&text);
        dx_room_deinit(&room);
    }
}

TEST("pages: in the order of coming, also when those at their seams have left")
{
    dx_room room;
    dx_person *all[5];
    const char *const ids[] = {"e", "d", "c", "b", "a"};

    dx_room_init(&room, seed);
    CHECK_INT(check_page(&room, 0, 1000, "[]"), 0);
    for (int i = 0; i < 5; i++)
        all[i] = enter(&room, ids[i], "");
    CHECK_INT(check_page(&room, 0, 0, "[]"), 0); /* only the count */
    CHECK_INT(check_page(&room, 0, 5,
                         "[{\"id\":\"e\"},{\"id\":\"d\"},{\"id\":\"c\"},{\"id\":\"b\"},"
                         "{\"id\":\"a\"}]"),
              0);
    uint64_t next = check_page(&room, 0, 2, "[{\"id\":\"e\"},{\"id\":\"d\"}]");
    CHECK(next > 0);
    dx_room_leave(&room, all[1]);
    dx_room_leave(&room, all[2]);
    dx_room_settle(&room);
    CHECK_INT(check_page(&room, next, 2, "[{\"id\":\"b\"},{\"id\":\"a\"}]"), 0);
    enter(&room, "d", "1");
    next = check_page(&room, next, 2, "[{\"id\":\"b\"},{\"id\":\"a\"}]");
    CHECK_INT(check_page(&room, next, 2, "[{\"id\":\"d\",\"data\":1}]"), 0);
    dx_room_deinit(&room);
}

TEST("a page of large members ends early, and goes on where it ended")
{
    dx_room room;
    char id[72], data[DX_MEMBER_DATA_BYTES_MAX + 1];
    uint64_t after = 0;
    size_t pages = 0, listed = 0;

    memset(data, '1', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    dx_room_init(&room, seed);
    for (int i = 0; i < 900; i++) {
        snprintf(id, sizeof id, "%060d", i);
        enter(&room, id, data);
    }
    do {
        dx_presence_read read = {.after = after, .count_max = 1000};
        CHECK(dx_room_page(&room, &read));
        CHECK(read.text_size < 270000);
        listed += occurrences(dx_bytes_at(read.text, read.text_size), "\"id\"");
        after = read.next;
        dx_presence_release(&read);
    } while (after > 0 && ++pages < 10);
    CHECK_INT(listed, 900);
    CHECK_INT(pages, 3);
    dx_room_deinit(&room);
}

TEST("10,000 who come, and leave, cost no more than 2 MB, and leave little behind")
{
    enum { COUNT = 10000 };
    static dx_person *all[COUNT];
    dx_room room;
    char id[16];
    size_t digests_size = 0;

    dx_room_init(&room, seed);
    for (int i = 0; i < COUNT; i++) {
        dx_buffer text = {0};
        snprintf(id, sizeof id, "%d", i);
        all[i] = enter(&room, id, "");
        if (i % 1000 == 999) { /* ten digests */
            CHECK(dx_room_digest(&room, &text));
            digests_size += text.size;
            dx_room_settle(&room);
        }
        dx_buffer_clear(&text);
    }
    printf("# %zu bytes kept, %zu bytes told\n", dx_room_bytes(&room), digests_size);
    CHECK(dx_room_bytes(&room) < 2000000);
    CHECK(digests_size < 10 * 100 * 20 + 1000);
    for (int i = 0; i < COUNT; i++) {
        dx_room_leave(&room, all[(i * 7) % COUNT]);
        if (i % 1000 == 999)
            dx_room_settle(&room);
    }
    CHECK_INT(room.persons.count, 0);
    CHECK(room.slots_capacity <= 64);
    dx_room_deinit(&room);
}

TEST("one more than 100,000 is refused; another connection of one who is there is not")
{
    dx_room room;
    dx_person *person;
    char id[16];

    dx_room_init(&room, seed);
    for (int i = 0; i < DX_PRESENCE_MEMBERS_MAX; i++) {
        snprintf(id, sizeof id, "%d", i);
        dx_presence_status status = dx_room_enter(&room, dx_bytes_of(id), (dx_bytes){0}, &person);
        if (status != DX_PRESENCE_OK)
            TAP_FAIL("refused at %d", i);
    }
    CHECK_INT(dx_room_enter(&room, DX_BYTES("x"), (dx_bytes){0}, &person), DX_PRESENCE_FULL);
    CHECK_INT(dx_room_enter(&room, DX_BYTES("7"), (dx_bytes){0}, &person), DX_PRESENCE_OK);
    CHECK_INT(room.count, DX_PRESENCE_MEMBERS_MAX);
    dx_room_deinit(&room);
}

/* ---- a model ---------------------------------------------------------------------------------------- */

enum { PEOPLE = 60, STEPS = 4000 };

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % below);
}

/* What somebody knows who heard every digest; and who is there. */
typedef struct model {
    dx_person *persons[PEOPLE];
    unsigned connections[PEOPLE];
    bool known[PEOPLE];
} model;

static void hear(dx_room *room, model *m)
{
    dx_buffer text = {0};
    char piece[32];

    CHECK(dx_room_digest(room, &text));
    dx_bytes all = dx_buffer_view(&text);
    for (int i = 0; i < PEOPLE && text.size > 0; i++) {
        snprintf(piece, sizeof piece, "{\"id\":\"p%d\"}", i);
        size_t joins = occurrences(all, piece);
        snprintf(piece, sizeof piece, "\"p%d\"", i);
        size_t leaves = occurrences(all, piece) - joins;
        if (joins + leaves > 1 || (joins && m->known[i]) || (leaves && !m->known[i]))
            TAP_FAIL("p%d: %zu joins, %zu leaves", i, joins, leaves);
        m->known[i] = joins ? true : leaves ? false : m->known[i];
    }
    dx_buffer_clear(&text);
    dx_room_settle(room);
    for (int i = 0; i < PEOPLE; i++)
        if (m->known[i] != (m->connections[i] > 0))
            TAP_FAIL("p%d: known %d, connections %u", i, m->known[i], m->connections[i]);
}

/* All pages together are who is there. */
static void list(const dx_room *room, const model *m)
{
    uint32_t count_max = 1 + draw(20), listed = 0, there = 0;
    char piece[32];
    uint64_t after = 0;

    do {
        dx_presence_read read = {.after = after, .count_max = count_max};
        CHECK(dx_room_page(room, &read));
        dx_bytes text = dx_bytes_at(read.text, read.text_size);
        uint32_t here = (uint32_t)occurrences(text, "\"id\"");
        CHECK(here <= count_max);
        for (int i = 0; i < PEOPLE; i++) {
            snprintf(piece, sizeof piece, "\"p%d\"", i);
            if (occurrences(text, piece) > (m->connections[i] > 0))
                TAP_FAIL("p%d is listed and not there", i);
        }
        listed += here;
        after = read.next;
        dx_presence_release(&read);
    } while (after > 0);
    for (int i = 0; i < PEOPLE; i++)
        there += m->connections[i] > 0;
    CHECK_INT(listed, there);
    CHECK_INT(room->count, there);
}

TEST("50 seeds: who hears every digest knows who is there, and so does who reads all pages")
{
    for (uint64_t n = 1; n <= 50; n++) {
        model m = {0};
        dx_room room;
        char id[16];
        random_state = n * 0x9e3779b97f4a7c15 + 1;
        dx_room_init(&room, seed);
        for (int step = 0; step < STEPS; step++) {
            uint32_t who = draw(PEOPLE), what = draw(40);
            if (what == 0) {
                hear(&room, &m);
            } else if (what == 1) {
                list(&room, &m);
            } else if (draw(step / 1000 % 2 ? 3 : 2) == 0) {
                snprintf(id, sizeof id, "p%u", who);
                m.persons[who] = enter(&room, id, "");
                m.connections[who]++;
            } else if (m.connections[who] > 0) {
                dx_room_leave(&room, m.persons[who]);
                m.connections[who]--;
            }
        }
        for (int i = 0; i < PEOPLE; i++)
            for (; m.connections[i] > 0; m.connections[i]--)
                dx_room_leave(&room, m.persons[i]);
        hear(&room, &m);
        CHECK_INT(room.bytes, room.slots_capacity * sizeof *room.slots);
        dx_room_deinit(&room);
    }
}
