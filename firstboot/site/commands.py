"""Check a site, render it, show what a change to it changes: what the tasks print and write."""

import difflib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from firstboot.core.document import quote
from firstboot.core.durable import ensure_replaceable
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.check import examine, refused, report
from firstboot.site.model import Site
from firstboot.site.redact import masked
from firstboot.site.render import Box, Rendered, notes, render
from firstboot.site.verify.at_hand import ask_all
from firstboot.site.verify.context import Context
from firstboot.site.verify.explain import explain
from firstboot.site.verify.explain import table as explanation
from firstboot.site.verify.folder import read_folder
from firstboot.site.verify.picture import draw
from firstboot.site.verify.verify import ensure_flawless, verified, verify

BOX = Box(cores=8, memory_mib=32768, unbound=(1, 24), openbgpd=(8, 9), tor=(0, 4, 9))
"""What a site is rendered for where no box is named."""


def render_site(path: Path, output: Path | None, box: Box, overlays: Path) -> None:
    """Render the site at `path`, into the folder `output` if there is one, and print the list.

    Raises Refusal, after its findings, for a site with errors, and after its flaws, for a rendering
    with any.
    """
    site = sound(path)
    files = verified(site, box, render(site, box, overlays), say)
    if output is not None:
        write(files, output)
    say("\n".join([*notes(site, box), table(files)]))


def verify_folder(
    path: Path, folder: Path, box: Box, *, explained: bool = False, picture: Path | None = None
) -> None:
    """Judge the files below `folder` as what the site at `path` is rendered to for `box`, and ask
    the daemons that this machine has what they understand of them. Print the proof if it is to be
    `explained`, and write it as a drawing to `picture` (SVG).

    Raises Refusal, after its findings, for a site with errors, and after its flaws, for files with
    any.
    """
    site = sound(path)
    files, flaws = read_folder(folder)
    unread = {flaw.path for flaw in flaws}
    flaws += [flaw for flaw in verify(site, box, files) if flaw.path not in unread]
    ensure_flawless(flaws, say)
    flaws, told = ask_all(files, Context.of(site, box))
    ensure_flawless(flaws, say)
    if explained or picture is not None:
        proof = explain(site, box, files)
        if explained:
            say(explanation(proof))
        if picture is not None:
            drawing = Rendered(picture.name, draw(site, proof), 0o644, "root", "wheel")
            write([drawing], picture.parent)
    say("\n".join(told))
    say(f"no flaws in {len(files)} files: they do what {path} says, and nothing else")


def show_difference(old: Path, new: Path, box: Box, overlays: Path) -> None:
    """Print how the files of two sites differ, with their secrets masked. Raises Refusal."""
    before, after = sound(old), sound(new)
    new_files = verified(after, box, render(after, box, overlays), say)
    text = difference(render(before, box, overlays), new_files)
    say(masked(text, before, after) or "no file changes")


def difference(before: Sequence[Rendered], after: Sequence[Rendered]) -> str:
    """The unified difference of two renderings, files that come and go among them."""
    old, new = ({file.path: file for file in files} for files in (before, after))
    lines: list[str] = []
    for path in sorted({*old, *new}):
        one, other = old.get(path), new.get(path)
        if one and other and _facts(one) != _facts(other):
            lines.append(f"/{path}: {_facts(one)} becomes {_facts(other)}")
        lines += difflib.unified_diff(
            one.text.splitlines() if one else [],
            other.text.splitlines() if other else [],
            f"a/{path}" if one else "/dev/null",
            f"b/{path}" if other else "/dev/null",
            lineterm="",
        )
    return "\n".join(lines)


def write(files: Iterable[Rendered], folder: Path) -> None:
    """Write `files` below `folder`, with their modes; each is replaced as a whole.

    Owners are not set, for that is what the box does. Raises Refusal where it cannot be written.
    """
    for file in files:
        path = folder / file.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, file)
        except OSError as error:
            raise Refusal(
                path,
                f"the file cannot be written ({error.strerror or error})",
                "Name another folder with -o, or remove what is in the way",
            ) from error


def _replace(path: Path, file: Rendered) -> None:
    ensure_replaceable(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.text.encode())
            os.fchmod(stream.fileno(), file.mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def table(files: Iterable[Rendered]) -> str:
    """A line for each file: mode, owner and group, path on the box."""
    return "\n".join(f"{_facts(file)} /{file.path}" for file in files)


def parse_box(text: str) -> Box:
    """The box that ``cores=16,memory=65536,unbound=1.24,openbgpd=8.9,tor=0.4.9`` describes, memory
    in MiB; what is not said is `BOX`'s. ``resolver=package`` is the package's Unbound, with
    libevent. Raises Refusal."""
    numbers = {"cores": BOX.cores, "memory": BOX.memory_mib}
    versions = {"unbound": BOX.unbound, "openbgpd": BOX.openbgpd, "tor": BOX.tor}
    packaged = False
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        version = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,3}", value)
        if name in numbers and re.fullmatch(r"[1-9][0-9]{0,8}", value):
            numbers[name] = int(value)
        elif name in versions and version:
            versions[name] = tuple(map(int, value.split(".")))
        elif name == "resolver" and value in ("base", "package"):
            packaged = value == "package"
        else:
            raise Refusal(
                "--box",
                f"{quote(part)} is neither cores or memory with a number, nor unbound, openbgpd or "
                "tor with a version, nor resolver with base or package",
                "Write it as in --box cores=16,memory=65536,openbgpd=8.9",
            )
    return Box(
        numbers["cores"],
        numbers["memory"],
        unbound=versions["unbound"],
        openbgpd=versions["openbgpd"],
        tor=versions["tor"],
        packaged_unbound=packaged,
        libevent=packaged,
    )


def sound(path: Path) -> Site:
    """The site at `path` if it has no errors; else all its findings are printed."""
    examined = examine(path)
    if examined.site is None or examined.errors:
        say(report(examined))
        raise refused(examined, "Correct them and render again")
    return examined.site.value


def _facts(file: Rendered) -> str:
    return f"{file.mode:04o} {file.owner}:{file.group}"
