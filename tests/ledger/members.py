"""Those who are present at a stream, and who looks at the list of them.
Is:     members that come by duplex.v1 and go by closing, by a connection cut off, or by falling silent; each life a Stay
        in a Log, each list a Look.
Is not: judging them (check.py, C10); the crowd, whose members are killed with their process (crowd.py).
SPDX-License-Identifier: MIT
"""
import asyncio
import json
import random

import wire
from records import CLOSES, CUTS, SILENT, Look, Stay, now

PATH = "/all/members"
HABITS = (CLOSES, CUTS, CLOSES, SILENT)


def joining(ident):
    """The handshake of a member."""
    return wire.upgrade(f"{PATH}?write=0&member={ident}&presence=%7B%22of%22%3A%22{ident}%22%7D", True)


class Member:
    def __init__(self, world, log, number):
        self.world, self.log, self.number, self.lives = world, log, number, 0
        self.random = random.Random(f"{world.seed} member {number}")
        self.stay = None

    async def run(self):
        while not self.world.is_over():
            try:
                await self.live()
            except wire.Lost:
                pass
            await asyncio.sleep(self.random.uniform(0.01, 0.5))

    async def live(self):
        self.lives += 1
        habit = self.random.choice(HABITS)
        self.stay = Stay(f"m{self.number}-{self.lives}", habit)
        self.log.stays.append(self.stay)
        c = None
        try:
            c = await wire.connect(self.world.port)
            answer = await wire.begin(c, joining(self.stay.ident))
            if answer.status == 101:
                await self.stay_on(c, now() + self.random.choice((0.05, 1, 6)) * self.random.random())
                await self.go(c, habit)
        finally:
            self.stay.go()
            if c:
                c.abort()

    async def stay_on(self, c, until):
        """Asks again and again whether the connection is still there: an answer proves it was when it was asked."""
        frames, asked = wire.Frames(), 0.0
        while now() < until and not self.world.is_over():
            if now() - asked > 0.1:
                asked = now()
                c.writer.write(wire.frame(repr(asked).encode(), wire.PING))
            for opcode, data in frames.feed(await wire.some(c, 0.05)):
                self.take(c, opcode, data)

    def take(self, c, opcode, data):
        if opcode == wire.PONG:
            self.stay.proved = float(data)
        elif opcode == wire.PING:
            c.writer.write(wire.frame(data, wire.PONG))
        elif opcode == wire.CLOSE:
            raise wire.Lost("closed")
        elif data.startswith(b"\n{"):
            said = json.loads(data)
            if self.stay.told is None and any(m["id"] == self.stay.ident for m in said.get("join", ())):
                self.stay.told = now()

    async def go(self, c, habit):
        self.log.count(f"members: who {habit}")
        if habit == CLOSES:
            c.writer.write(wire.frame((1000).to_bytes(2, "big"), wire.CLOSE))
            frames, until = wire.Frames(), now() + 5
            while now() < until and not any(op == wire.CLOSE for op, _ in frames.feed(await wire.some(c, 0.5))):
                pass
        elif habit == SILENT:  # its connection stays, but nobody is there
            self.stay.go()
            until = now() + self.random.choice((1, 30))
            while now() < until and not self.world.is_settling():
                await asyncio.sleep(0.1)


async def look(world, log):
    """Lists the members, again and again."""
    c = None
    while not world.is_over():
        await asyncio.sleep(0.05 + 0.1 * random.random())
        began = now()
        try:
            c = c or await wire.connect(world.port)
            answer = await wire.ask(c, wire.request_bytes("GET", f"{PATH}?presence&limit=1000", {}))
        except wire.Lost:
            c = None
            continue
        if answer.status == 404:  # nobody was there yet, or memory has forgotten it
            log.looks.append(Look(began, frozenset()))
            continue
        if answer.status != 200:
            log.count(f"looks: {answer.status}")
            if answer.status != 503:
                log.fault("C10", f"the members of {PATH}: {answer.status} {answer.body[:200]!r}")
            continue
        said = json.loads(answer.body)
        there = [m["id"] for m in said["members"]]
        if said["count"] != len(there) or len(set(there)) != len(there):
            log.fault("C10", f"{said['count']} members are said, and listed: {there}")
        for m in said["members"]:
            if m.get("data") != {"of": m["id"]}:
                log.fault("C10", f"what is known of {m['id']} is not what it said: {m}")
        log.looks.append(Look(began, frozenset(there)))
    if c:
        c.abort()


async def attend(world, log, count):
    """Runs members until the world is over."""
    everyone = [Member(world, log, n) for n in range(count)]
    await asyncio.gather(look(world, log), *(m.run() for m in everyone))
