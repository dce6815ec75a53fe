"""The two sites of a pair: one operator, two boxes, a wire between them."""

from dataclasses import replace

from firstboot.core.refusal import Refusal
from firstboot.site.model import PeerRole, Site
from firstboot.site.rules.finding import Severity
from firstboot.site.rules.pair import check_pair
from qemu.lab.lab_site import Fitted, fitted
from qemu.lab.systems import System


def paired(one: Site, other: Site, system: System) -> tuple[Fitted, Fitted]:
    """Fit two sites into one lab. Raises Refusal if they are not of a pair."""
    for site, second in ((one, other), (other, one)):
        for found in check_pair(site, second, "the other site"):
            if found.severity is Severity.ERROR:
                raise Refusal("--site", f"the two sites are no pair: {found.reason}", found.remedy)
    fits = (fitted(site, system.card, bundles=True) for site in (one, other))
    first, second_fit = (_signing(fit, system) for fit in fits)
    return first, second_fit.then(
        replace(
            second_fit.site,
            clock=replace(second_fit.site.clock, servers=first.site.clock.servers),
        ),
        "It asks the time servers of the other site, because the simulated DNS has their names.",
    )


def alone(site: Site) -> None:
    """Raises Refusal for a site that is one of two."""
    if site.twin is not None:
        raise Refusal(
            "--site",
            f"this box has a twin, {site.twin.name}, and a lab of one box has none",
            "Give the other site too: --site A --site B",
        )


def _signing(fit: Fitted, system: System) -> Fitted:
    """Leave the secret between the boxes out where they could not speak with one."""
    if system.answers_signed:
        return fit
    peers = (
        replace(peer, md5=None) if peer.role is PeerRole.TWIN else peer for peer in fit.site.peers
    )
    return fit.then(
        replace(fit.site, peers=tuple(peers)),
        "The session between the boxes has no secret: the OpenBGPD of a rehearsal answers none "
        "that signs.",
    )
