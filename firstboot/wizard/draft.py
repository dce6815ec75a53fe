"""The answers so far: a site that is not complete yet, written to disk after every answer.

The file is a YAML mapping with those keys of a site that are known, and one more, `wizard`: which
lists are finished, whether addresses are given by hand, the crypt(3) hash of root's password, and
when the draft was begun. The file has secrets in it; its mode is 0600. Every answer writes a new
file and renames it, so that a power cut leaves either the old file or the new one.
"""

import contextlib
import copy
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from firstboot.core import document, partial
from firstboot.core.document import Document, Faulty, Key, Plain, spell
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal
from firstboot.site import check
from firstboot.site.check import Examined
from firstboot.site.model import SCHEMA, Site
from firstboot.site.schema import migrated

NOTES = "wizard"
"""The key of what is not part of a site."""

LISTS = ("ports", "peers")
"""The lists of a site. Each is asked for until the person says that it is complete."""

OVERRIDES: tuple[Key, ...] = (
    ("router",),
    ("relays", "or_addresses"),
    ("relays", "exit_addresses"),
    ("dns", "addresses"),
    ("dns", "cache_mib"),
)
"""What the address plan or the size of the box decides, unless a person does."""

Tree = dict[str, Plain]


class Draft:
    """Answers by their key in the site, such as ``("ports", 0, "device")``.

    Every method that changes an answer writes the draft to disk, and raises Refusal if that fails.
    `remarks` are sentences that the person is told before the conversation goes on.
    """

    def __init__(self, path: Path, answers: Tree | None = None, *, remarks: tuple[str, ...] = ()):
        self.path = path
        self.remarks = remarks
        self._tree: Tree = {"schema": str(SCHEMA), **(answers or {})}

    @classmethod
    def open(cls, path: Path) -> "Draft":
        """Return the draft at `path`, or an empty one. A damaged file is renamed, with a remark."""
        if not path.exists():
            return cls(path)
        try:
            tree = document.plain(document.read(path), str(path))
            if not isinstance(tree, dict):
                raise Refusal(path, "this is not a file of answers", "Answer the questions again")
        except Refusal as refusal:
            aside = path.with_name(f"{path.name}.damaged")
            with _keeping(path):
                path.replace(aside)
            said = f"The answers kept so far cannot be read. They are now in {aside}. {refusal}"
            return cls(path, remarks=(said,))
        notes = tree.pop(NOTES, {})
        answers, _ = partial.fit(tree, Site, whole=False)
        assert isinstance(answers, dict)
        answers["schema"] = str(SCHEMA)
        return cls(path, {**answers, NOTES: notes if isinstance(notes, dict) else {}})

    @classmethod
    def from_site(cls, path: Path, site: Site, root_password: str | None = None) -> "Draft":
        """Return a draft with all answers of `site`. `root_password` is the present hash."""
        answers = partial.of(migrated(site))
        assert isinstance(answers, dict)
        return cls(path, _complete(answers, root_password))

    @classmethod
    def from_text(cls, path: Path, data: bytes, name: str) -> "Draft":
        """Return what can be used of a site file in which something is wrong.

        Missing keys get their defaults. Keys that no site has are left out, with a remark. Raises
        Faulty if the file is not YAML, or has a version that this program does not know.
        """
        tree = document.plain(data, name)
        if not isinstance(tree, dict):
            raise Faulty(name, [document.Fault(1, (), "the file has no keys", "Write key: value")])
        schema = tree.get("schema")
        if isinstance(schema, str) and schema.isdecimal() and int(schema[:9]) > SCHEMA:
            newer = f"the file has version {schema}, and this program knows {SCHEMA}"
            raise Faulty(name, [document.Fault(1, ("schema",), newer, "Use a newer release")])
        answers, left_out = partial.fit(tree, Site, whole=True)
        assert isinstance(answers, dict)
        answers["schema"] = str(SCHEMA)
        remarks = tuple(
            f"{name}: {spell(key)} has no place there in a site file. It is left out."
            for key in left_out
        )
        return cls(path, _complete(answers, None), remarks=remarks)

    @property
    def answers(self) -> Tree:
        """A copy of the answers, without the notes."""
        return copy.deepcopy({key: part for key, part in self._tree.items() if key != NOTES})

    @property
    def begun(self) -> bool:
        """Whether anything is answered."""
        return len(self._tree) > 1

    @property
    def begun_at(self) -> str:
        """When the first answer was kept, such as ``2026-11-29 at 14:05 UTC``; empty if unknown."""
        found = self.get((NOTES, "begun"))
        return found if isinstance(found, str) else ""

    @property
    def root_password(self) -> str | None:
        """The crypt(3) hash of root's password, or None."""
        found = self.get((NOTES, "root_password"))
        return found if isinstance(found, str) else None

    def has(self, key: Key) -> bool:
        try:
            _find(self._tree, key)
        except LookupError:
            return False
        return True

    def get(self, key: Key) -> Plain:
        """Return the answer at `key`; None if there is none, or if it is "none"."""
        return copy.deepcopy(find(self._tree, key))

    def count(self, name: str) -> int:
        """Return the number of items of the list `name`."""
        items = self._tree.get(name)
        return len(items) if isinstance(items, list) else 0

    def answer(self, key: Key, value: Plain) -> None:
        """Set the answer at `key`. The index just behind the end of a list adds an item."""
        put(self._tree, key, value)
        self.keep()

    def extend(self, name: str, items: list[Plain]) -> None:
        """Append `items` to the list `name`."""
        present = self.get((name,))
        self.answer((name,), [*(present if isinstance(present, list) else []), *items])

    def drop(self, *keys: Key) -> None:
        """Forget the answers at those of `keys` that have one."""
        if any(map(self.has, keys)):
            for key in keys:
                remove(self._tree, key)
            self.keep()

    def finish(self, name: str) -> None:
        """Note that the list `name` is complete."""
        done = [done for done in LISTS if done == name or self.finished(done)]
        self.answer((NOTES, "finished"), list(done))

    def finished(self, name: str) -> bool:
        done = self.get((NOTES, "finished"))
        return isinstance(done, list) and name in done

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._tree = {"schema": str(SCHEMA)}
        with _keeping(self.path):
            self.path.unlink(missing_ok=True)

    def site(self) -> Examined:
        """Check all answers as a site file; return the site, if they make one, and the findings."""
        return check.examine_text(partial.write(self.answers), self.path.name)

    def document(self) -> Document[Site]:
        """Return the site. Raises Faulty if the answers do not make one."""
        return document.parse(partial.write(self.answers), self.path.name, Site)

    def keep(self) -> None:
        """Write the draft to disk."""
        if not self.begun_at:
            now = time.strftime("%Y-%m-%d at %H:%M UTC", time.gmtime())
            put(self._tree, (NOTES, "begun"), now)
        with _keeping(self.path):
            keep(self.path, partial.write(self._tree))


