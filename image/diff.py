"""Compares two images by their manifests: base, packages, settings, files."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import IMAGE_MANIFEST
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from image.verified_file import read_regular

IN_MEMORY = "/conf/base"
"""Below it are copies of the folders that are in memory on a running system."""

Facts = Mapping[str, Any]
"""The facts of one file, see `image.file_manifest`."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is compared: hashes of the base sets, versions of packages and of the wizard's modules,
    settings by file and name, and files."""

    base: Mapping[str, str]
    packages: Mapping[str, str]
    wizard: Mapping[str, str]
    settings: Mapping[str, str]
    files: Mapping[str, Facts]


def show(old: Path, new: Path) -> None:
    """Print how the image `new` differs from `old`. Either may be a manifest.

    Raises Refusal for anything else, and for a manifest without a list of files.
    """
    before, after = load(old), load(new)
    for line in difference(before, after) or ["no difference"]:
        say("".join(char if char.isprintable() else "?" for char in line))


def load(path: Path) -> Contents:
    """Return the contents of the image at `path`, from the manifest beside it. `path` may be the
    manifest itself. Raises Refusal."""
    manifest = beside(path)
    try:
        data = read_regular(manifest, IMAGE_MANIFEST.size)
    except Refusal as refusal:
        raise Refusal(
            manifest,
            f"the manifest of the image cannot be read: {refusal.problem}",
            "Name an image that has its manifest beside it, or the manifest itself",
        ) from refusal
    try:
        return contents(bounded_json.read(data, IMAGE_MANIFEST))
    except ValueError as error:
        raise Refusal(
            manifest,
            f"this is not the manifest of an image with a list of its files ({error})",
            "Build the image again",
        ) from error


def beside(path: Path) -> Path:
    """Return the path of the manifest of the image `path`: ``exitisp.json`` for ``exitisp.img``,
    also if that is compressed."""
    if path.suffix in (".xz", ".zst"):
        path = path.with_suffix("")
    return path if path.suffix == ".json" or not path.name else path.with_suffix(".json")


def difference(old: Contents, new: Contents) -> list[str]:
    """Return lines that say how `new` differs from `old`: ``+`` for what was added, ``-`` for what
    was removed."""
    lines: list[str] = []
    for title, before, after in (
        ("Base", old.base, new.base),
        ("Packages", old.packages, new.packages),
        ("Wizard", old.wizard, new.wizard),
        ("Settings", old.settings, new.settings),
    ):
        changes = list(_changes(before, after))
        if changes:
            lines += [title, *(f"  {line}" for line in changes)]
    files = list(_files(old.files, new.files))
    if files:
        lines += ["Files", *(f"  {line}" for line in files)]
    return lines


def contents(manifest: Any) -> Contents:
    """Return the parts of a manifest that are compared. Raises ValueError if it is not a
    manifest."""
    facts = _mapping(manifest)
    if "files" not in facts:
        raise ValueError("no list of files")
    base = _mapping(facts.get("base"))
    build = {} if base.get("build") is None else {"build": str(base["build"])}
    return Contents(
        base=_named(base.get("sets"), "sha256") | _named(base.get("software"), "version") | build,
        packages=_named(facts.get("packages"), "version"),
        wizard=_named(_mapping(facts.get("wizard")).get("modules"), "version"),
        settings={
            f"{path}, {name}": json.dumps(value)
            for path, values in _mapping(facts.get("settings")).items()
            for name, value in _mapping(values).items()
        },
        files={path: _mapping(one) for path, one in _mapping(facts["files"]).items()},
    )


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"an object is expected where it has {value!r:.60}")
    return value


def _named(value: Any, fact: str) -> dict[str, str]:
    """Return the value of `fact` for each named object of a list."""
    things = [] if value is None else value
    if not isinstance(things, list):
        raise ValueError(f"a list is expected where it has {value!r:.60}")
    return {str(_mapping(one).get("name")): str(_mapping(one).get(fact)) for one in things}


def _changes(old: Facts, new: Facts) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"+ {name}: {new[name]}"
        elif name not in new:
            yield f"- {name}: {old[name]}"
        elif old[name] != new[name]:
            yield f"  {name}: {old[name]} becomes {new[name]}"


def _files(old: Mapping[str, Facts], new: Mapping[str, Facts]) -> Iterator[str]:
    """Yield one line for each file, but only one for a whole folder that was added or removed, and
    none for a copy below `IN_MEMORY` that changed in the same way as its original."""
    told: dict[str, tuple[str, str]] = {}
    whole = ""
    in_old, in_new = _in_order(old), _in_order(new)
    for path in sorted({*old, *new}, key=_order):
        before, after = old.get(path), new.get(path)
        if before == after or (whole and path.startswith(whole)):
            continue
        if before is not None and after is not None:
            told[path] = " ", "; ".join(_fact_changes(before, after))
            continue
        sign, facts, there = ("-", before, in_old) if after is None else ("+", after, in_new)
        below = _below(path, there)
        if below:
            whole = f"{path}/"
        told[path] = sign, f"with {below} below it" if below else _summary(facts or {})
    for path, (sign, change) in told.items():
        original = path.removeprefix(IN_MEMORY)
        if original == path or told.get(original) != (sign, change.replace(IN_MEMORY, "")):
            yield f"{sign} {path}: {change}"


def _order(path: str) -> str:
    """A key that sorts what is below a folder behind it, before every other path."""
    return path.replace("/", "\0")


def _in_order(paths: Iterable[str]) -> Sequence[str]:
    return sorted(map(_order, paths))


def _below(folder: str, there: Sequence[str]) -> int:
    """How many of the paths `there`, which `_in_order` made, are below `folder`."""
    key = _order(folder)
    return bisect_left(there, f"{key}\1") - bisect_left(there, f"{key}\0")


def _summary(facts: Facts) -> str:
    parts = [str(facts.get("kind")), str(facts.get("mode")), str(facts.get("owner", "0:0"))]
    if "flags" in facts:
        parts.append(str(facts["flags"]))
    parts += [f"{name}={value}" for name, value in _attributes(facts).items()]
    if "target" in facts:
        parts.append(f"to {facts['target']}")
    if "link" in facts:
        parts.append(f"the same file as {facts['link']}")
    elif "size" in facts:
        parts.append(f"{facts['size']} bytes")
    return " ".join(parts)


def _fact_changes(old: Facts, new: Facts) -> Iterator[str]:
    for key, usual in (
        ("kind", "file"),
        ("mode", ""),
        ("owner", "0:0"),
        ("flags", "no flags"),
        ("target", "no target"),
        ("link", "a file of its own"),
    ):
        before, after = old.get(key, usual), new.get(key, usual)
        if before != after:
            yield f"{key} {before} becomes {after}"
    for change in _changes(_attributes(old), _attributes(new)):
        yield f"attribute {change.strip()}"
    if old.get("sha256") != new.get("sha256"):
        sizes = old.get("size", 0), new.get("size", 0)
        yield "content" if sizes[0] == sizes[1] else f"content, {sizes[0]} becomes {sizes[1]} bytes"


def _attributes(facts: Facts) -> Mapping[str, Any]:
    found = facts.get("attributes")
    return found if isinstance(found, dict) else {}
