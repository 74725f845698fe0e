"""Python's websockets as a program: one JSON object a line in, one out.
In:  {"text": ...} | {"base64": ...} | {"close": code} | {"ping": ...}
Out: {"open": extensions} | {"text": ...} | {"base64": ...} | {"pong": true} | {"closed": code}
Usage: websocket_driver.py URL [deflate|plain]      SPDX-License-Identifier: MIT
"""
import asyncio
import base64
import json
import sys

import websockets


def say(**what):
    print(json.dumps(what), flush=True)


async def obey(socket, reader):
    while line := await reader.readline():
        order = json.loads(line)
        if "text" in order:
            await socket.send(order["text"])
        elif "base64" in order:
            await socket.send(base64.b64decode(order["base64"]))
        elif "ping" in order:
            await asyncio.wait_for(await socket.ping(order["ping"]), 5)
            say(pong=True)
        elif "close" in order:
            await socket.close(order["close"])


async def main(url, compression):
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with websockets.connect(url, compression=compression) as socket:
        say(open=[extension.name for extension in socket.extensions])
        orders = asyncio.create_task(obey(socket, reader))
        try:
            async for message in socket:
                if isinstance(message, str):
                    say(text=message)
                else:
                    say(base64=base64.b64encode(message).decode())
        except websockets.ConnectionClosedError:
            pass
        say(closed=socket.close_code)
        orders.cancel()


asyncio.run(main(sys.argv[1], "deflate" if sys.argv[2:] == ["deflate"] else None))
