"""The answers so far: a site that is not whole yet, kept on disk answer by answer.

The file is a YAML mapping with the keys of a site, as far as they are known, and one more,
`wizard`: which lists are finished, whether addresses are given by hand, and the crypt(3) hash of
root's password. It has secrets in it; its mode is 0600. Every answer writes it anew under another
name and renames it, so that a power cut leaves the file before the answer or the one after it.
"""

import contextlib
import copy
import itertools
from collections.abc import Iterator
from pathlib import Path

from firstboot.core import document, partial
from firstboot.core.document import Document, Faulty, Key, Plain, spell
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal
from firstboot.site import check
from firstboot.site.check import Examined
from firstboot.site.model import SCHEMA, Site

NOTES = "wizard"
"""The key of what is no part of a site."""

LISTS = ("ports", "peers")
"""Which are asked for until they are said to be complete."""

OVERRIDES: tuple[Key, ...] = (
    ("router",),
    ("relays", "or_addresses"),
    ("relays", "exit_addresses"),
    ("dns", "addresses"),
    ("dns", "cache_mib"),
)
"""What the plan or the box's size decides, unless a person does by hand."""

Tree = dict[str, Plain]


class Draft:
    """Answers by their key in the site, ``("ports", 0, "device")``; each change is kept at once.

    `remarks` are sentences to be told before the conversation goes on. Whatever changes the draft
    raises Refusal where it cannot be kept.
    """

    def __init__(self, path: Path, answers: Tree | None = None, *, remarks: tuple[str, ...] = ()):
        self.path = path
        self.remarks = remarks
        self._tree: Tree = {"schema": str(SCHEMA), **(answers or {})}

    @classmethod
    def open(cls, path: Path) -> "Draft":
        """The draft at `path`, or an empty one. A damaged file is set aside, and that is told."""
        if not path.exists():
            return cls(path)
        try:
            tree = document.plain(document.read(path), str(path))
            if not isinstance(tree, dict):
                raise Refusal(path, expected="answers", found="none", remedy="start over")
        except Refusal as refusal:
            aside = path.with_name(f"{path.name}.damaged")
            with _keeping(path):
                path.replace(aside)
            said = f"The answers kept so far cannot be read and are now in {aside}: {refusal}"
            return cls(path, remarks=(said,))
        notes = tree.pop(NOTES, {})
        answers, _ = partial.fit(tree, Site, whole=False)
        assert isinstance(answers, dict)
        return cls(path, {**answers, NOTES: notes if isinstance(notes, dict) else {}})

    @classmethod
    def from_site(cls, path: Path, site: Site, root_password: str | None = None) -> "Draft":
        """Everything that `site` says, to be changed; `root_password` is the present hash."""
        answers = partial.of(site)
        assert isinstance(answers, dict)
        return cls(path, _complete(answers, root_password))

    @classmethod
    def from_text(cls, path: Path, data: bytes, name: str) -> "Draft":
        """What can be used of a site file in which something is wrong. What it leaves out has its
        default; keys that no site has are left out, and that is told.

        Raises Faulty if it is no YAML, or of a version that this program does not know.
        """
        tree = document.plain(data, name)
        if not isinstance(tree, dict):
            raise Faulty(name, [document.Fault(1, (), "a mapping (key: value)", "something else")])
        schema = tree.get("schema")
        if isinstance(schema, str) and schema.isdecimal() and int(schema[:9]) > SCHEMA:
            known = f"a site file of version {SCHEMA}"
            raise Faulty(name, [document.Fault(1, ("schema",), known, document.quote(schema))])
        answers, left_out = partial.fit(tree, Site, whole=True)
        assert isinstance(answers, dict)
        answers["schema"] = str(SCHEMA)
        remarks = tuple(
            f"{name}: {spell(key)} has no place there in a site and was left out."
            for key in left_out
        )
        return cls(path, _complete(answers, None), remarks=remarks)

    @property
    def answers(self) -> Tree:
        """A copy of what is known of the site."""
        return copy.deepcopy({key: part for key, part in self._tree.items() if key != NOTES})

    @property
    def begun(self) -> bool:
        """Whether anything was answered yet."""
        return len(self._tree) > 1

    @property
    def root_password(self) -> str | None:
        """The crypt(3) hash of root's password, if it is known."""
        found = self.get((NOTES, "root_password"))
        return found if isinstance(found, str) else None

    def has(self, key: Key) -> bool:
        try:
            _find(self._tree, key)
        except LookupError:
            return False
        return True

    def get(self, key: Key) -> Plain:
        """The answer at `key`; None if there is none, or if it is "none"."""
        try:
            return copy.deepcopy(_find(self._tree, key))
        except LookupError:
            return None

    def count(self, name: str) -> int:
        """How many the list `name` has."""
        items = self._tree.get(name)
        return len(items) if isinstance(items, list) else 0

    def answer(self, key: Key, value: Plain) -> None:
        """Set the answer at `key`, a part just behind the end of a list too."""
        put(self._tree, key, value)
        self.keep()

    def extend(self, name: str, items: list[Plain]) -> None:
        """Add `items` to the list `name`."""
        present = self.get((name,))
        self.answer((name,), [*(present if isinstance(present, list) else []), *items])

    def drop(self, *keys: Key) -> None:
        """Forget the answers at `keys`, those that there are."""
        if any(map(self.has, keys)):
            for key in keys:
                remove(self._tree, key)
            self.keep()

    def finish(self, name: str) -> None:
        """Say that the list `name` is complete."""
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
        """The site that the answers make, if they do, and the findings of the whole check."""
        return check.examine_text(partial.write(self.answers), self.path.name)

    def document(self) -> Document[Site]:
        """The site. Raises Faulty if the answers do not make one."""
        return document.parse(partial.write(self.answers), self.path.name, Site)

    def keep(self) -> None:
        """Write the draft as it is."""
        with _keeping(self.path):
            keep(self.path, partial.write(self._tree))


def put(tree: Tree, key: Key, value: Plain) -> None:
    """Set the part of `tree` at `key`; what leads there is made where it is not."""
    part: Plain = tree
    for step, following in itertools.pairwise(key):
        empty: Plain = [] if isinstance(following, int) else {}
        part = _step(part, step, empty)
    _set(part, key[-1], value)


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
    """`answers` with the notes of a conversation in which everything was said but, perhaps, root's
    password."""
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
        raise Refusal(
            path,
            expected="a place to keep the answers",
            found=error.strerror or str(error),
            remedy="look at the file system of the configuration",
        ) from error
