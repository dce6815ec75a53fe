"""The accounts of the image come from the base's files, and from nowhere else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.accounts import Accounts
from tests import sets

BASE = Accounts.parse(sets.MASTER_PASSWD, sets.GROUP)


def test_users_and_groups_are_read_in_the_order_of_the_files() -> None:
    assert list(BASE.users) == ["root", "toor", "daemon", "unbound"]
    assert list(BASE.groups) == ["wheel", "daemon", "operator", "unbound"]
    assert BASE.users["unbound"].home == "/var/unbound"
    assert BASE.groups["operator"].members == ("root",)


def test_ids_are_found_by_name_and_by_number() -> None:
    assert (BASE.uid("unbound"), BASE.gid("operator")) == (59, 5)
    assert (BASE.uid("4000000000"), BASE.gid("7")) == (4_000_000_000, 7)


@pytest.mark.parametrize("name", ["nobody", "", "-1", "1.5", "4294967296", "9" * 5000])
def test_an_unknown_name_is_a_key_error(name: str) -> None:
    for find in (BASE.uid, BASE.gid):
        with pytest.raises(KeyError):
            find(name)


def test_what_was_not_changed_is_written_as_it_was_read() -> None:
    lines = sets.MASTER_PASSWD.splitlines(keepends=True)
    assert BASE.master_passwd() == b"".join(lines[1:])


def test_a_locked_account_has_a_password_that_nothing_matches() -> None:
    assert BASE.without_password() == ["root"]
    locked = BASE.lock("root")
    assert locked.without_password() == []
    assert locked.master_passwd().startswith(b"root:*:0:0::0:0:Charlie &:/root:/bin/sh\n")
    assert BASE.without_password() == ["root"]


def test_locking_nobody_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        BASE.lock("nobody")


def test_passwd_says_no_hash_no_class_and_no_time() -> None:
    accounts = Accounts.parse(b"a:$6$secret:7:8:staff:1:2:Ann:/a:/bin/sh\n", b"")
    assert accounts.passwd() == b"a:*:7:8:Ann:/a:/bin/sh\n"


def test_names_that_are_no_utf_8_are_kept_byte_for_byte() -> None:
    line = b"a:*:7:8::0:0:Ren\xe9 \xc2\x85 \x0c:/a:/bin/sh\n"
    assert Accounts.parse(line, b"").master_passwd() == line


@pytest.mark.parametrize(
    ("master", "group", "message"),
    [
        (b"# c\n\nroot:*:0\n", b"", "etc/master.passwd:3: 3 fields instead of 10"),
        (b"a:*:x:0::0:0:::\n", b"", "etc/master.passwd:1: 'x' is not a number"),
        (b"a:*:0:-1::0:0:::\n", b"", "etc/master.passwd:1: '-1' is not a number"),
        (b"a:*:4294967296:0::0:0:::\n", b"", "etc/master.passwd:1: .* is not a number"),
        (b"", b"wheel:*:0:\nstaff:*\n", "etc/group:2: 2 fields instead of 4"),
        (b"", b"wheel:*::\n", "etc/group:1: .* is not a number"),
        (b"+:::::::::\n", b"", "etc/master.passwd:1: .* is not a number"),
    ],
)
def test_a_bad_line_is_named(master: bytes, group: bytes, message: str) -> None:
    with pytest.raises(Refusal, match=f"^{message}"):
        Accounts.parse(master, group)


@given(st.binary(max_size=120), st.binary(max_size=60))
def test_any_bytes_are_accounts_or_refused_by_line(master: bytes, group: bytes) -> None:
    told = None
    try:
        Accounts.parse(master, group)
    except Refusal as refusal:
        told = refusal.where
    assert told is None or re.fullmatch(r"etc/(master\.passwd|group):\d+", told)
