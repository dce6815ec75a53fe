"""How large numbers may be, and how many entries lists may have, as the model says of each key.

The other rules look at no more than that, because they compare each entry with each, and the
address plan has an entry for every relay.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from firstboot.core.document import Key
from firstboot.core.keys import about, name_of
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, error

LONGEST = 2000
"""Characters of one text."""


def check(site: Site) -> Iterator[Finding]:
    yield from _record(site, ())
    if len(site.relays.nickname) > LONGEST:
        yield error(
            ("relays", "nickname"),
            f"the pattern has {len(site.relays.nickname)} characters",
            "Write a pattern such as ExampleExit{n}",
        )


def within(site: Site) -> Site:
    """`site` without what is beyond a limit, for the other rules: lists are cut, and numbers are
    replaced by their defaults."""
    cut: Site = _within(site)
    nickname = cut.relays.nickname[:LONGEST]
    return dataclasses.replace(cut, relays=dataclasses.replace(cut.relays, nickname=nickname))


def _record(record: Any, key: Key) -> Iterator[Finding]:
    for field in dataclasses.fields(record):
        value, inner = getattr(record, field.name), (*key, name_of(field))
        limit = about(field).limit
        if limit and value is not None:
            yield from _limited(value, inner, *limit)
        if dataclasses.is_dataclass(value):
            yield from _record(value, inner)
        elif isinstance(value, tuple) and limit:
            for at, item in enumerate(value[: limit[1]]):
                if dataclasses.is_dataclass(item):
                    yield from _record(item, (*inner, at))


def _limited(value: Any, key: Key, least: int, most: int) -> Iterator[Finding]:
    if isinstance(value, tuple | dict):
        if len(value) > most:
            reason = f"there are {len(value)} entries, and at most {most} are possible"
            yield error(key, reason, f"Keep at most {most}")
    elif not least <= value <= most:
        reason = f"{value} is not between {least} and {most}"
        yield error(key, reason, f"Write a number from {least} to {most}")


def _within(record: Any) -> Any:
    values = {}
    for field in dataclasses.fields(record):
        value, limit = getattr(record, field.name), about(field).limit
        if limit and isinstance(value, tuple):
            value = value[: limit[1]]
        elif limit and isinstance(value, dict):
            value = dict(list(value.items())[: limit[1]])
        elif limit and value is not None and not limit[0] <= value <= limit[1]:
            value = field.default
        if dataclasses.is_dataclass(value):
            value = _within(value)
        elif isinstance(value, tuple):
            value = tuple(_within(one) if dataclasses.is_dataclass(one) else one for one in value)
        values[field.name] = value
    return dataclasses.replace(record, **values)
