"""Packages with scripts in the wordings that the ports framework has had over the years.

The wordings are those of Mk/Scripts/do-users-groups.sh (before it: bsd.port.mk),
Keywords/sample.ucl and Keywords/ldconfig.ucl of the ports tree. A package has all of its scripts
from one time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.image.packages.repository import Item, Made


class Time(Enum):
    """When a package was built."""

    SHELL = "2013: one line a command, @sample for sh"
    ROOTDIR = "2016: scripts that know PKG_ROOTDIR, @sample for sh with two arguments"
    PERCENT = "2019: @sample for Lua, arguments put into the text"
    WORDS = "2021: @sample for Lua, arguments split by a loop"
    NOW = "2024: @sample for Lua, arguments in arg"


@dataclass(frozen=True)
class Account:
    """A user, and a group of the same name and number."""

    name: str
    number: int
    gecos: str
    home: str = "/nonexistent"


@dataclass(frozen=True)
class Port:
    """What a port asks of the framework. `samples` are below /usr/local, `scripts` of rc(8)."""

    name: str
    version: str
    accounts: Sequence[Account] = ()
    samples: Sequence[str] = ()
    libraries: bool = False
    scripts: Sequence[str] = ()


TOR = Account("_tor", 256, "Tor anonymizing router", "/var/db/tor")
BGPD = Account("_bgpd", 130, "BGP Daemon", "/var/empty")
BGPLGD = Account("_bgplgd", 937, "bgplgd user")
RPKI = Account("_rpki-client", 270, "rpki-client user")
UNBOUND = Account("unbound", 59, "Unbound DNS Resolver")

PORTS = (
    Port("tor", "0.4.8.21", [TOR], ["etc/tor/torrc.sample"], scripts=["tor"]),
    Port("libevent", "2.1.12", libraries=True),
    Port("openbgpd8", "8.8", [BGPD, BGPLGD], ["etc/bgpd.conf.sample"],
         scripts=["openbgpd", "openbgplgd"]),
    Port("openbgpd9", "9.0", [BGPD, BGPLGD], ["etc/bgpd.conf.sample"],
         scripts=["openbgpd", "openbgplgd"]),
    Port("rpki-client", "9.6", [RPKI]),
    Port("rsync", "3.4.1", samples=["etc/rsync/rsyncd.conf.sample"], scripts=["rsyncd"]),
    Port("libretls", "3.8.1", libraries=True),
    Port("expat", "2.7.3", libraries=True),
    Port("libiconv", "1.17", libraries=True),
    Port("python311", "3.11.14", libraries=True),
    Port("pkg", "2.4.2", samples=["etc/pkg.conf.sample"]),
    Port("unbound", "1.24.1", [UNBOUND], ["etc/unbound/unbound.conf.sample"],
         scripts=["unbound"]),
)  # fmt: skip


def package(port: Port, time: Time) -> Made:
    """`port` as the framework of that time packages it."""
    items: dict[str, Item] = {f"/usr/local/{path}": Item(b"# a sample\n") for path in port.samples}
    items |= {
        f"/usr/local/etc/rc.d/{name}": Item(
            f'#!/bin/sh\nname={name}\nrcvar={name}_enable\n: ${{{name}_enable:="NO"}}\n'.encode(),
            0o555,
        )
        for name in port.scripts
    }
    items[f"/usr/local/share/{port.name}"] = Item(port.name.encode())
    shell: dict[str, str] = {}
    lua: dict[str, list[str]] = {}
    if port.accounts:
        shell["pre-install"] = users_and_groups(port.accounts, time)
        shell["post-deinstall"] = users_remain(port.accounts)
    after = [ldconfig(time)] if port.libraries else []
    if time in (Time.SHELL, Time.ROOTDIR):
        after += [shell_sample(path, time) for path in port.samples]
    else:
        lua["post-install"] = [lua_sample(path, time) for path in port.samples]
        lua["pre-deinstall"] = ["os.remove('anything')" for _ in port.samples]
    if after:
        shell["post-install"] = "".join(after)
    facts: Mapping[str, Any] = {
        "users": [one.name for one in port.accounts],
        "groups": [one.name for one in port.accounts],
    }
    full = {
        "scripts": {phase: escaped(text) for phase, text in shell.items()},
        "lua_scripts": {phase: texts for phase, texts in lua.items() if texts},
    }
    return Made(port.name, port.version, items, facts=facts, full=full)


def escaped(text: str) -> str:
    """A script for sh(1) as pkg writes it into a manifest. Those in Lua stand there as they are."""
    return text.replace("%", "%25")


def users_and_groups(accounts: Sequence[Account], time: Time) -> str:
    if time is Time.SHELL:
        return _one_line_each(accounts)
    lines = [*_find_pw(), 'echo "===> Creating groups."']
    for one in accounts:
        lines += [
            f"if ! ${{PW}} groupshow {one.name} >/dev/null 2>&1; then",
            f"  echo \"Creating group '{one.name}' with gid '{one.number}'.\"",
            f"  ${{PW}} groupadd {one.name} -g {one.number}",
        ]
        if time is not Time.ROOTDIR:
            lines += ["else", f"  echo \"Using existing group '{one.name}'.\""]
        lines.append("fi")
    lines.append(
        'echo "===> Creating users"' if time is Time.NOW else 'echo "===> Creating users."'
    )
    for one in accounts:
        lines += [
            f"if ! ${{PW}} usershow {one.name} >/dev/null 2>&1; then",
            f"  echo \"Creating user '{one.name}' with uid '{one.number}'.\"",
            f"  ${{PW}} useradd {one.name} -u {one.number} -g {one.number} {_class(time)} "
            f'-c "{one.gecos}" -d {one.home} -s /usr/sbin/nologin',
        ]
        if time is not Time.ROOTDIR:
            lines += ["else", f"  echo \"Using existing user '{one.name}'.\""]
        lines.append("fi")
        if one.home not in ("/nonexistent", "/var/empty"):
            lines += _home(one, time)
    return "\n".join(lines) + "\n"


def _class(time: Time) -> str:
    return "-L daemon" if time is Time.PERCENT else ""


def _find_pw() -> list[str]:
    return [
        'if [ -n "${PKG_ROOTDIR}" ] && [ "${PKG_ROOTDIR}" != "/" ]; then',
        '  PW="/usr/sbin/pw -R ${PKG_ROOTDIR}"',
        "else",
        "  PW=/usr/sbin/pw",
        "fi",
    ]


def _home(one: Account, time: Time) -> list[str]:
    if time is not Time.NOW:
        return [f"install -d -g {one.name} -o {one.name} {one.home}"]
    return [
        'echo "===> Creating homedir(s)"',
        'if [ -n "${PKG_ROOTDIR}" ] && [ "${PKG_ROOTDIR}" != "/" ]; then',
        f'  HOMEDIR="${{PKG_ROOTDIR}}/{one.home}"',
        '  MDBDIR="-N ${PKG_ROOTDIR}/etc/"',
        "else",
        f'  HOMEDIR="{one.home}"',
        '  MDBDIR=""',
        "fi",
        f"install ${{MDBDIR}} -d -g {one.name} -o {one.name} ${{HOMEDIR}}",
    ]


def _one_line_each(accounts: Sequence[Account]) -> str:
    lines = ['echo "===> Creating users and/or groups."']
    lines += [
        f"if ! /usr/sbin/pw groupshow {one.name} >/dev/null 2>&1; then "
        f"echo \"Creating group '{one.name}' with gid '{one.number}'.\"; "
        f"/usr/sbin/pw groupadd {one.name} -g {one.number}; "
        f"else echo \"Using existing group '{one.name}'.\"; fi"
        for one in accounts
    ]
    lines += [
        f"if ! /usr/sbin/pw usershow {one.name} >/dev/null 2>&1; then "
        f"echo \"Creating user '{one.name}' with uid '{one.number}'.\"; "
        f"/usr/sbin/pw useradd {one.name} -u {one.number} -g {one.number} "
        f'-c "{one.gecos}" -d {one.home} -s /usr/sbin/nologin; '
        f"else echo \"Using existing user '{one.name}'.\"; fi"
        for one in accounts
    ]
    return "\n".join(lines) + "\n"


def users_remain(accounts: Sequence[Account]) -> str:
    lines = _find_pw()
    for one in accounts:
        lines += [
            f"if ${{PW}} usershow {one.name} >/dev/null 2>&1; then",
            f'  echo "==> You should manually remove the \\"{one.name}\\" user. "',
            "fi",
        ]
    return "\n".join(lines) + "\n"


def ldconfig(time: Time) -> str:
    if time is Time.SHELL:
        return "/sbin/ldconfig -m /usr/local/lib\n"
    if time is Time.ROOTDIR:
        return "/usr/sbin/service ldconfig restart >/dev/null\n"
    return """\
	if ! /usr/sbin/service ldconfig restart >/dev/null; then
		if [ -z "${INSTALL_AS_USER}" ]; then
			exit 1
		fi
	fi
