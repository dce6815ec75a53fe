"""Whether the scripts and accounts of packages may come into an image.

A script whose effects are known is held against the manifest of its package and against the
reviewed list; one that does anything else has to be in that list by its hash.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image.accounts import LOCKED, Accounts, Group, User
from image.packages.contents import Contents
from image.packages.manifest import Manifest
from image.packages.reviewed import NOLOGIN, Reviewed, ReviewedScript
from image.packages.scripts.effects import (
    AddGroup,
    AddMember,
    AddUser,
    CopySample,
    Effect,
    FindLibraries,
    MakeHome,
    NotUnderstood,
)
from image.packages.scripts.script import Script, scripts, shown

PORTS = range(50, 1000)
"""Numbers of users and groups that the ports tree assigns (its files UIDs and GIDs)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that is copied unless its copy exists. Paths are relative to the root."""

    source: str
    copy: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the build does in place of the scripts. `users` and `groups` are those that scripts add,
    by name."""

    samples: tuple[Sample, ...] = ()
    homes: tuple[MakeHome, ...] = ()
    users: tuple[AddUser, ...] = ()
    groups: tuple[AddGroup, ...] = ()


NOTHING_DONE = Outcome()


def review(reviewed: Document[Reviewed], packages: Iterable[Contents]) -> Outcome:
    """What the scripts of `packages` come to.

    Raises Refusal if any may not be left out. Standard error then has all of them: their texts, why
    they were not understood, and entries for the reviewed list.
    """
    known = {one.sha256: one for one in reviewed.value.scripts}
    outcome, wrong, unread = Outcome(), [], []
    for contents in packages:
        for script in scripts(contents):
            said = known.get(script.sha256)
            if said is not None:
                outcome = _with_samples(outcome, said)
                continue
            try:
                found = script.effects()
            except NotUnderstood as why:
                unread.append((contents.name, script, str(why)))
                continue
            wrong += [
                f"{contents.name}: {script.name}: {problem}"
                for problem in _against(found, contents, reviewed.value)
            ]
            outcome = _with_effects(outcome, found)
    wrong += _contradictions(outcome)
    if wrong or unread:
        raise _refused(reviewed.name, wrong, unread)
    return outcome


def _with_samples(outcome: Outcome, said: ReviewedScript) -> Outcome:
    samples = tuple(Sample(one, one.copy) for one in said.samples)
    return replace(outcome, samples=outcome.samples + samples)


def _with_effects(outcome: Outcome, found: Sequence[Effect]) -> Outcome:
    return Outcome(
        outcome.samples
        + tuple(
            Sample(one.source.lstrip("/"), one.target.lstrip("/"))
            for one in found
            if isinstance(one, CopySample)
        ),
        outcome.homes + tuple(one for one in found if isinstance(one, MakeHome)),
        outcome.users + tuple(one for one in found if isinstance(one, AddUser)),
        outcome.groups + tuple(one for one in found if isinstance(one, AddGroup)),
    )


def _against(found: Sequence[Effect], contents: Contents, reviewed: Reviewed) -> list[str]:
    """What speaks against the effects of a script."""
    package = contents.manifest.package
    files = {one.path for one in contents.manifest.files}
    wrong = []
    for one in found:
        match one:
            case AddGroup(name, gid):
                if name not in package.groups:
                    wrong.append(f"it adds the group '{name}', which the manifest does not name")
                wrong += _numbered("group", name, gid, reviewed.groups.get(name))
            case AddUser(name, uid, _, _, _, _):
                if name not in package.users:
                    wrong.append(f"it adds the user '{name}', which the manifest does not name")
                listed = reviewed.users.get(name)
                wrong += _numbered("user", name, uid, listed.uid if listed else None)
            case MakeHome(path, owner, _):
                if owner not in package.users:
                    wrong.append(f"it makes {path} for '{owner}', no user of the package")
            case CopySample(source, target):
                if source.lstrip("/") not in files:
                    wrong.append(f"it copies {source}, which is no file of the package")
                if not target.startswith("/usr/local/") or ".." in target.split("/"):
                    wrong.append(f"it copies a sample to {target}, outside of /usr/local")
            case AddMember(group, user):
                wrong.append(f"it makes the user '{user}' a member of the group '{group}'")
            case FindLibraries():
                pass
    return wrong


def _numbered(what: str, name: str, number: int, listed: int | None) -> list[str]:
    if listed is not None and number != listed:
        return [f"it gives the {what} '{name}' the number {number}; the reviewed one is {listed}"]
    if listed is None and number not in PORTS:
        return [
            f"it gives the {what} '{name}' the number {number}; "
            f"the ports tree assigns {PORTS.start} to {PORTS.stop - 1}"
        ]
    return []


