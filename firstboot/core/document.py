"""YAML documents as frozen dataclasses, every value with the line that it came from.

The shape of a document is a dataclass; its type hints are the schema. All mistakes of form are
reported at once, each with its line, what is wrong, and what to write instead: in the encoding
(`firstboot.core.characters`), in the YAML (`firstboot.core.yaml_mistakes`), in keys and in values
(`firstboot.core.scalars`). Anchors, aliases and tags are refused, so that a document is as large as
it looks and says what it seems to say.

Shapes may use ``str``, ``int``, ``bool``, enumerations (by value), ``X | None``,
``tuple[X, ...]``, ``dict[str, X]``, other dataclasses, any class with a class method
``parse(text: str)`` that raises ValueError naming what it expects, and ``Annotated[X, P]`` for an X
that the class P parses.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from firstboot.core import characters, keys, yaml_mistakes
from firstboot.core.characters import NotText
from firstboot.core.fault import Fault, Key, listed, quote, spell, unsecret
from firstboot.core.refusal import Refusal
from firstboot.core.scalars import convert, expectation, sentences
from firstboot.core.yaml_mistakes import Vocabulary

__all__ = [
    "Document",
    "Fault",
    "Faulty",
    "Key",
    "Plain",
    "load",
    "parse",
    "plain",
    "quote",
    "read",
    "shaped",
    "spell",
]

LARGEST = 1 << 18
"""Bytes; what a person writes by hand is far below, and PyYAML takes many seconds for more."""

MOST_NAMED = 8
"""Keys that a message names."""

Plain = str | list["Plain"] | dict[str, "Plain"] | None
Shape = TypeVar("Shape")


@dataclasses.dataclass(frozen=True)
class Document(Generic[Shape]):
    """A value read from YAML, and the lines of its parts."""

    name: str
    value: Shape
    lines: dict[Key, int]

    def line(self, *key: str | int) -> int:
        """The line of the part at `key`, or of the nearest part around it."""
        around = (key[:length] for length in range(len(key), -1, -1))
        return next((self.lines[part] for part in around if part in self.lines), 1)

    def where(self, *key: str | int) -> str:
        """`name:line` of the part at `key`, or of the nearest part around it."""
        return f"{self.name}:{self.line(*key)}"


class Faulty(Refusal):
    """A document with mistakes in its form. `faults` has all of them, by line; the message has the
    first, and how many more there are."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (fault.line, fault.column))
        first = self.faults[0]
        about = f"{spell(first.key)}: " if first.key else ""
        more = len(faults) - 1
        others = f". The file has {more} more mistake{'s' * (more > 1)}" if more else ""
        super().__init__(f"{name}:{first.line}", about + first.problem, first.remedy + others)


def load(path: Path, shape: type[Shape]) -> Document[Shape]:
    """Read the file at `path` as `shape`. Raises Refusal (Faulty for mistakes in the text)."""
    return parse(read(path), str(path), shape)


