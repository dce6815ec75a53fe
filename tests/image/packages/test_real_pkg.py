"""What pkg(8) itself says of repositories: it takes and refuses the same as we do."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from firstboot.core.refusal import Refusal
from image.packages import signed
from image.packages.catalogue import Catalogue, parse_data, parse_packagesite
from image.packages.location import Local
from image.packages.repository import Word, bring, open_repository
from image.packages.trust import Keys
from tests.image.packages.repository import (
    ABI,
    Item,
    Made,
    Repository,
    Signer,
    make_repository,
    trust,
    usual_signer,
)

PACKAGES = (
    Made("a", items={"/usr/local/bin/a": Item(b"x", 0o555)}, facts={"vital": True}),
    Made("b", "2.0_1,1", deps={"a": "1.0"}, facts={"options": {"DOCS": "on"}, "users": ["_b"]}),
)


class Careless(Signer):
    """Signs something else than what it is given."""

    def __init__(self, signer: Signer) -> None:
        self.__dict__ = signer.__dict__

    def sign(self, data: bytes) -> bytes:
        return super().sign(data + b"\n")


def run(pkg: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"ABI": ABI, "OSVERSION": "1500000", "PATH": os.environ["PATH"], "TZ": "UTC"}
    return subprocess.run([pkg, *arguments], capture_output=True, text=True, env=environment)


def ask(pkg: str, folder: Path, repository: Path, keys: Path) -> str:
    """What pkg lists of the repository; nothing if it refuses it."""
    for name in ("repos", "db", "cache"):
        (folder / name).mkdir()
    (folder / "repos" / "test.conf").write_text(
        f'test: {{ url: "file://{repository}", signature_type: "fingerprints", '
        f'fingerprints: "{keys}", enabled: yes }}\n'
    )
    options = [
        part
        for one in (f"REPOS_DIR={folder}/repos", f"PKG_DBDIR={folder}/db")
        for part in ("-o", one)
    ]
    run(pkg, *options, "update", "-f")
    return run(pkg, *options, "rquery", "%n-%v").stdout


def listed(repository: Path, keys: Path) -> str:
    """What we list of it; nothing if we refuse it."""
    try:
        opened = open_repository(Local(repository), Keys.of_folder(keys))
    except Refusal:
        return ""
    return "".join(f"{one.package.full_name}\n" for one in opened.catalogue.listed)


@pytest.fixture(
    params=[
        Signer.rsa,
        Signer.eddsa,
        lambda: Signer.ecdsa(ec.SECP256K1()),
        lambda: Signer.ecdsa(ec.BrainpoolP384R1()),
        lambda: Signer.ecdsa(ec.SECP256R1()),
    ],
    ids=["rsa", "eddsa", "secp256k1", "brainpoolP384r1", "secp256r1"],
)
def signer(request: pytest.FixtureRequest) -> Signer:
    made = request.param()
    assert isinstance(made, Signer)
    return made


def test_both_take_the_same_keys_and_signatures(pkg: str, tmp_path: Path, signer: Signer) -> None:
    repository = make_repository(tmp_path / "repository", PACKAGES, signers=[signer])
    keys = trust(tmp_path / "keys", signer)
    told = ask(pkg, tmp_path, repository.folder, keys)
    assert told == listed(repository.folder, keys)
    refused = signer.public.startswith(Signer.ecdsa(ec.SECP256R1()).public[:20])
    assert told == ("" if refused else "a-1.0\nb-2.0_1,1\n")


def test_both_refuse_other_data(pkg: str, tmp_path: Path, signer: Signer) -> None:
    repository = make_repository(tmp_path / "repository", PACKAGES, signers=[Careless(signer)])
    keys = trust(tmp_path / "keys", signer)
    assert ask(pkg, tmp_path, repository.folder, keys) == listed(repository.folder, keys) == ""


def test_both_refuse_a_stranger(pkg: str, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", PACKAGES, signers=[Signer.rsa()])
    keys = trust(tmp_path / "keys", usual_signer())
    assert ask(pkg, tmp_path, repository.folder, keys) == listed(repository.folder, keys) == ""


def test_both_refuse_a_revoked_key_beside_a_trusted_one(pkg: str, tmp_path: Path) -> None:
    bad = Signer.rsa()
    both = [usual_signer(), bad]
    repository = make_repository(tmp_path / "repository", PACKAGES, signers=both)
    keys = trust(tmp_path / "keys", usual_signer(), revoked=[bad])
    assert ask(pkg, tmp_path, repository.folder, keys) == listed(repository.folder, keys) == ""


def made_by_pkg(pkg: str, repository: Repository) -> Catalogue:
    """The catalogue that pkg makes of a repository's packages, from both of its forms."""
    made = run(pkg, "repo", "-q", repository.folder)
    assert made.returncode == 0, made.stderr
    sites = signed.read(
        (repository.folder / "packagesite.pkg").read_bytes(), "packagesite.yaml", "packagesite"
    )
    data = signed.read((repository.folder / "data.pkg").read_bytes(), "data", "data")
    catalogue = parse_packagesite(sites.data, "packagesite")
    assert catalogue == parse_data(data.data, "data")
    return catalogue


def test_pkg_makes_the_same_catalogue_of_our_packages(
    pkg: str, tmp_path: Path, cache: Path
) -> None:
    repository = make_repository(tmp_path / "repository", PACKAGES)
    keys = Keys.of_folder(trust(tmp_path / "keys", usual_signer()))
    ours = open_repository(Local(repository.folder), keys).catalogue
    theirs = made_by_pkg(pkg, repository)
    assert {one.package.full_name: (one.package, one.path, one.size) for one in theirs.listed} == {
        one.package.full_name: (one.package, one.path, one.size) for one in ours.listed
    }
    packages = bring(Local(repository.folder), theirs.listed, Word("", "pkg", ""), cache)
    assert len(packages) == len(PACKAGES)
    broken = repository.folder / PACKAGES[0].path
    broken.write_bytes(replace(PACKAGES[0], facts={"vital": False}).archive())
    with pytest.raises(Refusal, match=r"a-1\.0\.pkg"):
        bring(Local(repository.folder), theirs.listed, Word("", "pkg", ""), cache)
