"""The least that aiohttp can do: a server that answers with bytes that it has, and knows nothing.

`python -m bench.bare FILE` prints its port and serves the file at /, and a word at /hello.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def main(body: bytes) -> None:
    """Serve until killed."""

    async def whole(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", whole)
    app.router.add_get("/hello", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes()))
