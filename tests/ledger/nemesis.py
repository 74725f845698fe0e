"""The server under test, and what is done to it and around it: killed, upgraded, told to read its configuration
again, stopped, short of files, short of space, its wall clock set, clients killed.
Is:     starting `duplex serve` on one directory and one port, again and again; the faults, in a seeded order.
Is not: what clients do of themselves, such as going away before the answer.
SPDX-License-Identifier: MIT
"""
import ctypes
import http.client
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from check import PING_S

READY_S = 60
UPGRADE_S = 60
PR_SET_CHILD_SUBREAPER = 36
BALLAST = "ballast"
COMPILER = os.environ.get("CC", "cc")
CLOCK = pathlib.Path(__file__).resolve().parent / "clock.c"
# A clock that goes ahead by more than keys are remembered (5 minutes) ends them: so it must not, all jumps
# together since a key was used. Back it may go as far as it likes.
AHEAD_S, BACK_S = 200, 6 * 3600


def has_compiler():
    return shutil.which(COMPILER) is not None


class Clock:
    """The wall clock that a server believes in."""

    def __init__(self, directory):
        self.directory, self.shift_s = pathlib.Path(directory), 0.0
        self.file = self.directory / "clock"

    def environment(self):
        """What a server is to be started with."""
        self.set(0.0)
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", self.directory / "clock.so", CLOCK], check=True)
        return {"LD_PRELOAD": str(self.directory / "clock.so"), "LEDGER_CLOCK": str(self.file)}

    def set(self, shift_s):
        self.shift_s = shift_s
        with open(self.file, "r+b" if self.file.exists() else "wb") as out:
            out.write(struct.pack("q", int(shift_s * 1e9)))


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


class Heir:
    """A process that another one left us, as far as subprocess.Popen is used here."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout=None):
        until = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("duplex", timeout)
            time.sleep(0.005)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Server:
    def __init__(self, program, directory, store, workers, environment=None):
        self.program, self.directory, self.store, self.workers = program, pathlib.Path(directory), store, workers
        self.environment = {**os.environ, **(environment or {})}
        self.port, self.child, self.slowest_start, self.busy_starts = free_port(), None, 0.0, 0
        self.data = self.directory / "data"
        self.log = open(self.directory / "server.log", "ab")

    def write_config(self, channels):
        """A namespace for each kind of channel; its paths begin with it."""
        lines = [f"ping: {PING_S}s", "namespaces:"]
        kinds = {c.path[:c.path.index("/", 1) + 1]: (c.is_json, c.kept) for c in channels}
        for prefix, (is_json, kept) in kinds.items():
            lines += [f"  - prefix: {prefix}", "    durability: disk", "    access: {default: anyone}",
                      f"    type: {'application/json' if is_json else 'text/plain'}"]
            lines += [f"    kept: {{count: {kept}}}"] if kept else ["    kept: {bytes: unlimited}"]
        (self.directory / "duplex.yaml").write_text("\n".join(lines) + "\n")

    def start(self):
        command = [self.program, "serve", "--config", str(self.directory / "duplex.yaml"), "--listen",
                   f"127.0.0.1:{self.port}", "--log-level", "warn", "--data", str(self.data), "--pid-file",
                   str(self.directory / "pid")]
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

    def upgrade(self):
        """The process is followed by the next one, which is ours to wait for once the first has ended."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        before = self.child
        before.send_signal(signal.SIGUSR2)
        try:
            code = before.wait(UPGRADE_S)
        except subprocess.TimeoutExpired:
            raise Broken(f"no upgrade within {UPGRADE_S} s: {self.last_words()}") from None
        if code != 0:
            raise Broken(f"the server that was followed by the next ended with {code}: {self.last_words()}")
        self.child = Heir(int((self.directory / "pid").read_text()))
        if self.child.pid == before.pid:
            raise Broken(f"the server ended instead of being followed by the next: {self.last_words()}")

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


