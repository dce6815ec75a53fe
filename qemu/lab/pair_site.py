"""The two sites of a pair: one operator, two boxes, a wire between them."""

from dataclasses import replace

from firstboot.core.refusal import Refusal
from firstboot.site.model import PeerRole, PortRole, Site
from qemu.lab.lab_site import Fitted, fitted
from qemu.lab.systems import System


def paired(one: Site, other: Site, system: System) -> tuple[Fitted, Fitted]:
    """Fit two sites into one lab. Raises Refusal if they are not of a pair."""
    for site, second in ((one, other), (other, one)):
        if site.twin is None or not any(port.role is PortRole.TWIN for port in site.ports):
            raise Refusal(
                "--site",
                "one of the two sites has no twin, so no wire leads to the other box",
                "Give both a port and a peer of the role twin",
            )
        here = {face.ip for port in site.ports for face in port.addresses}
        there = {*second.twin.addresses} if second.twin else set()
        if not there <= here:
            stray = ", ".join(map(str, sorted(map(str, there - here))))
            raise Refusal(
                "--site",
                f"a site says that its twin has {stray}, and the other site has no such address",
                "Give the two sites of one pair",
            )
    if (one.asn, {*one.scopes}) != (other.asn, {*other.scopes}):
        raise Refusal(
            "--site",
            "the two sites have other AS numbers or other scopes",
            "Give the two sites of one pair",
        )
    first, second_fit = (_signing(fitted(site, system.card), system) for site in (one, other))
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
