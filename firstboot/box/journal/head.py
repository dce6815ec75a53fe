"""What the box signs of its journal: which entries it has, and the digest of the last one.

One file: a line of JSON, and an OpenSSH signature of that line (PROTOCOL.sshsig) by the key of the
box's SSH server, in a namespace of its own, so that neither can be taken for anything else.
"""

import json
import re
from dataclasses import asdict, dataclass

from firstboot.core import bounded_json
from firstboot.core.limits import JOURNAL_HEAD

NAMESPACE = "journal@exitisp"

DIGEST = re.compile("[0-9a-f]{64}")
NUMBER = 1 << 62


@dataclass(frozen=True, slots=True)
class Head:
    """Entries from `first` to `last` are kept. `before` is the digest that the first one has of the
    one before it, `digest` that of the last one's line."""

    first: int
    before: str
    last: int
    digest: str

    @property
    def line(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Signed:
    """`signature` is empty if there was no key to sign with."""

    head: Head
    signature: str

    @property
    def data(self) -> bytes:
        return self.head.line + self.signature.encode()


def parse_signed(data: bytes) -> Signed:
    """Read what `Signed.data` makes; verify nothing. Raises ValueError."""
    line, end, rest = data.partition(b"\n")
    signature = rest.decode("ascii")
    match bounded_json.read(line, JOURNAL_HEAD):
        case {
            "first": int(first),
            "before": str(before),
            "last": int(last),
            "digest": str(digest),
            **more,
        } if (
            end
            and not more
            and 0 < first <= last < NUMBER
            and DIGEST.fullmatch(before)
            and DIGEST.fullmatch(digest)
        ):
            return Signed(Head(first, before, last, digest), signature)
    raise ValueError("it is no head of a journal")