def knock(port, is_over, refused):
    """Asks whether it lives, on a connection of its own each time; at least once more after it is over."""
    while True:
        is_last = is_over.is_set()
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            c.request("GET", "/healthz")
            status = c.getresponse().status
            if status != 200:
                refused.append(f"status {status}")
        except (OSError, http.client.HTTPException) as why:
            refused.append(repr(why))
        c.close()
        if is_last:
            return
        time.sleep(0.002)


FAULTS = ("kill", "upgrade", "reload", "stop", "clients", "files", "clock", "space")


class Nemesis:
    """faults: of FAULTS; each has its turn in a round. done: how often each was; pauses: when no server answered."""

    def __init__(self, server, crowd, clock, seed, faults):
        self.server, self.crowd, self.wall, self.random = server, crowd, clock, random.Random(f"{seed} nemesis")
        self.done, self.pauses, self.ahead, self.deck, self.rounds = {}, [], [], [], 0
        self.kinds = [*faults, *[f for f in ("kill", "kill", "space", "space") if f in faults]]

    def step(self):
        """One fault, from a healthy server to a healthy server."""
        self.deck = self.deck or self.random.sample(self.kinds, len(self.kinds))
        kind = self.deck.pop()
        if self.random.random() < 0.1:
            time.sleep(self.random.uniform(3, 6))  # long enough for the slow to fall behind
        time.sleep(self.random.choice((self.random.uniform(0.01, 0.3), self.random.uniform(0.01, 3))))
        self.server.check()
        getattr(self, kind)()
        self.count(kind)
        self.rounds += not self.deck

    def count(self, kind):
        self.done[kind] = self.done.get(kind, 0) + 1

    def kill(self):
        began = time.monotonic()
        self.server.kill()
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0, 0.5))
        self.server.start()
        self.pauses.append((began, time.monotonic()))

    def upgrade(self):
        """Meanwhile connections come all the time: they may have to wait, but nobody may be refused."""
        began = time.monotonic()
        refused, is_over = [], threading.Event()
        knocking = threading.Thread(target=knock, args=(self.server.port, is_over, refused))
        knocking.start()
        try:
            self.server.upgrade()
        finally:
            is_over.set()
            knocking.join()
        if refused:
            raise Broken(f"{len(refused)} connections were refused during an upgrade: {refused[0]}")
        self.pauses.append((began, time.monotonic()))

    def reload(self):
        self.server.child.send_signal(signal.SIGHUP)

    def stop(self):
        began = time.monotonic()
        self.server.child.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.1, 3))
        if self.random.random() < 0.25:  # killed while it is stopped
            self.server.kill()
            self.server.start()
            self.count("kill")
        else:
            self.server.child.send_signal(signal.SIGCONT)
        self.pauses.append((began, time.monotonic()))

    def clients(self):
        self.crowd.kill()

    def files(self):
        began = time.monotonic()
        pid = self.server.child.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        have = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(8, have - self.random.randrange(20)), before[1]))
        time.sleep(self.random.uniform(0.2, 2))
        if self.random.random() < 0.2:
            self.kill()
            self.count("kill")
        else:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            self.pauses.append((began, time.monotonic()))

    def clock(self):
        """Ahead, by less than what keys are remembered for, all that was within that time together; or back."""
        self.ahead = [(at, by) for at, by in self.ahead if time.monotonic() - at < AHEAD_S]
        left = AHEAD_S - sum(by for _, by in self.ahead)
        by = self.random.choice((self.random.uniform(0, left), self.random.uniform(-10, 0),
                                 self.random.uniform(-BACK_S, 0)))
        if by > 0:
            self.ahead.append((time.monotonic(), by))
        self.wall.set(self.wall.shift_s + by)

    def space(self):
        """Fills the small file system that the data is on, and frees it; now and then kills it while full."""
        began = time.monotonic()
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
            self.count("kill")
        ballast.unlink()
        if is_killed:
            self.server.start()
        self.pauses.append((began, time.monotonic()))
