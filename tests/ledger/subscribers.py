"""Those who read: raw WebSocket, duplex.v1, EventSource, live=sse, long-poll, and GET of what has happened.
Is:     clients that follow one stream, steady, slow, or coming back by cursor; each life a Session in a Log.
Is not: judging it (check.py), except for what is wrong by itself, such as a stream said to be trimmed that is not.
SPDX-License-Identifier: MIT
"""
import asyncio
import json
import random

import wire
from records import LAST, MARKER, Session, content, now, offset_read, offset_write

RAW, V1, LATEST, EVENTS, SSE, POLL, GET = "raw", "v1", "v1 latest", "EventSource", "sse", "long-poll", "GET"
DOORS = (V1, RAW, EVENTS, SSE, GET, POLL, V1, LATEST, EVENTS, RAW, GET, SSE, V1, POLL, EVENTS)
STEADY, SLOW, RETURNING = "steady", "slow", "returning"
HABITS = (STEADY, RETURNING, SLOW, RETURNING)
STUCK_S = 10  # without a message, once all faults are over
QUIET_S = 20  # what a live connection may be silent before the client looks anew


class Subscriber:
    def __init__(self, world, log, number):
        self.world, self.log, self.number = world, log, number
        self.door = DOORS[number % len(DOORS)]
        self.habit = HABITS[number // len(DOORS) % len(HABITS) if number >= 60 else (number * 7 + number // 4) % 4]
        self.random = random.Random(f"{world.seed} subscriber {number}")
        self.channel = world.channels[(number * 5 + number // len(world.channels)) % len(world.channels)]
        self.epoch, self.at = None, "start"  # where to go on from: a sequence, "start" or "now"
        self.session, self.leaves, self.stall_at, self.marked = None, 0.0, 0.0, None
        self.moved, self.is_narrow = 0.0, self.habit == SLOW
        self.marker = content(MARKER, self.channel.number, LAST)

    @property
    def name(self):
        return f"client {self.number} ({self.door}, {self.habit}) of {self.channel.path}"

    async def run(self):
        one = {RAW: self.websocket, V1: self.websocket, LATEST: self.websocket, EVENTS: self.events,
               SSE: self.events, POLL: self.polls, GET: self.reads}[self.door]
        while not self.world.is_over():
            self.leaves = self.leaving_time()
            try:
                await one()
            except wire.Lost:
                pass
            if self.session and self.session.start != "last":
                self.at = self.position()
            self.session = None
            await asyncio.sleep(self.random.uniform(0.005, 0.06))

    def leaving_time(self):
        if self.habit == STEADY or self.habit == SLOW and self.random.random() < 0.7:
            return now() + 1e9
        return now() + self.random.choice((self.random.uniform(0.02, 0.5), self.random.uniform(0.5, 8)))

    # -- the session --

    def begin(self):
        if self.at == "now":
            self.at = self.anywhere()
        if isinstance(self.at, int) and self.random.random() < 0.03 and self.channel.number % 2:
            self.at = self.anywhere()  # has forgotten where it was
        self.session = Session(self.number, self.door, self.channel.number,
                               self.epoch if isinstance(self.at, int) else None, self.at, self.door == LATEST)
        self.log.sessions.append(self.session)
        return {"start": "-1", "now": "now"}.get(self.at) or offset_write(self.epoch, self.at)

    def position(self):
        """Where the session has come to; what it began with if that is not known."""
        s, at = self.session, self.session.start
        for entry in s.entries:
            if entry[0] == "gap":
                at = entry[2]
            elif entry[1] is not None:
                at = entry[1] + len(entry[2]) - 1
            elif isinstance(at, int):
                at += len(entry[2])
        return at if isinstance(at, int) and self.epoch is not None else s.start

    def take(self, offset, number):
        """One message. offset: what stood with it, None if the door tells none."""
        if number is None:
            return
        self.log.count(f"received: {self.door}")
        self.moved = now()
        if number == self.marker:
            self.marked = self.marked or now()
        if offset is None:
            self.session.add(None, number)
            return
        epoch, sequence = offset
        self.know_epoch(epoch)
        self.session.add(sequence, number)

    def know_epoch(self, epoch):
        if self.session.epoch not in (None, epoch):
            self.log.fault("C5", f"{self.name}: from epoch {self.session.epoch:x} to {epoch:x} in one session")
        self.session.epoch = self.epoch = epoch

    def turned_away(self, answer, where):
        """The position was refused: only good where messages are dropped, or memory was lost."""
        self.log.count(f"turned away: {answer.status}")
        if answer.status == 503:
            return
        is_trimmed = self.channel.kept is not None and answer.status == 410
        asked = offset_read(where)
        if is_trimmed and asked:
            earliest = offset_read(json.loads(answer.body)["earliest"])  # None: "-1", nobody has written to it yet
            is_trimmed = earliest is not None and earliest[0] == asked[0] and earliest[1] > asked[1]
        if self.world.store == "disk" and not is_trimmed:
            self.log.fault("C5", f"{self.name} at {where} ({now():.4f}): {answer.status} {answer.body[:300]!r};"
                           f" {self.session}")
        self.at, self.session = self.anywhere(), None

    def anywhere(self):
        """For who has no position, or only that of now. From when the last message is about to be written, who
        began behind it would never see it."""
        return "start" if self.world.is_settling() else self.random.choice(("start", "now"))

    async def linger(self):
        """Between two reads. The slow stand still at times, and in between are quick enough to become live again:
        who is always slow never gets further than the log. All are quick once it must heal."""
        if self.habit == SLOW and not self.world.is_healing() and now() > self.stall_at:
            await asyncio.sleep(self.random.choice((self.random.uniform(0.05, 1), self.random.uniform(1, 5))))
            self.stall_at = now() + self.random.uniform(0, 2)

    def is_leaving(self):
        if self.world.is_over():
            return True
        if self.world.is_healing() and (self.is_narrow or self.is_late()):
            self.is_narrow = False  # the slow come back, to be as quick as all others
            return True
        return now() > self.leaves and not self.world.is_healing()

    def is_late(self):
        """It may have come after the last message, and would wait for it in vain."""
        return self.session is not None and self.session.start == "now" and not self.session.entries

    async def pieces(self, c):
        """What comes, until it is time to go."""
        silent_since = now()
        while not self.is_leaving():
            data = await wire.some(c, 0.25)
            if data:
                silent_since = now()
                yield data
                await self.linger()
            elif now() - silent_since > QUIET_S:
                return

    # -- the doors --

    async def learn(self, c):
        """Where the stream ends, for who is not told by its door; without it there is no coming back."""
        answer = await wire.ask(c, wire.request_bytes("HEAD", self.channel.path, {}))
        offset = offset_read(answer.field("stream-next-offset"))
        if answer.status == 200 and offset:
            self.epoch = offset[0]
            self.at = 0 if self.at == "start" and self.channel.kept is None else offset[1]

    async def websocket(self):
        c = await wire.connect(self.world.port, self.is_narrow)
        try:
            if self.door == RAW and not isinstance(self.at, int) and not self.world.is_settling():
                await self.learn(c)
            where = self.begin()
            slow = "&on_slow=latest" if self.door == LATEST else ""
            target = f"{self.channel.path}?offset={where}&write=0{slow}"
            answer = await wire.begin(c, wire.upgrade(target, self.door != RAW))
            if answer.status != 101:
                self.turned_away(answer, where)
                return
            frames = wire.Frames()
            async for data in self.pieces(c):
                for opcode, text in frames.feed(data):
                    if not self.frame(c, opcode, text):
                        return
        finally:
            c.abort()

    def frame(self, c, opcode, text):
        """False: that was the last one."""
        if opcode == wire.PING:
            c.writer.write(wire.frame(text, wire.PONG))
        elif opcode == wire.CLOSE:
            self.closed(int.from_bytes(text[:2], "big"), text[2:])
            return False
        elif opcode == wire.PONG:
            pass
        elif self.door == RAW:
            self.take(None, self.log.read_one(text, self.channel.number, self.name))
        elif text.startswith(b"\n"):
            self.control(json.loads(text))
        else:
            line, _, body = text.partition(b"\n")
            offset = offset_read(line)
            if offset is None:
                self.log.fault("C8", f"{self.name}: no cursor: {text[:100]!r}")
            else:
                self.take(offset, self.log.read_one(body, self.channel.number, self.name))
        return True

    def closed(self, code, reason):
        self.session.end = f"closed {code} {reason!r}"
        self.log.count(f"subscriber closed: {code}")
        if code == 4410:
            if self.channel.kept is None and self.world.store == "disk":
                self.log.fault("C5", f"{self.name}: {self.session.end}")
            self.at, self.session = self.anywhere(), None

    def control(self, said):
        if "gap" in said:
            self.gap(said["gap"])
        elif "caught_up" in said:
            self.know_epoch(offset_read(said["caught_up"])[0])
            self.log.count("caught up")

    def gap(self, said):
        requested, earliest = offset_read(said["requested"]), offset_read(said["earliest"])
        self.log.count(f"gaps told: {self.door}")
        if requested[0] != earliest[0]:
            if self.world.store == "disk":
                self.log.fault("C5", f"{self.name}: a gap between epochs: {said}")
            self.session = Session(self.number, self.door, self.channel.number, earliest[0], earliest[1],
                                   self.door == LATEST)
            self.log.sessions.append(self.session)
        else:
            self.session.gap(requested[1], earliest[1], said["lost"])
        self.epoch = earliest[0]

    async def events(self):
        c = await wire.connect(self.world.port, self.is_narrow)
        try:
            where, fields = self.begin(), {}
            target = f"{self.channel.path}?offset={where}"
            if self.door == SSE:
                target += "&live=sse"
            else:
                fields["Accept"] = "text/event-stream"
                if isinstance(self.at, int) and self.random.random() < 0.7:
                    fields["Last-Event-ID"], target = where, f"{self.channel.path}?offset=-1"
            answer = await wire.begin(c, wire.request_bytes("GET", target, fields))
            if answer.status != 200:
                self.turned_away(answer, where)
                return
            events = wire.Events()
            async for data in self.pieces(c):
                for event in events.feed(data):
                    self.event(*event)
                if events.chunks.is_over:
                    self.log.count("events ended by the server")
                    return
        finally:
            c.abort()

    def event(self, kind, ident, data):
        if kind == b"message":
            self.take(offset_read(ident), self.log.read_one(data, self.channel.number, self.name))
        elif kind == b"data":
            self.data(offset_read(ident), data.replace(b"\n", b""))
        elif kind == b"gap":
            self.gap(json.loads(data))
        elif kind == b"control":
            said = json.loads(data)
            epoch, sequence = offset_read(said["streamNextOffset"])
            self.know_epoch(epoch)
            if self.session.count() and self.position() != sequence:
                self.log.fault("C5", f"{self.name}: control says {sequence} after {self.position()}")
        elif kind == b"ready":
            self.know_epoch(offset_read(json.loads(data)["offset"])[0])

    def data(self, offset, body):
        """Several messages, the cursor behind the last."""
        numbers = self.log.read_all(body, self.channel.is_json, self.channel.number, self.name)
        for i, number in enumerate(numbers):
            self.take((offset[0], offset[1] - len(numbers) + 1 + i), number)

    async def polls(self):
        c = await wire.connect(self.world.port)
        try:
            where, cursor = self.begin(), ""
            while not self.is_leaving():
                target = f"{self.channel.path}?offset={where}&live=long-poll{cursor}"
                answer = await wire.ask(c, wire.request_bytes("GET", target, {"Prefer": "wait=2"}))
                if answer.status not in (200, 204):
                    self.turned_away(answer, where)
                    return
                where = self.page(answer) or where
                cursor = f"&cursor={answer.field('stream-cursor')}" if answer.field("stream-cursor") else ""
                await self.linger()
        finally:
            c.abort()

    def page(self, answer):
        """An answer's messages, as they follow what came before. The next cursor, as text."""
        text = answer.field("stream-next-offset")
        following = offset_read(text)
        if text == "-1" and self.world.store == "memory" and answer.status == 204:
            return None  # memory was lost, and nobody has written to it since
        if following is None:
            self.log.fault("C5", f"{self.name}: an answer without a cursor: {answer.status} {answer.fields}")
            return None
        numbers = []
        if answer.status == 200:
            numbers = self.log.read_all(answer.body, self.channel.is_json, self.channel.number, self.name)
        self.know_epoch(following[0])
        for i, number in enumerate(numbers):
            self.take((following[0], following[1] - len(numbers) + 1 + i), number)
        self.session.next = following[1]
        self.session.is_up_to_date = answer.field("stream-up-to-date") == "true"
        return text

    async def reads(self):
        """What has happened: from the cursor on, and now and then something else."""
        c = await wire.connect(self.world.port)
        try:
            while not self.is_leaving():
                kept = self.at
                dice = self.random.random()
                if dice < 0.25:
                    await self.read_last(c)
                elif dice < 0.35 and isinstance(kept, int):
                    await self.read_from(c, self.random.randrange(kept + 1) if self.channel.kept is None else kept)
                    self.at = kept
                else:
                    await self.read_from(c, kept)
                await asyncio.sleep(self.random.uniform(0.01, 0.3))
                await self.linger()
        finally:
            c.abort()

    async def read_from(self, c, at):
        self.at = at
        where = self.begin()
        began = self.session.began = now()
        answer = await wire.ask(c, wire.request_bytes("GET", f"{self.channel.path}?offset={where}", {}))
        self.session.began = began
        if answer.status != 200:
            self.turned_away(answer, where)
            return
        self.page(answer)
        if self.session.start != "now":
            self.at = self.session.next
        self.session = None

    async def read_last(self, c):
        self.session = Session(self.number, self.door, self.channel.number, None, "last")
        self.log.sessions.append(self.session)
        target = f"{self.channel.path}?last={self.random.choice((1, 7, 100))}"
        answer = await wire.ask(c, wire.request_bytes("GET", target, {}))
        if answer.status == 200:
            self.page(answer)
        self.session = None


def is_stuck(subscriber, began, patience):
    """However much it has to read: something must come."""
    return not subscriber.marked and now() - max(began, subscriber.moved) > STUCK_S * patience


async def subscribe(world, log, count):
    """Runs them all; once the world heals, says who got no further."""
    everyone = [Subscriber(world, log, n) for n in range(count)]
    tasks = [asyncio.create_task(s.run()) for s in everyone]
    while not world.is_healing():
        await asyncio.sleep(0.05)
    began = now()
    while not all(s.marked for s in everyone) and not any(is_stuck(s, began, world.patience) for s in everyone):
        await asyncio.sleep(0.05)
    for s in everyone:
        log.count("subscribers at the head", bool(s.marked))
        if is_stuck(s, began, world.patience):
            log.fault("C9", f"{s.name} got nothing for {STUCK_S * world.patience:.0f} s, but is not at the head; it is at"
                            f" {s.position() if s.session else s.at}, {s.session}")
    log.counts["slowest to the head, ms"] = int(1000 * max((s.marked or now()) - began for s in everyone))
    await asyncio.sleep(0.5)
    world.end()
    await asyncio.wait(tasks, timeout=wire.ANSWER_S)
    for task in tasks:
        if not task.done():
            task.cancel()
        elif task.exception():
            raise task.exception()
