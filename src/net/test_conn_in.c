/* Tests of the input half of a connection: what is kept, pausing, changing hands, FIN and reset.
 * SPDX-License-Identifier: MIT */
#include "net/test_probe.h"
#include "tests/tap.h"

#include <sys/socket.h>

static world w;
static probe p, second;
static peer other;

static void begin(void (*open_it)(world *in, probe *p, peer *other))
{
    p = second = (probe){0};
    world_init(&w, NULL);
    open_it(&w, &p, &other);
}

static void finish(void)
{
    if (p.conn && p.counts[PROBE_CLOSED] + second.counts[PROBE_CLOSED] == 0)
        dx_conn_abort(p.conn, DX_OK, false);
    world_deinit(&w);
    CHECK_INT(p.counts[PROBE_CLOSED] + second.counts[PROBE_CLOSED], 1);
    p.conn = second.conn = NULL;
    probe_deinit(&p);
    probe_deinit(&second);
    peer_close(&other);
}

LOOP_TEST("what is not consumed is kept, and comes again in front of more")
{
    begin(probe_open);
    p.take_multiple = 10;
    peer_trickle(&w, &other, DX_BYTES("0123456789abcdefghijABCDE"));
    CHECK_BYTES(p.in, "0123456789abcdefghij");
    CHECK_INT(p.bytes_last, 5);
    CHECK_INT(dx_conn_kept(p.conn), 5);
    peer_write(&w, &other, DX_BYTES("FGHIJklm"));
    world_settle(&w);
    CHECK_BYTES(p.in, "0123456789abcdefghijABCDEFGHIJ");
    CHECK_INT(p.bytes_last, 3); /* offered again until nothing was taken */
    CHECK_INT(dx_conn_kept(p.conn), 3);
    finish();
}

LOOP_TEST("kept bytes come again after resume, and not because something was written")
{
    begin(probe_open);
    p.take_multiple = 10;
    peer_write(&w, &other, DX_BYTES("01234"));
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_BYTES], 1);
    for (int i = 0; i < 5; i++) {
        dx_conn_write(p.conn, DX_BYTES("out"));
        dx_conn_wake(p.conn);
        world_settle(&w);
    }
    CHECK_INT(p.counts[PROBE_BYTES], 1);
    p.take_multiple = 5;
    dx_conn_resume(p.conn);
    CHECK_INT(p.counts[PROBE_BYTES], 1); /* never from inside */
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_BYTES], 2);
    CHECK_BYTES(p.in, "01234");
    finish();
}

LOOP_TEST("a paused connection is told nothing; resumed, it gets the bytes and then the end")
{
    begin(probe_open);
    p.take_multiple = 4;
    peer_write(&w, &other, DX_BYTES("012"));
    world_settle(&w);
    dx_conn_pause(p.conn);
    dx_conn_pause(p.conn);
    peer_write(&w, &other, DX_BYTES("3456789"));
    peer_finish(&other);
    turn_for(w.loop, 30);
    CHECK_INT(p.counts[PROBE_BYTES], 1);
    CHECK_INT(p.counts[PROBE_END], 0);
    p.take_multiple = 0;
    dx_conn_resume(p.conn);
    dx_conn_resume(p.conn);
    TURN_UNTIL(w.loop, p.counts[PROBE_END] == 1);
    CHECK_BYTES(p.in, "0123456789");
    PEER_UNTIL_END(&w, &other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK);
    CHECK_INT(p.counts[PROBE_END], 1);
    finish();
}

static void pause_hook(probe *of, probe_event event)
{
    (void)event;
    dx_conn_pause(of->conn);
}

LOOP_TEST("a pause from inside on_bytes holds what is left and what comes, also the end")
{
    begin(probe_open);
    p.take_multiple = 3;
    p.hook = pause_hook, p.hook_event = PROBE_BYTES;
    peer_write(&w, &other, DX_BYTES("0123456"));
    peer_write(&w, &other, DX_BYTES("789ab"));
    peer_finish(&other);
    turn_for(w.loop, 30);
    CHECK_INT(p.counts[PROBE_BYTES], 1);
    for (int i = 0; i < 8 && p.counts[PROBE_END] == 0; i++) {
        dx_conn_resume(p.conn);
        world_settle(&w);
    }
    CHECK_BYTES(p.in, "0123456789ab");
    CHECK_INT(p.counts[PROBE_END], 1);
    finish();
}

static void note_size(probe *of, probe_event event)
{
    (void)event;
    CHECK_INT(of->in.size, 3);
}

LOOP_TEST("a FIN does not overtake bytes that were resumed in the same turn")
{
    begin(probe_open);
    p.take_multiple = 4;
    peer_write(&w, &other, DX_BYTES("012"));
    world_settle(&w);
    p.take_multiple = 0;
    dx_conn_resume(p.conn); /* its flush is for the next turn, which hears of the FIN first */
    peer_finish(&other);
    p.is_own_end = true;
    p.hook = note_size, p.hook_event = PROBE_END;
    TURN_UNTIL(w.loop, p.counts[PROBE_END] == 1);
    CHECK_BYTES(p.in, "012");
    finish();
}

