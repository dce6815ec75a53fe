"""A secret in the wrong place of a site file is in no message: those end up in tickets and logs."""

import pytest

from firstboot.site.check import examine_text, sentences
from tests.firstboot.box.box import altered

SECRET = "Zq8Lw3VtRk5Hy2Pn"

PLACES = (
    ("md5: EKpCMmMTM7gbv4W4jvLnhxnA", f"secret: {SECRET}"),
    ("md5: EKpCMmMTM7gbv4W4jvLnhxnA", f"{SECRET}: md5"),
    ("md5: EKpCMmMTM7gbv4W4jvLnhxnA", f"md5: [{SECRET}, x]"),
    ("asn: 65550", f"asn: {SECRET}"),
    ("asn: 65550", f"asn: [{SECRET}]"),
    ("asn: 65550", f"{SECRET}: 65550"),
    ("role: exchange", f"role: {SECRET}"),
    ("vlan: 1203", f"vlan: {SECRET}"),
    ("- 198.51.100.0/24", f"- {SECRET}"),
    ("- 198.51.100.0/24", f"- key: {SECRET}"),
    ("addresses: [203.0.113.20, 2001:db8:200::20]", f"addresses: {SECRET}"),
    ("networks: [192.0.2.192/27]", f"networks: {SECRET}"),
    ("documentation: An", f"{SECRET}: An"),
)


@pytest.mark.parametrize(("old", "new"), PLACES, ids=[new for _, new in PLACES])
def test_a_secret_under_a_wrong_key_is_not_shown(old: str, new: str) -> None:
    examined = examine_text(altered((old, new)), "site.yaml")
    assert examined.findings
    assert SECRET not in "".join(sentences(examined))