def _contradictions(outcome: Outcome) -> list[str]:
    """Names to which two scripts give different numbers."""
    wrong, numbers = [], dict[tuple[str, str], int]()
    for what, name, number in [
        *(("user", one.name, one.uid) for one in outcome.users),
        *(("group", one.name, one.gid) for one in outcome.groups),
    ]:
        if numbers.setdefault((what, name), number) != number:
            wrong.append(f"the {what} '{name}' gets the numbers {numbers[what, name]} and {number}")
    return wrong


def unread_scripts(where: str, unread: Sequence[tuple[str, Script, str]]) -> Refusal:
    """Print the scripts `unread` on standard error, each with its package and why it was not
    understood, and entries for the reviewed list `where`. Return the refusal that names them."""
    return _refused(where, (), unread)


def _refused(
    where: str, wrong: Sequence[str], unread: Sequence[tuple[str, Script, str]]
) -> Refusal:
    once = {script.sha256: (package, script, why) for package, script, why in reversed(unread)}
    for package, script, why in reversed(once.values()):
        others = [one for one, same, _ in unread if same.sha256 == script.sha256 and one != package]
        also = f" (also in {', '.join(others)})" if others else ""
        print(f"{package}: {script.name}{also} {shown(why)}:\n{script}", file=sys.stderr)
    for line in wrong:
        print(line, file=sys.stderr)
    if once:
        print("Entries for 'scripts', to be completed after reading:", file=sys.stderr)
        for _, script, _ in reversed(once.values()):
            print(entry(script), end="", file=sys.stderr)
    counted = [
        f"{len(once)} package scripts that nobody has reviewed" if once else "",
        f"{len(wrong)} effects of package scripts that are not allowed" if wrong else "",
    ]
    names = [*dict.fromkeys(f"{package}: {script.name}" for package, script, _ in unread), *wrong]
    return Refusal(
        where,
        f"{' and '.join(one for one in counted if one)}: {'; '.join(names)}",
        "Read the scripts printed above, have the build or an overlay do what they do, and "
        "complete the entries printed above"
        if once
        else "Do without these packages, or correct the reviewed list",
    )


def entry(script: Script) -> str:
    """What to paste into the reviewed list for `script`."""
    return (
        f"  - package: {script.package}\n"
        f"    script: {script.name}\n"
        f"    sha256: {script.sha256}\n"
        "    reviewed:\n"
        "    instead:\n"
    )


def add_accounts(
    reviewed: Document[Reviewed],
    manifests: Iterable[Manifest],
    accounts: Accounts,
    outcome: Outcome = NOTHING_DONE,
) -> Accounts:
    """`accounts` with the users and groups of the packages, locked.

    Those of the base stay as they are. Others get what the reviewed list says, or else the number
    and home that their package's script gives. Raises Refusal naming all that have neither, and all
    whose number is taken.
    """
    users = {one.name: one for one in reversed(outcome.users)}
    groups = {one.name: one.gid for one in reversed(outcome.groups)}
    listed = reviewed.value
    wrong: list[str] = []
    for manifest in manifests:
        package = manifest.package
        added = [name for name in package.users if name not in accounts.users]
        primary = [listed.users[name].group for name in added if name in listed.users]
        for name in dict.fromkeys((*package.groups, *primary)):
            gid = listed.groups.get(name, groups.get(name))
            if name in accounts.groups:
                continue
            if gid is None:
                wrong.append(f"{package.full_name}: the group '{name}' has no number")
                continue
            try:
                accounts = accounts.with_group(Group(name, LOCKED, gid, ()))
            except ValueError as error:
                wrong.append(f"{package.full_name}: the group '{name}' cannot be added: {error}")
        for name in added:
            if name in listed.users:
                said = listed.users[name]
                if said.group not in accounts.groups:
                    continue
                gid = accounts.gid(said.group)
                user = User(
                    name, LOCKED, said.uid, gid, "", 0, 0, said.gecos, said.home, said.shell
                )
            elif name in users:
                one = users[name]
                user = User(name, LOCKED, one.uid, one.gid, "", 0, 0, one.gecos, one.home, NOLOGIN)
                if one.gid not in {group.gid for group in accounts.groups.values()}:
                    wrong.append(f"{package.full_name}: the user '{name}' has no group {one.gid}")
                    continue
            else:
                wrong.append(f"{package.full_name}: the user '{name}' has no number")
                continue
            try:
                accounts = accounts.with_user(user)
            except ValueError as error:
                wrong.append(f"{package.full_name}: the user '{name}' cannot be added: {error}")
    if wrong:
        raise Refusal(
            reviewed.name,
            "; ".join(wrong),
            "List them under 'users' and 'groups' with the numbers that the ports tree assigns",
        )
    return accounts
