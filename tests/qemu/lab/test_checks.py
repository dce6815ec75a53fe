"""Each check holds for what a sound appliance shows, and for nothing else."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from firstboot.core.values import Network
from firstboot.site.model import PortRole
from qemu.lab import checks
from qemu.lab.checks import Asked, Verdict
from qemu.lab.lab_site import SITE
from qemu.world.egress_rule import rule
from qemu.world.packets import Frame
from qemu.world.rpki.payloads import Roa
from qemu.world.rpki.servers import Fetched
from qemu.world.web import Visit
from tests.qemu.lab.frames import MAC, arp, tcp, udp

EXIT, RESOLVER = ip_address("198.51.100.12"), ip_address("198.51.100.2")
STRANGER = ip_address("203.0.113.10")
EXCHANGE = next(port for port in SITE.ports if port.role is PortRole.EXCHANGE)


def nets(*texts: str) -> set[Network]:
    return {ip_network(text) for text in texts}


def refuted(verdict: Verdict, reason: str) -> None:
    assert not verdict.holds
    assert reason in verdict.evidence


HEARD = {
    "upstream-a 4": nets("198.51.100.0/24"),
    "upstream-a 6": nets("2001:db8:ee::/48", "2001:db8:ef::/48"),
}

BAD = {"hijacks": nets("198.51.100.128/25"), "bogons": nets("10.0.0.0/8")}
GOOD = nets("11.1.0.0/24")
CAME = GOOD.union(*BAD.values())


class TestAnnounced:
    def test_holds(self) -> None:
        verdict = checks.announced(HEARD, SITE.scopes)
        assert verdict.holds
        assert "2 sessions hear 198.51.100.0/24" in verdict.evidence

    def test_a_scope_that_is_missing(self) -> None:
        heard = HEARD | {"upstream-a 6": nets("2001:db8:ee::/48")}
        refuted(checks.announced(heard, SITE.scopes), "upstream-a 6 does not hear 2001:db8:ef::/48")

    def test_anything_else(self) -> None:
        heard = HEARD | {"peer 4": nets("198.51.100.0/24", "11.0.0.0/24")}
        refuted(checks.announced(heard, SITE.scopes), "peer 4 also hears 11.0.0.0/24")

    def test_nobody_to_hear_it(self) -> None:
        refuted(checks.announced({}, SITE.scopes), "there is no session")


class TestFetched:
    def test_holds(self) -> None:
        visits = [Visit("http", EXIT, "/a"), Visit("http", STRANGER, "/other")]
        assert checks.fetched("a page", "page", visits, "/a", [EXIT]).holds

    def test_no_page(self) -> None:
        refuted(
            checks.fetched("", "page", [Visit("http", EXIT, "/a")], "/a", [EXIT]), "got nothing"
        )

    def test_another_source(self) -> None:
        visits = [Visit("http", EXIT, "/a"), Visit("http", STRANGER, "/a")]
        refuted(checks.fetched("page", "page", visits, "/a", [EXIT]), "saw 203.0.113.10")

    def test_a_page_that_the_server_did_not_serve(self) -> None:
        refuted(checks.fetched("page", "page", [], "/a", [EXIT]), "saw nobody")


class TestResolved:
    ASKED = (
        Asked(".", "example.", RESOLVER),
        Asked("example.", "web.example.", RESOLVER),
        Asked("web.example.", "www.web.example.", RESOLVER),
        Asked(".", "example.org.", STRANGER),
    )

    def judged(self, *asked: Asked) -> Verdict:
        return checks.resolved(asked, "www.web.example.", [RESOLVER])

    def test_holds(self) -> None:
        assert self.judged(*self.ASKED).holds

    def test_a_question_of_an_exit(self) -> None:
        asked = replace(self.ASKED[2], source=EXIT)
        refuted(self.judged(*self.ASKED, asked), "198.51.100.12 asked")

    def test_a_root_that_learns_the_whole_name(self) -> None:
        asked = Asked(".", "www.web.example.", RESOLVER)
        refuted(self.judged(*self.ASKED, asked), ". was asked for www.web.example.")

    def test_a_server_that_learns_one_label_too_many(self) -> None:
        asked = Asked(".", "web.example.", RESOLVER)
        refuted(self.judged(*self.ASKED, asked), ". was asked for web.example.")

    def test_a_name_that_nobody_asked_for(self) -> None:
        refuted(self.judged(*self.ASKED[:2]), "nobody asked for www.web.example.")


SIGNED = (Roa(64500, ip_network("192.0.2.0/24"), 24), Roa(64500, ip_network("2001:db8::/32"), 48))
ROUTER = ip_address("198.51.100.1")


class TestValidated:
    def judged(self, text: str, source: str = str(ROUTER), path: str = "/snapshot.xml") -> Verdict:
        written = f"# Generated\nroa-set {{\n{text}}}\n"
        return checks.validated(written, SIGNED, [Fetched(ip_address(source), path)], [ROUTER])

    first = "\t192.0.2.0/24 source-as 64500 expires 1798664990\n"
    second = "\t2001:db8::/32 maxlen 48 source-as 64500 expires 1798664990\n"

    def test_holds(self) -> None:
        assert self.judged(self.first + self.second).holds

    def test_one_that_is_missing(self) -> None:
        refuted(self.judged(self.first), "it lacks")

    def test_one_that_nobody_signed(self) -> None:
        other = self.second.replace("64500", "64501")
        refuted(self.judged(self.first + self.second + other), "it also has")

    def test_another_max_length(self) -> None:
        refuted(self.judged(self.first + self.second.replace("48", "64")), "it also has")

    def test_a_question_of_another_address(self) -> None:
        refuted(self.judged(self.first + self.second, "198.51.100.9"), "198.51.100.9 asked")

    def test_what_nobody_fetched(self) -> None:
        refuted(self.judged(self.first + self.second, path="/notification.xml"), "the snapshot")


class TestContained:
    def judged(self, *frames: Frame) -> Verdict:
        return checks.contained({"exchange": (rule(SITE, EXCHANGE), frames)})

    SOUND = (
        arp("203.0.113.10", "203.0.113.20"),
        tcp("203.0.113.10", "203.0.113.20", 4096, 179),
        udp("198.51.100.2", "11.0.0.53", 4096, 53),
        tcp("2001:db8:ee:80::1", "2d0f:1::80", 4096, 443),
    )

    def test_holds(self) -> None:
        verdict = self.judged(*self.SOUND)
        assert verdict.holds
        assert "4 on exchange" in verdict.evidence

    @pytest.mark.parametrize(
        "frame",
        [
            udp("203.0.113.10", "11.0.0.53", 4096, 53),
            udp("192.0.2.2", "11.0.0.53", 4096, 53),
            tcp("203.0.113.10", "203.0.113.99", 4096, 179),
        ],
        ids=str,
    )
    def test_one_stray_among_many(self, frame: Frame) -> None:
        refuted(self.judged(*self.SOUND, frame), str(frame.packet.source))


class TestPermitted:
    def test_holds(self) -> None:
        verdict = checks.permitted({"exchange": TestContained.SOUND})
        assert verdict.holds
        assert verdict.evidence == f"exchange: 2 IPv4, 1 ARP, 1 IPv6, from {MAC}"

    def test_another_kind_of_frame(self) -> None:
        lldp = Frame(MAC, 0x88CC, bytes(46))
        refuted(checks.permitted({"exchange": [*TestContained.SOUND, lldp]}), "1 of 0x88cc")

    def test_another_sender(self) -> None:
        other = udp("198.51.100.2", "11.0.0.53", 4096, 53, mac="02:00:00:00:00:01")
        refuted(checks.permitted({"exchange": [*TestContained.SOUND, other]}), "02:00:00:00:00:01")


class TestRefused:
    def test_holds(self) -> None:
        assert checks.refused(CAME, GOOD, BAD, GOOD).holds

    def test_one_that_is_taken(self) -> None:
        taken = GOOD | nets("10.0.0.0/8")
        refuted(checks.refused(CAME, taken, BAD, GOOD), "bogons: 10.0.0.0/8 taken")

    def test_one_that_never_came_proves_nothing(self) -> None:
        refuted(checks.refused(GOOD, GOOD, BAD, GOOD), "did not come")

    def test_a_policy_that_takes_nothing(self) -> None:
        refuted(checks.refused(CAME, [], BAD, GOOD), "11.1.0.0/24 not taken")


class TestMoved:
    BEFORE, DURING, AFTER = (
        ("before", {"transit-a"}, True),
        ("without it", {"transit-b"}, True),
        ("after", {"transit-a", "transit-b"}, True),
    )

    def test_holds(self) -> None:
        used = (self.BEFORE, self.DURING, self.AFTER)
        assert checks.moved("failover", used, "transit-a", back=True).holds

    @pytest.mark.parametrize(
        ("during", "reason"),
        [
            (("without it", {"transit-a", "transit-b"}, True), "without it it was by transit-a"),
            (("without it", set(), True), "by none"),
            (("without it", {"transit-b"}, False), "no page without it"),
        ],
    )
    def test_traffic_that_does_not_move(
        self, during: tuple[str, set[str], bool], reason: str
    ) -> None:
        used = (self.BEFORE, during, self.AFTER)
        refuted(checks.moved("failover", used, "transit-a", back=True), reason)

    def test_traffic_that_does_not_come_back(self) -> None:
        used = (self.BEFORE, self.DURING, ("after", {"transit-b"}, True))
        assert checks.moved("failover", used, "transit-a", back=False).holds
        refuted(checks.moved("failover", used, "transit-a", back=True), "after it was not by")


def test_a_stream_has_to_answer_every_time() -> None:
    assert checks.held("drain", {"before": True, "drained": True}).holds
    refuted(checks.held("drain", {"before": True, "drained": False}), "no answer drained")
    refuted(checks.held("drain", {}), "nobody looked")


def test_one_frame_breaks_a_silence() -> None:
    assert checks.silent("dark", {"transit-a": []}).holds
    frames = [arp("192.0.2.2", "192.0.2.1")]
    refuted(checks.silent("dark", {"transit-a": frames}), "1 frames on transit-a")


def test_what_the_appliance_says_is_told() -> None:
    text = "holds: one thing\nDOWN: BGP\n"
    verdict = checks.said("status", text, wanted=["DOWN: BGP"])
    assert verdict == Verdict("status", True, "DOWN: BGP")
    refuted(checks.said("status", text, wanted=["NOT SO"]), "not printed: NOT SO")
    refuted(checks.said("status", text, unwanted=["DOWN"]), "printed: DOWN")


OWN_FILES = """\
/cfg/generations/1/site.yaml:198.51.100.1
/var/etc/pf.conf:198.51.100.1
grep: /var/run/log: Operation not supported
"""


def test_a_box_with_nobody_in_its_files_has_recorded_nobody() -> None:
    gone = "/bin/sh: 1: eval: cannot open /data/tor/relay2/diff-cache/1027: No such file\n"
    verdict = checks.unrecorded(OWN_FILES + gone, "198.51.100.1", 40)
    assert verdict.holds
    assert verdict.evidence.startswith("198.51.100.1 is in 2 files, and none of 40 words")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (f"{OWN_FILES}/var/log/messages:11.250.3.10\n", "/var/log/messages:11.250.3.10"),
        (f"{OWN_FILES}/data/journal/1.jsonl:2d0f:3::a\n", "/data/journal/1.jsonl:2d0f:3::a"),
        ("", "the search does not even find 198.51.100.1"),
        ("grep: unknown option -- D\n", "the search does not even find 198.51.100.1"),
        (f"{OWN_FILES}tr: Illegal byte sequence\n", "not searched: tr: Illegal byte sequence"),
    ],
)
def test_a_stranger_in_a_file_is_told_and_so_is_a_search_that_finds_nothing(
    found: str, why: str
) -> None:
    verdict = checks.unrecorded(found, "198.51.100.1", 40)
    assert not verdict.holds
    assert why in verdict.evidence
