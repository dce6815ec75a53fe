"""The parts of docs/ that are made from the code: the keys of a site, and the hardware that there
are profiles for."""

import dataclasses
import enum
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from firstboot.core.document import Document
from firstboot.core.durable import keep
from firstboot.core.keys import Described, item, walk
from firstboot.core.refusal import Refusal
from firstboot.core.values import Address, Asn, Interface, Mac, Network
from firstboot.site.community import Community
from firstboot.site.exit_policy import Destination
from firstboot.site.model import Site
from firstboot.site.profiles import Profile, load_all

BEGIN = "<!-- {name}: made by ./exitisp docs -->\n"
END = "<!-- end of {name} -->\n"

KINDS: Mapping[Any, tuple[str, str]] = {
    Asn: ("AS number", "AS numbers"),
    Address: ("address", "addresses"),
    Interface: ("address with length", "addresses with length"),
    Network: ("prefix", "prefixes"),
    Mac: ("Ethernet address", "Ethernet addresses"),
    Destination: ("destination", "destinations"),
    Community: ("community", "communities"),
    str: ("text", "texts"),
    int: ("number", "numbers"),
    bool: ("yes or no", ""),
}
"""What the scalars of a site are called, in the singular and the plural."""


def parts(overlays: Path) -> dict[str, Callable[[], str]]:
    """The functions that make a part, by the name of the part in a page. Each raises Refusal for a
    faulty profile."""
    return {
        "keys": keys,
        "forms": forms,
        "hardware": lambda: hardware(load_all(overlays)),
    }


def renew(pages: Path, overlays: Path) -> None:
    """Make these parts again in all pages of the folder `pages`. Raises Refusal."""
    for page in sorted(pages.glob("*.md")):
        old = page.read_text()
        new = renewed(old, overlays, str(page))
        if new != old:
            keep(page, new.encode(), 0o644)


def renewed(text: str, overlays: Path, name: str) -> str:
    """The page with its made parts up to date. Raises Refusal if a part has no end line."""
    for part, make in parts(overlays).items():
        before, begin, rest = text.partition(BEGIN.format(name=part))
        if not begin:
            continue
        _, end, after = rest.partition(END.format(name=part))
        if not end:
            raise Refusal(
                name,
                f"the line {END.format(name=part).strip()} is missing",
                "Add it after the part that is made",
            )
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def keys(shape: Any = Site) -> str:
    """A table of all keys of a site file, or of another shape."""
    rows = (
        (f"`{one.path}`", one.about.explanation, _form(one), _left_out(one.field))
        for one in walk(shape)
    )
    return _table(("key", "what it is", "form", "left out"), rows)


def forms() -> str:
    """A table of the forms of values, in the words of the messages about wrong ones."""
    rows = ((one, _expected(kind)) for kind, (one, _) in KINDS.items() if _parser(kind))
    return _table(("form", "what is taken"), rows)


def hardware(profiles: Mapping[str, Document[Profile]]) -> str:
    """A table of the drivers with a profile, and the chips that the profiles name."""
    return _table(("driver", "what it drives", "chips"), _drivers(profiles))


def _drivers(profiles: Mapping[str, Document[Profile]]) -> Iterator[tuple[str, ...]]:
    for profile in (one.value for one in profiles.values() if one.value.driver):
        chips = ", ".join(dict.fromkeys(chip.name for chip in profile.chips))
        yield f"`{profile.driver}`", profile.description.rstrip("."), chips


def _form(described: Described) -> str:
    hint, inner = described.hint, item(described.hint)
    if typing.get_origin(hint) is tuple:
        many = "list" if dataclasses.is_dataclass(inner) else f"list of {KINDS[inner][1]}"
        limit = described.about.limit
        return f"{many}, at most {limit[1]}" if limit else many
    if typing.get_origin(hint) is dict:
        return f"{KINDS[typing.get_args(hint)[1]][1]} by name"
    if dataclasses.is_dataclass(inner):
        return "keys"
    if isinstance(inner, type) and issubclass(inner, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in inner)
    limit = described.about.limit
    return f"{KINDS[inner][0]}, {limit[0]} to {limit[1]}" if limit else KINDS[inner][0]


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
    raise AssertionError(f"{kind} accepts an empty text")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(cells)} |".replace("  |", " |") for cells in rows)
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) + "\n"
