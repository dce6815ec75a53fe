"""Files that say who is at which exchange: PeeringDB's, and exchanges' own member lists."""

from collections.abc import Sequence
from pathlib import Path

from firstboot.core.refusal import Refusal
from firstboot.site.published import euro_ix, peeringdb
from firstboot.site.published.files import read_file
from firstboot.site.published.peeringdb import DUMP, PeeringDb


def read_sources(paths: Sequence[Path]) -> PeeringDb:
    """What all of `paths` say together. Raises Refusal."""
    if not paths:
        raise Refusal(
            "--from",
            "there is no file that says who is at which exchange",
            "Name one of PeeringDB or an exchange's member list, as in --from peeringdb.json",
        )
    found = PeeringDb()
    for path in paths:
        data = read_file(path, DUMP.size)
        reader = euro_ix.parse if b'"member_list"' in data else peeringdb.parse
        found += reader(data, str(path))
    return found
