"""A server in a process of its own: `serve.py SETTINGS_AS_JSON` prints its address, and ends well at SIGTERM."""

import asyncio
import json
import logging
import signal
import sys

from k12ai_ws.app import Server, StartError
from k12ai_ws.settings import load_settings


async def main() -> None:
    server = Server(load_settings(None, json.loads(sys.argv[1])))
    try:
        await server.start()
    except StartError as e:
        sys.exit(f"cannot start: {e}")
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print(server.address, flush=True)
    await told.wait()
    await server.close()


logging.basicConfig(level=logging.INFO, stream=sys.stderr)
asyncio.run(main())