"""


def shell_sample(path: str, time: Time) -> str:
    if time is Time.SHELL:
        return f"""\
  case "{path}" in
  /*) sample_file="{path}" ;;
  *) sample_file="/usr/local/{path}" ;;
  esac
  target_file="${{sample_file%.sample}}"
  if ! [ -f "${{target_file}}" ]; then
    /bin/cp -p "${{sample_file}}" "${{target_file}}" && \\
      /bin/chmod u+w "${{target_file}}"
  fi
"""
    return f"""\
  case "{path}" in
  /*) sample_file="{path}" ;;
  *) sample_file="/usr/local/{path}" ;;
  esac
  target_file="${{sample_file%.sample}}"
  set -- {path}
  if [ $# -eq 2 ]; then
      target_file=${{2}}
  fi
  case "${{target_file}}" in
  /*) target_file="${{target_file}}" ;;
  *) target_file="/usr/local/${{target_file}}" ;;
  esac
  if ! [ -f "${{target_file}}" ]; then
    /bin/cp -p "${{sample_file}}" "${{target_file}}"
  fi
"""


def lua_sample(path: str, time: Time) -> str:
    copies = """\
  if not pkg.stat(target_file) then
    pkg.copy(sample_file, target_file)
  end
"""
    if time is Time.PERCENT:
        return f"""\
  sample_file = pkg.prefixed_path("{path}")
  if "1" == 2 then
    target_file = pkg.prefixed_path("{path}")
  else
    target_file = string.gsub(sample_file,'%.sample$', "")
  end
{copies}"""
    if time is Time.WORDS:
        return f"""\
  args = {{}}
  for arg in string.gmatch("{path}", "%S+") do
    table.insert(args, arg)
  end
  sample_file = pkg.prefixed_path(args[1])
  if args[2] == nil then
    target_file = string.gsub(sample_file,'%.sample$', "")
  else
    target_file = pkg.prefixed_path(args[2])
  end
{copies}"""
    return f"""\
-- args: {path}
  sample_file = pkg.prefixed_path(arg[1])
  if arg[2] == nil then
    target_file = string.gsub(sample_file,'%.sample$', "")
  else
    target_file = pkg.prefixed_path(arg[2])
  end
{copies}"""
