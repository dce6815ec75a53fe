"""The keys of a site that the wizard asks for on no first boot, each with the reason.

A site that has them keeps them, whatever is changed by the wizard. A key of neither a question nor
of this list is an oversight, which `tests/firstboot/wizard/test_every_key.py` tells.
"""

PAPERS = ("operator.country", "registry", "zones")
"""What papers alone need; a box takes no notice."""

UNASKED = {
    **dict.fromkeys(PAPERS, "papers need it, which are made at a desk"),
    "ports.reachable": "nobody reaches machines on a LAN at first; each is let in by an editor",
    "peers.announce": "scopes go out as they are; traffic is steered when it flows",
    "relays.policies": "what single relays let out is thought out at a desk",
    "relays.block": "nobody knows it on the first day; it grows with complaints",
    "relays.offline_keys": "the keys are made at a desk, before the box has a site",
    "management.monitoring": "a box is watched once it runs",
    "performance": "a new box is tuned by its profiles; a site that has it is asked about it",
    "alarm.mail.port": "submission suits nearly every relay",
    "alarm.mail.address": "the relay's name is enough while names resolve",
    "alarm.mail.certificate": "the authorities of the base suit nearly every relay",
    "alarm.mail.sender": "the first of those who are told will do",
    "alarm.webhook.address": "the server's name is enough while names resolve",
    "alarm.webhook.certificate": "the authorities of the base suit nearly every server",
}
"""By path, as `firstboot.core.keys.walk` has it, with all that is in it."""