def put(tree: Tree, key: Key, value: Plain) -> None:
    """Set the part of `tree` at `key`; create the mappings and lists on the way."""
    part: Plain = tree
    for step, following in itertools.pairwise(key):
        empty: Plain = [] if isinstance(following, int) else {}
        part = _step(part, step, empty)
    _set(part, key[-1], value)


def find(tree: Plain, key: Key) -> Plain:
    """Return the part of `tree` at `key`, or None."""
    try:
        return _find(tree, key)
    except LookupError:
        return None


def remove(tree: Tree, key: Key) -> None:
    """Remove the part of `tree` at `key`, if there is one."""
    with contextlib.suppress(LookupError):
        around = _find(tree, key[:-1])
        last = key[-1]
        if isinstance(around, dict) and isinstance(last, str):
            around.pop(last, None)
        elif isinstance(around, list) and isinstance(last, int):
            del around[last]


def _find(tree: Plain, key: Key) -> Plain:
    part = tree
    for step in key:
        match part, step:
            case dict(), str():
                part = part[step]
            case list(), int():
                part = part[step]
            case _:
                raise LookupError(key)
    return part


def _step(part: Plain, step: str | int, empty: Plain) -> Plain:
    if isinstance(part, list) and isinstance(step, int):
        if step == len(part):
            part.append(empty)
        return part[step]
    assert isinstance(part, dict)
    assert isinstance(step, str)
    if not isinstance(part.get(step), dict | list):
        part[step] = empty
    return part[step]


def _set(part: Plain, step: str | int, value: Plain) -> None:
    if isinstance(part, list) and isinstance(step, int):
        part[step : step + 1] = [value]
    else:
        assert isinstance(part, dict)
        assert isinstance(step, str)
        part[step] = value


def _complete(answers: Tree, root_password: str | None) -> Tree:
    """Return `answers` with the notes of a conversation that asked everything, except perhaps
    root's password."""
    by_hand = False
    for key in OVERRIDES:
        with contextlib.suppress(LookupError):
            by_hand |= _find(answers, key) not in (None, [])
    notes: Tree = {"finished": list(LISTS), "by_hand": "yes" if by_hand else "no"}
    if root_password is not None:
        notes["root_password"] = root_password
    return {**answers, NOTES: notes}


@contextlib.contextmanager
def _keeping(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refusal(
            path,
            f"the answers cannot be kept here: {reason}",
            "Check that the file system of the configuration is mounted and not full",
        ) from error