def read(path: Path) -> bytes:
    """Read the file at `path`, or so much of it that `parse` sees it is too large.

    Raises Refusal.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except IsADirectoryError as error:
        raise Refusal(path, "this is a folder, not a YAML file", "Name the file in it") from error
    except OSError as error:
        raise Refusal(
            path,
            f"the file cannot be read ({error.strerror or error})",
            "Check the path and the permissions",
        ) from error


def parse(data: bytes, name: str, shape: type[Shape]) -> Document[Shape]:
    """Read `data` (UTF-8 YAML, at most LARGEST bytes) as `shape`. Raises Faulty."""
    words = _vocabulary(shape)
    text, faults = _text(data, name)
    found = _read(text, words, shape)
    if found.faults:
        mended, slips = yaml_mistakes.typos(text, words)
        if slips:
            found = _after_slips(_read(mended, words, shape), slips)
    odd = {fault.line for fault in faults}
    faults += [fault for fault in found.faults if fault.line not in odd]
    if faults:
        raise Faulty(name, faults)
    return Document(name, found.value, found.lines)


def plain(data: bytes, name: str) -> Plain:
    """`data` as mappings, lists and texts, whatever its shape; the last of equal keys counts.

    Raises Faulty if it is not YAML, or YAML that this project does not read.
    """
    text, faults = _text(data, name)
    root, mistakes = yaml_mistakes.read(text, Vocabulary())
    if faults or mistakes:
        raise Faulty(name, faults + mistakes)
    if root is None:
        raise Faulty(name, [_EMPTY])
    return _plain(root)


def shaped(tree: Plain, name: str, shape: type[Shape]) -> Document[Shape]:
    """What `parse` reads from `tree` once it is written, without writing it; every line is 1.

    Raises Faulty.
    """
    reader = _Reader(shape, "")
    value = reader.read(_node(tree), shape, ())
    if reader.faults:
        raise Faulty(name, reader.all_faults() or reader.faults)
    return Document(name, value, reader.lines)


_EMPTY = Fault(1, (), "the file is empty", "Write the keys and values that belong in it")


@dataclasses.dataclass(frozen=True)
class _Reading:
    value: Any
    lines: dict[Key, int]
    faults: list[Fault]
    syntax: bool
    """Whether some of the faults are mistakes of YAML, because of which keys may seem missing."""


def _text(data: bytes, name: str) -> tuple[str, list[Fault]]:
    """The text in `data` without odd characters, and the faults that they are. Raises Faulty."""
    if len(data) > LARGEST:
        too_large = f"the file is larger than {LARGEST} bytes"
        raise Faulty(name, [Fault(1, (), too_large, "Check that it is the right file")])
    try:
        text = characters.decode(data)
    except NotText as error:
        raise Faulty(name, [error.fault]) from error
    return characters.without_odd(text), characters.odd_characters(text)


def _read(text: str, words: Vocabulary, shape: Any) -> _Reading:
    root, mistakes = yaml_mistakes.read(text, words)
    if root is None or (_is_null(root) and not root.value):
        return _Reading(None, {}, mistakes or [_EMPTY], bool(mistakes))
    reader = _Reader(shape, text)
    value = reader.read(root, shape, ())
    wrong = {fault.line for fault in mistakes}
    faults = reader.all_faults(keys_missing=not mistakes)
    faults = [fault for fault in faults if fault.line not in wrong]
    return _Reading(value, reader.lines, mistakes + faults, bool(mistakes))


def _after_slips(found: _Reading, slips: list[Fault]) -> _Reading:
    """What is wrong beside `slips`. Beside a mended line, other mistakes of YAML are often its
    consequence."""
    near = range(-1, 2) if found.syntax else range(1)
    wrong = {slip.line + by for slip in slips for by in near}
    more = [fault for fault in found.faults if fault.line not in wrong]
    return dataclasses.replace(found, faults=slips + more)


def _vocabulary(shape: Any) -> Vocabulary:
    described = list(keys.walk(shape))
    return Vocabulary(
        frozenset(keys.name_of(one.field) for one in described),
        frozenset(keys.name_of(one.field) for one in described if one.about.secret),
    )


def _node(tree: Plain) -> yaml.Node:
    if isinstance(tree, dict):
        pairs = [(yaml.ScalarNode("", name, style='"'), _node(tree[name])) for name in tree]
        return yaml.MappingNode("", pairs)
    if isinstance(tree, list):
        return yaml.SequenceNode("", [_node(item) for item in tree])
    return yaml.ScalarNode("", tree or "", style=None if tree is None else '"')


def _plain(node: yaml.Node) -> Plain:
    if isinstance(node, yaml.MappingNode):
        pairs = ((name, value) for name, value in node.value if isinstance(name, yaml.ScalarNode))
        return {name.value: _plain(value) for name, value in pairs}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if _is_null(node) else str(node.value)


class _Reader:
    """Walks a node graph along a shape and collects values, lines and faults."""

    def __init__(self, root: Any, text: str) -> None:
        self.faults: list[Fault] = []
        self.lines: dict[Key, int] = {}
        self._text = text
        self._absent: list[tuple[Fault, set[str]]] = []
        self._moved: set[str] = set()
        self._paths: dict[str, list[str]] = {}
        self._meant: dict[str, str] = {}
        for one in keys.walk(root):
            name = keys.name_of(one.field)
            self._paths.setdefault(name, []).append(one.path)
            around = one.path.removesuffix(name)
            self._meant |= {around + other: name for other in one.about.also}

    def all_faults(self, *, keys_missing: bool = True) -> list[Fault]:
        """The faults, without those of keys that are missing because they are in a wrong place,
        or, without `keys_missing`, because the text around them cannot be read."""
        explained = [
            fault for fault, paths in self._absent if not keys_missing or paths <= self._moved
        ]
        return [fault for fault in self.faults if not any(fault is one for one in explained)]

    def read(self, node: yaml.Node, shape: Any, key: Key, *, secret: bool = False) -> Any:
        self.lines[key] = _line(node)
        origin = typing.get_origin(shape)
        if origin is typing.Annotated:
            return self._scalar(node, shape.__metadata__[0], key, secret)
        if origin in (typing.Union, types.UnionType):
            (inner,) = (part for part in typing.get_args(shape) if part is not type(None))
            return None if _is_null(node) else self.read(node, inner, key, secret=secret)
        if dataclasses.is_dataclass(shape):
            return self._record(node, shape, key)
        if origin is tuple:
            return self._sequence(node, typing.get_args(shape)[0], key, secret)
        if origin is dict:
            return self._mapping(node, typing.get_args(shape)[1], key)
        return self._scalar(node, shape, key, secret)

    def _fault(self, node: yaml.Node, key: Key, problem: str, remedy: str) -> Fault:
        column = node.start_mark.column + 1 if node.start_mark else 0
        fault = Fault(_line(node), key, problem, remedy, column)
        self.faults.append(fault)
        return fault

    def _pairs(self, node: yaml.MappingNode, key: Key) -> Iterator[tuple[yaml.Node, str, Any]]:
        seen: dict[str, int] = {}
        again: list[yaml.ScalarNode] = []
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                self._fault(name, key, "a list or a mapping is used as a key", "Write key: value")
            elif name.value in seen:
                again.append(name)
            else:
                seen[name.value] = _line(name)
                yield name, name.value, value
        if again:
            names = listed([quote(name.value) for name in again[:MOST_NAMED]])
            are = "keys {} are" if len(again) > 1 else "key {} is"
            first = seen[again[0].value]
            entry = key and isinstance(key[-1], int)
            self._fault(
                again[0],
                key,
                f"the {are.format(names)} there twice, first in line {first}",
                "Keep one of the two"
                + (
                    ", or put a hyphen before the first key if another entry starts here"
                    if entry
                    else ""
                ),
            )

    def _record(self, node: yaml.Node, shape: Any, key: Key) -> Any:
        hints = typing.get_type_hints(shape, include_extras=True)
        fields = {keys.name_of(field): field for field in dataclasses.fields(shape)}
        if not isinstance(node, yaml.MappingNode):
            self._no_record(node, key, list(fields))
            return None
        before = len(self.faults)
        values: dict[str, Any] = {}
        unknown: list[tuple[yaml.Node, str]] = []
        for name_node, name, value in self._pairs(node, key):
            if name in fields:
                field = fields[name]
                secret = keys.about(field).secret
                inner = (*key, name)
                values[field.name] = self.read(value, hints[field.name], inner, secret=secret)
            else:
                unknown.append((name_node, name))
        meant = self._unknown(unknown, key, [name for name in fields if name not in values])
        self._missing(node, key, fields, {*values, *meant})
        return None if len(self.faults) > before else shape(**values)

    def _no_record(self, node: yaml.Node, key: Key, names: list[str]) -> None:
        some = listed(names[:4]) + (", ..." if len(names) > 4 else "")
        below = f"Write its keys below it, indented: {some}" if key else f"Write its keys: {some}"
        if _is_null(node):
            fault = self._fault(node, key, "nothing follows the key", below)
            path = ".".join(part for part in key if isinstance(part, str))
            self._absent.append((fault, {f"{path}.*"}))
        elif isinstance(node, yaml.SequenceNode):
            self._fault(
                node,
                key,
                "there is a list where keys are expected",
                f"Remove the hyphen or the bracket, and write the keys: {some}",
            )
        else:
            self._fault(node, key, "there is a single value where keys are expected", below)

    def _unknown(
        self, unknown: list[tuple[yaml.Node, str]], key: Key, absent: list[str]
    ) -> list[str]:
        """Tell of unknown keys, those that belong at the same place in one sentence; return the
        known ones that were probably meant."""
        meant = []
        elsewhere: dict[str, list[tuple[yaml.Node, str]]] = {}
        own = [part for part in key if isinstance(part, str)]
        siblings = [path for paths in self._paths.values() for path in paths]
        here = [path.rpartition(".")[2] for path in siblings if path.split(".")[:-1] == own]
        for node, name in unknown:
            synonym = ".".join((*own, _plain_key(name)))
            near = self._meant.get(synonym) or _near(name, here)
            places = self._paths.get(name) or self._paths.get(_plain_key(name), [])
            if near:
                meant += [near] if near in absent else []
                twice = near not in absent
                self._fault(
                    node,
                    key,
                    f"the key {quote(unsecret(name))} is unknown{_alphabet(name)}",
                    f"Write {near}" + (", which is there already" if twice else ""),
                )
            elif places:
                self._moved |= {*places, *(path.rpartition(".")[0] + ".*" for path in places)}
                parents = [path.rpartition(".")[0] or "the top level" for path in places]
                elsewhere.setdefault(listed(parents, "or"), []).append((node, name))
            else:
                more = ", ..." if len(here) > 16 else ""
                self._fault(
                    node,
                    key,
                    f"the key {quote(unsecret(name))} is unknown{_alphabet(name)}",
                    f"Remove it, or write one of {', '.join(here[:16])}{more}",
                )
        for parent, found in elsewhere.items():
            names = listed([quote(unsecret(name)) for _, name in found])
            keys_are = "keys" if len(found) > 1 else "key"
            where = f"in {spell(key)}" if key else "at the top level"
            self._fault(
                found[0][0],
                key,
                f"the {keys_are} {names} cannot be {where}",
                f"Move {'them' if len(found) > 1 else 'it'} to {parent}; mind the indentation",
            )
        return meant

    def _missing(self, node: yaml.Node, key: Key, fields: dict[str, Any], there: set[str]) -> None:
        missing = [
            name
            for name, field in fields.items()
            if field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
            and not {field.name, name} & there
        ]
        if missing:
            names = listed([quote(name) for name in missing])
            more = len(missing) > 1
            fault = self._fault(
                node,
                key,
                f"the key{'s' * more} {names} {'are' if more else 'is'} missing",
                f"Add {'them' if more else 'it'}",
            )
            around = "".join(f"{part}." for part in key if isinstance(part, str))
            self._absent.append((fault, {around + name for name in missing}))

    def _sequence(self, node: yaml.Node, inner: Any, key: Key, secret: bool) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return tuple(
                self.read(item, inner, (*key, at), secret=secret)
                for at, item in enumerate(node.value)
            )
        called = str(key[-1]) if key else "the document"
        colon = self._colon(node)
        if _is_null(node):
            self._fault(
                node,
                key,
                "nothing follows the key, where a list is expected",
                "Write each item in a line of its own, after a hyphen and a space",
            )
        elif dataclasses.is_dataclass(inner):
            first = keys.name_of(dataclasses.fields(inner)[0])
            self._fault(
                node,
                key,
                "there is a single entry where a list is expected",
                f"Put a hyphen before the first key of each entry: - {first}: ...",
            )
        elif isinstance(node, yaml.ScalarNode) or colon:
            parts = map(unsecret, (colon or str(node.value)).replace(",", " ").split())
            value = ", ".join(f'"{part}"' if part.endswith(":") else part for part in parts)
            shown = (
                f"{called}: [{value}]" if len(value) <= 60 and not secret else f"{called}: [...]"
            )
            self._fault(
                node,
                key,
                "there is a single value where a list is expected",
                f"Put it in brackets: {shown}",
            )
        else:
            self._fault(
                node,
                key,
                "there are keys where a list is expected",
                "Write each item in a line of its own, after a hyphen and a space",
            )
        return ()

    def _mapping(self, node: yaml.Node, inner: Any, key: Key) -> Any:
        if not isinstance(node, yaml.MappingNode):
            what = "nothing follows the key" if _is_null(node) else "this is not a mapping"
            self._fault(node, key, what, "Write each entry below it, indented: name: value")
            return {}
        return {
            name: self.read(value, inner, (*key, name)) for _, name, value in self._pairs(node, key)
        }

    def _scalar(self, node: yaml.Node, shape: Any, key: Key, secret: bool) -> Any:
        expected = expectation(shape)
        colon = "" if secret else self._colon(node)
        if isinstance(node, yaml.SequenceNode):
            one = node.value[0] if len(node.value) == 1 else None
            plain = isinstance(one, yaml.ScalarNode) and not secret
            value = unsecret(str(one.value)) if one is not None and plain else "..."
            self._fault(
                node,
                key,
                f"there is a list where {expected} is expected",
                f"Write one value without brackets and hyphen: {value}",
            )
        elif colon.startswith(("{", "[")):
            self._fault(
                node,
                key,
                f"{quote(unsecret(colon))} is read by YAML as a mapping, for it is in braces",
                f'Put it in quotes: "{unsecret(colon)}"',
            )
        elif colon:
            place = "ends with a colon" if colon.endswith(":") else "has a colon in it"
            self._fault(
                node,
                key,
                f"{quote(unsecret(colon))} {place}, so YAML reads it as a key",
                f'Put it in quotes: "{unsecret(colon)}"',
            )
        elif isinstance(node, yaml.MappingNode):
            self._fault(
                node,
                key,
                f"there are keys where {expected} is expected",
                "Write one value; put a text with a colon in it in quotes",
            )
        elif _is_null(node) and node.value:
            self._fault(
                node,
                key,
                f"{quote(node.value)} means no value in YAML, and {expected} is expected",
                "Write a value; put the word in quotes if it is one",
            )
        elif _is_null(node):
            self._fault(
                node,
                key,
                f"there is no value, and {expected} is expected",
                "Write a value behind the colon or the hyphen",
            )
        else:
            return self._converted(node, shape, key, secret)
        return None

    def _converted(self, node: yaml.Node, shape: Any, key: Key, secret: bool) -> Any:
        unquoted = isinstance(node, yaml.ScalarNode) and node.style is None
        typographic = yaml_mistakes.typographic(node.value) if unquoted else ""
        if typographic:
            plain_text = yaml_mistakes.straight(node.value)
            shown = "..." if secret else plain_text[:60]
            self._fault(node, key, typographic, f'Write "{shown}"')
            return None
        try:
            return convert(node.value, shape)
        except ValueError as error:
            self._fault(node, key, *sentences(node.value, error, secret=secret))
            return None

    def _colon(self, node: yaml.Node) -> str:
        """The text of a mapping of one line that was probably meant as a text with a colon."""
        if not isinstance(node, yaml.MappingNode) or not node.start_mark or len(node.value) != 1:
            return ""
        (name, value), *_ = node.value
        if not isinstance(name, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            return ""
        lines = self._text.split("\n")
        line = lines[node.start_mark.line]
        start = node.start_mark.column
        if line[start : start + 1] in "{[":
            end = node.end_mark.column if node.end_mark.line == node.start_mark.line else None
            return line[start:end].strip()
        if name.start_mark.line != value.start_mark.line:
            return ""
        end = value.end_mark.column if value.value else value.start_mark.column
        text = line[start:end].strip()
        return text if text.endswith(":") or value.value else f"{name.value}:"


def _near(name: str, known: list[str]) -> str:
    """The known key that was probably meant by `name`; empty if none is like it."""
    plain_name = _plain_key(name)
    if plain_name in known:
        return plain_name
    return next(iter(difflib.get_close_matches(plain_name, known, 1, 0.65)), "")


def _plain_key(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _alphabet(name: str) -> str:
    """The first letter of `name` that only looks like one of a key, as part of a sentence."""
    char = next((char for char in name if not char.isascii()), "")
    return f"; it has {characters.name_of(char)} in it" if char else ""


def _line(part: yaml.Node) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _is_null(node: yaml.Node) -> bool:
    return bool(
        isinstance(node, yaml.ScalarNode)
        and node.style is None
        and node.value in ("", "~", "null", "Null", "NULL")
    )
