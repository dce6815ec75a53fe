"""What nobody has read stops the build."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image.accounts import Accounts
from image.packages import reviewed
from image.packages.contents import unpack
from image.packages.manifest import Manifest, parse_manifest
from image.packages.review import NOTHING_DONE, Sample, add_accounts, review
from image.packages.reviewed import Reviewed, check_set_id
from image.packages.scripts.script import Script
from tests import sets
from tests.command import ROOT
from tests.image.packages.fixtures import FIXTURE_NAMES, FIXTURES, needs_fixtures
from tests.image.packages.given import fixture, unpacked
from tests.image.packages.repository import Item, Made, compact
from tests.image.packages.scripts.framework import (
    PORTS,
    Account,
    Port,
    Time,
    escaped,
    package,
    users_and_groups,
)

BASE = Accounts.parse(sets.MASTER_PASSWD, sets.GROUP)
SHELL = "#!/bin/sh\nrm -rf /\n"
SAMPLE = Sample("usr/local/etc/tool.conf.sample", "usr/local/etc/tool.conf")
LUA = "os.remove('/etc')"

PACKAGES = f"""\
groups: {{_tool: 900, more: 901}}
users:
  _tool: {{uid: 900, group: _tool, gecos: A tool, home: /var/db/tool}}
  unbound: {{uid: 9, group: more, gecos: not the one of base}}
scripts:
  - package: tool
    script: post-install.sh
    sha256: {hashlib.sha256(SHELL.encode()).hexdigest()}
    reviewed: Removes everything.
    instead: Nothing.
  - package: tool
    script: pre-install.lua
    sha256: {hashlib.sha256(LUA.encode()).hexdigest()}
    reviewed: Removes a part.
    instead: The build copies a file.
    samples: [usr/local/etc/tool.conf.sample]
setuid:
  - {{package: tool, path: usr/local/bin/tool, mode: "4555", reason: it must}}
