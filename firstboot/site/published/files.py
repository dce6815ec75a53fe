"""Files that somebody else wrote: bounded, and absent, empty and damaged told apart."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import Json
from firstboot.core.refusal import Refusal

AGAIN = "Fetch it again"
GZIP = b"\x1f\x8b"


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of `path`, at least one and at most `limit`. Raises Refusal."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        raise Refusal(path, "there is no such file", "Check the path") from error
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror or error})"
        raise Refusal(path, problem, "Check the path and the permissions") from error
    if not data.strip():
        raise Refusal(path, "the file is empty, which says nothing about anybody", AGAIN)
    if len(data) > limit:
        problem = f"the file has more than {limit} bytes"
        raise Refusal(path, problem, "Check that it is the right one")
    return data


def read_json(data: bytes, name: str, bounds: Json) -> Any:
    """The JSON in `data`. Raises Refusal about the file `name`."""
    try:
        return bounded_json.read(data, bounds)
    except ValueError as error:
        raise damaged(name, f"it is no JSON that can be read: {error}") from error


def lines(data: bytes, name: str, limit: int, longest: int) -> Iterator[str]:
    """The lines of `data`, plain or compressed with gzip: at most `limit` bytes in all once they
    are unpacked, and `longest` in one. What is not UTF-8 is taken for Latin-1, as registries write.

    Raises Refusal about the file `name`.
    """
    stream: Any = io.BytesIO(data)
    if data.startswith(GZIP):
        stream = gzip.GzipFile(fileobj=stream)
    left = limit
    while True:
        try:
            line = stream.readline(longest + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(name, f"it cannot be unpacked ({error})") from error
        if not line:
            return
        left -= len(line)
        if left < 0:
            raise damaged(name, f"it has more than {limit} bytes once it is unpacked")
        if len(line) > longest:
            raise damaged(name, f"it has a line of more than {longest} bytes")
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            yield line.decode("latin-1").rstrip("\r\n")


def damaged(name: object, problem: str) -> Refusal:
    """The refusal for a file that is not what its name says."""
    return Refusal(name, problem, AGAIN)
