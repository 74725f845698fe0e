#!/usr/bin/env python3
"""libduplex from Python, by ctypes alone: a server with a route, a group of WebSockets and streams.

DUPLEX_LIBRARY=build/libduplex.so.0 examples/duplex_ctypes.py 127.0.0.1:8080
SPDX-License-Identifier: MIT
"""
import ctypes
import os
import sys

lib = ctypes.CDLL(os.environ.get("DUPLEX_LIBRARY", "libduplex.so.0"))


class Bytes(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    @classmethod
    def of(cls, data):
        return cls(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))

    def __bytes__(self):
        return ctypes.string_at(self.at, self.size) if self.size else b""


class Response(ctypes.Structure):
    _fields_ = [("status", ctypes.c_uint), ("type", Bytes), ("headers", ctypes.c_void_p),
                ("headers_count", ctypes.c_size_t), ("body", Bytes)]


class ServerOptions(ctypes.Structure):
    """The first field is enough: the library is told how much of the struct we know."""
    _fields_ = [("listen", ctypes.c_char_p)]


class Publication(ctypes.Structure):
    _fields_ = [("stream", Bytes), ("type", Bytes), ("payload", Bytes)]


Handler = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
pointer = ctypes.c_void_p
for name, result, arguments in [
    ("dx_version", ctypes.c_char_p, []),
    ("dx_err_text", ctypes.c_char_p, [ctypes.c_int]),
    ("dx_server_new_sized", pointer, [ctypes.POINTER(ServerOptions), ctypes.c_size_t]),
    ("dx_server_free", None, [pointer]),
    ("dx_server_run", ctypes.c_int, [pointer]),
    ("dx_server_route", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_char_p, Handler, pointer]),
    ("dx_server_streams_sized", ctypes.c_int, [pointer, ctypes.c_char_p, pointer, ctypes.c_size_t]),
    ("dx_exchange_parameter", Bytes, [pointer, ctypes.c_char_p]),
    ("dx_exchange_respond", None, [pointer, ctypes.POINTER(Response)]),
    ("dx_publish", ctypes.c_int, [pointer, ctypes.POINTER(Publication), pointer, pointer]),
]:
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments


def check(err):
    if err:
        raise RuntimeError(lib.dx_err_text(err).decode())


def main():
    listen = sys.argv[1].encode() if len(sys.argv) > 1 else b"127.0.0.1:8080"
    server = lib.dx_server_new_sized(ServerOptions(listen), ctypes.sizeof(ServerOptions))

    @Handler
    def greet(exchange, _context):  # on a worker's thread; ctypes takes the interpreter's lock
        name = bytes(lib.dx_exchange_parameter(exchange, b"name"))
        seen = Publication(Bytes.of(b"/live/seen"), Bytes.of(b"text/plain"), Bytes.of(name))
        check(lib.dx_publish(server, ctypes.byref(seen), None, None))
        body = b"hello, " + name + b", from Python\n"
        answer = Response(200, Bytes.of(b"text/plain"), None, 0, Bytes.of(body))
        lib.dx_exchange_respond(exchange, ctypes.byref(answer))

    check(lib.dx_server_route(server, b"GET", b"/hello/{name}", greet, None))
    check(lib.dx_server_streams_sized(server, b"/live/", None, 0))
    code = lib.dx_server_run(server)
    lib.dx_server_free(server)
    return code


sys.exit(main())
