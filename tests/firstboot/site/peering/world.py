"""An exchange with the site of `examples/papers/member-of-ripe.yaml`, as PeeringDB has it."""

import json
from pathlib import Path
from typing import Any

from firstboot.site.published import peeringdb
from firstboot.site.published.peeringdb import PeeringDb
from tests.firstboot.site.sites import ROOT

EXAMPLE = ROOT / "examples/peering/peeringdb.json"
FACTS = ROOT / "examples/peering/exchanges.csv"


def dump() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(EXAMPLE.read_text())
    return said


def parsed(said: Any) -> PeeringDb:
    return peeringdb.parse(json.dumps(said).encode(), "peeringdb.json")


def with_net(asn: int, **changes: Any) -> PeeringDb:
    """The example with something else said of one network."""
    said = dump()
    (net,) = [one for one in said["net"]["data"] if one["asn"] == asn]
    net.update(changes)
    return parsed(said)


def example() -> PeeringDb:
    return peeringdb.load(EXAMPLE)


def answer(folder: Path, kind: str) -> Path:
    """One object of the example, as the API answers."""
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(dump()[kind]))
    return path
