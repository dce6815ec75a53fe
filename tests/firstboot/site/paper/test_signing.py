"""Signed zones: judged by BIND, by ldns, and by a validating resolver with a root of its own."""

import re
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import defusedxml.ElementTree as ElementTree
import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from firstboot.site.paper.command import signed_papers, write_papers
from firstboot.site.paper.details import details
from firstboot.site.paper.routing import objects
from firstboot.site.paper.signing import bind, ring
from firstboot.site.paper.signing.desk import Signed, Wanted, apart, prepare, sign, taken
from firstboot.site.paper.signing.roll import Roll
from firstboot.site.paper.zones import Zone, forward
from tests.command import ROOT, exitisp
from tests.firstboot.site.paper.judges import irrd
from tests.firstboot.site.paper.sites import ARIN, RELAYS_ONLY, RIPE, site
from tests.firstboot.site.paper.validator import SECURE, SECURELY_NOT_THERE, Validator
from tests.firstboot.site.paper.zone_judges import named_checkzone, need, one_line_each

OVERLAYS = ROOT / "overlays"

DAY = 86_400
DAYS = 60
DOMAIN = "exit.example.net"
NAME = f"tor-exit-1.{DOMAIN}"


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    need("dnssec-signzone", "bind9-utils")


class Papers:
    """Those of an example, with signed zones."""

    def __init__(self, folder: Path, of: Path) -> None:
        self.folder = folder
        self.site = site(of=of)
        self.details = details(self.site)
        self.now = int(time.time())
        self.keys = folder / "keys"
        self.files, self.said, _ = signed_papers(
            self.site, self.details, Wanted(self.keys, DAYS), self.now
        )
        self.zones = {
            name.removeprefix("zones/").removesuffix(".zone"): text
            for name, text in self.files.items()
            if name.endswith(".zone") and "catalog." not in name
        }

    @property
    def ds(self) -> dict[str, list[str]]:
        lines = self.files["zones/ds.txt"].splitlines()
        found = (re.fullmatch(r"(\S+)\. IN DS (.*)", line) for line in lines)
        return {one[1]: [one[2]] for one in found if one}

    def validator(self, where: Path, **zones: str) -> Validator:
        changed = {**self.zones, **{name.replace("_", "."): text for name, text in zones.items()}}
        return Validator(where, changed, self.ds)


@pytest.fixture(scope="module")
def ripe(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("ripe"), RIPE)


@pytest.fixture(scope="module")
def arin(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("arin"), ARIN)


def ldns_verify(file: Path) -> int:
    need("ldns-verify-zone", "ldnsutils")
    return subprocess.run(["ldns-verify-zone", file], capture_output=True, timeout=60).returncode


