"""What a box tells a monitoring host is judged, and whom it answers besides."""

import json
from ipaddress import ip_address

import pytest

from firstboot.box.sample import Sample
from firstboot.box.status import document
from qemu.lab import metric_checks
from qemu.lab.checks import Verdict
from qemu.lab.metric_checks import Wanted
from qemu.world.knocks import Door
from tests.firstboot.box.box import Box
from tests.firstboot.box.conftest import box
from tests.firstboot.box.test_apply import configured
from tests.qemu.lab.test_checks import refuted

__all__ = ["box"]

STRANGERS = ("11.250.3.10", "deep.unsigned.example")
WANTED = (
    Wanted("exitisp_well"),
    Wanted("exitisp_session_up", (("peer", "upstream"), ("family", "4"))),
    Wanted("tor_", (("relay", "2"),)),
)
TEXT = """\
# TYPE exitisp_well gauge
exitisp_well 1
# TYPE exitisp_session_up gauge
exitisp_session_up{peer="upstream",family="4"} 1
tor_relay_load_onionskins_total{relay="2",type="ntor",action="processed"} 1.5e+3
tor_relay_dns_error_total{relay="2"} NaN 1700000000000
"""


class TestMetrics:
    def judged(self, text: str) -> Verdict:
        return metric_checks.metrics(text, WANTED, STRANGERS)

    def test_holds(self) -> None:
        verdict = self.judged(TEXT)
        assert verdict.holds, verdict.evidence
        assert verdict.evidence == "4 samples of 4 kinds"

    @pytest.mark.parametrize(
        "line",
        [
            "exitisp: the site cannot be read",
            "exitisp_well{ 1",
            "exitisp_well{peer=upstream} 1",
            'exitisp_well{peer="a"b"} 1',
            "exitisp_well",
            "exitisp_well one",
            "9_lives 1",
        ],
    )
    def test_a_line_that_is_no_sample(self, line: str) -> None:
        refuted(self.judged(f"{TEXT}{line}\n"), f"this is no sample: {line!r}")

    def test_a_sample_that_is_missing(self) -> None:
        other = TEXT.replace('family="4"', 'family="6"')
        refuted(self.judged(other), 'no sample of exitisp_session_up{peer="upstream",family="4"}')
        refuted(self.judged(TEXT.replace('relay="2"', 'relay="1"')), 'no sample of tor_{relay="2"}')
        refuted(self.judged(""), "no sample of exitisp_session_up")

    @pytest.mark.parametrize(
        "value",
        ["203.0.113.9", "[2001:db8::1]:443", "to 192.0.2.1:80", "n1.deep.unsigned.example", "::1"],
    )
    def test_a_label_with_somebody_s_address_or_name(self, value: str) -> None:
        refuted(self.judged(f'{TEXT}tor_streams{{to="{value}"}} 1\n'), repr(value))

    @pytest.mark.parametrize("value", ["lagg0.1203", "12:30:45", "02:00:5e:10:00:0b", "LEAK4-tcp"])
    def test_a_label_that_is_nobody_s(self, value: str) -> None:
        assert self.judged(f'{TEXT}exitisp_pf{{rule="{value}"}} 1\n').holds

    def test_what_the_box_writes_is_read(self) -> None:
        for value in (0.25, 7, 1e-07, float("-inf")):
            sample = Sample("exitisp_relay", value, (("relay", "2"), ("place", "/data")))
            assert self.judged(f"{TEXT}{sample}\n").holds, sample


class TestStatus:
    def test_holds_for_what_a_box_says(self, box: Box) -> None:
        configured(box)
        verdict = metric_checks.status(json.dumps(document(box.machine)))
        assert verdict.holds, verdict.evidence

    def test_what_is_no_such_document(self, box: Box) -> None:
        configured(box)
        told = document(box.machine)
        refuted(metric_checks.status(json.dumps(told | {"user": 1})), "'user' was unexpected")
        refuted(metric_checks.status(json.dumps(told | {"well": "yes"})), "$.well")
        refuted(metric_checks.status("exitisp: interrupted"), "is no JSON")
        refuted(metric_checks.status("[]"), "is not of type 'object'")


SSH, METRICS, RELAY = (Door(ip_address("198.51.100.12"), port) for port in (22, 9101, 443))


class TestShut:
    def judged(self, *found: Door, control: tuple[Door, ...] = (RELAY,)) -> Verdict:
        answered, reaches = {"upstream": found, "server": ()}, {"upstream": control, "server": ()}
        return metric_checks.shut([SSH, METRICS], answered, reaches)

    def test_holds(self) -> None:
        verdict = self.judged(RELAY)
        assert verdict.holds
        assert verdict.evidence == "none of 2 doors is open to server, upstream"

    def test_an_open_door(self) -> None:
        refuted(self.judged(RELAY, METRICS), "198.51.100.12 port 9101 answers upstream")

    def test_a_search_that_finds_nothing_proves_nothing(self) -> None:
        refuted(self.judged(), "upstream does not even reach 198.51.100.12 port 443")
        refuted(self.judged(control=()), "nobody looked who could have found something")
