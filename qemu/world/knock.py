"""A program: opens TCP connections, all at a time, and prints which came about.

    python knock.py SECONDS

Each line of its input is `ADDRESS PORT`, and it prints those lines of it that took a connection
within so many seconds. This file runs as a program of its own, so it imports nothing of this
project.
"""

import asyncio
import sys


async def knock(line: str, seconds: float) -> None:
    address, port = line.split()
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, int(port)), seconds)
    except (OSError, TimeoutError):
        return
    print(line, flush=True)
    writer.close()


async def main(seconds: float) -> None:
    await asyncio.gather(*(knock(line, seconds) for line in sys.stdin.read().splitlines()))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
