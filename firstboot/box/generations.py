"""Generations of the configuration on /cfg: whole or not there, and never changed afterwards.

    /cfg/generations/0007/site.yaml     the site it was rendered from
    /cfg/generations/0007/files/...     what was rendered, by its path on the box
    /cfg/generations/0007/index         what there is, see below
    /cfg/generations/0007/seal          SHA-256 of the index, in hexadecimal
    /cfg/current                        symbolic link to the one that is to run

The index is text, for rc.d/exitisp_site reads it with sh. The first line is `exitisp 1 IDENTITY`,
where the identity stands for the image and the machine that it was rendered for. Every other line
is a file: its SHA-256, mode in octal, owner, group, and its path in the generation, which has no
spaces.
"""

import hashlib
import itertools
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.core.durable import settle, write
from firstboot.core.refusal import Refusal

if TYPE_CHECKING:
    from firstboot.site.render import Rendered

KEPT = 10
"""Generations; older ones are removed."""

PLAIN = re.compile(r"[A-Za-z0-9@._/-]+")
"""Paths and names that sh splits as they were joined."""

MAGIC = ("exitisp", "1")
SITE = "site.yaml"


class Damaged(Exception):
    """A generation that is not as it was written. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a generation."""

    identity: str
    site: bytes
    files: "tuple[Rendered, ...]"


@dataclass(frozen=True, slots=True)
class Generation:
    """One of them; `number` counts from 1 on."""

    number: int
    folder: Path

    def read(self) -> Content:
        """All of it. Raises Damaged if a byte of it is not as it was written."""
        from firstboot.site.render import Rendered

        try:
            index = (self.folder / "index").read_bytes()
            seal = (self.folder / "seal").read_bytes()
            if seal.decode("ascii", "replace").strip() != hashlib.sha256(index).hexdigest():
                raise Damaged("its index is not what was sealed")
            magic, *lines = (line.split(" ") for line in index.decode("ascii").splitlines())
            if tuple(magic[:2]) != MAGIC:
                raise Damaged(f"its index is of the form {magic[1]}")
            data = {line[4]: self._file(line[4], line[0]) for line in lines}
            files = (
                Rendered(
                    path.removeprefix("files/"), data[path].decode(), int(mode, 8), owner, group
                )
                for _, mode, owner, group, path in lines
                if path != SITE
            )
            return Content(magic[2], data[SITE], tuple(files))
        except (OSError, ValueError, LookupError) as error:
            raise Damaged(str(error)) from error

    def _file(self, path: str, digest: str) -> bytes:
        data = (self.folder / path).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(f"{path} is not what was written")
        return data

    @property
    def sound(self) -> bool:
        try:
            self.read()
        except Damaged:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Generations:
    """Those below `cfg`."""

    cfg: Path

    @property
    def folder(self) -> Path:
        return self.cfg / "generations"

    def all(self) -> list[Generation]:
        """All, damaged or not, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = (
            Generation(int(path.name), path)
            for path in self.folder.iterdir()
            if re.fullmatch("[0-9]{4,9}", path.name)
        )
        return sorted(found, key=lambda generation: generation.number)

    def current(self) -> int | None:
        """The number that `current` leads to, whatever is there."""
        try:
            name = (self.cfg / "current").readlink().name
        except OSError:
            return None
        return int(name) if re.fullmatch("[0-9]{4,9}", name) else None

    def candidates(self) -> Iterator[Generation]:
        """In the order in which a boot tries them: the current one, those before it, those after
        it; the newest of each first."""
        every = self.all()[::-1]
        current = self.current()
        if current is None:
            yield from every
            return
        for keep in (int.__eq__, int.__lt__, int.__gt__):
            yield from (one for one in every if keep(one.number, current))

    def chosen(self) -> Generation | None:
        """The one that a boot runs: the first candidate that is not damaged."""
        return next((one for one in self.candidates() if one.sound), None)

    def before(self, number: int) -> Generation | None:
        """The newest sound one that is older than `number`."""
        older = (one for one in self.all()[::-1] if one.number < number)
        return next((one for one in older if one.sound), None)

    def find(self, number: int) -> Generation:
        """Raises Refusal if there is none of that number, or if it is damaged."""
        found = next((one for one in self.all() if one.number == number), None)
        if found is None or not found.sound:
            there = ", ".join(str(one.number) for one in self.all() if one.sound)
            raise Refusal(
                f"generation {number}",
                expected=f"one of {there}" if there else "a generation",
                found="none" if found is None else "a damaged one",
                remedy="name another one",
            )
        return found

    def write(self, content: Content) -> Generation:
        """A new generation, complete on the disk; `current` stays. Raises Refusal if it cannot be
        written, and then nothing has changed."""
        number = max((one.number for one in self.all()), default=0) + 1
        place = self.folder / f"{number:04d}"
        part = self.folder / f".{number:04d}.new"
        try:
            self._make_room()
            _write_all(part, content)
            part.rename(place)
            settle(self.folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise _unwritten(place, error) from error
        return Generation(number, place)

    def switch(self, generation: Generation) -> None:
        """Make it the current one, at once. Raises Refusal, and then the old one is current."""
        link, part = self.cfg / "current", self.cfg / ".current.new"
        try:
            part.unlink(missing_ok=True)
            part.symlink_to(Path("generations") / generation.folder.name)
            part.replace(link)
            settle(self.cfg)
        except OSError as error:
            raise _unwritten(link, error) from error

    def _make_room(self) -> None:
        """Remove what a power cut left, and the oldest; never the current one, nor the last one
        that is sound."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.folder.glob(".*"):
            shutil.rmtree(left)
        spared = {self.current(), getattr(self.chosen(), "number", None)}
        every = self.all()
        for old in every[: max(len(every) - KEPT + 1, 0)]:
            if old.number not in spared:
                gone = old.folder.with_name(f".{old.folder.name}.gone")
                old.folder.rename(gone)
                shutil.rmtree(gone)


def _write_all(folder: Path, content: Content) -> None:
    files = [(SITE, content.site, 0o600, "root", "wheel")]
    for file in content.files:
        words = (file.path, file.owner, file.group)
        if not all(PLAIN.fullmatch(word) for word in words) or ".." in file.path.split("/"):
            raise Refusal(
                f"/{file.path}",
                expected="a path, an owner and a group of letters, digits and @ . _ - /",
                found=" ".join(words),
                remedy="correct the template's index.yaml",
            )
        path = f"files/{file.path}"
        files.append((path, file.text.encode(), file.mode, file.owner, file.group))
    lines = [" ".join((*MAGIC, content.identity))]
    for path, data, mode, owner, group in files:
        lines.append(f"{hashlib.sha256(data).hexdigest()} {mode:04o} {owner} {group} {path}")
        (folder / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(folder / path, data, 0o600)
    index = "".join(f"{line}\n" for line in lines).encode()
    write(folder / "index", index, 0o600)
    write(folder / "seal", f"{hashlib.sha256(index).hexdigest()}\n".encode(), 0o600)
    for inner in sorted({folder, *_folders(folder, (path for path, *_ in files))}):
        settle(inner)


def _folders(folder: Path, paths: Iterable[str]) -> set[Path]:
    above = (itertools.islice((folder / path).parents, path.count("/")) for path in paths)
    return set(itertools.chain.from_iterable(above))


def _unwritten(path: Path, error: OSError) -> Refusal:
    return Refusal(
        path,
        expected="room on /cfg",
        found=error.strerror or str(error),
        remedy="remove what does not belong there, or check the disk",
    )
