"""A Debian package is read as an archive, and anything else is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import store
from image.archive import Form
from image.rehearsal.deb import Deb, member
from tests.image.rehearsal.debs import ar, deb


@pytest.mark.parametrize("packer", ["xz", "zst"])
def test_files_are_unpacked_from_every_compression(tmp_path: Path, packer: str) -> None:
    made = deb(tmp_path / "one.deb", {"usr/bin/tor": b"onion", "bin/sh": "dash"}, packer=packer)
    unpacked = store.unpack(Deb(made), packer, lambda _: False, "", tmp_path, form=Form.DEB)
    assert unpacked.read("usr/bin/tor") == b"onion"
    (link,) = (one for one in unpacked.members if one.path == "bin/sh")
    assert link.target == "dash"


@given(st.dictionaries(st.from_regex(r"[a-z.]{1,15}", fullmatch=True), st.binary(max_size=99)))
def test_every_member_is_found_by_its_name(members: dict[str, bytes]) -> None:
    for name, data in members.items():
        first = next(one for one in members if one.startswith(name))
        assert member(ar(members), name, "test") == members[first]
        assert data in ar(members)


@pytest.mark.parametrize("length", [0, 5, 8, 40, 100, -1])
def test_a_truncated_package_is_refused(tmp_path: Path, length: int) -> None:
    whole = deb(tmp_path / "one.deb", {"usr/bin/tor": b"onion"}).read_bytes()
    cut = tmp_path / "cut.deb"
    cut.write_bytes(whole[:length])
    with pytest.raises(Refusal, match=r"cut\.deb: this is not a Debian package"):
        Deb(cut).open()


def test_a_damaged_package_is_refused(tmp_path: Path) -> None:
    path = deb(tmp_path / "one.deb", {"usr/bin/tor": bytes(1000)})
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(Refusal, match="a whole package of Debian"):
        store.unpack(Deb(path), "x", lambda _: False, "", tmp_path, form=Form.DEB)
