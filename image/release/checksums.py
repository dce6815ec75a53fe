"""SHA256SUMS: the hashes of the files of a release, as sha256sum(1) writes and checks them.

A line for each file: 64 hexadecimal digits, two spaces, the name. Names have neither a slash nor
what acts on a terminal.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import digest
from image.atomic_files import replace

NAME = "SHA256SUMS"
LARGEST = 1 << 20

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]*)")


def write(folder: Path, names: list[str]) -> Path:
    """Write the sums of the files `names` of `folder` beside them. Raises Refusal."""
    lines = [f"{sum_}  {name}\n" for name, sum_ in sorted(_sums(folder, names).items())]
    path = folder / NAME
    replace(path, "".join(lines).encode())
    return path


def parse(data: bytes, where: str) -> dict[str, str]:
    """The sum of each name. Raises Refusal for a line that is none, and for a name twice."""
    found: dict[str, str] = {}
    lines = data[:LARGEST].decode("ascii", "replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line:
            break
        matched = _LINE.fullmatch(line)
        if matched is None or matched[2] in found:
            raise Refusal(
                f"{where}:{number}",
                expected="a SHA-256, two spaces, and a file's name that is not there yet",
                found=f"'{line[:80]}'",
                remedy="fetch it again",
            )
        found[matched[2]] = matched[1]
    return found


def verify(folder: Path, wanted: Mapping[str, str]) -> None:
    """Raises Refusal unless every file of `wanted` is in `folder` with its sum."""
    for name, sum_ in _sums(folder, list(wanted)).items():
        if sum_ != wanted[name]:
            raise Refusal(
                folder / name,
                expected=f"SHA-256 {wanted[name]}",
                found=sum_,
                remedy="do not use it; fetch it again",
            )


def _sums(folder: Path, names: list[str]) -> dict[str, str]:
    for name in names:
        if not _LINE.fullmatch(f"{hashlib.sha256().hexdigest()}  {name}"):
            raise Refusal(
                repr(name),
                expected="a plain file name, such as exitisp.img.xz",
                found="another one",
                remedy="rename it",
            )
    with ExitStack() as stack:
        try:
            files = {
                folder / name: stack.enter_context((folder / name).open("rb", buffering=0))
                for name in names
            }
        except OSError as error:
            raise Refusal(
                error.filename,
                expected="a file of the release",
                found=error.strerror or str(error),
                remedy="make or fetch the release again",
            ) from error
        return {path.name: sum_ for path, sum_ in digest.sha256(files).items()} if files else {}
