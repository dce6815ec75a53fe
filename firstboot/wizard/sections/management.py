"""Who may log in, and from where."""

import ipaddress
from pathlib import Path

from firstboot.core.document import Plain, quote
from firstboot.site.rules.ssh_key import SshKey
from firstboot.wizard.line_editor import shown
from firstboot.wizard.prompts import Lines, Words
from firstboot.wizard.question import Question, Section, Situation
from firstboot.wizard.terminal import Terminal

LARGEST = 1 << 16
"""Bytes of a file with keys on the stick."""

MOST_FILES = 50


def on_stick(folder: Path | None) -> dict[str, list[str]]:
    """The files with SSH public keys in `folder`, and their keys: NAME.pub, authorized_keys.

    Those that begin with a dot are a Mac's notes about files."""
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
    """The keys in those files on the stick that a person names."""
    files = on_stick(situation.machine.stick)
    if not files:
        terminal.say("  There is no file with keys on the stick. Put NAME.pub files into the top")
        terminal.say("  folder of its FAT partition, on any computer, or paste the keys here.")
        return None
    names = list(files)
    for number, name in enumerate(names, 1):
        comments = ", ".join(_comment(key) for key in files[name])
        terminal.say(f"  {number:2} {name}: {comments}")
    typed = terminal.ask("Which of them, by number [all]:", shown).replace(",", " ").split()
    if any(not word.isdecimal() or not 1 <= int(word) <= len(names) for word in typed):
        terminal.say(f"  Numbers from 1 to {len(names)}, with spaces between.")
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
    return f"On the stick: {', '.join(names[:3])}{more}. To take them, type stick." if names else ""


def _port_networks(situation: Situation) -> Plain:
    """The networks of the management port."""
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
    "Administrators log in with SSH keys, as root, from the management port and from the networks "
    "that you name; passwords are for the console alone.",
    (
        Question(
            ("management", "keys"),
            "SSH public keys, pasted, one a line; an empty line ends",
            "The line of each administrator's file NAME.pub, of two administrators at least, so "
            "that one can sleep. With stick, they are read from files NAME.pub in the stick's FAT "
            "partition. What is given replaces all that was there. ssh-keygen -t ed25519 makes a "
            "key.\n"
            "Example: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgIxCHb... ada@example.org",
            form=Lines(what="keys"),
            optional=True,
            above=_named_files,
            aids={"stick": _from_stick},
        ),
        Question(
            ("management", "networks"),
            "Networks that administrators come from",
            "Nobody else is let in: the management port's own network, a VPN's, your office's.\n"
            "Example: 192.0.2.192/27 2001:db8:f0::/48",
            form=Words(),
            optional=True,
            default=_port_networks,
        ),
    ),
)
