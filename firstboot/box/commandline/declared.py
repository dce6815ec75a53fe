"""The commands of `exitisp` on the box: the one place for names, operands, options and examples.

The parser, the help, the manual page and the completion of shells are made from these.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a value is, which decides how it is parsed and completed."""

    FILE = "file"
    FOLDER = "folder"
    NUMBER = "number"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that stands alone. `name` is its name in messages, `words` are values with a meaning
    of their own."""

    name: str
    kind: Kind
    what: str
    optional: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """An option; with the name of a `value`, it takes a number."""

    name: str
    what: str
    value: str = ""

    @property
    def usage(self) -> str:
        return f"{self.name} {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class Command:
    """`what` says in a few words what the command does, `more` what else there is to know, in whole
    sentences. `example` is a command line that works as it stands. Commands `for_rc` are for rc(8)
    and not for people."""

    name: str
    what: str
    more: str
    example: str
    operands: tuple[Operand, ...] = ()
    flags: tuple[Flag, ...] = ()
    one_of: tuple[str, ...] = ()
    """Operands and options of which at most one can be given."""

    for_rc: bool = False

    @property
    def usage(self) -> str:
        """The command line in the notation of manual pages, without ``exitisp``."""
        flags = [f"[{flag.usage}]" for flag in self.flags]
        operands = [f"[{one.name}]" if one.optional else one.name for one in self.operands]
        return " ".join([self.name, *flags, *operands])


@dataclass(frozen=True, slots=True)
class Group:
    """Commands by what a person wants to do."""

    title: str
    commands: tuple[Command, ...]


REPORT = Operand(
    "REPORT",
    Kind.WORD,
    "incident for an exchange or a transit, month for yourself, transparency for everybody",
    words=("incident", "month", "transparency"),
)
WHEN = Operand(
    "WHEN", Kind.WORD, "the day of an incident: 2026-11-30; a month: 2026-11; a year", optional=True
)
PEER = Operand("PEER", Kind.WORD, "the name of the peer in the site")
ADDRESS = Operand("ADDRESS", Kind.WORD, "one of the own addresses")
SITE = Operand("FILE", Kind.FILE, "the site file")
SENT = Operand("FILE", Kind.FILE, "the site file; - is standard input", words=("-",))
CONFIRM = Flag(
    "--confirm",
    "go back unless exitisp confirm is typed in a new login within so many minutes; over SSH, 10 "
    "are the default",
    "MINUTES",
)
NO_CONFIRM = Flag("--no-confirm", "keep the change without that")

GROUPS = (
    Group(
        "Configure the box",
        (
            Command(
                "setup",
                "answer the questions of the first boot",
                "Both consoles of a box that is not configured start it by themselves. On a "
                "configured box it ends at once.",
                "exitisp setup",
            ),
            Command(
                "reconfigure",
                "answer the questions again, starting with the present answers",
                "Before anything changes, it shows what will. Leaving it keeps the answers for the "
                "next time.",
                "exitisp reconfigure",
            ),
            Command(
                "check",
                "say what is wrong with a site file",
                "It also says what the site asks of the machine, and warns if this one is smaller. "
                "Nothing changes. The exit status is 1 if the file has errors.",
                "exitisp check site.yaml",
                (SITE,),
            ),
            Command(
                "apply",
                "make a site file what this box runs",
                "The file is checked, rendered, judged by the daemons themselves, and kept as a "
                "new generation. If any of that fails, nothing has changed.",
                "exitisp apply site.yaml",
                (SENT,),
                (
                    Flag(
                        "--dry-run",
                        "say what would change and be interrupted, and leave all as it is",
                    ),
                    CONFIRM,
                    NO_CONFIRM,
                ),
                one_of=("--dry-run", "--confirm", "--no-confirm"),
            ),
            Command(
                "confirm",
                "keep a change that undoes itself otherwise",
                "It has to be typed in a login that is newer than the change: that shows that "
                "somebody can still log in.",
                "exitisp confirm",
            ),
        ),
    ),
    Group(
        "See what runs, and go back",
        (
            Command(
                "status",
                "say how this box is",
                "Lists services, and the conditions for the transit and exchange ports. The exit "
                "status is 1 if something is not as it has to be.",
                "exitisp status",
                one_of=("--explain", "--json"),
                flags=(
                    Flag(
                        "--explain",
                        "print what passes each port and each BGP session too, and by which line",
                    ),
                    Flag("--json", "print a JSON document in place of lines"),
                ),
            ),
            Command(
                "top",
                "show how this box is, again and again, until q is typed",
                "What is wrong comes first, then what the ports carry, then all else of status. It "
                "works on a serial line and on a terminal that can do nothing.",
                "exitisp top",
                flags=(Flag("--every", "look again after so many seconds", "SECONDS"),),
            ),
            Command(
                "watch",
                "say who is told when something is wrong, and what they were told",
                "Once a minute, the box compares what status finds with what was told before. With "
                "--test, it sends a sentence by each way, and says what came of it.",
                "exitisp watch --test",
                flags=(Flag("--test", "send a test to everybody who is told"),),
            ),
            Command(
                "metrics",
                "print what the box counts, for Prometheus",
                "Relays, resolver, sessions, packet filter, interfaces, disks and clock, in "
                "Prometheus's text format. Nothing in it is about users.",
                "exitisp metrics",
            ),
            Command(
                "report",
                "print a report from the journal of this box",
                "Without WHEN, it is about the last incident or this month. That on an incident "
                "says what left or was stopped, when, by which layer, and what changed before. The "
                "journal's chain and signature are verified; the exit status is 1 if it is not "
                "whole.",
                "exitisp report incident > incident.txt",
                (REPORT, WHEN),
                (Flag("--html", "print a page of HTML in place of text"),),
            ),
            Command(
                "abuse",
                "count a complaint or a request of an authority, for the transparency report",
                "It adds one to the category in this month, and keeps nothing else. Complaints: "
                "login, scan, spam, copyright, web, flood, malware, fraud, other. Requests: asked, "
                "answered (data of users was handed over), seized.",
                "exitisp abuse count copyright",
                (
                    Operand("count", Kind.WORD, "the word count", words=("count",)),
                    Operand("CATEGORY", Kind.WORD, "what it was about"),
                ),
            ),
            Command(
                "show",
                "print the present site, its secrets masked",
                "The output is a site file, apart from the secrets.",
                "exitisp show | less",
            ),
            Command(
                "diff",
                "print what differs from another generation or a site file",
                "Without an operand, the other one is the generation before the running one. "
                "Secrets are masked.",
                "exitisp diff 3",
                (
                    Operand(
                        "OTHER",
                        Kind.FILE,
                        "the number of a generation, or a site file; - is standard input",
                        optional=True,
                    ),
                ),
            ),
            Command(
                "rollback",
                "run an earlier generation, or restart into the other slot",
                "Without an operand, it runs what ran before and was well: not what was rendered "
                "anew, failed, broke off or was rolled back. With --slot, the other slot's system "
                "is tried once, as after an upgrade.",
                "exitisp rollback",
                (Operand("NUMBER", Kind.NUMBER, "the number of a generation", optional=True),),
                (Flag("--slot", "restart into the system in the other slot"), CONFIRM, NO_CONFIRM),
                one_of=("NUMBER", "--slot"),
            ),
            Command(
                "history",
                "print what this box ran: when, what changed, who did it, how it ended",
                "The last hundred changes, the oldest first. Of a login over SSH it prints the "
                "comment of the key.",
                "exitisp history",
            ),
        ),
    ),
    Group(
        "Work on links",
        (
            Command(
                "drain",
                "let traffic go around a peer before work on its link",
                "The sessions stay up. After a restart of the box, nobody is drained.",
                "exitisp drain upstream-a",
                (PEER,),
                (Flag("--for", "let it come back by itself after so many minutes", "MINUTES"),),
            ),
            Command(
                "undrain",
                "let traffic come back to a peer",
                "It undoes drain.",
                "exitisp undrain upstream-a",
                (PEER,),
            ),
            Command(
                "blackhole",
                "have transits drop what goes to an address that is flooded",
                "Those are asked whose entry in the site names a community for it. The address "
                "cannot be reached by them meanwhile; everything else can. It ends by itself, "
                "after two hours if you do not say when, and with a restart of the box.",
                "exitisp blackhole --for 60 198.51.100.11",
                (ADDRESS,),
                (Flag("--for", "end it after so many minutes", "MINUTES"),),
            ),
            Command(
                "unblackhole",
                "have an address reached again",
                "It undoes blackhole.",
                "exitisp unblackhole 198.51.100.11",
                (ADDRESS,),
            ),
            Command(
                "raise",
                "raise the transit and exchange ports if nothing can leak",
                "Every boot does this. If a condition does not hold, the ports stay down or go "
                "down, and each such condition is told.",
                "exitisp raise",
            ),
        ),
    ),
    Group(
        "Upgrade the system",
        (
            Command(
                "upgrade",
                "verify another system, and restart into it",
                "The upgrade goes into the slot that does not run. The box restarts into it once, "
                "and keeps it if everything that worked before works again.",
                "exitisp upgrade exitisp-2026.12.upgrade",
                (Operand("FILE|URL", Kind.FILE, "exitisp-VERSION.upgrade, or its https address"),),
            ),
            Command(
                "slots",
                "say which system each slot holds",
                "It tells version, base and state of both.",
                "exitisp slots",
            ),
        ),
    ),
    Group(
        "Keep what makes this box, and move it",
        (
            Command(
                "family",
                "say who the relays are, and move the secret of their family",
                "It prints the fingerprints of the relays and the names of the family keys. With "
                "--rsa or --ed25519 it prints what proof:uri-rsa in a contact asks for.",
                "exitisp family",
                flags=(
                    Flag("--rsa", "print the file rsa-fingerprint.txt for your web site"),
                    Flag("--ed25519", "print the file ed25519-master-pubkey.txt for it"),
                    Flag("--export", "write the family key to standard output"),
                    Flag("--import", "take a family key from standard input"),
                ),
                one_of=("--rsa", "--ed25519", "--export", "--import"),
            ),
            Command(
                "relay-keys",
                "say how long relays may sign, or take new signing keys",
                "For relays whose master keys are kept at a desk (relays.offline_keys). They take "
                "the keys without a restart.",
                "exitisp relay-keys",
                (
                    Operand(
                        "FILE",
                        Kind.FILE,
                        "box.relay-keys, which ./exitisp relay-keys makes; - is standard input",
                        optional=True,
                        words=("-",),
                    ),
                ),
            ),
            Command(
                "backup",
                "write a backup, encrypted with a passphrase",
                "It has the site, root's password and the keys of the box and its relays. The "
                "passphrase is asked for, or is the first line of a standard input that is not a "
                "terminal.",
                "exitisp backup stick",
                (
                    Operand(
                        "FILE",
                        Kind.FILE,
                        "the file; - is standard output, stick a USB stick labelled EXITISP",
                        words=("stick", "-"),
                    ),
                ),
            ),
            Command(
                "restore",
                "make this new box the one that a backup is of",
                "It asks for the passphrase and for the network card of each port, then configures "
                "the box. Switch the old box off first.",
                "exitisp restore exitisp-1.backup",
                (Operand("FILE", Kind.FILE, "what exitisp backup wrote"),),
            ),
        ),
    ),
    Group(
        "For rc(8)",
        (
            Command(
                "boot",
                "render the site anew with this image",
                "rc.d/exitisp_site runs it at the first boot of another image.",
                "exitisp boot",
                for_rc=True,
            ),
            Command(
                "tend",
                "lower the ports if something could leak, and restart what died",
                "init(8) has libexec/exitisp/tend run it once a minute.",
                "exitisp tend",
                for_rc=True,
            ),
            Command(
                "settle",
                "undo a change that was not confirmed in time, or broke something",
                "rc.d/exitisp_site runs it before a boot lays the configuration, and the box once "
                "a minute.",
                "exitisp settle",
                for_rc=True,
            ),
            Command(
                "keep",
                "keep the running slot once the box does what it did before",
                "rc.d/exitisp_trial runs it at every boot.",
                "exitisp keep",
                for_rc=True,
            ),
            Command(
                "bootcode",
                "renew the boot programs of the disk from the running system",
                "rc.d/exitisp_trial runs it once a release is confirmed.",
                "exitisp bootcode",
                for_rc=True,
            ),
            Command(
                "unattended",
                "take the site file in a folder",
                "rc.d/exitisp_site runs it when there is a site file on the FAT partition.",
                "exitisp unattended /var/run/exitisp/stick",
                (Operand("FOLDER", Kind.FOLDER, "the folder with site.yaml"),),
                (Flag("--finish", "remove the file: the box has taken it"),),
                for_rc=True,
            ),
        ),
    ),
)

COMMANDS = {command.name: command for group in GROUPS for command in group.commands}
