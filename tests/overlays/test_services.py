"""Scripts of rc(8): no other ones than those that are listed, and each as the list says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import overlay, services
from image.overlay import Overlay
from image.tree import Tree, directory, file

DEFAULTS = b"""\
# all defaults
cron_enable="YES"	# Run the periodic job daemon.
sshd_enable="NO"
kern_securelevel_enable="NO"
"""

CRON = b'#!/bin/sh\nname="cron"\nrcvar="cron_enable"\nload_rc_config $name\n'
SSHD = b'#!/bin/sh\nname="sshd"\nrcvar="${name}_enable"\n: ${sshd_enable:="YES"}\n'
LEVEL = b"#!/bin/sh\nname=\"securelevel\"\nrcvar='kern_securelevel_enable'\n"
TOR = b'#!/bin/sh\nname="tor"\nrcvar=tor_enable\n: ${tor_enable:="YES"}\n'
ORDER = b"#!/bin/sh\n# PROVIDE: LOGIN\n"


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    for path in ("etc", "etc/rc.d", "etc/defaults", "etc/rc.conf.d", "etc/local"):
        tree[path] = directory()
    tree["etc/local/rc.d"] = directory()
    tree["etc/defaults/rc.conf"] = file(DEFAULTS)
    for name, script in (("cron", CRON), ("sshd", SSHD), ("securelevel", LEVEL), ("LOGIN", ORDER)):
        tree[f"etc/rc.d/{name}"] = file(script, 0o555)
    return tree


def listing(folder: Path, name: str = "one", **on: str) -> Overlay:
    place = folder / name
    place.mkdir()
    lines = "".join(f"  - {{name: {key}, on: {value}, reason: x}}\n" for key, value in on.items())
    (place / "overlay.yaml").write_text("description: a test\n")
    (place / "services.yaml").write_text(f"services:\n{lines}")
    return overlay.load(place)


def judge(tree: Tree, *overlays: Overlay) -> None:
    services.leave_out(tree, overlays)
    services.check(tree, overlays)


def test_scripts_in_no_list_are_left_out(tree: Tree, tmp_path: Path) -> None:
    judge(tree, listing(tmp_path, cron="always", LOGIN="always"))
    assert {path for path in tree if path.startswith("etc/rc.d/")} == {
        "etc/rc.d/cron",
        "etc/rc.d/LOGIN",
    }


@pytest.mark.parametrize("on", ["never", "site"])
def test_one_that_is_on_where_the_list_says_off_stops_the_build(
    tree: Tree, tmp_path: Path, on: str
) -> None:
    with pytest.raises(Refusal, match=r"services\.yaml:2: cron is"):
        judge(tree, listing(tmp_path, cron=on))


def test_one_that_is_off_where_the_list_says_on_stops_the_build(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="sshd is"):
        judge(tree, listing(tmp_path, sshd="always"))


def test_rc_conf_comes_after_the_defaults_and_rc_conf_d_last(tree: Tree, tmp_path: Path) -> None:
    one = listing(tmp_path, cron="never", sshd="never", securelevel="always")
    tree["etc/rc.conf"] = file(b"cron_enable=NO\nkern_securelevel_enable='NO'\n")
    tree["etc/rc.conf.d/securelevel"] = file(b'kern_securelevel_enable="yes"\n')
    judge(tree, one)


def test_a_site_may_turn_on_what_is_listed_for_one(tree: Tree, tmp_path: Path) -> None:
    tree["etc/rc.conf.d/sshd"] = file(b'sshd_enable="YES"\n')
    judge(tree, listing(tmp_path, "site", sshd="site"))
    with pytest.raises(Refusal, match="sshd is"):
        judge(tree, listing(tmp_path, "never", sshd="never"))


def test_a_default_in_the_script_counts_where_there_is_no_other(tree: Tree, tmp_path: Path) -> None:
    tree["etc/local/rc.d/tor"] = file(TOR, 0o555)
    judge(tree, listing(tmp_path, sshd="never", tor="always"))


def test_a_script_of_a_package_has_to_be_listed(tree: Tree, tmp_path: Path) -> None:
    tree["etc/local/rc.d/tor"] = file(TOR, 0o555)
    with pytest.raises(Refusal, match=r"/etc/local/rc\.d/tor: no overlay lists this service"):
        judge(tree, listing(tmp_path, cron="always"))


def test_a_script_without_a_variable_is_always_on(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(
        Refusal, match=r"LOGIN is 'never' here, but rc\.conf and its defaults have it on in the"
    ):
        judge(tree, listing(tmp_path, LOGIN="never"))


def test_a_service_is_in_one_list(tree: Tree, tmp_path: Path) -> None:
    lists = [listing(tmp_path, name, cron="always") for name in ("one", "two")]
    with pytest.raises(Refusal, match=r"the service 'cron' is listed in \S+ too"):
        judge(tree, *lists)


@given(st.text("yesnotrufal10 ", max_size=6))
def test_only_what_rc_subr_takes_for_a_yes_is_one(value: str) -> None:
    answer = services.is_on(CRON.decode(), {"cron_enable": value})
    assert answer is (value in ("yes", "true", "on", "1"))
