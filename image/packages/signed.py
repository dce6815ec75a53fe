"""Signed archives: a catalogue, with the signatures and public keys that vouch for it.

A tar archive with the members ``NAME.sig``, ``NAME.pub`` and the data. Source: libpkg's
pkg_repo.c, whose limits these are.
"""

from dataclasses import dataclass
from io import BytesIO

from firstboot.core import limits, tar
from image.packages import bounded_tar
from image.packages.trust import Signature


@dataclass(frozen=True, slots=True)
class Signed:
    """The data of a signed archive, nothing verified."""

    data: bytes
    signatures: tuple[Signature, ...]


def read(archive: bytes, member: str, where: str) -> Signed:
    """The data called `member` in `archive`, and what signs it. `where` is what the refusals call
    the archive. Raises Refusal."""
    data: bytes | None = None
    parts: dict[tuple[str, str], bytes] = {}
    with bounded_tar.members(
        BytesIO(archive), where, limits.CATALOGUE_ARCHIVE, limits.UNPACKED_CATALOGUE
    ) as members:
        for name, size, content in members:
            stem, _, ending = name.rpartition(".")
            if name == member:
                if data is not None:
                    raise bounded_tar.refusal(where, f"there are two members {member}")
                data = tar.whole(content)
            elif ending in ("sig", "pub"):
                if size > limits.SIGNATURE:
                    raise bounded_tar.refusal(
                        f"{where}: {name}",
                        f"a signature or key of {size} bytes is larger than {limits.SIGNATURE}",
                    )
                parts[stem, ending] = tar.whole(content)
                if len(parts) > limits.SIGNATURES:
                    raise bounded_tar.refusal(
                        where, f"there are more than {limits.SIGNATURES} signatures and keys"
                    )
    if data is None:
        raise bounded_tar.refusal(where, f"there is no member {member}")
    stems = dict.fromkeys(stem for stem, _ in parts)
    for stem in stems:
        for ending in ("sig", "pub"):
            if (stem, ending) not in parts:
                raise bounded_tar.refusal(
                    where, f"of {stem}.sig and {stem}.pub, {stem}.{ending} is missing"
                )
    return Signed(
        data,
        tuple(Signature.of(stem, parts[stem, "sig"], parts[stem, "pub"]) for stem in stems),
    )
