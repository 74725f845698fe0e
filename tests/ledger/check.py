"""What must be true of a ledger: C1 to C10 of the delivery guarantees, by sorts and comparisons, without a search.
Is:     one Outcome per check: how much was looked at, and each violation with its smallest evidence.
Is not: the run that made the ledger. planted.py shows that each kind of violation is found.
How:    the history read at the end is what each session is compared with, a whole run at a time; only where that
        differs, or where the history has no more (trimmed, a lost epoch), are messages looked at one by one.
SPDX-License-Identifier: MIT
"""
import bisect
from array import array

from records import ACKED, FIRST, LAST, MARKER, SILENT, content, content_text

TITLES = {
    "C1": "durability: what was acknowledged is in the history, at its offset",
    "C2": "no phantoms: what was delivered is in the history",
    "C3": "agreement: one content at each offset",
    "C4": "order: offsets rise by one, arrays stay together",
    "C5": "resume: no gap that was not told, none without a cause, nothing twice",
    "C6": "duplicates: no message at two offsets, keys and producers hold",
    "C7": "real time: what was acknowledged before is in front, one connection's order is kept",
    "C8": "no invention: what was received was sent, to this stream, with its checksum",
    "C9": "liveness: after the faults publishes are taken, and all get to the head",
    "C10": "presence: who is there is listed, who has gone is not, within the time that is promised",
}
PING_S = 2            # of the server that is tested
LEFT_S, SILENT_S = 1, PING_S + 8  # until one who left, or who gives no sign of life any more, is gone
SLACK_S = 4           # of a machine that has other things to do as well


class Outcome:
    def __init__(self, name):
        self.name, self.looked_at, self.count, self.violations = name, 0, 0, []

    def violate(self, sentence):
        self.count += 1
        if len(self.violations) < 5:
            self.violations.append(sentence)


class Seen:
    """A stream's history in one epoch: the final one, and what others were given where that says nothing."""

    def __init__(self, final):
        self.final = final
        self.first = final.first if final else None
        self.head = final.head if final else None
        self.others, self.found = {}, {}  # sequence -> content, and back
        self.places = {}
        if final:
            self.places = {number: final.first + i for i, number in enumerate(final.contents)}

    def at(self, sequence):
        if self.final and self.first <= sequence <= self.head:
            return self.final.contents[sequence - self.first]
        return self.others.get(sequence)

    def place(self, number):
        found = self.places.get(number)
        return self.found.get(number) if found is None else found


