"""SHA256SUMS: the hashes of the files of a release, in the format of sha256sum(1).

One line for each file: 64 hexadecimal digits, two spaces, the name. Names contain neither a slash
nor anything that could act on a terminal.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import digest
from image.atomic_files import replace
from image.verified_file import open_regular

NAME = "SHA256SUMS"
LARGEST = 1 << 20

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]*)")


def write(folder: Path, names: list[str]) -> Path:
    """Write the hashes of the files `names` in `folder` to SHA256SUMS beside them. Raises
    Refusal."""
    lines = [f"{sum_}  {name}\n" for name, sum_ in sorted(_sums(folder, names).items())]
    path = folder / NAME
    replace(path, "".join(lines).encode())
    return path


def parse(data: bytes, where: str) -> dict[str, str]:
    """Return the hash of each name. Raises Refusal for a malformed line or a name that is there
    twice."""
    found: dict[str, str] = {}
    lines = data[:LARGEST].decode("ascii", "replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line:
            break
        matched = _LINE.fullmatch(line)
        if matched is None or matched[2] in found:
            raise Refusal(
                f"{where}:{number}",
                f"this is not a SHA-256, two spaces and a new file name: '{line[:80]}'",
                "Fetch the file again",
            )
        found[matched[2]] = matched[1]
    return found


def verify(folder: Path, wanted: Mapping[str, str]) -> None:
    """Raises Refusal unless `folder` has every file of `wanted` with its hash."""
    for name, sum_ in _sums(folder, list(wanted)).items():
        if sum_ != wanted[name]:
            raise Refusal(
                folder / name,
                f"the file has the SHA-256 {sum_} and not {wanted[name]}",
                "Do not use it. Fetch it again",
            )


def _sums(folder: Path, names: list[str]) -> dict[str, str]:
    for name in names:
        if not _LINE.fullmatch(f"{hashlib.sha256().hexdigest()}  {name}"):
            raise Refusal(
                repr(name),
                "this is not a plain file name, such as exitisp.img.xz",
                "Rename the file",
            )
    with ExitStack() as stack:
        try:
            files = {
                folder / name: stack.enter_context(open_regular(folder / name)) for name in names
            }
        except Refusal as refusal:
            raise Refusal(
                refusal.where,
                f"a file of the release {refusal.problem}",
                "Make or fetch the release again",
            ) from refusal
        return {path.name: sum_ for path, sum_ in digest.sha256(files).items()} if files else {}
