"""HTTP/1.1, server-sent events and WebSocket as a client sees them, over asyncio's sockets.
Is:     connections, requests and their answers, chunks, events, frames: each fed with bytes as they come.
Is not: what the ledger writes down (publishers.py, subscribers.py).
SPDX-License-Identifier: MIT
"""
import asyncio
import base64
import os
import socket
import struct

CONNECT_S = 5
ANSWER_S = 10  # above the longest stop of the server and the longest long-poll


class Lost(Exception):
    """The connection ended, or the server did not answer: the outcome is not known."""


class Connection:
    """One TCP connection. number: unlike that of any other in this process."""

    count = 0

    def __init__(self, reader, writer):
        Connection.count += 1
        self.number, self.reader, self.writer = Connection.count, reader, writer

    def abort(self):
        self.writer.transport.abort()


async def connect(port, narrow=False):
    """narrow: with small buffers, so that a client that reads slowly is felt by the server."""
    end = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    end.setblocking(False)
    try:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if narrow:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(end, ("127.0.0.1", port)), CONNECT_S)
        reader, writer = await asyncio.open_connection(sock=end, limit=4096 if narrow else 1 << 17)
    except (OSError, asyncio.TimeoutError) as why:
        end.close()
        raise Lost(str(why)) from None
    return Connection(reader, writer)


class Answer:
    def __init__(self, status, fields):
        self.status, self.fields, self.body = status, fields, b""

    def field(self, name):
        return self.fields.get(name, "")


def request_bytes(method, target, fields, body=b""):
    head = [f"{method} {target} HTTP/1.1", "Host: ledger"]
    head += [f"{name}: {value}" for name, value in fields.items()]
    if method == "POST":
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def read_head(c):
    raw = await c.reader.readuntil(b"\r\n\r\n")
    lines = raw.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return Answer(int(lines[0].split(" ", 2)[1]), fields)


async def read_body(c, answer):
    if answer.status in (204, 304):
        return
    if "content-length" in answer.fields:
        answer.body = await c.reader.readexactly(int(answer.fields["content-length"]))
        return
    chunks, parts = Chunks(), []
    while not chunks.is_over:
        data = await c.reader.read(65536)
        if not data:
            raise Lost("ended within a body")
        parts.append(chunks.feed(data))
    answer.body = b"".join(parts)


async def ask(c, request, seconds=ANSWER_S):
    """Sends a request on a connection and reads the whole answer; Lost if there is none."""
    try:
        return await asyncio.wait_for(_ask(c, request), seconds)
    except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError) as why:
        c.abort()
        raise Lost(repr(why)) from None


async def _ask(c, request):
    c.writer.write(request)
    answer = await read_head(c)
    if not request.startswith(b"HEAD"):
        await read_body(c, answer)
    return answer


async def begin(c, request, seconds=ANSWER_S):
    """Like ask(), but the body is left to the caller if the status is 200 or 101."""
    async def both():
        c.writer.write(request)
        answer = await read_head(c)
        if answer.status not in (101, 200):
            await read_body(c, answer)
        return answer
    try:
        return await asyncio.wait_for(both(), seconds)
    except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError) as why:
        c.abort()
        raise Lost(repr(why)) from None


async def some(c, seconds):
    """What has come; b"" after that time without any. Lost at the end."""
    try:
        data = await asyncio.wait_for(c.reader.read(65536), seconds)
    except asyncio.TimeoutError:
        return b""
    except OSError as why:
        raise Lost(str(why)) from None
    if not data:
        raise Lost("ended")
    return data


class Chunks:
    """Takes the chunked coding away."""

    def __init__(self):
        self.rest, self.left, self.is_over = b"", 0, False

    def feed(self, data):
        data, out, at = self.rest + data, [], 0
        while at < len(data):
            if self.left:
                piece = data[at:at + self.left]
                self.left -= len(piece)
                at += len(piece)
                out.append(piece)
                continue
            start = at + 2 if data.startswith(b"\r\n", at) else at  # behind the chunk before
            end = data.find(b"\r\n", start)
            if end < 0:
                break
            self.left, at = int(data[start:end].split(b";")[0], 16), end + 2
            if self.left == 0:
                self.is_over = True
                at = len(data)
        self.rest = data[at:]
        return b"".join(out)


class Events:
    """Server-sent events: lists of (type, id, data), data lines joined."""

    def __init__(self):
        self.chunks, self.rest = Chunks(), b""

    def feed(self, data):
        *blocks, self.rest = (self.rest + self.chunks.feed(data)).split(b"\n\n")
        return [event for event in map(self.event, blocks) if event]

    @staticmethod
    def event(block):
        kind, ident, lines = b"message", None, []
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if name == b"data":
                lines.append(value)
            elif name == b"id":
                ident = value
            elif name == b"event":
                kind = value
        return (kind, ident, b"\n".join(lines)) if lines else None


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload, opcode=TEXT):
    """One masked frame."""
    size, key = len(payload), os.urandom(4)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    mask = (key * (size // 4 + 1))[:size]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    return head + key + body


class Frames:
    """Frames of a server: lists of (opcode, payload); fragments joined."""

    def __init__(self):
        self.rest, self.parts, self.opcode = b"", [], 0

    def feed(self, data):
        data, at, out = self.rest + data, 0, []
        total = len(data)
        while total - at >= 2:
            first, size, begin = data[at], data[at + 1], at + 2
            if size == 126:
                if total < begin + 2:
                    break
                size, begin = struct.unpack_from("!H", data, begin)[0], begin + 2
            elif size == 127:
                if total < begin + 8:
                    break
                size, begin = struct.unpack_from("!Q", data, begin)[0], begin + 8
            if total < begin + size:
                break
            at = begin + size
            self.take(first, data[begin:at], out)
        self.rest = data[at:]
        return out

    def take(self, first, payload, out):
        opcode = first & 15
        if opcode >= 8 or (first & 0x80 and opcode):
            out.append((opcode, payload))
            return
        self.opcode = opcode or self.opcode
        self.parts.append(payload)
        if first & 0x80:
            out.append((self.opcode, b"".join(self.parts)))
            self.parts = []


def upgrade(target, is_v1):
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
    if is_v1:
        fields["Sec-WebSocket-Protocol"] = "duplex.v1"
    return request_bytes("GET", target, fields)
