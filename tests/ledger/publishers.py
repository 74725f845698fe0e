"""Those who publish: by POST (one message, arrays, with producer fields, with Idempotency-Key) and on WebSockets.
Is:     the requests, their repetition after an unknown outcome, and what was acknowledged, in a Log.
Is not: judging it (check.py). An answer that no fault of the server's process explains is a fault at once.
Each publisher's choices come from its own seed.
SPDX-License-Identifier: MIT
"""
import asyncio
import json
import random

import wire
from records import ACKED, REFUSED, Publish, now, offset_read, payload

SINGLE, ARRAY, PRODUCER, KEYED, V1, RAW = "single", "array", "producer", "keyed", "ws v1", "ws raw"
KINDS = (SINGLE, PRODUCER, V1, KEYED, ARRAY, RAW, V1, KEYED)
GIVE_UP_PART = 0.004   # of the requests: the client goes away before the answer
REPEAT_PART = 0.05     # of the keyed requests: sent once more although they were acknowledged
KEYS_REMEMBERED = 200
WINDOW = 48            # messages in flight on a WebSocket


class Publisher:
    def __init__(self, world, log, number, kind):
        self.world, self.log, self.number, self.kind = world, log, number, kind
        self.random = random.Random(f"{world.seed} publisher {number}")
        channels = world.channels if kind not in (ARRAY, PRODUCER) else [c for c in world.channels if c.is_json]
        self.channels = self.random.sample(channels, min(3, len(channels)))
        if kind == ARRAY:
            self.channels = [c for c in channels if c.is_heavy] + self.channels[:1]
        self.seq, self.connection, self.due, self.quiet_since = 0, None, now(), 0.0
        self.producer = {}    # channel -> [epoch, seq]
        self.done = []        # keyed: acknowledged, to be repeated

    # -- what all have in common --

    def size(self, is_heavy):
        """Padding: mostly short, now and then one that fills several buffers."""
        if is_heavy:
            return 6000
        dice = self.random.random()
        if dice > 0.999:
            return self.random.randrange(4000, 40000)
        return self.random.randrange(0, 60) if dice < 0.9 else self.random.randrange(60, 1200)

    def make(self, channel, count, key=""):
        """A new publish, and its payloads."""
        made = Publish(self.number, channel.number, self.seq, count, self.kind, key)
        is_heavy = self.kind == ARRAY and channel.is_heavy and self.random.random() < 0.25
        texts = [payload(self.number, channel.number, self.seq + i, key, self.size(is_heavy)) for i in range(count)]
        self.seq += count
        self.log.publishes.append(made)
        self.log.count("messages sent", count)
        return made, texts

    async def pace(self, count):
        """Waits until the wanted rate allows for more."""
        self.due = max(self.due + count / self.world.rate_each, now() - 0.2)
        await asyncio.sleep(max(0.0, self.due - now()))

    async def run(self):
        one = {V1: self.websocket, RAW: self.websocket}.get(self.kind, self.post_one)
        while self.world.is_running():
            try:
                await one()
            except wire.Lost:
                await asyncio.sleep(self.random.uniform(0.01, 0.08))
        if self.connection:
            self.connection.abort()

    # -- POST --

    async def attempt(self, made, channel, body, fields):
        """The answer; Lost if there is none. is_own: the connection is to end before the answer."""
        if self.connection is None:
            self.connection = await wire.connect(self.world.port)
        c = self.connection
        made.connection = c.number if made.attempts == 0 else None
        made.began = made.began or now()
        made.attempts += 1
        request = wire.request_bytes("POST", channel.path, fields, body)
        try:
            if self.random.random() < GIVE_UP_PART:
                c.writer.write(request)
                await asyncio.sleep(self.random.choice((0, 0, 0.001, 0.005)))
                c.abort()
                self.log.count("publishers that went")
                raise wire.Lost("went away")
            return await wire.ask(c, request)
        except wire.Lost:
            self.connection = None
            raise

    def is_accepted(self, made, answer):
        if answer.status not in (200, 204):
            return False
        at = offset_read(answer.field("stream-next-offset"))
        if at is None or answer.field("stream-durability") != self.world.store:
            self.log.fault("C1", f"an acknowledgement without offset or level {self.world.store}: {answer.fields}")
            return True
        is_repetition = self.kind == PRODUCER and answer.status == 204  # then it tells where the stream ends
        made.ack(at[0], None if is_repetition else at[1])
        self.log.count(f"acknowledged: {self.kind}", made.count)
        return True

    async def post_one(self):
        channel = self.random.choice(self.channels)
        if self.kind == KEYED and self.done and self.random.random() < REPEAT_PART:
            await self.repeat(channel)
            return
        is_array = self.kind in (ARRAY, PRODUCER) or self.kind == KEYED and channel.is_json
        count = self.random.randrange(1, 48) if is_array else 1
        await self.pace(count)
        key = f"{self.world.seed}-{self.number}-{self.seq}" if self.kind == KEYED else ""
        made, texts = self.make(channel, count, key)
        body = b"[" + b",".join(texts) + b"]" if is_array else texts[0]
        fields = {"Content-Type": "application/json" if channel.is_json else "text/plain"}
        if key:
            fields["Idempotency-Key"] = key
        await (self.until_known if self.kind in (KEYED, PRODUCER) else self.once)(made, channel, body, fields)
        if self.kind == KEYED and made.state == ACKED:
            self.done = self.done[-KEYS_REMEMBERED:] + [(made, channel, body, fields)]

    async def once(self, made, channel, body, fields):
        answer = await self.attempt(made, channel, body, fields)
        if not self.is_accepted(made, answer):
            self.refused(made, answer)

    def refused(self, made, answer):
        made.state, made.ended = REFUSED, now()
        self.log.count(f"refused: {answer.status}")
        if answer.status != 503:
            self.log.fault("C6" if made.how in (PRODUCER, KEYED) else "C9",
                           f"{made} was answered {answer.status}: {answer.body[:300]!r}")

    async def until_known(self, made, channel, body, fields):
        """Sends it again until there is an answer: what producers and keys are for."""
        while True:
            try:
                self.producer_fields(channel, fields)
                answer = await self.attempt(made, channel, body, fields)
            except wire.Lost as why:
                if self.is_hopeless(made, why):
                    return
                self.log.count("sent again")
                await asyncio.sleep(self.random.uniform(0.005, 0.08))
                continue
            if self.is_accepted(made, answer):
                if self.kind == PRODUCER:
                    self.producer[channel.number][1] += 1
                return
            if self.kind == PRODUCER and answer.status == 409 and self.world.store == "memory":
                self.producer[channel.number] = [self.producer[channel.number][0] + 1, 0]  # it was forgotten
                continue
            if answer.status != 503 or self.is_hopeless(made, answer.body):
                self.refused(made, answer)
                self.start_over(channel)
                return
            self.log.count("refused: 503, sent again")
            await asyncio.sleep(self.random.uniform(0.05, 0.2))

    def is_hopeless(self, made, why):
        """The faults are over, but it is still not taken."""
        if self.world.is_running():
            return False
        self.quiet_since = self.quiet_since or now()
        if now() - self.quiet_since > 15 * self.world.patience:
            self.log.fault("C9", f"{made} is not taken {now() - self.quiet_since:.0f} s after the last fault: {why}")
            return True
        return self.world.is_over()

    def producer_fields(self, channel, fields):
        if self.kind != PRODUCER:
            return
        epoch, seq = self.producer.setdefault(channel.number, [0, 0])
        fields.update({"Producer-Id": f"p{self.number}", "Producer-Epoch": str(epoch), "Producer-Seq": str(seq)})

    def start_over(self, channel):
        if self.kind == PRODUCER:
            self.producer[channel.number] = [self.producer[channel.number][0] + 1, 0]

    async def repeat(self, _):
        """A key that was acknowledged, once more: the same answer, and nothing appended."""
        before, channel, body, fields = self.random.choice(self.done)
        made = Publish(before.pub, before.ch, before.first, before.count, before.how, before.key)
        made.repeat_of = before.last, before.epoch
        self.log.publishes.append(made)
        answer = await self.attempt(made, channel, body, fields)
        if not self.is_accepted(made, answer):
            self.refused(made, answer)

    # -- WebSocket --

    async def websocket(self):
        channel = self.random.choice(self.channels)
        c = await wire.connect(self.world.port)
        try:
            target = f"{channel.path}?read=0"
            answer = await wire.begin(c, wire.upgrade(target, self.kind == V1))
            if answer.status != 101:
                self.unwelcome(answer)
                raise wire.Lost("no handshake")
            life = Socket(self, c, channel)
            reading = asyncio.create_task(life.read())
            try:
                await life.write(now() + self.random.uniform(0.2, 6))
                await life.settle()
            finally:
                c.abort()  # which ends the reader, too; to cancel it could be in vain: wait_for() may lose that
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            c.abort()

    def unwelcome(self, answer):
        self.log.count(f"no handshake: {answer.status}")
        if answer.status != 503:
            self.log.fault("C9", f"a WebSocket was answered {answer.status}: {answer.body[:200]!r}")