class Check:
    def __init__(self, ledger):
        self.ledger, self.outcomes = ledger, {name: Outcome(name) for name in TITLES}
        self.seen, self.sent = {}, set()

    def violate(self, name, sentence):
        self.outcomes[name].violate(sentence)

    def looked(self, name, count=1):
        self.outcomes[name].looked_at += count

    def run(self):
        for name, sentence in self.ledger.faults:
            self.violate(name, sentence)
        for p in self.ledger.publishes:
            self.sent.update(p.contents())
        for ch in self.ledger.channels:
            self.sent.update((content(MARKER, ch, FIRST), content(MARKER, ch, LAST)))
        for ch, final in self.ledger.finals.items():
            self.seen[ch, final.epoch] = Seen(final)
            self.look_at_final(ch, final)
        told = [s for s in self.ledger.sessions if any(e[0] == "run" and e[1] is not None for e in s.entries)]
        for session in told:
            self.look_at_session(session)
        known = set(map(id, told))
        for session in self.ledger.sessions:
            if id(session) not in known:
                self.look_at_session(session)
        self.look_at_publishes()
        self.look_at_order()
        self.look_at_fresh_reads()
        self.looked("C9", self.ledger.counts.get("subscribers at the head", 0))
        self.look_at_presence()
        return list(self.outcomes.values())

    # -- the history at the end --

    def look_at_final(self, ch, final):
        last = {}
        self.looked("C4", len(final.contents))
        self.looked("C6", len(final.contents))
        self.looked("C8", len(final.contents))
        if self.ledger.channels[ch].kept is None and final.first != 1:
            self.violate("C1", f"ch {ch} keeps all, but its history begins at {final.first}")
        for i, number in enumerate(final.contents):
            if number in last:
                self.violate("C6", f"{content_text(number)} is at {last[number]} and at {final.first + i}")
            last[number] = final.first + i
            if number not in self.sent:
                self.violate("C8", f"ch {ch} at {final.first + i}: {content_text(number)} was never sent")

    # -- sessions --

    def history(self, ch, epoch):
        return self.seen.setdefault((ch, epoch), None) or self.remember(ch, epoch)

    def remember(self, ch, epoch):
        self.seen[ch, epoch] = Seen(None)
        return self.seen[ch, epoch]

    def epoch_of(self, session):
        """The epoch of a session whose door does not tell: the one that has its first message."""
        final = self.ledger.finals.get(session.ch)
        if session.epoch is not None:
            return session.epoch
        first = next((e[2][0] for e in session.entries if e[0] == "run"), None)
        for (ch, epoch), seen in self.seen.items():
            if ch == session.ch and seen and seen.place(first) is not None:
                return epoch
        if self.ledger.store == "disk":
            return final.epoch if final else 0
        return -1 - len(self.seen)  # of a life that nobody else has seen, not even this client in another session

    def look_at_session(self, session):
        epoch = self.epoch_of(session)
        final = self.ledger.finals.get(session.ch)
        if self.ledger.store == "disk" and final and epoch != final.epoch:
            self.violate("C5", f"{session}: its epoch {epoch:016x} is not that of the end, {final.epoch:x}")
        history = self.history(session.ch, epoch)
        kept = self.ledger.channels[session.ch].kept
        at = session.start if isinstance(session.start, int) else 0 if session.start == "start" and kept is None else None
        gap = None
        for entry in session.entries:
            if entry[0] == "gap":
                gap = entry
                self.look_at_gap(session, kept, at, gap)
                at = entry[2]
                continue
            first = self.place_of(session, history, entry, at)
            if first is None:
                continue
            self.look_at_join(session, at, first, gap)
            self.look_at_run(session, history, first, entry[2])
            at, gap = first + len(entry[2]) - 1, None
        if session.next is not None and at is not None and session.next != at and session.entries:
            self.violate("C5", f"{session}: the answer ends at {at}, but says that {session.next} is next")
        if session.next is not None and not session.entries and isinstance(session.start, int):
            self.look_at_nothing(session)

    def look_at_nothing(self, session):
        """An answer without messages must not move the cursor."""
        self.looked("C5")
        if session.next != session.start:
            self.violate("C5", f"{session}: no message, but the cursor went to {session.next}")

    def look_at_gap(self, session, kept, at, gap):
        _, requested, earliest, lost = gap
        self.looked("C5")
        if session.is_latest:
            return
        if kept is None:
            self.violate("C5", f"{session}: a gap from {requested} to {earliest}, but all is kept")
        elif earliest <= requested or lost is not None and lost != earliest - requested:
            self.violate("C5", f"{session}: a gap from {requested} to {earliest} that has lost {lost}")
        elif at is not None and requested != at:
            self.violate("C5", f"{session}: a gap from {requested}, but it was at {at}")

    def place_of(self, session, history, entry, at):
        """The sequence of a run's first message."""
        if entry[1] is not None:
            return entry[1]
        if at is not None:
            return at + 1
        found = history.place(entry[2][0])
        if found is None and history.final and history.first == 1:
            self.violate("C2", f"{session}: {content_text(entry[2][0])}, its first, is not in the history")
        return found

    def look_at_join(self, session, at, first, gap):
        self.looked("C4")
        self.looked("C5")
        if at is None or first == at + 1:
            return
        if first <= at:
            self.violate("C5", f"{session}: {first} again after {at}")
            self.violate("C4", f"{session}: {first} after {at}")
        else:
            told = f", told {gap[1]} to {gap[2]}" if gap else ""
            if not session.is_latest or gap is None:
                self.violate("C5", f"{session}: {first} after {at}: {first - at - 1} missing{told}")

    def look_at_run(self, session, history, first, numbers):
        for name in ("C2", "C3", "C8"):
            self.looked(name, len(numbers))
        if history.final and history.first <= first:
            start = first - history.first
            if history.final.contents[start:start + len(numbers)] == numbers:
                return
        for i, number in enumerate(numbers):
            self.look_at_message(session, history, first + i, number)

    def look_at_message(self, session, history, sequence, number):
        if number not in self.sent:
            self.violate("C8", f"{session}: at {sequence} {content_text(number)}, which was never sent")
        expected = history.at(sequence)
        if expected == number:
            return
        is_beyond = history.final and sequence > history.head
        if is_beyond:
            self.violate("C2", f"{session}: {content_text(number)} at {sequence}, but the history ends at {history.head}")
            return
        if expected is None:  # the end does not tell: the first who saw it does
            if number in history.found:
                self.violate("C6", f"{session}: {content_text(number)} at {sequence} and at {history.found[number]}")
            history.others[sequence], history.found[number] = number, sequence
            return
        self.violate("C3", f"{session}: at {sequence} {content_text(number)}, for others {content_text(expected)}")
        if history.final and history.first == 1 and number not in history.places:
            self.violate("C2", f"{session}: {content_text(number)} at {sequence} is not in the history")

    # -- publishes --

    def look_at_publishes(self):
        for p in self.ledger.publishes:
            final = self.ledger.finals.get(p.ch)
            if p.repeat_of and p.state == ACKED:
                self.look_at_repeat(p)
            if final is None:
                continue
            seen = self.seen[p.ch, final.epoch]
            if p.state == ACKED and p.epoch == final.epoch:
                self.look_at_acked(p, seen)
            elif p.state == ACKED and self.ledger.store == "disk":
                self.violate("C1", f"{p}: its epoch {p.epoch:x} is gone, now it is {final.epoch:x}")
            if p.count > 1:
                self.look_at_whole(p, seen)

    def look_at_repeat(self, p):
        self.looked("C6")
        last, epoch = p.repeat_of
        if last is not None and epoch == p.epoch and p.last != last:
            self.violate("C6", f"{p}: the same key was at {last} before")

    def look_at_acked(self, p, seen):
        self.looked("C1", p.count)
        if p.last is None:
            lost = [n for n in p.contents() if seen.place(n) is None]
            if lost and seen.first == 1:
                self.violate("C1", f"{p}: {content_text(lost[0])} is not in the history")
            return
        start = p.last - p.count + 1
        numbers = p.contents()
        if seen.first <= start and seen.final.contents[start - seen.first:p.last - seen.first + 1] == array("Q", numbers):
            return
        for i, number in enumerate(numbers):
            found = seen.at(start + i)
            if found != number and (found is not None or start + i >= seen.first):
                place = seen.place(number)
                where = f"it is at {place}" if place else "it is nowhere"
                there = content_text(found) if found is not None else f"nothing, the end is {seen.head}"
                self.violate("C1", f"{p}: at {start + i} is {there}; {where}")
                return

    def look_at_whole(self, p, seen):
        """An array: all or none, one behind the other."""
        self.looked("C4")
        places = [seen.place(n) for n in p.contents()]
        have = [place for place in places if place is not None]
        if not have or have[0] <= (seen.first or 0) and seen.first != 1:
            return
        if len(have) != len(places) or have[-1] - have[0] != len(have) - 1 or have != sorted(have):
            self.violate("C4", f"{p}: not together: {have[:20]} of {len(places)}")

    # -- order in time --

    def look_at_order(self):
        acked, sent = {}, {}
        for p in self.ledger.publishes:
            if p.repeat_of:
                continue
            if p.state == ACKED and p.last is not None:
                acked.setdefault((p.ch, p.epoch), []).append(p)
            if p.connection is not None:
                sent.setdefault((p.ch, p.pub, p.connection), []).append(p)
        for group in acked.values():
            self.look_at_time(group)
        for group in sent.values():
            self.look_at_connection(group)

    def look_at_time(self, group):
        """In the order of their beginnings: the highest offset that was acknowledged before must be lower."""
        ends = sorted(group, key=lambda p: p.ended)
        highest, i = None, 0
        for p in sorted(group, key=lambda p: p.began):
            self.looked("C7")
            while i < len(ends) and ends[i].ended < p.began:
                if highest is None or ends[i].last > highest.last:
                    highest = ends[i]
                i += 1
            if highest is not None and highest.last >= p.last - p.count + 1:
                self.violate("C7", f"{highest} was acknowledged before {p} began")

    def look_at_connection(self, group):
        before, last = None, 0
        for p in group:  # as they were sent
            final = self.ledger.finals.get(p.ch)
            place = self.seen[p.ch, final.epoch].place(content(p.pub, p.ch, p.first)) if final else None
            if place is None or p.state == ACKED and p.epoch != final.epoch:
                continue  # a key that memory had lost may have been used again
            self.looked("C7")
            if place <= last:
                self.violate("C7", f"{before} was sent before {p} on one connection; they are at {last} and {place}")
            before, last = p, place

    def look_at_fresh_reads(self):
        """Who is told that nothing comes after must have got all that was acknowledged before it asked."""
        ends = {}
        for p in self.ledger.publishes:
            if p.state == ACKED and p.last is not None:
                ends.setdefault((p.ch, p.epoch), []).append((p.ended, p.last))
        highest = {}
        for where, pairs in ends.items():
            pairs.sort()
            top, tops = 0, []
            for _, last in pairs:
                top = max(top, last)
                tops.append(top)
            highest[where] = [ended for ended, _ in pairs], tops
        for s in self.ledger.sessions:
            if not s.is_up_to_date or s.door != "GET" or (s.ch, s.epoch) not in highest:
                continue
            self.looked("C7")
            times, tops = highest[s.ch, s.epoch]
            before = bisect.bisect_left(times, s.began)
            if before and tops[before - 1] > s.next:
                self.violate("C7", f"{s}: told that {s.next} is the end, but {tops[before - 1]} had been acknowledged")

    # -- presence --

    def look_at_presence(self):
        """Each list, in the order of time, against those who were there or not long gone."""
        coming = sorted(self.ledger.stays, key=lambda s: s.began, reverse=True)
        lives, there = {}, []
        for stay in coming:
            self.look_at_joining(stay)
        for look in sorted(self.ledger.looks, key=lambda at: at.began):
            while coming and coming[-1].began <= look.ended:
                stay = coming.pop()
                lives.setdefault(stay.ident, []).append(stay)
                if stay.told and stay.proved:
                    there.append(stay)
            there = [s for s in there if s.proved > look.began]
            for stay in there:
                if stay.told <= look.began and look.ended <= stay.proved:
                    self.looked("C10")
                    if stay.ident not in look.there:
                        self.violate("C10", f"{stay} is not listed at {look.began:.4f}")
            for ident in look.there:
                self.look_at_listed(look, ident, lives.get(ident, ()))

    def look_at_listed(self, look, ident, stays):
        self.looked("C10")
        if not stays:
            self.violate("C10", f"{ident}, who never came, is listed at {look.began:.4f}")
        elif not any(s.ended is None or self.healthy(s.ended, look.began) <= self.may_last(s) for s in stays):
            self.violate("C10", f"{stays[-1]}, is still listed at {look.began:.4f}")

    def look_at_joining(self, stay):
        if stay.told is None and stay.proved and self.healthy(stay.began, stay.proved) > self.may_last(None):
            self.violate("C10", f"{stay}, did not hear that it is there")

    def may_last(self, stay):
        promised = SILENT_S if stay and stay.habit == SILENT else LEFT_S
        return (promised + SLACK_S) * self.ledger.patience

    def healthy(self, begin, end):
        """How long of that time there was a server that could do something."""
        pauses = self.ledger.pauses
        at, paused = max(bisect.bisect_left(pauses, (begin,)) - 1, 0), 0.0
        while at < len(pauses) and pauses[at][0] < end:
            paused += max(0.0, min(end, pauses[at][1]) - max(begin, pauses[at][0]))
            at += 1
        return end - begin - paused


def check(ledger):
    return Check(ledger).run()
