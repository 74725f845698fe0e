"""The checker's own test: a good ledger, and each kind of violation planted in it; each must be found.
Is:     small ledgers made by hand, nothing runs.
Is not: a server with a fault (mutants).
SPDX-License-Identifier: MIT
"""
import copy
from array import array

from check import check
from records import (ACKED, CLOSES, SILENT, Channel, Final, Ledger, Log, Look, Publish, Session, Stay, content,
                     payload)

EPOCH = 0x1234


def good():
    """100 messages of 5 publishers in stream 0 (all kept), 40 in stream 1 (the last 10 kept); readers of both."""
    ledger = Ledger("disk", [Channel(0, "/a"), Channel(1, "/b", kept=10)])
    for ch, count, first in ((0, 100, 1), (1, 40, 31)):
        numbers = array("Q")
        for i in range(0, count, 4):
            p = Publish(i // 4 % 5, ch, i, 4, "keyed", f"k{ch}-{i}")
            p.connection, p.began, p.ended, p.attempts = 1 + p.pub, float(i), i + 2.0, 1
            p.state, p.epoch, p.last = ACKED, EPOCH, i + 4
            ledger.publishes.append(p)
            numbers.extend(p.contents())
        ledger.finals[ch] = Final(EPOCH, first, numbers[first - 1:])
        add_readers(ledger, ch, numbers)
    ledger.counts["subscribers at the head"] = 4
    add_members(ledger)
    return ledger


def add_members(ledger):
    """Of "a" and "b" the first left after 110 s, the other was silent from then on; a pause of 100 s follows."""
    for ident, habit in (("a", CLOSES), ("b", SILENT)):
        stay = Stay(ident, habit)
        stay.began, stay.told, stay.proved, stay.ended = 100.0, 101.0, 109.0, 110.0
        ledger.stays.append(stay)
    ledger.pauses = [(111.0, 211.0)]
    for at, there in ((99, ()), (100, "a"), (105, "ab"), (112, "ab"), (214, "ab"), (220, "b"), (230, "")):
        look = Look(float(at), frozenset(there))
        look.ended = at + 0.5
        ledger.looks.append(look)


def add_readers(ledger, ch, numbers):
    for client, (start, door) in enumerate(((0, "v1"), (20, "raw"), ("now", "raw"), (7, "GET"))):
        s = Session(client, door, ch, EPOCH, start)
        first = 30 if start == "now" else start
        s.began = 1000.0
        s.entries.append(["run", None if door == "raw" else first + 1, array("Q", numbers[first:])])
        if door == "GET":
            s.next, s.is_up_to_date = len(numbers), True
        ledger.sessions.append(s)


def session(ledger, client, ch=0):
    return [s for s in ledger.sessions if s.ch == ch][client]


def numbers_of(ledger, client, ch=0):
    return session(ledger, client, ch).entries[0][2]


def swap(numbers, i, j):
    numbers[i], numbers[j] = numbers[j], numbers[i]


def lost_ack(l):
    del l.finals[0].contents[-2:]
    l.sessions.clear()


def lost_ack_in_the_middle(l):
    del l.finals[0].contents[50]
    l.sessions.clear()


def lost_before_the_history(l):
    l.finals[0].contents, l.finals[0].first = l.finals[0].contents[10:], 11


def lost_repetition(l):
    l.publishes[20].last = None
    l.finals[0].contents[80] = content(9, 0, 80)


def epoch_gone(l):
    l.publishes[0].epoch = EPOCH + 1


def phantom(l):
    p = Publish(4, 0, 200, 1, "single")
    l.publishes.append(p)
    numbers_of(l, 0).append(content(4, 0, 200))


def phantom_replaced(l):
    p = Publish(4, 0, 200, 1, "single")
    l.publishes.append(p)
    numbers_of(l, 0)[99] = content(4, 0, 200)


def phantom_alone(l):
    l.publishes.append(Publish(4, 0, 200, 1, "single"))
    s = Session(9, "raw", 0, EPOCH, "now")
    s.add(None, content(4, 0, 200))
    l.sessions.append(s)


def two_contents(l):
    numbers_of(l, 0)[10] = numbers_of(l, 0)[90]


def two_contents_of_trimmed(l):
    a = numbers_of(l, 0, 1)
    a[8] = content(4, 1, 300)
    l.publishes.append(Publish(4, 1, 300, 1, "single"))


def reordered(l):
    swap(numbers_of(l, 0), 10, 11)


def reordered_for_one(l):
    swap(numbers_of(l, 2), 10, 11)


def offsets_fall(l):
    s = session(l, 0)
    s.entries.append(["run", 90, s.entries[0][2][89:]])


def array_torn(l):
    swap(l.finals[0].contents, 3, 4)
    l.sessions.clear()


def array_in_part(l):
    l.publishes = [p for p in l.publishes if p.ch]
    l.publishes.append(Publish(0, 0, 0, 4, "array"))
    l.finals[0].contents = l.finals[0].contents[:2]
    l.sessions.clear()


def gap_at_join(l):
    s = session(l, 0)
    s.start = 20
    s.entries[0] = ["run", 22, s.entries[0][2][21:]]


def gap_at_join_raw(l):
    del numbers_of(l, 1)[0]


def gap_within(l):
    s = session(l, 0)
    numbers = s.entries[0][2]
    s.entries = [["run", 1, numbers[:50]], ["run", 52, numbers[51:]]]


def gap_within_raw(l):
    del numbers_of(l, 2)[20]


def duplicate_at_join(l):
    s = session(l, 0)
    s.start = 20
    s.entries[0] = ["run", 20, s.entries[0][2][19:]]


def gap_without_cause(l):
    s = session(l, 0)
    numbers = s.entries[0][2]
    s.entries = [["gap", 0, 10, 10], ["run", 11, numbers[10:]]]


def gap_told_wrong(l):
    s = session(l, 0, 1)
    numbers = s.entries[0][2]
    s.entries = [["gap", 0, 30, 30], ["run", 32, numbers[31:]]]


def gap_counted_wrong(l):
    s = session(l, 0, 1)
    s.entries = [["gap", 0, 30, 29], ["run", 31, s.entries[0][2][30:]]]


def cursor_ahead(l):
    session(l, 3).next += 1


def cursor_moved_by_nothing(l):
    s = session(l, 3)
    s.entries, s.next = [], s.start + 1


def epoch_changed(l):
    session(l, 0).epoch = EPOCH + 1


def twice_in_history(l):
    l.finals[0].contents.append(l.finals[0].contents[50])


def twice_after_repetition(l):
    p = copy.copy(l.publishes[3])
    p.repeat_of, p.last = (p.last, EPOCH), p.last + 40
    l.publishes.append(p)


def twice_in_trimmed(l):
    s = Session(9, "v1", 1, EPOCH, 0)
    s.entries.append(["run", 1, numbers_of(l, 0, 1)[:4] + numbers_of(l, 0, 1)[:1]])
    l.sessions = [s]


def time_reversed(l):
    a, b = l.publishes[3], l.publishes[10]
    a.began, a.ended, b.began, b.ended = 500.0, 501.0, 400.0, 401.0
    b.last, a.last = a.last + 100, b.last - 100
    a.began, b.ended = 600.0, 550.0


def connection_reversed(l):
    a, b = l.publishes[0], l.publishes[5]
    assert a.connection == b.connection
    l.publishes[0], l.publishes[5] = b, a


def stale_read(l):
    s = session(l, 3)
    del s.entries[0][2][-3:]
    s.next -= 3


def invented_in_history(l):
    l.finals[0].contents.append(content(4, 0, 999))


def invented_for_one(l):
    numbers_of(l, 2)[40] = content(77, 0, 1)


def bad_checksum(l):
    log, text = Log(), payload(1, 0, 5).replace(b'"seq":5', b'"seq":6')
    assert log.read_one(text, 0, "x") is None
    l.take(log)


def other_stream(l):
    log = Log()
    assert log.read_one(payload(1, 1, 5), 0, "x") is None
    l.take(log)


def torn_body(l):
    log = Log()
    whole = b"[" + payload(1, 0, 5) + b"," + payload(1, 0, 6) + b"]"
    assert len(log.read_all(whole, True, 0, "x")) == 2 and not log.faults
    log.read_all(whole.replace(b'"seq":6', b'"seq" 6'), True, 0, "x")
    l.take(log)


def told_by_a_client(l):
    l.faults.append(("C9", "not at the head"))


def not_listed(l):
    l.looks[2].there = frozenset("a")


def listed_for_ever(l):
    l.looks[5].there = frozenset("ab")


def silent_for_ever(l):
    l.looks[6].there = frozenset("b")


def stranger(l):
    l.looks[2].there = frozenset("abc")


def listed_before(l):
    l.looks[0].there = frozenset("a")


def never_told(l):
    l.stays[0].told = None


PLANTED = {
    "C1": (lost_ack, lost_ack_in_the_middle, lost_before_the_history, lost_repetition, epoch_gone),
    "C2": (phantom, phantom_replaced, phantom_alone),
    "C3": (two_contents, two_contents_of_trimmed, reordered, reordered_for_one, gap_within_raw),
    "C4": (offsets_fall, array_torn, array_in_part),
    "C5": (gap_at_join, gap_within, duplicate_at_join, gap_without_cause, gap_told_wrong, gap_counted_wrong,
           cursor_ahead, cursor_moved_by_nothing, epoch_changed),
    "C6": (twice_in_history, twice_after_repetition, twice_in_trimmed),
    "C7": (time_reversed, connection_reversed, stale_read),
    "C8": (invented_in_history, invented_for_one, bad_checksum, other_stream, torn_body),
    "C9": (told_by_a_client,),
    "C10": (not_listed, listed_for_ever, silent_for_ever, stranger, listed_before, never_told),
}
ANY = {"C3": (gap_at_join_raw,)}


def violated(ledger):
    return {o.name: o.violations for o in check(ledger) if o.violations}


def run(say):
    """say(is_good, sentence) for each; nothing is returned."""
    say(violated(good()) == {}, f"a good ledger has no violation {violated(good()) or ''}")
    for plants in (PLANTED, ANY):
        for name, functions in plants.items():
            for plant in functions:
                ledger = good()
                plant(ledger)
                found = violated(ledger)
                say(name in found, f"{name} finds: {plant.__name__.replace('_', ' ')}"
                    + ("" if name in found else f" (found only {found})"))
