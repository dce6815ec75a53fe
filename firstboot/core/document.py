"""YAML documents as frozen dataclasses, every value with the line it came from.

The shape of a document is a dataclass; its type hints are the schema. Unknown keys, double keys,
missing keys and values of the wrong kind are faults, and all of them are reported at once.
Scalars are read by the type that the shape asks for, never by YAML's guess: ``no`` is a perfectly
good string and ``1.10`` a version. Anchors and aliases are refused, so that a document is as large
as it looks.

Shapes may use ``str``, ``int``, ``bool``, enumerations (by value), ``X | None``,
``tuple[X, ...]``, ``dict[str, X]``, other dataclasses, any class with a method
``parse(text: str)`` of the class that raises ValueError naming what it expects, and
``Annotated[X, P]`` for an X that the class P parses.
"""

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from firstboot.core.refusal import Refusal

LARGEST = 1 << 18
"""Bytes; what a person writes by hand is far below, and PyYAML takes many seconds for more."""

DEEPEST = 20
"""Lists and mappings within each other; PyYAML takes minutes for a file of nothing but `[`."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Key = tuple[str | int, ...]
Plain = str | list["Plain"] | dict[str, "Plain"] | None
Shape = TypeVar("Shape")


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: where, and what was expected and found there."""

    line: int
    key: Key
    expected: str
    found: str


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
    """A document with faults; `faults` has them all, the message is the first and a count."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.faults = faults
        first = faults[0]
        more = f" ({len(faults) - 1} more like it)" if len(faults) > 1 else ""
        super().__init__(
            f"{name}:{first.line}",
            expected=f"{first.expected} at {spell(first.key)}" if first.key else first.expected,
            found=first.found + more,
            remedy="correct the file and try again",
        )


def load(path: Path, shape: type[Shape]) -> Document[Shape]:
    """Read the file at `path` as `shape`. Raises Refusal (Faulty for faults in the text)."""
    return parse(read(path), str(path), shape)


def read(path: Path) -> bytes:
    """The file at `path`, or so much of it that `parse` sees it is too large. Raises Refusal."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise Refusal(
            path,
            expected="a readable YAML file",
            found=error.strerror or str(error),
            remedy="check the path and its permissions",
        ) from error


def parse(data: bytes, name: str, shape: type[Shape]) -> Document[Shape]:
    """Read `data` (UTF-8 YAML, at most LARGEST bytes) as `shape`. Raises Faulty."""
    reader = _Reader()
    root = _compose(data, name)
    value = reader.read(root, shape, ())
    if reader.faults:
        raise Faulty(name, sorted(reader.faults, key=lambda fault: fault.line))
    return Document(name, value, reader.lines)


def plain(data: bytes, name: str) -> Plain:
    """`data` as mappings, lists and texts, whatever its shape; of a key that is there twice the
    last one counts. Raises Faulty where it is no YAML that this project takes."""
    return _plain(_compose(data, name))


def shaped(tree: Plain, name: str, shape: type[Shape]) -> Document[Shape]:
    """What `parse` reads from `tree` once it is written, without writing it; every line is 1.

    Raises Faulty.
    """
    reader = _Reader()
    value = reader.read(_node(tree), shape, ())
    if reader.faults:
        raise Faulty(name, reader.faults)
    return Document(name, value, reader.lines)


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


