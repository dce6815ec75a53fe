"""The manual page exitisp(8) in mdoc(7), made from the declarations."""

from collections.abc import Iterator
from textwrap import wrap

from firstboot.box.commandline.declared import GROUPS, Command, Flag

PATH = "usr/local/share/man/man8/exitisp.8"
"""Where the image has it."""

DATE = "November 29, 2026"
"""The last change of what the page says, as mdoc(7) wants it."""

HEAD = f"""\
.\\" Made by ./exitisp docs from firstboot/box/commandline/declared.py.
.Dd {DATE}
.Dt EXITISP 8
.Os
.Sh NAME
.Nm exitisp
.Nd configure and run an exit ISP on one box
.Sh SYNOPSIS
.Nm
.Ar command
.Op Ar argument ...
.Nm
.Ar command
.Fl -help
.Nm
.Fl -version
.Sh DESCRIPTION
.Nm
turns one site file into the configuration of every daemon of this box, and
says whether the box does what the site says.
Each configuration is kept as a generation, so that the one before is one
command away.
.Pp
Ports towards other networks are up only while nothing could leak by them.
"""

TAIL = """\
.Sh FILES
.Bl -tag -width Ds
.It Pa /cfg/current
The generation that every boot runs.
.It Pa /cfg/generations
The last ten generations: a site file each, and what was rendered from it.
.It Pa /data
What relays and bgpd keep.
.It Pa /usr/local/share/exitisp/release.json
The release that this image is.
.El
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
The command has done what it was asked for.
.It 1
It has refused to, or something is not as it has to be.
The reason is a line on the standard error.
.It 2
The command line was not understood.
.It 130
The command was interrupted.
.El
"""

SEE_ALSO = """\
.Sh SEE ALSO
.Xr bgpctl 8 ,
.Xr pfctl 8 ,
.Xr service 8
"""


def page() -> str:
    """The page, as `PATH` has it."""
    return "".join([HEAD, *_commands(), TAIL, _examples(), SEE_ALSO])


def _commands() -> Iterator[str]:
    for group in GROUPS:
        yield f".Ss {_text(group.title)}\n"
        yield ".Bl -tag -width Ds\n"
        for command in group.commands:
            yield _item(command)
        yield ".El\n"


def _item(command: Command) -> str:
    flags = [f"Oo {_flag(flag)} Oc" for flag in command.flags]
    operands = [
        f"Oo Ar {one.name} Oc" if one.optional else f"Ar {one.name}" for one in command.operands
    ]
    lines = [" ".join([".It Cm", command.name, *flags, *operands])]
    lines += _sentences(f"{command.what[:1].upper()}{command.what[1:]}. {command.more}")
    for operand in command.operands:
        lines += [".Pp", f".Ar {operand.name} :", *_sentences(f"{operand.what}.")]
    for flag in command.flags:
        lines += [".Pp", f".{_flag(flag)} :", *_sentences(f"{flag.what}.")]
    return "".join(f"{line}\n" for line in lines)


def _flag(flag: Flag) -> str:
    value = f" Ar {flag.value}" if flag.value else ""
    return f"Fl -{flag.name.removeprefix('--')}{value}"


def _examples() -> str:
    lines = [".Sh EXAMPLES", ".Bd -literal -offset indent"]
    for group in GROUPS:
        lines += [_text(one.example) for one in group.commands if not one.for_rc]
    return "".join(f"{line}\n" for line in [*lines, ".Ed"])


def _sentences(text: str) -> Iterator[str]:
    """Each sentence on lines of its own, none longer than 80 bytes, as mdoc(7) asks for."""
    for sentence in text.split(". "):
        yield from map(_text, wrap(f"{sentence.removesuffix('.')}.", 76, break_on_hyphens=False))


def _text(text: str) -> str:
    """Text without what mdoc(7) takes for a request or an escape."""
    escaped = text.replace("\\", "\\e").replace("--", "\\-\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