"""


def parse(folder: Path, text: str = PACKAGES) -> Document[Reviewed]:
    (folder / "packages.yaml").write_text(text)
    return reviewed.load(folder / "packages.yaml")


def manifest(**facts: object) -> Manifest:
    return parse_manifest(compact(Made("tool", full=facts).manifest()), "tool")


class TestScripts:
    def test_those_that_were_read_pass(self, tmp_path: Path) -> None:
        facts = {"scripts": {"post-install": SHELL}, "lua_scripts": {"pre-install": [LUA]}}
        found = review(parse(tmp_path), [unpacked(tmp_path, Made("tool", full=facts))])
        assert found.samples == (
            Sample("usr/local/etc/tool.conf.sample", "usr/local/etc/tool.conf"),
        )

    @pytest.mark.parametrize("name", ["tool", "other"])
    @pytest.mark.parametrize("phase", ["pre-install", "install", "post-install"])
    def test_a_review_holds_for_every_package_with_the_same_text(
        self, tmp_path: Path, name: str, phase: str
    ) -> None:
        made = Made(name, full={"scripts": {phase: SHELL}})
        assert review(parse(tmp_path), [unpacked(tmp_path, made)]) == NOTHING_DONE

    @pytest.mark.parametrize("phase", ["pre-deinstall", "deinstall", "post-deinstall"])
    def test_what_runs_when_a_package_is_removed_needs_no_review(
        self, tmp_path: Path, phase: str
    ) -> None:
        facts = {"scripts": {phase: "rm -rf /"}, "lua_scripts": {phase: ["os.remove('/')"]}}
        made = Made("tool", full=facts)
        assert review(reviewed.NOTHING, [unpacked(tmp_path, made)]) == NOTHING_DONE

    @pytest.mark.parametrize(
        ("facts", "name"),
        [
            ({"scripts": {"post-install": SHELL + "\n"}}, "post-install.sh"),
            ({"lua_scripts": {"pre-install": [LUA, SHELL + LUA]}}, "pre-install.lua"),
            ({"lua_scripts": {"post-install": ["x()"]}}, "post-install.lua"),
        ],
    )
    def test_any_other_stops_the_build_and_is_printed(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        facts: dict[str, object],
        name: str,
    ) -> None:
        with pytest.raises(
            Refusal, match=rf"packages.yaml: 1 package scripts that nobody .*: tool-1\.0: {name}\."
        ):
            review(parse(tmp_path), [unpacked(tmp_path, Made("tool", full=facts))])
        assert f"tool-1.0: {name} " in capsys.readouterr().err

    @pytest.mark.parametrize("folder", ["/usr/local/share/pkg/triggers", "/usr/share/pkg/triggers"])
    def test_a_trigger_is_a_script(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
    ) -> None:
        items = {f"{folder}/tool.ucl": Item(b"exec: {script: x}"), f"{folder}/a": Item(b"")}
        with pytest.raises(Refusal, match=r"tool-1\.0: tool\.ucl\."):
            review(parse(tmp_path), [unpacked(tmp_path, Made("tool", items=items))])
        assert "    exec: {script: x}\n" in capsys.readouterr().err

    def test_all_that_were_not_read_are_printed_once_with_entries_to_paste(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        same = {"scripts": {"install": "run%09a", "post-install": "run b%1b[2J%ff"}}
        packages = [unpacked(tmp_path, Made(name, full=same)) for name in ("tool", "other")]
        with pytest.raises(Refusal) as refused:
            review(parse(tmp_path), packages)
        for name in ("tool", "other"):
            assert f"{name}-1.0: install.sh; {name}-1.0: post-install.sh" in str(refused.value)
        told = capsys.readouterr().err
        assert told.count("    run     a\n") == 1
        assert "tool-1.0: install.sh (also in other-1.0) runs" in told
        assert "    run b\\x1b[2J\\xff\n" in told
        entries = told.partition("Entries for 'scripts'")[2].partition("\n")[2]
        listed = parse(
            tmp_path,
            "scripts:\n"
            + entries.replace("reviewed:", "reviewed: x").replace("instead:", "instead: y"),
        )
        assert review(listed, packages) == NOTHING_DONE

    @given(st.text())
    def test_nothing_in_a_printed_script_acts_on_a_terminal(self, text: str) -> None:
        assert all(char.isprintable() or char == "\n" for char in str(Script("a", "b", text)))


class TestEffects:
    """Scripts that are understood are held against the manifest and the reviewed list."""

    @pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
    @pytest.mark.parametrize("time", Time, ids=lambda time: time.name)
    def test_packages_as_the_framework_makes_them_need_no_review(
        self, tmp_path: Path, port: Port, time: Time
    ) -> None:
        listed = reviewed.load(ROOT / "overlays" / "packages.yaml")
        contents = unpacked(tmp_path, package(port, time))
        found = review(replace(listed, value=replace(listed.value, scripts=())), [contents])
        assert [one.source for one in found.samples] == [
            f"usr/local/{path}" for path in port.samples
        ]
        accounts = add_accounts(listed, [contents.manifest], BASE, found)
        for one in port.accounts:
            user, group = accounts.users[one.name], accounts.groups[one.name]
            assert (user.uid, group.gid, user.password) == (one.number, one.number, "*")
            assert user.shell == "/usr/sbin/nologin"

    @pytest.mark.parametrize(
        ("account", "named", "message"),
        [
            (Account("_more", 600, ""), [], "adds the group '_more', which the manifest does not"),
            (Account("_more", 600, ""), ["_more"], ""),
            (
                Account("_more", 49, ""),
                ["_more"],
                "the number 49; the ports tree assigns 50 to",
            ),
            (Account("_more", 1000, ""), ["_more"], "the number 1000; the ports tree"),
            (Account("_tool", 901, ""), ["_tool"], "the number 901; the reviewed one is 900"),
        ],
    )
    def test_accounts_that_come_along(
        self, tmp_path: Path, account: Account, named: list[str], message: str
    ) -> None:
        facts = {"users": named, "groups": named}
        full = {"scripts": {"pre-install": escaped(users_and_groups([account], Time.NOW))}}
        contents = unpacked(tmp_path, Made("tool", facts=facts, full=full))
        if message:
            with pytest.raises(Refusal, match=message):
                review(parse(tmp_path), [contents])
        else:
            found = review(parse(tmp_path), [contents])
            accounts = add_accounts(parse(tmp_path), [contents.manifest], BASE, found)
            assert accounts.uid("_more") == accounts.gid("_more") == 600

    def test_a_number_that_somebody_else_has_is_refused(self, tmp_path: Path) -> None:
        account = Account("_more", 59, "")
        full = {"scripts": {"pre-install": escaped(users_and_groups([account], Time.NOW))}}
        facts = {"users": ["_more"], "groups": ["_more"]}
        contents = unpacked(tmp_path, Made("tool", facts=facts, full=full))
        found = review(parse(tmp_path), [contents])
        with pytest.raises(Refusal, match="user '_more' cannot be added: the user unbound has"):
            add_accounts(parse(tmp_path), [contents.manifest], BASE, found)

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            (
                "cp -p /etc/master.passwd /usr/local/x",
                "copies /etc/master.passwd, which is no",
            ),
            ("cp -p /usr/local/a.sample /etc/rc", "copies a sample to /etc/rc, outside"),
            ("cp -p /usr/local/a.sample /usr/local/../../etc/rc", "outside of /usr/local"),
            ("install -d -g wheel -o root /var/x", "makes /var/x for 'root', no user of"),
            ("pw groupmod wheel -m _tool", "makes the user '_tool' a member of the group 'wheel'"),
        ],
    )
    def test_effects_that_are_not_allowed(self, tmp_path: Path, script: str, message: str) -> None:
        items = {"/usr/local/a.sample": Item(b"")}
        made = Made("tool", items=items, full={"scripts": {"post-install": script}})
        with pytest.raises(Refusal, match=message):
            review(parse(tmp_path), [unpacked(tmp_path, made)])

    def test_all_findings_are_told_at_once(self, tmp_path: Path) -> None:
        scripts = {
            "pre-install": "cp -p /etc/a /usr/local/a\npw groupadd other -g 5",
            "post-install": "something unknown",
        }
        made = Made("tool", full={"scripts": scripts})
        with pytest.raises(Refusal) as refused:
            review(parse(tmp_path), [unpacked(tmp_path, made)])
        told = str(refused.value)
        assert "copies /etc/a" in told
        assert "the group 'other'" in told
        assert "post-install.sh" in told


class TestAccounts:
    def test_users_and_groups_get_their_numbers_and_no_password(self, tmp_path: Path) -> None:
        accounts = add_accounts(parse(tmp_path), [manifest(users=["_tool"])], BASE)
        line = b"_tool:*:900:900::0:0:A tool:/var/db/tool:/usr/sbin/nologin\n"
        assert accounts.master_passwd() == BASE.master_passwd() + line
        assert accounts.group() == BASE.group() + b"_tool:*:900:\n"
        assert "_tool" not in BASE.users

    def test_those_of_base_stay_as_they_are(self, tmp_path: Path) -> None:
        one = manifest(users=["unbound"], groups=["operator"])
        assert add_accounts(parse(tmp_path), [one, one], BASE) == BASE

    def test_two_packages_may_share_a_user(self, tmp_path: Path) -> None:
        one = manifest(users=["_tool"], groups=["_tool", "more"])
        accounts = add_accounts(parse(tmp_path), [one, one], BASE)
        assert list(accounts.groups)[-2:] == ["_tool", "more"]

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"users": ["_other"]}, "tool-1.0: the user '_other' has no number"),
            ({"groups": ["_other"]}, "tool-1.0: the group '_other' has no number"),
        ],
    )
    def test_unknown_ones_are_refused(
        self, tmp_path: Path, facts: dict[str, object], message: str
    ) -> None:
        with pytest.raises(Refusal, match=message):
            add_accounts(parse(tmp_path), [manifest(**facts)], BASE)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "uid: 900",
                "uid: 59",
                "the user '_tool' cannot be added: the user unbound has that name or number .59.",
            ),
            (
                "_tool: 900",
                "_tool: 5",
                "the group '_tool' cannot be added: the group operator has that name or number .5.",
            ),
        ],
    )
    def test_a_number_of_somebody_else_is_refused(
        self, tmp_path: Path, old: str, new: str, message: str
    ) -> None:
        with pytest.raises(Refusal, match=message):
            add_accounts(
                parse(tmp_path, PACKAGES.replace(old, new)), [manifest(users=["_tool"])], BASE
            )


class TestSetId:
    @pytest.mark.parametrize("mode", [0o555, 0o4555, 0o1755])
    def test_what_is_harmless_or_was_read_passes(self, tmp_path: Path, mode: int) -> None:
        check_set_id(parse(tmp_path), "tool", "usr/local/bin/tool", mode, "tool-1.0")

    @pytest.mark.parametrize(
        ("package", "path", "mode"),
        [
            ("tool", "usr/local/bin/tool", 0o6555),
            ("tool", "usr/local/bin/tool", 0o4755),
            ("tool", "usr/local/bin/more", 0o4555),
            ("more", "usr/local/bin/tool", 0o2555),
        ],
    )
    def test_anything_else_is_refused(
        self, tmp_path: Path, package: str, path: str, mode: int
    ) -> None:
        with pytest.raises(Refusal, match=f"the mode is {mode:04o}"):
            check_set_id(parse(tmp_path), package, path, mode, "tool-1.0")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("group: _tool", "group: none", "the group 'none' is not in 'groups'"),
        ("gecos: A tool", "gecos: 'a:b'", "text without colons"),
        ("uid: 900", "uid: 0", "a number from 1"),
        ("_tool: 900", "_tool: 4294967296", "a number from 1"),
        ("tool.conf.sample", "tool.conf", "a path such as"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        parse(tmp_path, PACKAGES.replace(old, new))


def test_the_project_s_own_file_is_well_formed() -> None:
    read = reviewed.load(ROOT / "overlays" / "packages.yaml").value
    assert (read.users["_tor"].uid, read.users["_bgpd"].uid) == (256, 130)
    assert all(len(one.sha256) == 64 for one in read.scripts)


@needs_fixtures
@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_the_shared_packages_were_read(tmp_path: Path, name: str) -> None:
    read = reviewed.load(ROOT / "overlays" / "packages.yaml")
    contents = unpack(fixture(FIXTURES / "All" / f"{name}.pkg"), tmp_path)
    found = review(read, [contents])
    accounts = add_accounts(read, [contents.manifest], BASE, found)
    users = contents.manifest.package.users
    assert [accounts.users[user].password for user in users] == ["*"] * len(users)


def test_a_made_package_has_no_scripts(tmp_path: Path) -> None:
    assert review(reviewed.NOTHING, [unpacked(tmp_path, Made("tool"))]) == NOTHING_DONE
