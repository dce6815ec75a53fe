"""Partially filled-in documents: dictionaries, lists and texts.

The answers of a person so far do not fit the shape yet: keys are missing, and a text may not be an
address. All scalars are texts; None stands for the answer "none".
"""

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from firstboot.core.characters import ODD
from firstboot.core.document import Key, Plain


def of(value: Any) -> Plain:
    """A value of a shape as such a tree, with its defaults."""
    if value is None or isinstance(value, str):
        return value if value is None else str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return [of(item) for item in value]
    if isinstance(value, dict):
        return {name: of(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {f.name.rstrip("_"): of(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return str(value)


def fit(tree: Plain, shape: Any, key: Key = (), *, whole: bool) -> tuple[Plain, list[Key]]:
    """Keep the parts of `tree` that fit `shape`, and return them with the keys of the others.

    With `whole`, missing keys get their defaults, as when a file is read.
    """
    origin = typing.get_origin(shape)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(shape) if part is not type(None))
        return (None, []) if tree is None else fit(tree, inner, key, whole=whole)
    if dataclasses.is_dataclass(shape):
        return _record(tree, shape, key, whole)
    if origin is tuple:
        if not isinstance(tree, list):
            return [], [key]
        inner = typing.get_args(shape)[0]
        return _joined(fit(item, inner, (*key, at), whole=whole) for at, item in enumerate(tree))
    if origin is dict:
        if not isinstance(tree, dict):
            return {}, [key]
        texts: dict[str, Plain] = {n: v for n, v in tree.items() if isinstance(v, str)}
        return texts, [(*key, name) for name in tree if name not in texts]
    return (tree, []) if isinstance(tree, str) else (None, [key])


def _record(tree: Plain, shape: Any, key: Key, whole: bool) -> tuple[Plain, list[Key]]:
    if not isinstance(tree, dict):
        return {}, [key]
    hints = typing.get_type_hints(shape, include_extras=True)
    fields = {field.name.rstrip("_"): field for field in dataclasses.fields(shape)}
    left_out: list[Key] = [(*key, name) for name in tree if name not in fields]
    fitting: dict[str, Plain] = {}
    for name, field in fields.items():
        if name in tree:
            value, more = fit(tree[name], hints[field.name], (*key, name), whole=whole)
            left_out += more
            if (*key, name) not in more:
                fitting[name] = value
        elif whole and field.default is not dataclasses.MISSING:
            fitting[name] = of(field.default)
        elif whole and field.default_factory is not dataclasses.MISSING:
            fitting[name] = of(field.default_factory())
    return fitting, left_out


def _joined(parts: Iterator[tuple[Plain, list[Key]]]) -> tuple[Plain, list[Key]]:
    values: list[Plain] = []
    left_out: list[Key] = []
    for value, more in parts:
        left_out += more
        if value is not None:
            values.append(value)
    return values, left_out


def write(tree: dict[str, Plain]) -> bytes:
    """Write `tree` as YAML that `document.plain` reads back: a line for each key, and for each item
    of a list of mappings. JSON is YAML once odd characters are escaped, and quotes keep YAML from
    guessing types."""
    lines = []
    for name, value in tree.items():
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            lines += [f"{_json(name)}:", *(f"  - {_json(item)}" for item in value)]
        else:
            lines.append(f"{_json(name)}: {_json(value)}")
    return ("\n".join(lines) + "\n").encode(errors="replace")


def _json(value: Plain) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return ODD.sub(lambda found: f"\\U{ord(found[0]):08x}", text)
