"""Forms of what only papers have."""

import pytest

from firstboot.site.check import Severity
from tests.firstboot.site.paper.sites import RIPE
from tests.firstboot.site.sites import found, says


@pytest.mark.parametrize(
    ("right", "wrong", "key", "reason"),
    [
        ("country: NL", "country: nl", "operator.country", "is not a country"),
        ("country: NL", "country: NLD", "operator.country", "is not a country"),
        ("EXAMPLE-ONION\n", "example onion\n", "registry.network", "is not a name of a network"),
        ("ORG-EOC1-RIPE", "ORG EOC1", "registry.organisation", "is not a handle"),
        ("EXAMPLE-ONION-MNT", "MNT-", "registry.maintainer", "is not a handle"),
        ("EOC2-RIPE", "a@example.org", "registry.contact", "is not a handle"),
        ("EOC3-RIPE", "EOC3.RIPE", "registry.abuse", "is not a handle"),
        ("holding: portable", "as_set: EXIT", "registry.as_set", "is not a name of an as-set"),
        ("holding: portable", "as_set: AS1:AS-X", "registry.as_set", "is not a name of an as-set"),
        ("99999", "0", "registry.peeringdb", "is not between"),
        ("ns1.example.org", "192.0.2.1", "zones.servers[0]", "is not the name of a server"),
        ("ns1.example.org", "ns1", "zones.servers[0]", "is not the name of a server"),
        ("ns1.example.org", "NS2.example.com.", "zones.servers[1]", "is listed twice"),
        ("ns1.example.org, ", "", "zones.servers", "one name server"),
        ("exit.example.net", "192.0.2.1", "zones.domain", "is not a domain"),
        ("exit.example.net", "exit", "zones.domain", "is not a domain"),
        (
            "exit.example.net",
            f"{'a.' * 5}{'b' * 63}.{'c' * 63}.{'d' * 63}",
            "zones.domain",
            "is not",
        ),
        ("exit.example.net", "Example.NET.", "zones.domain", "abuse@example.net takes mail"),
        (
            "exit.example.net",
            "example.net",
            "zones.domain",
            "https://example.net/exit is a",
        ),
        ("exit.example.net", "example.com", "zones.domain", "ns2.example.com serves the zones"),
        ("  domain:", "  serial: 0\n  domain:", "zones.serial", "is not between"),
    ],
)
def test_wrong_forms_are_errors(right: str, wrong: str, key: str, reason: str) -> None:
    assert says(found((right, wrong), of=RIPE), Severity.ERROR, key, reason)


def test_a_site_need_not_have_any_of_it() -> None:
    assert not found(
        (
            "    md5: EKpCMmMTM7gbv4W4jvLnhxnA       # make your own; no paper has it\n",
            "    md5: EKpCMmMTM7gbv4W4jvLnhxnB\n",
        ),
        of=RIPE,
    )
