"""Who may log in, and from where."""

import ipaddress
from pathlib import Path

from firstboot.core.document import Plain, quote
from firstboot.site.rules.ssh_key import SshKey
from firstboot.wizard.prompts import Lines, Words
from firstboot.wizard.question import Question, Section, Situation
from firstboot.wizard.terminal import Terminal

LARGEST = 1 << 16
"""The most bytes that are read of a file with keys on the stick."""

MOST_FILES = 50


def on_stick(folder: Path | None) -> dict[str, list[str]]:
    """Return the files with SSH public keys in `folder` (NAME.pub, authorized_keys), each with its
    keys.

    Files whose name begins with a dot are left out: a Mac keeps its own data about files in them.
    """
    found: dict[str, list[str]] = {}
    try:
        paths = sorted(folder.iterdir()) if folder else []
    except OSError:
        return {}
    for path in paths:
        named = path.suffix.lower() == ".pub" or path.name.lower().startswith("authorized_keys")
        if named and not path.name.startswith("."):
            keys = _keys(path)
            if keys and len(found) < MOST_FILES:
                found[path.name] = keys
    return found


def _keys(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode("ascii", "replace")
    except OSError:
        return []
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _from_stick(terminal: Terminal, situation: Situation) -> Plain:
    """Return the keys of those files on the stick that the person chooses."""
    files = on_stick(situation.machine.stick)
    if not files:
        terminal.refuse(
            "There is no file with keys on the stick. On any computer, put files NAME.pub into the "
            "top folder of its FAT partition, or paste the keys here."
        )
        return None
    names = list(files)
    for number, name in enumerate(names, 1):
        comments = ", ".join(_comment(key) for key in files[name])
        terminal.say(f"  {number:2} {name}: {comments}")
    typed = terminal.ask("Which of them (numbers, such as 1 2) [all]:").replace(",", " ").split()
    if typed == ["back"]:
        return None
    if any(not word.isdecimal() or not 1 <= int(word) <= len(names) for word in typed):
        terminal.refuse(f"Type numbers from 1 to {len(names)}, with spaces between them.")
        return None
    chosen = [names[int(word) - 1] for word in typed] or names
    return list(dict.fromkeys(key for name in chosen for key in files[name]))


def _comment(line: str) -> str:
    try:
        key = SshKey.parse(line)
    except ValueError:
        return f"no key: {quote(line[:30])}"
    return key.comment or key.kind


def _named_files(situation: Situation) -> str:
    names = list(on_stick(situation.machine.stick))
    more = " and more" if len(names) > 3 else ""
    found = f"Keys on the stick: {', '.join(names[:3])}{more}. Type stick to take them."
    return found if names else ""


def _port_networks(situation: Situation) -> Plain:
    """Propose the networks of the management port."""
    for at in range(situation.draft.count("ports")):
        addresses = situation.site("ports", at, "addresses")
        if situation.site("ports", at, "role") == "management" and isinstance(addresses, list):
            try:
                networks = [ipaddress.ip_interface(str(one)).network for one in addresses]
            except ValueError:
                return None
            return [str(network) for network in networks]
    return None


SECTION = Section(
    "management",
    "Management",
    "Administrators log in as root with SSH keys, through the management port, from the networks "
    "that you name. Passwords work at the console only.",
    (
        Question(
            ("management", "keys"),
            "SSH public keys",
            "Paste the line in each administrator's file NAME.pub, for at least two "
            "administrators, so that one of them can sleep. Type stick to read the keys from files "
            "NAME.pub in the stick's FAT partition. The keys that you give replace those that were "
            "there. ssh-keygen -t ed25519 makes a key.",
            hint="one a line; an empty line ends",
            example="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgI... ada@example.org",
            form=Lines(what="keys"),
            optional=True,
            above=_named_files,
            aids={"stick": _from_stick},
        ),
        Question(
            ("management", "networks"),
            "Networks that administrators come from",
            "Nobody can log in from elsewhere. Name the management port's own network, and those "
            "of your VPN or office.",
            hint="with spaces between them",
            example="192.0.2.192/27 2001:db8:f0::/48",
            form=Words(),
            optional=True,
            default=_port_networks,
        ),
    ),
)
