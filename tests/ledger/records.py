"""What the ledger consists of: payloads, publishes, sessions, and what was seen to be wrong at once.
Is:     plain records, that pickle; a payload's text and its number.
Is not: who writes them (publishers.py, subscribers.py), what is to be found in them (check.py).
SPDX-License-Identifier: MIT
"""
import re
import time
import zlib
from array import array

PAYLOAD = re.compile(rb'(\{"pub":(\d{1,5}),"ch":(\d{1,2}),"seq":(\d{1,9}),"key":"([^"]*)","pad":"([^"]*)"),'
                     rb'"crc":"([0-9a-f]{8})"\}')
OFFSET = re.compile(r"([0-9a-f]{16})_([0-9a-f]{16})$")
MARKER = 60000  # the publisher of the first message, and of the one that is last, once all has healed
FIRST, LAST = 1, 0

ACKED, UNKNOWN, REFUSED = "acked", "unknown", "refused"
CLOSES, CUTS, SILENT, KILLED = "closes", "is cut off", "falls silent", "is killed"  # how members go


def now():
    return time.monotonic()


def content(pub, ch, seq):
    """A message's number: what it is, wherever it is found."""
    return ch << 56 | pub << 40 | seq


def content_text(number):
    return f"pub {number >> 40 & 0xffff} ch {number >> 56} seq {number & 0xffffffffff}"


def payload(pub, ch, seq, key="", pad=0):
    text = b'{"pub":%d,"ch":%d,"seq":%d,"key":"%s","pad":"%s"' % (pub, ch, seq, key.encode(), b"x" * pad)
    return text + b',"crc":"%08x"}' % zlib.crc32(text)


