"""How two images differ: base, packages, settings, files. Read from their manifests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstboot.core.output import say
from firstboot.core.refusal import Refusal

LARGEST = 1 << 28
"""Bytes of a manifest; one of 20,000 files is below 8 MB."""

IN_MEMORY = "/conf/base"
"""Below it are copies of directories that are in memory when the system runs."""

Facts = Mapping[str, Any]
"""Of one file, as `image.file_manifest` gives them."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is compared. Sets of the base have hashes, packages and modules of the wizard have
    versions, settings are named with their file."""

    base: Mapping[str, str]
    packages: Mapping[str, str]
    wizard: Mapping[str, str]
    settings: Mapping[str, str]
    files: Mapping[str, Facts]


def show(old: Path, new: Path) -> None:
    """Print how the image `new` differs from `old`; either may be the manifest itself.

    Raises Refusal for what is no manifest, or one without a list of files.
    """
    before, after = load(old), load(new)
    for line in difference(before, after) or ["no difference"]:
        say("".join(char if char.isprintable() else "?" for char in line))


def load(path: Path) -> Contents:
    """What the manifest of the image at `path` says, which lies beside it, or is it. Raises
    Refusal."""
    manifest = beside(path)
    try:
        with manifest.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Refusal(
            manifest,
            expected="the manifest of an image",
            found=error.strerror or str(error),
            remedy="name an image with its manifest beside it, or the manifest",
        ) from error
    try:
        if len(data) > LARGEST:
            raise ValueError("it is too large")
        return contents(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise Refusal(
            manifest,
            expected="the manifest of an image, with a list of its files",
            found=f"something else ({error})",
            remedy="build the image again",
        ) from error


def beside(path: Path) -> Path:
    """Where the manifest of the image `path` is: ``exitisp.img``, also compressed, has
    ``exitisp.json``."""
    if path.suffix in (".xz", ".zst"):
        path = path.with_suffix("")
    return path if path.suffix == ".json" or not path.name else path.with_suffix(".json")


def difference(old: Contents, new: Contents) -> list[str]:
    """Lines that tell how `new` differs from `old`: ``+`` what came, ``-`` what went."""
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
    """What of a manifest can be compared. Raises ValueError if it is none."""
    facts = _mapping(manifest)
    if "files" not in facts:
        raise ValueError("no list of files")
    base = _mapping(facts.get("base"))
    build = {} if base.get("build") is None else {"build": str(base["build"])}
    return Contents(
        base=_named(base.get("sets"), "sha256") | build,
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
        raise ValueError(f"{value!r:.60} where facts should be")
    return value


def _named(value: Any, fact: str) -> dict[str, str]:
    """`fact` of each of a list of things with names."""
    things = [] if value is None else value
    if not isinstance(things, list):
        raise ValueError(f"{value!r:.60} where a list should be")
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
    """A line for each file; one for all of a directory that came or went as a whole, and none for
    a copy below `IN_MEMORY` that only follows what it is a copy of."""
    told: dict[str, tuple[str, str]] = {}
    whole = ""
    for path in sorted({*old, *new}, key=lambda path: path.split("/")):
        before, after = old.get(path), new.get(path)
        if before == after or (whole and path.startswith(whole)):
            continue
        if before is not None and after is not None:
            told[path] = " ", "; ".join(_fact_changes(before, after))
            continue
        sign, facts, there = ("-", before, old) if after is None else ("+", after, new)
        below = sum(other.startswith(f"{path}/") for other in there)
        if below:
            whole = f"{path}/"
        told[path] = sign, f"with {below} below it" if below else _summary(facts or {})
    for path, (sign, change) in told.items():
        original = path.removeprefix(IN_MEMORY)
        if original == path or told.get(original) != (sign, change.replace(IN_MEMORY, "")):
            yield f"{sign} {path}: {change}"


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
