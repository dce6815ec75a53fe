"""Networks that share addresses, found without comparing each with each."""

from collections.abc import Iterable, Iterator

from firstboot.core.document import Key
from firstboot.core.values import Network

Named = tuple[Network, Key]


def overlaps(named: Iterable[Named]) -> Iterator[tuple[Named, Named]]:
    """Each network that lies within an earlier one (or is equal to it), with the smallest such.

    Networks overlap only by one containing the other, so in order of address and length it is
    enough to keep the chain of networks that are around the present one.
    """
    around: list[Named] = []
    for one in sorted(named, key=_place):
        while around and not _contains(around[-1][0], one[0]):
            around.pop()
        if around:
            yield around[-1], one
        around.append(one)


def _place(named: Named) -> tuple[int, int, int]:
    network = named[0]
    return network.version, int(network.network_address), network.prefixlen


def _contains(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and outer.overlaps(inner)
