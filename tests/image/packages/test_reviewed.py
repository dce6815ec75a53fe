"""What nobody has read stops the build."""

import hashlib
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
from image.packages.reviewed import Reviewed, Script, add_accounts, check_set_id, review
from tests import sets
from tests.command import ROOT
from tests.image.packages.fixtures import FIXTURE_NAMES, FIXTURES, needs_fixtures
from tests.image.packages.given import fixture, unpacked
from tests.image.packages.repository import Item, Made, compact

BASE = Accounts.parse(sets.MASTER_PASSWD, sets.GROUP)
SHELL = "#!/bin/sh\nrm -rf /\n"
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
        assert [said.reviewed for said in found] == ["Removes everything.", "Removes a part."]
        assert [str(sample.copy) for said in found for sample in said.samples] == [
            "usr/local/etc/tool.conf"
        ]

    @pytest.mark.parametrize(
        ("facts", "name"),
        [
            ({"scripts": {"post-install": SHELL + "\n"}}, "post-install.sh"),
            ({"scripts": {"pre-install": SHELL}}, "pre-install.sh"),
            ({"scripts": {"post-deinstall": "exit"}}, "post-deinstall.sh"),
            ({"lua_scripts": {"pre-install": [LUA, SHELL]}}, "pre-install.lua"),
            ({"lua_scripts": {"post-install": [SHELL]}}, "post-install.lua"),
        ],
    )
    def test_any_other_stops_the_build_and_is_printed(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        facts: dict[str, object],
        name: str,
    ) -> None:
        with pytest.raises(Refusal, match=rf"tool-1\.0: {name}: expected a script that is listed"):
            review(parse(tmp_path), [unpacked(tmp_path, Made("tool", full=facts))])
        assert f"tool-1.0: {name}, SHA-256 " in capsys.readouterr().err

    def test_that_of_another_package_does_not_count(self, tmp_path: Path) -> None:
        other = Made("other", full={"scripts": {"post-install": SHELL}})
        with pytest.raises(Refusal, match=r"other-1\.0: post-install\.sh"):
            review(parse(tmp_path), [unpacked(tmp_path, other)])

    @pytest.mark.parametrize("folder", ["/usr/local/share/pkg/triggers", "/usr/share/pkg/triggers"])
    def test_a_trigger_is_a_script(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
    ) -> None:
        items = {f"{folder}/tool.ucl": Item(b"exec: {script: x}"), f"{folder}/a": Item(b"")}
        with pytest.raises(Refusal, match=r"tool-1\.0: tool\.ucl: expected a script"):
            review(parse(tmp_path), [unpacked(tmp_path, Made("tool", items=items))])
        assert "    exec: {script: x}\n" in capsys.readouterr().err

    def test_all_that_were_not_read_are_printed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        facts = {"scripts": {"install": "echo%09a", "deinstall": "echo b%1b[2J%ff"}}
        one = unpacked(tmp_path, Made("tool", full=facts))
        with pytest.raises(Refusal, match=r"printed above \(and 1 more\)"):
            review(parse(tmp_path), [one])
        told = capsys.readouterr().err
        assert "    echo    a\n" in told
        assert "    echo b\\x1b[2J\\xff\n" in told

    @given(st.text())
    def test_nothing_in_a_printed_script_acts_on_a_terminal(self, text: str) -> None:
        assert all(char.isprintable() or char == "\n" for char in str(Script("a", "b", text)))


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
            (
                {"users": ["_other"]},
                r"tool-1.0: the user '_other' is neither in the base nor in \S+",
            ),
            (
                {"groups": ["_other"]},
                r"tool-1.0: the group '_other' is neither in the base nor in \S+",
            ),
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
                "packages.yaml:3: the user unbound has that name or number: 59",
            ),
            (
                "_tool: 900",
                "_tool: 5",
                "packages.yaml:1: the group operator has that name or number: 5",
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
    review(read, [contents])
    accounts = add_accounts(read, [contents.manifest], BASE)
    users = contents.manifest.package.users
    assert [accounts.users[user].password for user in users] == ["*"] * len(users)


def test_a_made_package_has_no_scripts(tmp_path: Path) -> None:
    assert review(reviewed.NOTHING, [unpacked(tmp_path, Made("tool"))]) == ()
