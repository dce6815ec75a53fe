"""The record of the network at PeeringDB: the body of ``POST /api/net`` (PeeringDB API
documentation, object "net").

Peers set their limits from `info_prefixes4` and `info_prefixes6`, and their filters from
`irr_as_set`, which names the registry because sets of the same name are in several.
"""

import json
from typing import Any

from firstboot.site.model import Site
from firstboot.site.paper.details import Details
from firstboot.site.paper.routing import remarks


def record(site: Site, details: Details) -> dict[str, Any]:
    return {
        "org_id": details.peeringdb,
        "name": site.operator.name,
        "asn": int(site.as_number),
        "website": site.operator.url,
        "irr_as_set": f"{details.form.source}::{details.as_set}",
        "info_types": ["Non-Profit"],
        "info_prefixes4": sum(scope.version == 4 for scope in site.scopes),
        "info_prefixes6": sum(scope.version == 6 for scope in site.scopes),
        "info_ratio": "Balanced",
        "info_scope": "Global",
        "info_unicast": True,
        "info_multicast": False,
        "info_ipv6": any(scope.version == 6 for scope in site.scopes),
        "info_never_via_route_servers": False,
        "policy_general": "Open",
        "policy_locations": "Not Required",
        "policy_ratio": False,
        "policy_contracts": "Not Required",
        "notes": "\n".join(remarks(site)),
    }


def text(site: Site, details: Details) -> str:
    return json.dumps(record(site, details), indent=2, ensure_ascii=False) + "\n"