def spell(key: Key) -> str:
    """`("files", 3, "mode")` as people write it: ``files[3].mode``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in key)
    return text.removeprefix(".")


def _compose(data: bytes, name: str) -> yaml.Node:
    def faulty(line: int, expected: str, found: str) -> Faulty:
        return Faulty(name, [Fault(line, (), expected, found)])

    if len(data) > LARGEST:
        raise faulty(1, f"at most {LARGEST} bytes", "more")
    try:
        text = data.decode().removeprefix("\ufeff")
        loader = _PlainLoader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except _NotPlain as error:
        raise faulty(error.line, error.expected, error.found) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise faulty(line, "UTF-8 text", f"the byte 0x{data[error.start]:02x}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found = " ".join(part for part in (error.context, error.problem) if part)
        raise faulty(mark.line + 1 if mark else 1, "YAML", found) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        raise faulty(line, "YAML", f"a character that YAML does not allow ({error.reason})") from (
            error
        )
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise faulty(1, "YAML", "a character or a version that is out of range") from error
    if root is None:
        raise faulty(1, "a document", "an empty file")
    return root


class _NotPlain(Exception):
    """YAML that this project does not take."""

    def __init__(self, event: yaml.Event, expected: str, found: str) -> None:
        super().__init__(found)
        self.line = _line(event)
        self.expected = expected
        self.found = found


class _PlainLoader(yaml.SafeLoader):
    """Looks at every event before anything is made of it; raises _NotPlain."""

    depth = 0

    def get_event(self) -> yaml.Event:
        event: yaml.Event = super().get_event()  # type: ignore[no-untyped-call]
        self.depth += isinstance(event, yaml.CollectionStartEvent)
        self.depth -= isinstance(event, yaml.CollectionEndEvent)
        if self.depth > DEEPEST:
            raise _NotPlain(event, "a document of few levels", f"more than {DEEPEST}")
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            raise _NotPlain(event, "text", "half a character (a UTF-16 surrogate)")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _NotPlain(event, "every value written out", "a YAML anchor or alias")
        return event


class _Reader:
    """Walks a node graph along a shape and collects values, lines and faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lines: dict[Key, int] = {}

    def read(self, node: yaml.Node, shape: Any, key: Key) -> Any:
        self.lines[key] = _line(node)
        origin = typing.get_origin(shape)
        if origin is typing.Annotated:
            return self._scalar(node, shape.__metadata__[0], key)
        if origin in (typing.Union, types.UnionType):
            (inner,) = (part for part in typing.get_args(shape) if part is not type(None))
            return None if _is_null(node) else self.read(node, inner, key)
        if dataclasses.is_dataclass(shape):
            return self._record(node, shape, key)
        if origin is tuple:
            return self._sequence(node, typing.get_args(shape)[0], key)
        if origin is dict:
            return self._mapping(node, typing.get_args(shape)[1], key)
        return self._scalar(node, shape, key)

    def _fault(self, node: yaml.Node, key: Key, expected: str, found: str | None = None) -> None:
        self.faults.append(Fault(_line(node), key, expected, found or _describe(node)))

    def _pairs(self, node: yaml.Node, key: Key) -> Iterator[tuple[yaml.Node, str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, key, "a mapping (key: value)")
            return
        seen = set()
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                self._fault(name, key, "a plain key")
            elif name.value in seen:
                self._fault(name, key, "every key once", f"{quote(name.value)} twice")
            else:
                seen.add(name.value)
                yield name, name.value, value

    def _record(self, node: yaml.Node, shape: Any, key: Key) -> Any:
        hints = typing.get_type_hints(shape, include_extras=True)
        fields = {field.name.rstrip("_"): field for field in dataclasses.fields(shape)}
        before = len(self.faults)
        values = {}
        for name_node, name, value in self._pairs(node, key):
            if name in fields:
                field = fields[name]
                values[field.name] = self.read(value, hints[field.name], (*key, name))
            else:
                known = "one of the keys " + ", ".join(fields)
                self._fault(name_node, key, known, f"the unknown key {quote(name)}")
        if isinstance(node, yaml.MappingNode):
            for name, field in fields.items():
                required = (
                    field.default is dataclasses.MISSING
                    and field.default_factory is dataclasses.MISSING
                )
                if required and field.name not in values:
                    self._fault(node, key, f"the key {quote(name)}", "none")
        return None if len(self.faults) > before else shape(**values)

    def _sequence(self, node: yaml.Node, inner: Any, key: Key) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, key, "a list")
            return ()
        return tuple(self.read(item, inner, (*key, at)) for at, item in enumerate(node.value))

    def _mapping(self, node: yaml.Node, inner: Any, key: Key) -> Any:
        return {
            name: self.read(value, inner, (*key, name)) for _, name, value in self._pairs(node, key)
        }

    def _scalar(self, node: yaml.Node, shape: Any, key: Key) -> Any:
        if not isinstance(node, yaml.ScalarNode) or _is_null(node):
            self._fault(node, key, _expectation(shape))
            return None
        try:
            return _convert(node.value, shape)
        except ValueError as error:
            self._fault(node, key, str(error))
            return None


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _convert(text: str, shape: Any) -> Any:
    if shape is str:
        return text
    if shape is bool and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if shape is int and re.fullmatch(r"-?[0-9]{1,20}", text):
        return int(text)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        for member in shape:
            if str(member.value) == text:
                return member
    elif hasattr(shape, "parse"):
        return shape.parse(text)
    raise ValueError(_expectation(shape))


def _expectation(shape: Any) -> str:
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in shape)
    plain = {str: "text", int: "a whole number", bool: "yes or no"}
    return plain.get(shape) or f"a {shape.__name__.lower()}"


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _is_null(node: yaml.Node) -> bool:
    return (
        isinstance(node, yaml.ScalarNode)
        and node.style is None
        and node.value in ("", "~", "null", "Null", "NULL")
    )


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if _is_null(node) else quote(node.value)


def quote(text: str) -> str:
    """`text` as a message shows it: in quotes, printable, cut after 60 characters."""
    return f"'{_shown(text)}'"


def _shown(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[:60])
    return shown + ("..." if len(text) > 60 else "")
