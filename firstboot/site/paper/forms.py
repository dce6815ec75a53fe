"""What differs between the registries: which objects an operator writes there, and in which words.

- RIPE Database documentation; the same classes at APNIC ("Object Template" of each class) and
  AFRINIC, with their own words for `status:` and for who takes complaints.
- ARIN: numbers are no RPSL objects there, so public comments take the place of remarks, and reverse
  zones are delegated in ARIN Online (Reg-RWS).
- LACNIC: aut-num, route and route6 follow from the ROAs; the operator writes the as-set ("What is
  IRR and how to start using IRR from MiLACNIC"). Reverse zones are delegated in MiLACNIC.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from firstboot.site.model import Holding, Rir


@dataclass(frozen=True)
class Form:
    """`source` is the name of the registry's database. `policy`: whether the operator writes
    aut-num, route and route6. `statuses` are those of IPv4 and of IPv6, by how prefixes are held;
    there are none where inetnum, inet6num and domain are no objects. `abuse` is the attribute that
    names who takes complaints."""

    source: str
    policy: bool = True
    statuses: Mapping[Holding, tuple[str, str]] | None = None
    abuse: str = "abuse-c"


FORMS: Mapping[Rir, Form] = {
    Rir.RIPE: Form(
        "RIPE",
        statuses={
            Holding.PORTABLE: ("ASSIGNED PI", "ASSIGNED PI"),
            Holding.ALLOCATED: ("ALLOCATED PA", "ALLOCATED-BY-RIR"),
            Holding.MEMBER: ("ASSIGNED PA", "ASSIGNED"),
        },
    ),
    Rir.ARIN: Form("ARIN"),
    Rir.APNIC: Form(
        "APNIC",
        statuses={
            Holding.PORTABLE: ("ASSIGNED PORTABLE", "ASSIGNED PORTABLE"),
            Holding.ALLOCATED: ("ALLOCATED PORTABLE", "ALLOCATED PORTABLE"),
            Holding.MEMBER: ("ASSIGNED NON-PORTABLE", "ASSIGNED NON-PORTABLE"),
        },
        abuse="mnt-irt",
    ),
    Rir.LACNIC: Form("LACNIC", policy=False),
    Rir.AFRINIC: Form(
        "AFRINIC",
        statuses={
            Holding.PORTABLE: ("ASSIGNED PI", "ASSIGNED PI"),
            Holding.ALLOCATED: ("ALLOCATED PA", "ALLOCATED-BY-RIR"),
            Holding.MEMBER: ("ASSIGNED PA", "ASSIGNED PA"),
        },
        abuse="mnt-irt",
    ),
}
