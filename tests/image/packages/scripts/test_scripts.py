"""Scripts of packages are understood by what they do, in every wording that the framework had."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.packages.scripts import lua, shell
from image.packages.scripts.effects import (
    AddGroup,
    AddMember,
    AddUser,
    CopySample,
    FindLibraries,
    MakeHome,
    NotUnderstood,
)
from tests.image.packages.scripts import framework
from tests.image.packages.scripts.framework import BGPLGD, TOR, Time

SAMPLE = CopySample("/usr/local/etc/tor/torrc.sample", "/usr/local/etc/tor/torrc")


@pytest.mark.parametrize("time", Time)
def test_users_and_groups(time: Time) -> None:
    found = shell.effects(framework.users_and_groups([TOR, BGPLGD], time))
    assert [one for one in found if not isinstance(one, MakeHome)] == [
        AddGroup("_tor", 256),
        AddGroup("_bgplgd", 937),
        AddUser("_tor", 256, 256, TOR.gecos, "/var/db/tor", "/usr/sbin/nologin"),
        AddUser("_bgplgd", 937, 937, BGPLGD.gecos, "/nonexistent", "/usr/sbin/nologin"),
    ]


@pytest.mark.parametrize("time", [time for time in Time if time is not Time.SHELL])
def test_the_home_of_a_user(time: Time) -> None:
    found = shell.effects(framework.users_and_groups([TOR, BGPLGD], time))
    assert [one for one in found if isinstance(one, MakeHome)] == [
        MakeHome("/var/db/tor", "_tor", "_tor")
    ]


@pytest.mark.parametrize("time", [Time.SHELL, Time.ROOTDIR])
def test_a_sample_in_shell(time: Time) -> None:
    assert shell.effects(framework.shell_sample("etc/tor/torrc.sample", time)) == (SAMPLE,)


@pytest.mark.parametrize("time", [Time.PERCENT, Time.WORDS, Time.NOW])
def test_a_sample_in_lua(time: Time) -> None:
    assert lua.effects(framework.lua_sample("etc/tor/torrc.sample", time)) == (SAMPLE,)


@pytest.mark.parametrize("time", [Time.WORDS, Time.NOW])
def test_a_sample_with_a_target_of_its_own(time: Time) -> None:
    text = framework.lua_sample("share/a.sample etc/b", time)
    assert lua.effects(text) == (CopySample("/usr/local/share/a.sample", "/usr/local/etc/b"),)


def test_a_sample_with_a_target_of_its_own_in_shell() -> None:
    text = framework.shell_sample("etc/a.sample", Time.ROOTDIR)
    text = text.replace("set -- etc/a.sample", "set -- etc/a.sample etc/b")
    assert shell.effects(text) == (CopySample("/usr/local/etc/a.sample", "/usr/local/etc/b"),)


@pytest.mark.parametrize("time", Time)
def test_libraries(time: Time) -> None:
    assert shell.effects(framework.ldconfig(time)) == (FindLibraries(),)


def test_a_member_of_a_group() -> None:
    text = """\
PW=/usr/sbin/pw
if ! ${PW} groupshow mail | grep -qw postfix; then
  echo "Adding user 'postfix' to group 'mail'."
  ${PW} groupmod mail -m postfix
fi
"""
    assert shell.effects(text) == (AddMember("mail", "postfix"),)


@pytest.mark.parametrize(
    "text",
    [
        "rm -rf /",
        "echo `id`",
        'echo "$(id)"',
        "echo $(id)",
        "echo a > /etc/motd",
        "echo a >> /etc/motd",
        "echo a >/dev/nullx",
        "/tmp/pw groupadd a -g 60",
        "pw groupadd a -g 60 -M root",
        "pw groupadd ../a -g 60",
        "pw useradd a -u 60 -g 60 -d / -s /bin/sh -o",
        "pw useradd a -u 0 -g 0 -d / -s /bin/sh",
        "pw userdel root",
        "pw usermod root -h 0",
        "cp -p /a /b extra",
        "cp /a /b",
        "chmod u+w /etc/master.passwd",
        "chmod 777 /usr/local",
        "install -d -g a -o b ../c",
        "install -o a /b /c",
        "service sshd restart",
        "ldconfig -m /tmp",
        "eval echo",
        ". /etc/rc.subr",
        "echo a & echo b",
        "echo a | sh",
        "echo a || rm b",
        "if ! rm a; then :; fi",
        "if [ -f /etc/x ]; then PW=/usr/sbin/pw; else PW=/tmp/pw; fi; ${PW} groupadd a -g 60",
        "PATH=/tmp pw groupadd a -g 60",
        "for a in b; do echo; done",
        "a() { rm b; }",
        "if true; then",
        "case a in",
        "echo *",
        "${PW} groupadd a -g 60",
        "cat <<EOF\nx\nEOF",
    ],
)
def test_anything_else_in_shell_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        shell.effects(text)


@pytest.mark.parametrize(
    "text",
    [
        "os.remove('/etc')",
        "os.execute('id')",
        "pkg.exec({'/bin/sh'})",
        "pkg.copy(a, b)",
        "pkg.copy('/a')",
        "x = io.open('/etc/passwd', 'w')",
        "while true do end",
        "if pkg.filecmp(a, b) == 0 then os.remove(a) end",
        "pkg.copy('/a', '/b'",
        "end",
        "sample_file = string.gsub(sample_file, '.*', '/etc/passwd')",
        "function a() end",
        "x = '\\x2f'",
    ],
)
def test_anything_else_in_lua_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        lua.effects(text)


def test_both_ways_of_a_condition_on_the_system_count() -> None:
    text = "if [ -f /etc/x ]; then cp -p /a /b; else cp -p /c /d; fi"
    assert shell.effects(text) == (CopySample("/a", "/b"), CopySample("/c", "/d"))


def test_what_is_quoted_is_no_command() -> None:
    assert shell.effects("echo 'rm -rf /; cp -p /a /b' \"; cp -p /a /b\" # cp -p /a /b") == ()


@given(st.text("ab \n;&|<>$(){}[]\"'`\\#!-=/*%", max_size=40))
def test_any_other_text_is_understood_or_not_and_never_a_fault(text: str) -> None:
    for effects in (shell.effects, lua.effects):
        with contextlib.suppress(NotUnderstood):
            effects(text)
