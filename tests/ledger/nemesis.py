"""The server under test, and what is done to it: killed, stopped, short of files, short of space.
Is:     starting `duplex serve` on one directory and one port, again and again; the faults, in a seeded order.
Is not: the clients' faults, which are theirs.
SPDX-License-Identifier: MIT
"""
import http.client
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import time

READY_S = 20
BALLAST = "ballast"


class Broken(Exception):
    """The server did not start, or ended by itself."""


def free_port():
    """Below those that the kernel gives to who connects: a client that tries a port where nobody listens could
    else be given that port itself, be connected to itself, and keep the server from it."""
    while True:
        port = random.SystemRandom().randrange(12000, 30000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    def __init__(self, program, directory, store, workers, environment=None):
        self.program, self.directory, self.store, self.workers = program, pathlib.Path(directory), store, workers
        self.environment = {**os.environ, **(environment or {})}
        self.port, self.child, self.slowest_start, self.busy_starts = free_port(), None, 0.0, 0
        self.data = self.directory / "data"
        self.log = open(self.directory / "server.log", "ab")

    def write_config(self, channels):
        """A namespace for each kind of channel; its paths begin with it."""
        lines = ["namespaces:"]
        kinds = {c.path[:c.path.index("/", 1) + 1]: (c.is_json, c.kept) for c in channels}
        for prefix, (is_json, kept) in kinds.items():
            lines += [f"  - prefix: {prefix}", "    durability: disk",
                      f"    type: {'application/json' if is_json else 'text/plain'}"]
            lines += [f"    kept: {{count: {kept}}}"] if kept else ["    kept: {bytes: unlimited}"]
        (self.directory / "duplex.yaml").write_text("\n".join(lines) + "\n")

    def start(self):
        command = [self.program, "serve", "--config", str(self.directory / "duplex.yaml"), "--listen",
                   f"127.0.0.1:{self.port}", "--log-level", "warn", "--data", str(self.data)]
        command += ["--memory"] if self.store == "memory" else []
        command += ["--workers", str(self.workers)] if self.workers else []
        began = time.monotonic()
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.environment)
        while not self.is_ready():
            if self.child.poll() is not None:
                if "in use" in self.last_words()[-200:] and time.monotonic() - began < 5:
                    self.busy_starts += 1  # the kernel still tidies up after the one before
                    time.sleep(0.05)
                    self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.environment)
                    continue
                raise Broken(f"the server ended with {self.child.returncode} at its start: {self.last_words()}")
            if time.monotonic() - began > READY_S:
                raise Broken(f"the server did not serve within {READY_S} s: {self.last_words()}")
            time.sleep(0.005)
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    def is_ready(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            c.request("GET", "/healthz")
            return c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            c.close()

    def check(self):
        if self.child.poll() is not None:
            raise Broken(f"the server ended by itself with {self.child.returncode}: {self.last_words()}")

    def last_words(self):
        return (self.directory / "server.log").read_bytes()[-1500:].decode(errors="replace")

    def kill(self):
        self.child.kill()
        self.child.wait()

    def end(self):
        """In good order, for the exit code; None if it was not running."""
        if self.child is None or self.child.poll() is not None:
            return None
        self.child.terminate()
        try:
            return self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Nemesis:
    """kills and the rest are counted in `done`. faults: beside "kill" and "stop", of "files", "space"."""

    def __init__(self, server, seed, faults):
        self.server, self.random, self.faults, self.done = server, random.Random(f"{seed} nemesis"), faults, {}

    def step(self):
        """One fault, from a healthy server to a healthy server."""
        kind = self.random.choice(("kill", "kill", "kill", "stop", *self.faults))
        time.sleep(self.random.choice((self.random.uniform(0.01, 0.3), self.random.uniform(0.01, 3))))
        self.server.check()
        {"kill": self.kill, "stop": self.stop, "files": self.files, "space": self.space}[kind]()
        self.done[kind] = self.done.get(kind, 0) + 1

    def kill(self):
        self.server.kill()
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0, 0.5))
        self.server.start()

    def stop(self):
        self.server.child.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.1, 3))
        if self.random.random() < 0.25:  # killed while it is stopped
            self.server.kill()
            self.server.start()
            self.done["kill"] = self.done.get("kill", 0) + 1
        else:
            self.server.child.send_signal(signal.SIGCONT)

    def files(self):
        pid = self.server.child.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        have = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(8, have - self.random.randrange(20)), before[1]))
        time.sleep(self.random.uniform(0.2, 2))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def space(self):
        """Fills the small file system that the data is on, and frees it; now and then kills it while full."""
        ballast = self.server.data / ".." / BALLAST
        with open(ballast, "wb") as out:
            at = 0
            for piece in (1 << 20, 1 << 12):
                try:
                    while True:
                        os.posix_fallocate(out.fileno(), at, piece)
                        at += piece
                except OSError:
                    continue
        time.sleep(self.random.uniform(0.2, 2))
        is_killed = self.random.random() < 0.3
        if is_killed:
            self.server.kill()
            self.done["kill"] = self.done.get("kill", 0) + 1
        ballast.unlink()
        if is_killed:
            self.server.start()
