"""Packages from apt: cached, verified, chosen again when the choice is old; and an apt that
fails."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.rehearsal import apt

DATA = b"a package"

APT = """\
#!/bin/sh
# Stands for apt-get: lists or downloads one package.
for word do
	case $word in
	update|--download-only|--print-uris)	act=$word ;;
	-oDir::Cache=*)				cache=${word#-oDir::Cache=} ;;
	esac
done
echo "$act" >>"$APT_LOG"
[ ! -e "$APT_LOG.down" ] || { echo "E: Unable to connect" >&2; exit 100; }
case $act in
--print-uris)
	echo "'http://x/tor_1_amd64.deb' tor_1_amd64.deb 9 SHA256:HASH" ;;
--download-only)
	cp "$APT_LOG.deb" "$cache/archives/tor_1_amd64.deb" ;;
esac
"""


@dataclass(frozen=True)
class Archive:
    """What the fake apt was asked, and what it has."""

    log: Path
    cache: Path

    def asked(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []

    def goes_down(self) -> None:
        self.log.with_name("log.down").touch()

    def has(self, data: bytes) -> None:
        self.log.with_name("log.deb").write_bytes(data)

    def obtain(self) -> bytes:
        (package,) = apt.obtain(("tor",), self.cache)
        return package.path.read_bytes()


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(APT.replace("HASH", hashlib.sha256(DATA).hexdigest()))
    program.chmod(0o755)
    made = Archive(tmp_path / "log", tmp_path / "cache")
    made.has(DATA)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    monkeypatch.setenv("APT_LOG", str(made.log))
    return made


def test_packages_are_downloaded_once(archive: Archive) -> None:
    assert archive.obtain() == DATA
    assert archive.asked() == ["update", "--print-uris", "--download-only"]
    archive.goes_down()
    assert archive.obtain() == DATA
    assert len(archive.asked()) == 3


def test_a_package_with_another_hash_than_in_the_index_is_refused(archive: Archive) -> None:
    archive.has(b"something else")
    with pytest.raises(Refusal, match="its SHA-256 is not"):
        archive.obtain()


def test_a_damaged_package_is_downloaded_again(archive: Archive) -> None:
    archive.obtain()
    (archive.cache / "cache/archives/tor_1_amd64.deb").write_bytes(b"damaged")
    assert archive.obtain() == DATA


def test_after_a_week_the_archive_is_asked_again_if_it_answers(archive: Archive) -> None:
    archive.obtain()
    os.utime(archive.cache / apt.PLAN, (0, 0))
    archive.goes_down()
    assert archive.obtain() == DATA
    archive.log.with_name("log.down").unlink()
    before = len(archive.asked())
    assert archive.obtain() == DATA
    assert archive.asked()[before:] == ["update", "--print-uris"]


def test_an_unreachable_archive_is_refused_with_apts_reason(archive: Archive) -> None:
    archive.goes_down()
    with pytest.raises(Refusal, match=r"Unable to connect\. Build on Debian"):
        archive.obtain()


def test_a_machine_without_apt_is_refused(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Refusal, match="Debian's packages: apt could not find"):
        archive.obtain()
