"""The rendered resolver and the site's own zones, as `./exitisp paper --sign` writes them: from the
root's key down to each of them by the DS records that the papers print."""

from dataclasses import replace

import pytest

from firstboot.core.values import Address
from firstboot.site import model as sites
from firstboot.site.address_plan import allot
from firstboot.site.paper.names import first_names, names
from tests.firstboot.site.paper.zone_judges import need
from tests.live import own_zones
from tests.live.appliance import UNBOUND, Answer, Unbound, for_linux
from tests.live.conftest import Worlds
from tests.live.own_zones import DOMAIN, V4, V6, Papers

FAILED = Answer("SERVFAIL", False, ())
AUTHENTICALLY_MISSING = Answer("NXDOMAIN", True, ())


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    need("dnssec-signzone", "bind9-utils")
    return Papers.write(tmp_path_factory.mktemp("papers"))


def resolver(worlds: Worlds, papers: Papers) -> Unbound:
    """The site's, with its configuration, in a world that serves the papers' zones."""
    surroundings = worlds.make(sites.load(papers.site).value)
    surroundings.raise_ports()
    folder = own_zones.serve(surroundings, papers)
    return Unbound.among(surroundings, for_linux(UNBOUND, folder, papers.site))


def one_bit(text: str, right: str, wrong: str) -> str:
    """`text` with the first `right` replaced, from which `wrong` differs in one bit."""
    pairs = zip(right.encode(), wrong.encode(), strict=True)
    assert sum((one ^ other).bit_count() for one, other in pairs) == 1
    assert right in text
    return text.replace(right, wrong, 1)


def reverse(address: Address, unbound: Unbound) -> Answer:
    return unbound.ask(address.reverse_pointer, kind="PTR")


@pytest.mark.xdist_group("live-dns")
class TestOwnZones:
    @pytest.fixture(scope="class")
    def unbound(self, worlds: Worlds, papers: Papers) -> Unbound:
        return resolver(worlds, papers)

    def test_every_name_is_authentic(self, unbound: Unbound, papers: Papers) -> None:
        site = sites.load(papers.site).value
        wanted: dict[tuple[str, str], set[str]] = {}
        for one in names(site):
            kind = {4: "A", 6: "AAAA"}[one.address.version]
            wanted.setdefault((one.label, kind), set()).add(str(one.address))
        assert len({kind for _, kind in wanted}) == 2
        for (label, kind), there in wanted.items():
            answer = unbound.ask(f"{label}.{DOMAIN}", kind=kind)
            assert (answer.rcode, answer.authentic, set(answer.data)) == ("NOERROR", True, there)

    def test_every_address_of_the_scopes_has_its_name_authentically(
        self, unbound: Unbound, papers: Papers
    ) -> None:
        site = sites.load(papers.site).value
        own = {
            address: label
            for address, label in first_names(site).items()
            if any(address in scope for scope in site.scopes)
        }
        assert set(allot(site).addresses) <= set(own)
        for address, label in own.items():
            name = f"{label}.{DOMAIN}."
            assert reverse(address, unbound) == Answer("NOERROR", True, (name,))

    @pytest.mark.parametrize(
        ("name", "kind"),
        [(f"www.{DOMAIN}", "A"), (f"200.{V4}", "PTR"), (f"1.{V6}", "PTR")],
    )
    def test_other_names_are_authentically_missing(
        self, unbound: Unbound, name: str, kind: str
    ) -> None:
        assert unbound.ask(name, kind=kind) == AUTHENTICALLY_MISSING


@pytest.mark.xdist_group("live-dns")
class TestOneChangedBit:
    """In a record of the domain, in one of the IPv4 addresses' zone, and in the DS record of that
    of the IPv6 addresses."""

    @pytest.fixture(scope="class")
    def unbound(self, worlds: Worlds, papers: Papers) -> Unbound:
        zones, ds = dict(papers.zones), dict(papers.ds)
        zones[DOMAIN] = one_bit(zones[DOMAIN], "11.230.7.12\n", "11.230.7.13\n")
        zones[V4] = one_bit(zones[V4], "tor-exit-1.", "tor-exit-0.")
        ds[V6] = f"{ds[V6][:-1]}{int(ds[V6][-1], 16) ^ 1:X}"
        return resolver(worlds, replace(papers, zones=zones, ds=ds))

    def test_a_changed_record_is_a_failure(self, unbound: Unbound, papers: Papers) -> None:
        exit_ = allot(sites.load(papers.site).value).relays[0].source
        assert exit_.v4 is not None
        assert unbound.ask(f"tor-exit-1.{DOMAIN}") == FAILED
        assert reverse(exit_.v4, unbound) == FAILED

    def test_the_other_records_of_the_same_zones_are_authentic(
        self, unbound: Unbound, papers: Papers
    ) -> None:
        """This shows that it is not the servers that fail."""
        exit_ = allot(sites.load(papers.site).value).relays[1].source
        assert exit_.v4 is not None
        assert unbound.ask(f"tor-exit-2.{DOMAIN}") == Answer("NOERROR", True, (str(exit_.v4),))
        name = f"tor-exit-2.{DOMAIN}."
        assert reverse(exit_.v4, unbound) == Answer("NOERROR", True, (name,))

    def test_with_a_changed_ds_record_nothing_of_the_zone_is_believed(
        self, unbound: Unbound, papers: Papers
    ) -> None:
        plan = allot(sites.load(papers.site).value)
        for address in (plan.relays[0].source.v6, plan.relays[1].source.v6, plan.router.v6):
            assert address is not None
            assert reverse(address, unbound) == FAILED
        assert unbound.ask(f"1.{V6}", kind="PTR") == FAILED