class TestSignedZones:
    def test_bind_and_ldns_take_every_one(self, ripe: Papers, tmp_path: Path) -> None:
        assert len(ripe.zones) == 5
        for name, text in ripe.zones.items():
            file = tmp_path / name
            file.write_text(text)
            assert named_checkzone(name, file) == ""
            assert ldns_verify(file) == 0

    def test_a_resolver_believes_every_address_and_every_name(
        self, ripe: Papers, tmp_path: Path
    ) -> None:
        asked = ripe.validator(tmp_path / "resolver")
        plan = allot(ripe.site)
        some = (*plan.router, *plan.resolver, *plan.relays[0].source, *plan.relays[-1].listen)
        for address in some:
            assert asked.ask(address.reverse_pointer, "PTR") == SECURE
        for label in ("tor-exit-1", "tor-relay-16", "router", "resolver", "link-exchange"):
            for kind in ("A", "AAAA"):
                assert asked.ask(f"{label}.{DOMAIN}", kind) == SECURE

    def test_a_resolver_believes_that_other_names_are_not_there(
        self, ripe: Papers, tmp_path: Path
    ) -> None:
        asked = ripe.validator(tmp_path / "resolver")
        assert asked.ask(f"www.{DOMAIN}", "A") == SECURELY_NOT_THERE
        assert asked.ask("200.100.51.198.in-addr.arpa", "PTR") == SECURELY_NOT_THERE
        empty = "1.b.0.0.0.0.f.f.f.3.ip6.arpa"
        assert asked.ask(empty, "PTR") == SECURELY_NOT_THERE

    @pytest.mark.parametrize(
        ("zone", "name", "kind", "right", "wrong"),
        [
            (DOMAIN, NAME, "A", "198.51.100.12\n", "198.51.100.13\n"),
            (
                "100.51.198.in-addr.arpa",
                "12.100.51.198.in-addr.arpa",
                "PTR",
                "tor-exit-1.",
                "tor-exit-0.",
            ),
        ],
    )
    def test_one_changed_bit_is_seen_by_all(
        self,
        ripe: Papers,
        tmp_path: Path,
        zone: str,
        name: str,
        kind: str,
        right: str,
        wrong: str,
    ) -> None:
        """The characters differ in one bit."""
        text = ripe.zones[zone].replace(right, wrong, 1)
        assert text != ripe.zones[zone]
        (tmp_path / "zone").write_text(text)
        assert ldns_verify(tmp_path / "zone") != 0
        asked = ripe.validator(tmp_path / "resolver", **{zone: text})
        assert asked.ask(name, kind).bogus

    def test_a_ds_record_of_another_key_is_seen(self, ripe: Papers, tmp_path: Path) -> None:
        tag, rest = ripe.ds[DOMAIN][0].split(" ", 1)
        digit = "0" if rest[-1] != "0" else "1"
        wrong = {**ripe.ds, DOMAIN: [f"{tag} {rest[:-1]}{digit}"]}
        asked = Validator(tmp_path / "resolver", ripe.zones, wrong)
        assert asked.ask(NAME, "A").bogus

    def test_they_have_algorithm_13_and_nsec_and_tell_the_zone_above(self, ripe: Papers) -> None:
        for name, text in ripe.zones.items():
            lines = one_line_each(name, text)
            data = {kind: rest for _, kind, rest in lines}
            assert {rest.split()[2] for _, kind, rest in lines if kind == "DNSKEY"} == {"13"}
            assert "NSEC" in data
            assert "NSEC3" not in data
            assert data["CDS"].split()[:3] == ripe.ds[name][0].split()[:3]
            assert data["CDS"].replace(" ", "") == ripe.ds[name][0].replace(" ", "")
            assert data["CDNSKEY"].startswith("257 3 13 ")

    def test_the_end_of_signatures_is_told(self, ripe: Papers) -> None:
        def day(seconds: int) -> str:
            return time.strftime("%Y-%m-%d", time.gmtime(seconds))

        end = ripe.now + DAYS * DAY
        sentence = f"Signatures end on {day(end)}. Sign again before {day(end - 14 * DAY)}."
        assert ripe.said[-1] == sentence
        ends = re.findall(r"\bRRSIG\s+\S+ 13 \d+ 3600 \(?\s*(\d{14})", ripe.zones[DOMAIN])
        assert {one[:8] for one in ends} == {day(end).replace("-", "")}


class TestRequests:
    def test_domain_objects_have_what_the_ds_records_say(self, ripe: Papers) -> None:
        ds = {name: one for name, (one,) in ripe.ds.items()}
        found = [one for one in objects(ripe.site, ripe.details, ds) if one.kind == "domain"]
        assert {one.name: one.values("ds-rdata") for one in found} == {
            name: (one,) for name, one in ds.items() if name != DOMAIN
        }
        assert "".join(map(str, found[:1])) in ripe.files["registry/objects.txt"]
        assert not [problem for problems in irrd(found) for problem in problems]

    def test_arin_gets_a_payload_for_each_reverse_zone(self, arin: Papers) -> None:
        names = {"r": "http://www.arin.net/regrws/core/v1"}

        def texts(root: Element, path: str) -> list[str | None]:
            return [one.text for one in root.iterfind(path, names)]

        reverse = [name for name in arin.zones if name.endswith(".arpa")]
        assert len(reverse) == 2
        for name in reverse:
            root = ElementTree.fromstring(arin.files[f"registry/{name}.xml"])
            key = ("r:delegationKeys/r:delegationKey/r:" + part for part in PARTS)
            said = [one for path in key for one in texts(root, path)]
            assert " ".join(map(str, said)) == arin.ds[name][0]
            assert texts(root, "r:name") == [f"{name}."]
            servers = texts(root, "r:nameservers/r:nameserver")
            assert servers == ["ns1.example.net", "ns2.example.com"]

    def test_a_provider_is_asked_for_the_ds_record_of_its_part(self, tmp_path: Path) -> None:
        provided = Papers(tmp_path, RELAYS_ONLY)
        zone = "132-135.100.51.198.in-addr.arpa"
        line = f"{zone}. IN DS {provided.ds[zone][0]}\n"
        assert line in provided.files["zones/of-others.txt"]

    def test_the_catalog_has_every_zone(self, ripe: Papers, tmp_path: Path) -> None:
        name = f"catalog.{DOMAIN}"
        text = ripe.files[f"zones/{name}.zone"]
        (tmp_path / "zone").write_text(text)
        lines = one_line_each(name, text)
        members = {rest for owner, kind, rest in lines if kind == "PTR"}
        assert members == {f"{zone}." for zone in ripe.zones}
        labels = {owner.split(".")[0] for owner, kind, _ in lines if kind == "PTR"}
        assert len(labels) == len(members)
        assert (f"version.{name}.", "TXT", '"2"') in lines


