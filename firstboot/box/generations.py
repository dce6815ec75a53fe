"""Generations of the configuration on /cfg. Each is written as a whole and never changed.

    /cfg/generations/0007/site.yaml     the site it was rendered from
    /cfg/generations/0007/files/...     what was rendered, by its path on the box
    /cfg/generations/0007/index         what there is, see below
    /cfg/generations/0007/seal          SHA-256 of the index, in hexadecimal
    /cfg/current                        symbolic link to the one that runs from the next boot on
    /cfg/state/well                     the names of those that ran well, the last one first

The index is text, because rc.d/exitisp_site reads it with sh. The first line is
`exitisp 1 IDENTITY`, where the identity stands for the image and the machine that the files were
rendered for. Every other line is a file: SHA-256, mode in octal, owner, group, and its path in the
generation, which has no spaces.
"""

import hashlib
import itertools
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.core.durable import damaged, keep, settle, write
from firstboot.core.refusal import Refusal

if TYPE_CHECKING:
    from firstboot.site.render import Rendered

KEPT = 10
"""How many generations are kept; the oldest are removed."""

PLAIN = re.compile(r"[A-Za-z0-9@._/-]+")
"""Paths and names that sh reads back as they were written."""

NAME = re.compile("[0-9]{4,9}")
"""The name of a generation's folder: its number."""

MAGIC = ("exitisp", "1")
SITE = "site.yaml"
WELL = "state/well"


class DamagedGeneration(Refusal):
    """A generation is not as it was written."""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a generation."""

    identity: str
    site: bytes
    files: "tuple[Rendered, ...]"


@dataclass(frozen=True, slots=True)
class Generation:
    """A folder of a generation; `number` counts from 1 on."""

    number: int
    folder: Path

    def read(self) -> Content:
        """Read the content. Raises DamagedGeneration if a byte of it is not as it was written."""
        try:
            return self._read()
        except (OSError, ValueError, LookupError) as error:
            raise DamagedGeneration(
                self.folder,
                f"this generation is damaged: {error}",
                "Run another one with exitisp rollback",
            ) from error

    def _read(self) -> Content:
        from firstboot.site.render import Rendered

        index = (self.folder / "index").read_bytes()
        seal = (self.folder / "seal").read_bytes()
        if seal.decode("ascii", "replace").strip() != hashlib.sha256(index).hexdigest():
            raise ValueError("its index is not what was sealed")
        magic, *lines = (line.split(" ") for line in index.decode("ascii").splitlines())
        if tuple(magic[:2]) != MAGIC:
            raise ValueError(f"its index is of the form {magic[1]}")
        data = {line[4]: self._file(line[4], line[0]) for line in lines}
        files = (
            Rendered(path.removeprefix("files/"), data[path].decode(), int(mode, 8), owner, group)
            for _, mode, owner, group, path in lines
            if path != SITE
        )
        return Content(magic[2], data[SITE], tuple(files))

    def _file(self, path: str, digest: str) -> bytes:
        data = (self.folder / path).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(f"{path} is not what was written")
        return data

    @property
    def sound(self) -> bool:
        try:
            self.read()
        except DamagedGeneration:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Generations:
    """The generations in the folder `cfg`."""

    cfg: Path

    @property
    def folder(self) -> Path:
        return self.cfg / "generations"

    def all(self) -> list[Generation]:
        """All generations, damaged ones too, the oldest first. Raises Refusal if nobody can tell
        which there are."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise damaged(self.folder, f"it cannot be read: {error.strerror or error}") from error
        found = (
            Generation(int(name), self.folder / name) for name in names if NAME.fullmatch(name)
        )
        return sorted(found, key=lambda generation: generation.number)

    def current(self) -> int | None:
        """The number of the current generation, or None. The generation itself may be missing."""
        try:
            name = (self.cfg / "current").readlink().name
        except OSError:
            return None
        return int(name) if NAME.fullmatch(name) else None

    def candidates(self) -> Iterator[Generation]:
        """All generations in the order in which a boot tries them: the current one, those that ran
        well, then older ones and newer ones, each from the newest on."""
        every = {one.folder.name: one for one in self.all()[::-1]}
        current = self.current()
        first = [name for name, one in every.items() if one.number == current]
        well = [name for name in self._well() if name in every]
        older = [name for name, one in every.items() if current is None or one.number < current]
        for name in dict.fromkeys([*first, *well, *older, *every]):
            yield every[name]

    def _well(self) -> list[str]:
        """What `note_well` noted. A boot does without it if it is damaged, as it has to run one."""
        try:
            lines = (self.cfg / WELL).read_text(errors="replace").splitlines()
        except OSError:
            return []
        return [line for line in lines if NAME.fullmatch(line)]

    def note_well(self, ran: Iterable[Generation]) -> None:
        """Note which generations `ran` well, the last one first. Raises OSError."""
        keep(self.cfg / WELL, "".join(f"{one.folder.name}\n" for one in ran).encode() or b"\n")

    def chosen(self) -> Generation | None:
        """The generation that a boot runs: the first candidate that is not damaged, or None."""
        return next((one for one in self.candidates() if one.sound), None)

    def find(self, number: int) -> Generation:
        """The generation of that number. Raises Refusal if it does not exist or is damaged."""
        found = next((one for one in self.all() if one.number == number), None)
        if found is None or not found.sound:
            there = ", ".join(str(one.number) for one in self.all() if one.sound)
            raise Refusal(
                f"generation {number}",
                ("it is damaged" if found else "there is no such generation")
                + (f"; sound ones are {there}" if there else ""),
                "Name another one",
            )
        return found

    def write(self, content: Content, needed: Collection[int] = ()) -> Generation:
        """Write a new generation to the disk, without switching to it. Of the others, the numbers
        `needed` are kept, and as many of the newest as there is room for.

        Raises Refusal if it cannot be written; nothing has changed then.
        """
        number = max((one.number for one in self.all()), default=0) + 1
        place = self.folder / f"{number:04d}"
        part = self.folder / f".{number:04d}.new"
        try:
            self._make_room(needed)
            _write_all(part, content)
            part.rename(place)
            settle(self.folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise _unwritten(place, error) from error
        return Generation(number, place)

    def switch(self, generation: Generation) -> None:
        """Make `generation` the current one, in one step. Raises Refusal; the old one is current
        then."""
        link, part = self.cfg / "current", self.cfg / ".current.new"
        try:
            part.unlink(missing_ok=True)
            part.symlink_to(Path("generations") / generation.folder.name)
            part.replace(link)
            settle(self.cfg)
        except OSError as error:
            raise _unwritten(link, error) from error

    def _make_room(self, needed: Collection[int]) -> None:
        """Remove leftovers of a power cut and the oldest generations, but never the current one nor
        the one that a boot would run, nor those that are needed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.folder.glob(".*"):
            shutil.rmtree(left)
        spared = {self.current(), getattr(self.chosen(), "number", None), *needed}
        every = self.all()
        spare = [one for one in every if one.number not in spared]
        for old in spare[: max(len(every) - KEPT + 1, 0)]:
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
                f"path, owner and group are '{' '.join(words)}', and can have nothing but letters, "
                "digits and @ . _ - /",
                "Correct the template's index.yaml",
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
        f"it cannot be written: {error.strerror or error}",
        "Remove what does not belong on /cfg, or check the disk",
    )
