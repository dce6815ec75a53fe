"""What a key of a document is for, carried by the field that it is read into.

The loader, the writer, the summary, the reference, the limits and the redaction all read it from
there, so that a new key is described once.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from typing import Any

_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class About:
    """`explanation` says what the key is for, in one or more sentences; `label` is its name in a
    table for people. A `secret` is never shown. `limit` is the smallest and the largest number
    that is taken; of a list or a mapping, the fewest and the most entries. `since` is the first
    version of the document's format that has the key. `also` are names that people write in its
    place; they are refused, and the message has the right one."""

    explanation: str = ""
    label: str = ""
    secret: bool = False
    limit: tuple[int, int] | None = None
    since: int = 1
    also: tuple[str, ...] = ()


def key(
    explanation: str,
    *,
    label: str = "",
    secret: bool = False,
    limit: tuple[int, int] | None = None,
    since: int = 1,
    also: tuple[str, ...] = (),
    default: Any = MISSING,
    default_factory: Any = MISSING,
) -> Any:
    """A field of a dataclass with what there is to say of its key."""
    if since > 1:
        explanation += f" Since schema {since}."
    about = About(explanation, label, secret, limit, since, also)
    if default_factory is not MISSING:
        return dataclasses.field(default_factory=default_factory, metadata={_ABOUT: about})
    return dataclasses.field(default=default, metadata={_ABOUT: about})


def about(field: "dataclasses.Field[Any]") -> About:
    """What there is to say of a field; nothing, if it was not made by `key`."""
    found = field.metadata.get(_ABOUT, About())
    assert isinstance(found, About)
    return found


def name_of(field: "dataclasses.Field[Any]") -> str:
    """The key in the document: ``class_`` is read from ``class``."""
    return field.name.rstrip("_")


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """The value of a key that is left out; MISSING, if it has to be there."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


@dataclass(frozen=True)
class Described:
    """A key of a shape. `path` has no places in lists: ``peers.md5``. `hint` is its type."""

    path: str
    field: "dataclasses.Field[Any]"
    hint: Any

    @property
    def about(self) -> About:
        return about(self.field)


def walk(shape: Any, prefix: str = "") -> Iterator[Described]:
    """Every key of a dataclass and of those that it is made of, in order."""
    hints = typing.get_type_hints(shape, include_extras=True)
    for field in dataclasses.fields(shape):
        path = prefix + name_of(field)
        yield Described(path, field, hints[field.name])
        inner = item(hints[field.name])
        if dataclasses.is_dataclass(inner):
            yield from walk(inner, f"{path}.")


def item(hint: Any) -> Any:
    """What `hint` is a list of, or what it is if it is not left out, or itself."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(hint) if one is not types.NoneType)
    return typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint


def secrets(value: Any) -> Iterator[str]:
    """The texts in a dataclass whose fields are secret."""
    if isinstance(value, tuple):
        for one in value:
            yield from secrets(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            part = getattr(value, field.name)
            if about(field).secret:
                yield from filter(None, part if isinstance(part, tuple) else [part])
            else:
                yield from secrets(part)
