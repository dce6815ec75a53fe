"""A validating resolver, with a root of its own: libunbound, with all zones as files.

It asks nobody. Every answer comes from a file, and is believed only if there is a chain of
signatures and DS records from the root's key to it.
"""

import ctypes
import ctypes.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qemu.world.net import Unable
from qemu.world.zones import Zone, sign

TYPES = {"A": 1, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}

RESERVED = ("100.51.198.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
"""Reverse zones of documentation that Unbound answers for by itself, unless it is told not to."""


class _Result(ctypes.Structure):
    """struct ub_result of unbound.h."""

    _fields_ = (
        ("qname", ctypes.c_char_p),
        ("qtype", ctypes.c_int),
        ("qclass", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("len", ctypes.c_void_p),
        ("canonname", ctypes.c_char_p),
        ("rcode", ctypes.c_int),
        ("answer_packet", ctypes.c_void_p),
        ("answer_len", ctypes.c_int),
        ("havedata", ctypes.c_int),
        ("nxdomain", ctypes.c_int),
        ("secure", ctypes.c_int),
        ("bogus", ctypes.c_int),
        ("why_bogus", ctypes.c_char_p),
    )


@dataclass(frozen=True)
class Answer:
    there: bool
    secure: bool
    bogus: bool
    why: str = ""


SECURE = Answer(there=True, secure=True, bogus=False)
SECURELY_NOT_THERE = Answer(there=False, secure=True, bogus=False)


class Validator:
    """Reads `zones`, texts by names, below a root that vouches for them as `ds` says: RDATA of DS
    records by names. Its clock shows `now`, in seconds since 1970."""

    def __init__(
        self,
        folder: Path,
        zones: Mapping[str, str],
        ds: Mapping[str, Iterable[str]],
        now: int | None = None,
    ) -> None:
        name = ctypes.util.find_library("unbound")
        if name is None:
            pytest.skip("libunbound is missing; on Debian, it is in libunbound8")
        folder.mkdir()
        above = "".join(
            f"{zone}. 3600 IN NS ns.{zone}.\n"
            + "".join(f"{zone}. 3600 IN DS {one}\n" for one in ds.get(zone, ()))
            for zone in zones
        )
        try:
            root = sign(folder, Zone(".", (), f"@ NS ns.root.\nns.root. A 192.0.2.53\n{above}"))
        except Unable as reason:
            pytest.skip(str(reason))
        files = {".": root.file}
        for zone, text in zones.items():
            files[f"{zone}."] = folder / f"{zone}.zone"
            files[f"{zone}."].write_text(text)
        (folder / "anchor").write_text(root.ds)
        config = folder / "unbound.conf"
        config.write_text(
            f'server:\n  chroot: ""\n  directory: "{folder}"\n  use-syslog: no\n  logfile: "log"\n'
            f'  trust-anchor-file: "{folder}/anchor"\n  module-config: "validator iterator"\n'
            + ("" if now is None else f'  val-override-date: "{_moment(now)}"\n')
            + "".join(f'  local-zone: "{zone}." nodefault\n' for zone in RESERVED)
            + "".join(
                f'auth-zone:\n  name: "{zone}"\n  zonefile: "{file}"\n  for-upstream: yes\n'
                "  for-downstream: no\n  fallback-enabled: no\n"
                for zone, file in files.items()
            )
        )
        self._library = ctypes.CDLL(name)
        self._library.ub_ctx_create.restype = ctypes.c_void_p
        self._config = config

    def ask(self, name: str, kind: str) -> Answer:
        """Every question is asked of a resolver that remembers nothing."""
        library = self._library
        context = ctypes.c_void_p(library.ub_ctx_create())
        found = ctypes.POINTER(_Result)()
        try:
            assert library.ub_ctx_config(context, str(self._config).encode()) == 0
            asked = (context, name.encode(), TYPES[kind], 1, ctypes.byref(found))
            assert library.ub_resolve(*asked) == 0
            result = found.contents
            why = (result.why_bogus or b"").decode()
            return Answer(bool(result.havedata), bool(result.secure), bool(result.bogus), why)
        finally:
            if found:
                library.ub_resolve_free(found)
            library.ub_ctx_delete(context)


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}"
