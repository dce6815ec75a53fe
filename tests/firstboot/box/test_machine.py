"""What a box says of itself, on which sizes and options of its configuration depend."""

import pytest

from tests.firstboot.box.box import Box

BASE = "Version 1.25.1\n\nLinked libs: mini-event internal (it uses select), OpenSSL 3.5.4\n"
PACKAGE = "Version 1.26.2\n\nLinked libs: {} (it uses kqueue), OpenSSL 3.5.4\n"


def test_without_the_package_the_base_s_resolver_is_asked(box: Box) -> None:
    box.answer("local-unbound -V", BASE)
    found = box.machine.box()
    assert (found.unbound, found.packaged_unbound, found.libevent) == ((1, 25, 1), False, False)


@pytest.mark.parametrize(
    ("library", "libevent"), [("libevent 2.1.12-stable", True), ("mini-event internal", False)]
)
def test_where_the_package_s_resolver_is_it_is_asked(
    box: Box, library: str, libevent: bool
) -> None:
    program = box.root / "usr/local/sbin/unbound"
    program.touch(0o755)
    box.answer("local-unbound -V", BASE)
    box.answer(f"{program} -V", PACKAGE.format(library))
    found = box.machine.box()
    assert (found.unbound, found.packaged_unbound, found.libevent) == ((1, 26, 2), True, libevent)
