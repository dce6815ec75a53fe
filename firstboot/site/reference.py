"""The parts of docs/ that follow from the code: every key of a site, and the hardware that there
are profiles for."""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from firstboot.core.document import Document
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal
from firstboot.core.values import Address, Asn, Interface, Mac, Network
from firstboot.site.model import Site
from firstboot.site.profiles import Profile, load_all
from firstboot.site.writer import EXPLAINED

BEGIN = "<!-- {name}: made by ./exitisp docs -->\n"
END = "<!-- end of {name} -->\n"

KINDS: Mapping[Any, tuple[str, str]] = {
    Asn: ("AS number", "AS numbers"),
    Address: ("address", "addresses"),
    Interface: ("address with length", "addresses with length"),
    Network: ("prefix", "prefixes"),
    Mac: ("Ethernet address", "Ethernet addresses"),
    str: ("text", "texts"),
    int: ("number", "numbers"),
    bool: ("yes or no", ""),
}
"""What the scalars of a site are called, one and many of them."""


def parts(overlays: Path) -> dict[str, Callable[[], str]]:
    """What can be made, by its name in a page. Each raises Refusal for a faulty profile."""
    return {
        "keys": keys,
        "forms": forms,
        "hardware": lambda: hardware(load_all(overlays)),
    }


def renew(pages: Path, overlays: Path) -> None:
    """Make these parts anew in all pages of the folder `pages`. Raises Refusal."""
    for page in sorted(pages.glob("*.md")):
        old = page.read_text()
        new = renewed(old, overlays, str(page))
        if new != old:
            keep(page, new.encode(), 0o644)


def renewed(text: str, overlays: Path, name: str) -> str:
    """The page with its made parts as they have to be. Raises Refusal if one has no end."""
    for part, make in parts(overlays).items():
        before, begin, rest = text.partition(BEGIN.format(name=part))
        if not begin:
            continue
        _, end, after = rest.partition(END.format(name=part))
        if not end:
            raise Refusal(
                name,
                expected=f"the line {END.format(name=part).strip()}",
                found="none",
                remedy="put it after the part that is made",
            )
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def keys() -> str:
    """A table of all keys of a site file."""
    rows = (
        (f"`{path}`", EXPLAINED[path], _form(hint), _left_out(field))
        for path, field, hint in _walk(Site, "")
    )
    return _table(("key", "what it is", "form", "left out"), rows)


def forms() -> str:
    """A table of the forms that texts have to have, as the messages about wrong ones say it."""
    rows = ((one, _expected(kind)) for kind, (one, _) in KINDS.items() if _parser(kind))
    return _table(("form", "what is taken"), rows)


def hardware(profiles: Mapping[str, Document[Profile]]) -> str:
    """A table of drivers, and the machines and chips that their profiles name."""
    return _table(("driver", "what it drives", "chips"), _drivers(profiles))


def _drivers(profiles: Mapping[str, Document[Profile]]) -> Iterator[tuple[str, ...]]:
    for profile in (one.value for one in profiles.values() if one.value.driver):
        chips = ", ".join(dict.fromkeys(chip.name for chip in profile.chips))
        yield f"`{profile.driver}`", profile.description.rstrip("."), chips


def _walk(shape: Any, prefix: str) -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(shape, include_extras=True)
    for field in dataclasses.fields(shape):
        hint, path = hints[field.name], f"{prefix}{field.name}"
        yield path, field, hint
        inner = _item(hint)
        if dataclasses.is_dataclass(inner):
            yield from _walk(inner, f"{path}.")


def _item(hint: Any) -> Any:
    """What `hint` is a list of, or may be left out, or itself."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(hint) if one is not types.NoneType)
    return typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint


def _form(hint: Any) -> str:
    item = _item(hint)
    if typing.get_origin(hint) is tuple:
        return "list" if dataclasses.is_dataclass(item) else f"list of {KINDS[item][1]}"
    if typing.get_origin(hint) is dict:
        return f"{KINDS[typing.get_args(hint)[1]][1]} by name"
    if dataclasses.is_dataclass(item):
        return "keys"
    if isinstance(item, type) and issubclass(item, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in item)
    return KINDS[item][0]


def _left_out(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "none"
    value = field.default
    if value is dataclasses.MISSING:
        return "an error"
    if value is None or dataclasses.is_dataclass(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value) or "none"
    return f"`{value}`"


def _parser(kind: Any) -> Any:
    if typing.get_origin(kind) is typing.Annotated:
        kind = kind.__metadata__[0]
    return getattr(kind, "parse", None)


def _expected(kind: Any) -> str:
    try:
        _parser(kind)("")
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{kind} takes nothing for something")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(cells)} |".replace("  |", " |") for cells in rows)
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) + "\n"