def offset_read(text):
    """(epoch, sequence), or None."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    found = OFFSET.match(text)
    return (int(found.group(1), 16), int(found.group(2), 16)) if found else None


def offset_write(epoch, sequence):
    return f"{epoch:016x}_{sequence:016x}"


class Channel:
    """kept: how many messages are retained, None for all. is_json: else text. is_heavy: now and then so much is
    published that who is slow falls behind all buffers."""

    def __init__(self, number, path, is_json=True, kept=None, is_heavy=False):
        self.number, self.path, self.is_json, self.kept, self.is_heavy = number, path, is_json, kept, is_heavy


class Publish:
    """One request, or one message on a WebSocket, with all its attempts. began: before the first byte of the
    first attempt; ended: when the acknowledgement was there. last: the sequence of its last message, None if
    that was not told. connection: None if several carried it."""

    __slots__ = ("pub", "ch", "first", "count", "how", "key", "connection", "began", "ended", "state",
                 "epoch", "last", "attempts", "repeat_of")

    def __init__(self, pub, ch, first, count, how, key=""):
        self.pub, self.ch, self.first, self.count, self.how, self.key = pub, ch, first, count, how, key
        self.connection, self.began, self.ended, self.state = None, 0.0, 0.0, UNKNOWN
        self.epoch, self.last, self.attempts, self.repeat_of = None, None, 0, None

    def contents(self):
        start = content(self.pub, self.ch, self.first)
        return range(start, start + self.count)

    def ack(self, epoch, last):
        self.ended, self.state, self.epoch, self.last = now(), ACKED, epoch, last

    def __str__(self):
        key = f" key {self.key}" if self.key else ""
        where = f" -> {self.last}" if self.last is not None else ""
        return (f"{self.how} pub {self.pub} ch {self.ch} seq {self.first}+{self.count}{key} {self.state}{where}"
                f" [{self.began:.4f}, {self.ended:.4f}] attempts {self.attempts}")


class Session:
    """What one client was given from one position on, until it went or was sent away.
    start: the sequence it asked to go on from; "start", "now" or "last" if it did not say one.
    entries: ["run", sequence of the first or None where the door does not tell, contents], or
             ["gap", requested, earliest, lost], in the order they came.
    is_latest: it had agreed to gaps. next: what the answer said comes next; of doors that answer once."""

    __slots__ = ("client", "door", "ch", "epoch", "start", "entries", "began", "next", "is_up_to_date",
                 "is_latest", "end")

    def __init__(self, client, door, ch, epoch, start, is_latest=False):
        self.client, self.door, self.ch, self.epoch, self.start = client, door, ch, epoch, start
        self.entries, self.began, self.next = [], now(), None
        self.is_up_to_date, self.is_latest, self.end = False, is_latest, ""

    def add(self, sequence, number):
        """sequence: None if the door does not tell it."""
        if self.entries and self.entries[-1][0] == "run":
            run = self.entries[-1]
            if sequence is None or run[1] is not None and run[1] + len(run[2]) == sequence:
                run[2].append(number)
                return
        self.entries.append(["run", sequence, array("Q", [number])])

    def gap(self, requested, earliest, lost):
        self.entries.append(["gap", requested, earliest, lost])

    def count(self):
        return sum(len(entry[2]) for entry in self.entries if entry[0] == "run")

    def __str__(self):
        return f"client {self.client} ({self.door}) ch {self.ch} from {self.start} at {self.began:.4f}"


class Stay:
    """One life of a member. told: when it heard of itself; proved: when it was last there for certain, asked by a
    ping that was answered; ended: when it had gone, or had fallen silent. None: never."""

    __slots__ = ("ident", "habit", "began", "told", "proved", "ended")

    def __init__(self, ident, habit):
        self.ident, self.habit, self.began = ident, habit, now()
        self.told = self.proved = self.ended = None

    def go(self):
        self.ended = self.ended or now()

    def __str__(self):
        times = ", ".join(f"{name} {at:.4f}" for name, at in
                          (("told", self.told), ("proved", self.proved), ("gone", self.ended)) if at)
        return f"member {self.ident}, who {self.habit}, from {self.began:.4f}, {times}"


class Look:
    """A list of the members. began: before it was asked for; it ended when this was made."""

    __slots__ = ("began", "ended", "there")

    def __init__(self, began, there):
        self.began, self.ended, self.there = began, now(), there


class Final:
    """The history that was read at the end: contents[i] has the sequence first + i."""

    def __init__(self, epoch, first, contents):
        self.epoch, self.first, self.contents = epoch, first, contents

    @property
    def head(self):
        return self.first + len(self.contents) - 1


class Log:
    """What one process of clients writes. faults: (check, sentence), of what is wrong by itself."""

    def __init__(self):
        self.publishes, self.sessions, self.faults, self.counts = [], [], [], {}
        self.stays, self.looks = [], []

    def fault(self, check, sentence):
        self.count("faults")
        if len(self.faults) < 1000:
            self.faults.append((check, sentence))

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by

    def read(self, match, ch, who):
        """A payload's number; None, and a fault, if it is not as it was sent."""
        text, pub, at, seq, _, _, crc = match.groups()
        if int(crc, 16) != zlib.crc32(text):
            self.fault("C8", f"{who}: checksum of {match.group(0)[:200]!r}")
            return None
        if int(at) != ch:
            self.fault("C8", f"{who}: a message of another stream: {match.group(0)[:200]!r}")
            return None
        return content(int(pub), ch, int(seq))

    def read_one(self, text, ch, who):
        match = PAYLOAD.fullmatch(text)
        if not match:
            self.fault("C8", f"{who}: no payload of ours: {text[:200]!r}")
            return None
        return self.read(match, ch, who)

    def read_all(self, body, is_json, ch, who):
        """The messages of a GET's body."""
        numbers, size = array("Q"), 0
        for match in PAYLOAD.finditer(body):
            number = self.read(match, ch, who)
            if number is not None:
                numbers.append(number)
            size += match.end() - match.start()
        between = max(len(numbers) - 1, 0) + 2 if is_json else 0  # commas and brackets, lines of SSE joined
        if size + between != len(body):
            self.fault("C8", f"{who}: {len(body) - size - between} bytes that are no message: {body[:80]!r}")
        return numbers


class Ledger:
    """All of a run. store: "disk" or "memory". finals: by the channel's number. pauses: (from, until) of those faults
    that let no server answer, in their order. patience: what the times of a promise are multiplied with."""

    def __init__(self, store, channels):
        self.store, self.channels, self.finals = store, {c.number: c for c in channels}, {}
        self.publishes, self.sessions, self.faults, self.counts = [], [], [], {}
        self.stays, self.looks, self.pauses, self.patience = [], [], [], 1

    def take(self, log):
        self.publishes += log.publishes
        self.sessions += log.sessions
        self.stays += log.stays
        self.looks += log.looks
        self.faults += log.faults
        for name, value in log.counts.items():
            self.counts[name] = self.counts.get(name, 0) + value