PARTS = ("keyTag", "algorithm", "digestType", "digest")


class Desk:
    """A folder of keys, and the zone of the names signed with them at any time."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        self.site = site()
        self.start = int(time.time()) - 40 * DAY

    def sign(self, day: float, roll: Roll | None = None) -> Signed:
        wanted = Wanted(self.keys, DAYS, roll)
        now = self.start + int(day * DAY)
        keys = prepare(wanted, [DOMAIN], None, now)
        zone: Zone = forward(self.site, details(self.site), keys.serial)
        signed = sign([zone], keys, wanted, now)
        taken(wanted, keys)
        return signed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


class TestRenewal:
    def test_old_signatures_end_and_new_ones_hold_with_the_same_keys(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        first = desk.sign(0)
        late = first.end + 2 * DAY
        ds = {DOMAIN: [str(first.ds[DOMAIN])]}
        before = Validator(tmp_path / "before", first.texts, ds, first.end - 3600)
        assert before.ask(NAME, "A") == SECURE
        assert Validator(tmp_path / "after", first.texts, ds, late).ask(NAME, "A").bogus
        again = desk.sign(25)
        assert again.ds == first.ds
        assert Validator(tmp_path / "again", again.texts, ds, late).ask(NAME, "A") == SECURE

    def test_serials_grow(self, desk: Desk) -> None:
        texts = [desk.sign(0).texts[DOMAIN] for _ in range(2)]
        first, second = (re.findall(r"SOA\s.*?(\d{10})", text, re.S)[0] for text in texts)
        assert int(second) > int(first)

    def test_a_serial_that_would_not_grow_is_refused(self, desk: Desk) -> None:
        wanted = Wanted(desk.keys, DAYS)
        prepare(wanted, [DOMAIN], 2026113001, desk.start)
        with pytest.raises(Refusal, match="2026113001 is not larger than 2026113001"):
            prepare(wanted, [DOMAIN], 2026113001, desk.start)
        with pytest.raises(Refusal, match="Write serial: 2026113002"):
            prepare(wanted, [DOMAIN], None, desk.start)


class TestRollOver:
    """Whatever of the zones before and after a step a resolver has, it validates."""

    @pytest.fixture(scope="class")
    def steps(self, tmp_path_factory: pytest.TempPathFactory) -> list[Signed]:
        desk = Desk(tmp_path_factory.mktemp("roll"))
        return [
            desk.sign(0),
            desk.sign(1, Roll.START),
            desk.sign(2, Roll.SWITCH),
            desk.sign(9, Roll.FINISH),
        ]

    @pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 2), (2, 3)])
    def test_every_mixture_validates(
        self, steps: list[Signed], before: int, after: int, tmp_path: Path
    ) -> None:
        for text, ds, what in mixtures(steps[before], steps[after]):
            asked = Validator(tmp_path / what, {DOMAIN: text}, {DOMAIN: [ds]})
            assert asked.ask(NAME, "A") == SECURE, what
            assert asked.ask(f"www.{DOMAIN}", "A") == SECURELY_NOT_THERE, what

    @pytest.mark.parametrize(("before", "after"), [(0, 2), (1, 3), (0, 3)])
    def test_a_step_that_is_left_out_is_seen(
        self, steps: list[Signed], before: int, after: int, tmp_path: Path
    ) -> None:
        """This shows that the test above would fail."""
        answers = [
            Validator(tmp_path / what, {DOMAIN: text}, {DOMAIN: [ds]}).ask(NAME, "A")
            for text, ds, what in mixtures(steps[before], steps[after])
        ]
        assert any(one.bogus for one in answers)

    def test_the_zone_above_is_asked_for_the_new_keys_in_the_second_step(
        self, steps: list[Signed]
    ) -> None:
        ds = [one.ds[DOMAIN] for one in steps]
        assert ds[0] == ds[1] != ds[2] == ds[3]
        counts = [
            sum(kind == "DNSKEY" for _, kind, _ in one_line_each(DOMAIN, step.texts[DOMAIN]))
            for step in steps
        ]
        assert counts == [2, 4, 4, 2]
        assert "--roll switch" in " ".join(steps[1].told)
        assert "new DS records" in " ".join(steps[2].told)

    def test_a_step_out_of_order_is_refused(self, desk: Desk) -> None:
        with pytest.raises(Refusal, match="there are no keys yet"):
            desk.sign(0, Roll.START)
        desk.sign(0)
        with pytest.raises(Refusal, match="Write --roll start"):
            desk.sign(1, Roll.SWITCH)
        desk.sign(1, Roll.START)
        with pytest.raises(Refusal, match="Write --roll switch"):
            desk.sign(30, Roll.START)

    def test_a_step_too_early_is_refused_and_signatures_are_renewed_all_the_same(
        self, desk: Desk
    ) -> None:
        desk.sign(0)
        desk.sign(1, Roll.START)
        with pytest.raises(Refusal, match=r"too early.*Wait 12 hours more"):
            desk.sign(1.5, Roll.SWITCH)
        assert "--roll switch" in " ".join(desk.sign(1.5).told)
        desk.sign(2, Roll.SWITCH)
        with pytest.raises(Refusal, match="Wait 24 hours more"):
            desk.sign(8, Roll.FINISH)

    def test_a_zone_that_comes_during_a_roll_over_has_one_pair_of_keys(self, desk: Desk) -> None:
        desk.sign(0)
        desk.sign(1, Roll.START)
        wanted = Wanted(desk.keys, DAYS)
        now = desk.start + 2 * DAY
        found = prepare(wanted, [DOMAIN, "new.example.net"], None, now)
        assert [len(found.pairs(name)) for name in (DOMAIN, "new.example.net")] == [2, 1]


def mixtures(before: Signed, after: Signed) -> Iterator[tuple[str, str, str]]:
    """Keys from one, everything else from one, and DS records of one: text, DS and what it is."""
    both = {"old": before, "new": after}
    for keys, one in both.items():
        for rest, other in both.items():
            for above, third in both.items():
                lines = [
                    *(line for line in one_line_each(DOMAIN, one.texts[DOMAIN]) if of_keys(line)),
                    *(
                        line
                        for line in one_line_each(DOMAIN, other.texts[DOMAIN])
                        if not of_keys(line)
                    ),
                ]
                text = "".join(f"{name} 3600 IN {kind} {data}\n" for name, kind, data in lines)
                yield text, str(third.ds[DOMAIN]), f"{keys}-keys-{rest}-zone-{above}-ds"


def of_keys(line: tuple[str, str, str]) -> bool:
    return line[1] == "DNSKEY" or (line[1] == "RRSIG" and line[2].startswith("DNSKEY "))


class TestFolderOfKeys:
    def test_keys_are_their_owner_s_alone(self, ripe: Papers) -> None:
        assert stat.S_IMODE(ripe.keys.stat().st_mode) == 0o700
        modes = {stat.S_IMODE(one.stat().st_mode) for one in ripe.keys.iterdir()}
        assert modes == {0o600}
        secrets = [
            line.split()[1]
            for one in ripe.keys.glob("*.private")
            for line in one.read_text().splitlines()
            if line.startswith("PrivateKey")
        ]
        assert len(secrets) == 2 * len(ripe.zones)
        for text in ripe.files.values():
            assert not any(secret in text for secret in secrets)

    @pytest.mark.parametrize(
        ("keys", "papers"), [("papers/keys", "papers"), ("keys", "keys/papers"), ("x", "x")]
    )
    def test_keys_and_papers_are_never_in_one_another(
        self, keys: str, papers: str, tmp_path: Path
    ) -> None:
        with pytest.raises(Refusal, match="papers are handed to others"):
            apart(tmp_path / keys, tmp_path / papers)

    def test_a_folder_that_others_can_look_into_is_refused(self, desk: Desk) -> None:
        desk.sign(0)
        desk.keys.chmod(0o750)
        with pytest.raises(Refusal, match="chmod 700"):
            desk.sign(1)

    def test_a_folder_with_other_files_is_refused(self, desk: Desk) -> None:
        desk.keys.mkdir()
        (desk.keys / "notes").touch()
        with pytest.raises(Refusal, match=r"no zones\.json"):
            desk.sign(0)

    @pytest.mark.parametrize("gone", [".key", ".private"])
    def test_a_key_that_is_gone_is_named_and_no_other_is_made(self, desk: Desk, gone: str) -> None:
        desk.sign(0)
        key = next(desk.keys.glob(f"*{gone}"))
        key.unlink()
        with pytest.raises(Refusal, match="the key is gone") as refused:
            desk.sign(1)
        assert refused.value.where == str(key)
        assert "copy of the folder of keys" in str(refused.value)

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("{", ""),
            ('"steady"', '"third"'),
            (f"K{DOMAIN}", "K../../x"),
            (f'"{DOMAIN}": [', f'"{DOMAIN}": {{}}, "x": ['),
            ('"serial": ', '"serial": -'),
            ('"since"', '"once"'),
        ],
    )
    def test_a_damaged_memory_is_refused(self, desk: Desk, right: str, wrong: str) -> None:
        desk.sign(0)
        state = desk.keys / ring.STATE
        text = state.read_text()
        assert right in text
        state.write_text(text.replace(right, wrong, 1))
        with pytest.raises(Refusal, match="it is damaged"):
            desk.sign(1)

    def test_an_empty_memory_is_not_that_of_a_new_folder(self, desk: Desk) -> None:
        desk.sign(0)
        (desk.keys / ring.STATE).write_bytes(b"")
        with pytest.raises(Refusal, match="it is damaged"):
            desk.sign(1)


def test_a_missing_program_is_named_with_its_package(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(bind, "SEARCH", "/nowhere")
    with pytest.raises(Refusal, match="sudo apt install bind9-utils"):
        desk.sign(0)


@pytest.mark.parametrize("days", [29, 181])
def test_signatures_hold_for_neither_too_short_nor_too_long(days: int, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is not from 30 to 180"):
        prepare(Wanted(tmp_path / "keys", days), [DOMAIN], None, int(time.time()))


def test_the_command_signs_and_refuses_what_would_undo_it(tmp_path: Path) -> None:
    words = ("paper", RIPE, "-o", "papers", "--sign", "keys")
    ran = exitisp(*words, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Sign again before " in ran.stdout
    assert "RRSIG" in (tmp_path / "papers" / "zones" / f"{DOMAIN}.zone").read_text()
    ds = (tmp_path / "papers" / "zones" / "ds.txt").read_text()
    unsigned = exitisp("paper", RIPE, "-o", "papers", folder=tmp_path)
    assert unsigned.returncode == 1
    assert "would not resolve without signatures" in unsigned.stderr
    assert exitisp(*words, folder=tmp_path).returncode == 0
    assert (tmp_path / "papers" / "zones" / "ds.txt").read_text() == ds
    early = exitisp(*words, "--roll", "finish", folder=tmp_path)
    assert early.returncode == 1
    assert "Write --roll start" in early.stderr


def test_signing_needs_a_folder_for_the_papers(tmp_path: Path) -> None:
    ran = exitisp("paper", RIPE, "--sign", "keys", folder=tmp_path)
    assert ran.returncode == 1
    assert "Name it with -o" in ran.stderr
    assert not (tmp_path / "keys").exists()


def test_a_step_whose_papers_are_not_written_is_not_taken(tmp_path: Path) -> None:
    """Two days later, a step that nobody could see would let the next one make names bogus."""
    keys, folder = tmp_path / "keys", tmp_path / "papers"
    write_papers(RIPE, folder, OVERLAYS, Wanted(keys, 60))
    before = ring.read(keys)
    (folder / "zones" / "ds.txt").unlink()
    (folder / "zones" / "ds.txt").mkdir()
    with pytest.raises(Refusal, match=r"ds\.txt: the file cannot be written"):
        write_papers(RIPE, folder, OVERLAYS, Wanted(keys, 60, Roll.START))
    assert ring.read(keys) == before
    (folder / "zones" / "ds.txt").rmdir()
    write_papers(RIPE, folder, OVERLAYS, Wanted(keys, 60, Roll.START))
    after = ring.read(keys)
    assert after is not None
    assert after.step is ring.Step.BOTH


@pytest.mark.parametrize(("keys", "papers"), [("loop", "papers"), ("keys", "loop")])
def test_links_in_a_circle_are_refused(tmp_path: Path, keys: str, papers: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Refusal, match="its links lead round in a circle"):
        apart(tmp_path / keys, tmp_path / papers)
