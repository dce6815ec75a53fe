"""The files of an image: kind, owner, mode, flags, attributes and hash of each.

They are part of the image's manifest, as JSON. `files` has an object for each path, with only the
facts that are not the default. `settings` has the values that configuration files set. Times are
left out, because they differ where nothing else does.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import translate
from typing import Any

from image.archive import FLAGS
from image.tree import Content, Entry, Extent, Kind, Tree

SETTINGS = (
    "boot/defaults/loader.conf",
    "boot/loader.conf",
    "boot/loader.conf.d/*.conf",
    "etc/defaults/rc.conf",
    "etc/rc.conf",
    "etc/rc.conf.d/*",
    "etc/sysctl.conf",
)
"""Files with lines NAME=VALUE: loader.conf(5), rc.conf(5), sysctl.conf(5)."""

_SETTING = re.compile(
    r"""^[ \t]*([A-Za-z0-9_.%-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s#]*))""", re.MULTILINE
)

CHUNK = 1 << 20

_IS_SETTINGS = re.compile("|".join(map(translate, SETTINGS))).match

_FLAG_NAMES = tuple((bit, name) for name, bit in reversed(FLAGS.items()))
"""Of several names for one bit the first one of strtofflags(3) is the last here, and is the one
that is used."""

Facts = dict[str, Any]


def describe(tree: Tree) -> Facts:
    """Return `files` and `settings` of a root tree. Raises EOFError if a file became shorter than
    its entry says."""
    entries = {id(entry): entry for entry in tree.values() if entry.kind is Kind.FILE}
    hashes = _hashes(entries)
    first: dict[int, str] = {}
    files: dict[str, Facts] = {"/": _facts(tree.root)}
    for path in sorted(tree):
        entry = tree[path]
        name = f"/{_text(path)}"
        facts = _facts(entry)
        if entry.kind is Kind.FILE:
            facts |= {"size": entry.size, "sha256": hashes[id(entry)]}
        if entry.kind is not Kind.DIRECTORY and (same := first.setdefault(id(entry), name)) != name:
            facts["link"] = same
        files[name] = facts
    return {"settings": _settings(tree), "files": files}


def _hashes(entries: Mapping[int, Entry]) -> dict[int, str]:
    """Return the digest of each of `entries` under its key. Many of them are small, so a thread
    takes hundreds at a time; the largest are first, so that no thread is left with one."""
    ordered = sorted(entries, key=lambda one: -entries[one].size)
    count = os.cpu_count() or 1
    parts = [ordered[at :: 4 * count] for at in range(4 * count)]

    def hash_all(part: list[int]) -> list[str]:
        return [_digest(entries[one]) for one in part]

    with ThreadPoolExecutor(count) as threads:
        found = threads.map(hash_all, parts)
        return {
            one: value
            for part, values in zip(parts, found, strict=True)
            for one, value in zip(part, values, strict=True)
        }


def render(manifest: Mapping[str, Any]) -> str:
    """Return `manifest` as JSON that people can read as well, with one line for each of `files`."""
    files = manifest.get("files", {})
    lines = ",\n".join(f"    {json.dumps(path)}: {json.dumps(files[path])}" for path in files)
    rest = {key: value for key, value in manifest.items() if key != "files"}
    text = json.dumps(rest, indent=2)
    if files:
        text = text.removesuffix("\n}") + f',\n  "files": {{\n{lines}\n  }}\n}}'
    return text + "\n"


def _facts(entry: Entry) -> Facts:
    facts: Facts = {"kind": entry.kind.value, "mode": f"{entry.mode:04o}"}
    if entry.uid or entry.gid:
        facts["owner"] = f"{entry.uid}:{entry.gid}"
    if entry.flags:
        facts["flags"] = ",".join(_flags(entry.flags))
    if entry.attributes:
        facts["attributes"] = {
            name: value.decode()
            if value.isascii() and value.decode().isprintable()
            else value.hex()
            for name, value in sorted(entry.attributes.items())
        }
    if entry.kind is Kind.SYMLINK:
        facts["target"] = _text(entry.target)
    return facts


def _flags(flags: int) -> Iterator[str]:
    names = {bit: name for bit, name in _FLAG_NAMES if flags & bit}
    yield from sorted(names.values())
    if rest := flags & ~sum(names):
        yield f"{rest:#x}"


def _text(path: str) -> str:
    """Return a path as text for JSON, even if some of its bytes are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _settings(tree: Tree) -> dict[str, dict[str, str]]:
    found = {}
    for path in sorted(filter(_IS_SETTINGS, tree)):
        if tree[path].kind is Kind.FILE:
            values = parse_settings(tree[path].content.read().decode("utf-8", "replace"))
            if values:
                found[f"/{_text(path)}"] = values
    return found


def parse_settings(text: str) -> dict[str, str]:
    """Return the last value of each name that the lines of `text` set. Other lines are ignored."""
    return {name: double or single or bare for name, double, single, bare in _SETTING.findall(text)}


def _digest(entry: Entry) -> str:
    state = hashlib.sha256()
    for data in _pieces(entry.content):
        state.update(data)
    return state.hexdigest()


def _pieces(content: Content) -> Iterator[bytes]:
    at = 0
    for extent in content.extents:
        yield from _zeros(extent.at - at)
        yield from _read(extent)
        at = extent.at + extent.length
    yield from _zeros(content.length - at)


def _zeros(length: int) -> Iterable[bytes]:
    zeros = bytes(min(length, CHUNK))
    return (zeros[: min(CHUNK, length - at)] for at in range(0, length, CHUNK))


def _read(extent: Extent) -> Iterator[bytes]:
    if isinstance(extent.origin, bytes):
        yield extent.origin[extent.offset : extent.offset + extent.length]
        return
    descriptor = os.open(extent.origin, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for at in range(0, extent.length, CHUNK):
            wanted = min(CHUNK, extent.length - at)
            data = os.pread(descriptor, wanted, extent.offset + at)
            if len(data) != wanted:
                raise EOFError(f"{extent.origin} is shorter than its tree says")
            yield data
    finally:
        os.close(descriptor)
