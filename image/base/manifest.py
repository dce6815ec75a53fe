"""The MANIFEST beside a build's sets: their hashes, as FreeBSD's make-manifest.sh writes them.

Each set has one line of six fields with tabs between them: file, SHA-256, number of entries,
name, "description", on or off. The sizes of the sets are not in it.
Source: release/scripts/make-manifest.sh.
"""

import re
from dataclasses import dataclass

from firstboot.core.refusal import Refusal

NAME = "MANIFEST"

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.txz")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(r"[0-9]{1,9}")
_SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True)
class Listed:
    """One set: `entries` counts what its archive holds, `chosen` is the installer's default."""

    file: str
    sha256: str
    entries: int
    name: str
    description: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """The sets of one build; `subject` is the name of the MANIFEST in refusals."""

    subject: str
    sets: tuple[Listed, ...]

    def __getitem__(self, file: str) -> Listed:
        """Return the line of `file`. Raises Refusal if there is none."""
        for listed in self.sets:
            if listed.file == file:
                return listed
        raise Refusal(
            self.subject,
            f"no line for {file}, only for "
            f"{', '.join(listed.file for listed in self.sets) or 'nothing'}",
            "Take MANIFEST and the sets from one build of the operating system",
        )


def parse(data: bytes, subject: str) -> Manifest:
    """Read a MANIFEST. Raises Refusal with `subject:line` for the first malformed line."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise _malformed(
            f"{subject}:{number}", f"this is not UTF-8 text (the byte 0x{data[error.start]:02x})"
        ) from error
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise _malformed(subject, "the file is empty")
    sets: dict[str, Listed] = {}
    for number, line in enumerate(lines, start=1):
        listed = _parse_line(line, f"{subject}:{number}")
        if listed.file in sets:
            raise _malformed(f"{subject}:{number}", f"{listed.file} is listed twice")
        sets[listed.file] = listed
    return Manifest(subject, tuple(sets.values()))


def _parse_line(line: str, where: str) -> Listed:
    fields = line.split("\t")
    if len(fields) != 6:
        raise _malformed(
            where, f"a line has six fields with tabs between them, not {len(fields)}: {_show(line)}"
        )
    file, sha256, entries, name, description, chosen = fields
    quoted = len(description) >= 2 and description[0] == description[-1] == '"'
    checks = (
        (_FILE.fullmatch(file), "a file name such as base.txz", file),
        (_SHA256.fullmatch(sha256), "a SHA-256 of 64 hexadecimal digits", sha256),
        (_COUNT.fullmatch(entries), "a number of entries", entries),
        (_SET.fullmatch(name), "a set's name such as base", name),
        (quoted and description.isprintable(), "a description in double quotes", description),
        (chosen in ("on", "off"), "on or off", chosen),
    )
    for good, what, text in checks:
        if not good:
            raise _malformed(where, f"{_show(text)} is not {what}")
    return Listed(file, sha256, int(entries), name, description[1:-1], chosen == "on")


def _malformed(where: str, problem: str) -> Refusal:
    return Refusal(where, problem, "Fetch the MANIFEST of the build again")


def _show(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[:60])
    return f"'{shown}{'...' if len(text) > 60 else ''}'"