class Socket:
    """One WebSocket of a publisher. What was written and not acknowledged when it ends stays unknown."""

    def __init__(self, publisher, connection, channel):
        self.publisher, self.connection, self.channel = publisher, connection, channel
        self.waiting, self.is_open, self.moved = {}, True, asyncio.Event()

    async def write(self, until):
        p = self.publisher
        while self.is_open and now() < until and p.world.is_running():
            burst = p.random.choice((1, 1, 2, 4, 16))
            await p.pace(burst)
            if len(self.waiting) >= WINDOW:
                self.moved.clear()
                await asyncio.wait([asyncio.create_task(self.moved.wait())], timeout=0.5)
                continue
            frames = [self.one() for _ in range(burst)]
            try:
                self.connection.writer.write(b"".join(frames))
                await asyncio.wait_for(self.connection.writer.drain(), wire.ANSWER_S)
            except (OSError, asyncio.TimeoutError):
                self.is_open = False

    def one(self):
        """If the channel is JSON, the payload; else the same as text."""
        p = self.publisher
        made, texts = p.make(self.channel, 1)
        made.connection, made.began, made.attempts = self.connection.number, now(), 1
        if p.kind == RAW:
            return wire.frame(texts[0])
        self.waiting[made.first] = made
        return wire.frame(b"%d\n" % made.first + texts[0])

    async def read(self):
        frames = wire.Frames()
        try:
            while True:
                for opcode, data in frames.feed(await wire.some(self.connection, 30)):
                    self.take(opcode, data)
                self.moved.set()
        except wire.Lost:
            self.is_open = False
            self.moved.set()

    def take(self, opcode, data):
        p = self.publisher
        if opcode == wire.PING:
            self.connection.writer.write(wire.frame(data, wire.PONG))
        elif opcode == wire.CLOSE:
            p.log.count(f"publisher closed: {int.from_bytes(data[:2], 'big')}")
            self.is_open = False
        elif data.startswith(b"\n{"):
            said = json.loads(data)
            if "ack" in said:
                made, at = self.waiting.pop(int(said["ack"]), None), offset_read(said["offset"])
                if made is None:
                    p.log.fault("C8", f"an acknowledgement of what was not sent: {said}")
                    return
                made.ack(*at)
                p.log.count(f"acknowledged: {p.kind}")
            elif "error" in said:
                self.refuse(said)

    def refuse(self, said):
        p = self.publisher
        p.log.count(f"refused: {said['status']}")
        made = self.waiting.pop(int(said["error"] or -1), None)
        if made:
            made.state, made.ended = REFUSED, now()
        if said["status"] != 503:
            p.log.fault("C9", f"{made} was answered {said}")

    async def settle(self):
        """Waits for the last acknowledgements, unless it is one that goes away."""
        if self.publisher.random.random() < 0.3:
            return
        until = now() + 5
        while self.is_open and self.waiting and now() < until:
            self.moved.clear()
            await asyncio.wait([asyncio.create_task(self.moved.wait())], timeout=0.2)


async def publish(world, log, count):
    """Runs them all until the world is not running any more."""
    everyone = [Publisher(world, log, n, KINDS[n % len(KINDS)]) for n in range(count)]
    await asyncio.gather(*(p.run() for p in everyone))
