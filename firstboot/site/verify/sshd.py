"""Logging in: from the management port alone, with keys alone (sshd_config(5))."""

from collections.abc import Iterator

from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import address_of, numbered
from firstboot.site.verify.context import Context, Flaw

REQUIRED = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
}


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    roles = context.roles
    options: dict[str, str] = {}
    listeners = 0
    for line, said in numbered(file.text):
        key, _, value = (part.strip() for part in said.partition(" "))
        options.setdefault(key.lower(), value.lower())
        if key.lower() == "listenaddress":
            listeners += 1
            place = value.rpartition(":")[0] if value.startswith("[") and "]:" in value else value
            if address_of(place) not in roles.management:
                yield Flaw(file.path, line, f"{value} is not the address of a management port")
        if key.lower() == "permitrootlogin" and value.lower() == "yes":
            yield Flaw(file.path, line, "root could log in with a password")
    if roles.management and not listeners:
        yield Flaw(file.path, 1, "no ListenAddress: it would listen on every port")
    for key, value in REQUIRED.items():
        if options.get(key) != value:
            yield Flaw(file.path, 1, f"{key} has to be '{value}', and is {options.get(key)!r}")