/* ---- changing hands --------------------------------------------------------------------------- */

static void hand_over(probe *of, probe_event event)
{
    (void)event;
    second.conn = of->conn;
    dx_conn_set_protocol(of->conn, &probe_ops, &second);
}

static void check_handed_over(void)
{
    CHECK_BYTES(p.in, "GET ");
    CHECK_BYTES(second.in, "frames");
    CHECK_INT(p.counts[PROBE_CLOSED], 0);
    peer_write(&w, &other, DX_BYTES("more"));
    world_settle(&w);
    CHECK_BYTES(second.in, "framesmore");
    CHECK_INT(p.counts[PROBE_BYTES], 1);
}

LOOP_TEST("a new protocol gets what the old one left, when it takes over inside on_bytes")
{
    begin(probe_open);
    p.take_multiple = 4;
    p.hook = hand_over, p.hook_event = PROBE_BYTES;
    peer_write(&w, &other, DX_BYTES("GET fra")); /* 3 left for the new one, at once */
    world_settle(&w);
    CHECK_BYTES(second.in, "fra");
    peer_write(&w, &other, DX_BYTES("mes"));
    world_settle(&w);
    check_handed_over();
    finish();
}

LOOP_TEST("a new protocol gets what the old one left, when it takes over at any later time")
{
    begin(probe_open);
    p.take_multiple = 10000;
    peer_write(&w, &other, DX_BYTES("frames"));
    world_settle(&w);
    CHECK_INT(dx_conn_kept(p.conn), 6);
    hand_over(&p, PROBE_BYTES);
    world_settle(&w);
    CHECK_BYTES(second.in, "frames");
    finish();
}

LOOP_TEST("a new protocol is told of the FIN that the old one knew, behind the bytes")
{
    begin(probe_open);
    p.take_multiple = 10000;
    p.is_own_end = true;
    peer_write(&w, &other, DX_BYTES("frames"));
    peer_finish(&other);
    TURN_UNTIL(w.loop, p.counts[PROBE_END] == 1);
    hand_over(&p, PROBE_BYTES);
    CHECK_INT(second.counts[PROBE_END], 0);
    world_settle(&w);
    CHECK_BYTES(second.in, "frames");
    CHECK_INT(second.counts[PROBE_END], 1);
    finish();
}

LOOP_TEST("a protocol may be changed inside on_end: the new one is told, too")
{
    begin(probe_open);
    p.is_own_end = true;
    p.hook = hand_over, p.hook_event = PROBE_END;
    peer_finish(&other);
    TURN_UNTIL(w.loop, second.counts[PROBE_END] == 1);
    TURN_UNTIL(w.loop, second.counts[PROBE_CLOSED] == 1);
    CHECK_INT(second.why, DX_OK);
    finish();
}

/* ---- the peer goes ---------------------------------------------------------------------------- */

LOOP_TEST("a reset is told as such, also while paused once something is sent")
{
    begin(probe_open_tcp);
    peer_reset(&other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_RESET);
    CHECK_INT(p.counts[PROBE_END], 0);
    finish();

    begin(probe_open_tcp);
    dx_conn_pause(p.conn);
    world_settle(&w);
    peer_reset(&other);
    world_settle(&w);
    for (int i = 0; i < 20 && p.counts[PROBE_CLOSED] == 0; i++) {
        dx_conn_write(p.conn, DX_BYTES("anyone?"));
        turn_for(w.loop, 10);
    }
    CHECK_INT(p.counts[PROBE_CLOSED], 1);
    CHECK_INT(p.why, DX_ERR_RESET);
    finish();
}

static void finish_and_flush(probe *of, probe_event event)
{
    (void)event;
    dx_conn_finish(of->conn);
    dx_conn_flush(of->conn); /* nothing is queued: it lingers from here on */
    CHECK(of->in.size == 0 || of->in.at[0] == '0');
}

LOOP_TEST("the end may come from inside on_bytes while kept bytes are looked at")
{
    begin(probe_open);
    p.take_multiple = 8;
    peer_write(&w, &other, DX_BYTES("0123"));
    world_settle(&w);
    p.hook = finish_and_flush, p.hook_event = PROBE_BYTES;
    peer_write(&w, &other, DX_BYTES("456789"));
    PEER_UNTIL_END(&w, &other);
    peer_finish(&other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK);
    CHECK_INT(p.counts[PROBE_BYTES], 2);
    finish();
}

LOOP_TEST("as many connections as the limit says, and no more")
{
    int fds[2];

    begin(probe_open);
    w.net.limits.conns_count_max = 1;
    socket_pair(fds);
    CHECK(dx_conn_accept(&w.net, fds[0], &probe_ops, &second) == NULL);
    char byte;
    CHECK_INT(recv(fds[1], &byte, 1, 0), 0); /* it was closed, not left open */
    close_reset(fds[1]);
    finish();
}
