"""Clients that are killed: a process of them on every door, in the middle of what they do, and then SIGKILL.
Is:     connections that subscribe, members, publishers half way through a request; another process each time.
Is not: clients that end their connections themselves (publishers.py, subscribers.py, members.py).
SPDX-License-Identifier: MIT
"""
import multiprocessing
import os
import random
import signal
import time

import members
import wire
from records import KILLED, Stay, payload

PUBLISHER = 50000   # of what must never be there: no request of a crowd is whole


class Crowd:
    """One process at a time; `stays` are its members."""

    def __init__(self, world, seed):
        self.world, self.random, self.lives, self.child, self.stays = world, random.Random(f"{seed} crowd"), 0, None, []
        self.here = []

    def begin(self):
        self.lives += 1
        self.here = [Stay(f"c{self.lives}-{i}", KILLED) for i in range(3)]
        self.stays += self.here
        self.child = multiprocessing.Process(target=attend, args=(self.world, [s.ident for s in self.here]))
        self.child.start()

    def is_over(self):
        return self.child is None or not self.child.is_alive()

    def kill(self):
        """At any moment of its life; sometimes it is stopped first, so that nobody answers."""
        if not self.is_over() and self.random.random() < 0.3:
            os.kill(self.child.pid, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.1, 3))
        self.end()
        self.begin()

    def end(self):
        if self.child is not None:
            self.child.kill()
            self.child.join()
        for stay in self.here:
            stay.go()


def attend(world, idents):
    """The process: it opens what it can, writes what is not whole, and waits to be killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = payload(PUBLISHER, 0, 0)
    post = wire.request_bytes("POST", "/all/0", {"Content-Type": "application/json"}, text)
    path = "/all/1?offset=-1"
    requests = [members.joining(ident) for ident in idents] + [
        wire.upgrade(path, True), wire.upgrade(path, False), wire.request_bytes("GET", f"{path}&live=sse", {}),
        wire.request_bytes("GET", "/all/1?offset=now&live=long-poll", {}),
        wire.request_bytes("GET", path, {"Accept": "text/event-stream"}),
        post[:len(post) // 2], post[:-1], wire.upgrade(path, True)[:-1]]
    ends, parent = [], os.getppid()
    while os.getppid() == parent:
        for end in ends:
            end.close()
        ends = [end for end in map(send, [world.port] * len(requests), requests) if end]
        time.sleep(1)  # what they are sent is not read


def send(port, request):
    try:
        end = wire.socket.create_connection(("127.0.0.1", port), timeout=1)
    except OSError:
        return None
    try:
        end.sendall(request)
        return end
    except OSError:
        end.close()
        return None
