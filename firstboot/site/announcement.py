"""How scopes are announced to a peer, where they do not go out as they are."""

from collections.abc import Iterable
from dataclasses import dataclass

from firstboot.core.keys import key
from firstboot.core.values import Network
from firstboot.site.community import Community

MOST_PREPENDED = 8
"""Many networks refuse paths with more of one number, and nobody prefers one of the last."""

MOST_COMMUNITIES = 32


@dataclass(frozen=True)
class Announcement:
    """What some scopes, or all, have on them when one peer hears of them."""

    scopes: tuple[Network, ...] = key(
        "The scopes that are meant; left out, all that no other entry names.",
        since=2,
        limit=(0, 64),
        default=(),
    )
    prepend: int = key(
        "How many times more the AS number of this network is in the path, so that others choose "
        "another way here.",
        since=2,
        limit=(0, MOST_PREPENDED),
        default=0,
    )
    med: int | None = key(
        "Of several links between the same two networks, the other one uses that with the smallest "
        "number (RFC 4271, MULTI_EXIT_DISC).",
        since=2,
        limit=(0, 2**32 - 1),
        default=None,
    )
    communities: tuple[Community, ...] = key(
        "What the peer is asked to do with the routes, in the peer's own communities; those of a "
        "route server say to whom it passes them on, and how.",
        since=2,
        limit=(0, MOST_COMMUNITIES),
        default=(),
    )

    no_export: bool = key(
        "Whether the peer keeps these scopes to itself, and no other network hears of them from it "
        "(RFC 1997, NO_EXPORT).",
        since=2,
        default=False,
    )
    withheld: bool = key(
        "Whether the peer does not hear of these scopes at all.", since=2, default=False
    )

    @property
    def sets(self) -> bool:
        """Whether the scopes have something on them."""
        return bool(self.prepend or self.med is not None or self.communities or self.no_export)

    @property
    def plain(self) -> bool:
        """Whether the scopes go out as they are."""
        return not self.sets and not self.withheld


def of_scope(entries: Iterable[Announcement], scope: Network) -> Announcement:
    """How `scope` goes out: as the entry says that names it, or else the one that names none."""
    return next(
        (
            one
            for names_it in (True, False)
            for one in entries
            if (scope in one.scopes if names_it else not one.scopes)
        ),
        Announcement(),
    )
