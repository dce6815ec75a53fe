"""What servers took of a box's alarms is judged."""

import json
from ipaddress import ip_address

from firstboot.box.alarms import strangers
from firstboot.box.alarms.letter import Way
from qemu.lab import alarm_checks
from qemu.lab.checks import Verdict
from qemu.lab.lab_site import EXAMPLE, on
from qemu.world.post import Taken
from tests.qemu.lab.test_checks import refuted

SITE = on("eth{}", EXAMPLE.with_stem("default-route"))
OWN = strangers.known(SITE)
ROUTER, MANAGEMENT = ip_address("198.51.100.1"), ip_address("192.0.2.194")
STRANGER = "11.250.3.10"

SOURCES = {
    (channel, way): [address]
    for channel in ("mail", "webhook")
    for way, address in ((Way.ROUTER, ROUTER), (Way.MANAGEMENT, MANAGEMENT))
}
PRINTED = "".join(f"{channel}, {way.value}: 11.250.9.10 has taken it\n" for channel, way in SOURCES)
TAKEN = tuple(
    Taken(1.0, channel, address, f"This is a test, sent {way.value}.\nAS1 (198.51.100.1)")
    for (channel, way), (address,) in SOURCES.items()
)

WRONG, WELL = "UNTENDED: nothing", "the box is tended"


def document(*lines: str) -> str:
    return json.dumps({"text": "\n".join(lines), "sentences": []})


def mail(*lines: str, channel: str = "mail") -> Taken:
    text = document(*lines) if channel == "webhook" else "\n".join(lines)
    return Taken(1.0, channel, ROUTER, text)


class TestAlarmed:
    def judged(self, *taken: Taken, printed: str = PRINTED) -> Verdict:
        return alarm_checks.alarmed(printed, taken, SOURCES, OWN)

    def test_holds(self) -> None:
        verdict = self.judged(*TAKEN)
        assert verdict.holds, verdict.evidence
        assert "mail over the management port: 192.0.2.194" in verdict.evidence

    def test_the_box_says_that_one_was_not_sent(self) -> None:
        printed = PRINTED.replace("11.250.9.10 has taken it", "NOT SENT: no answer in 15 s", 1)
        refuted(self.judged(*TAKEN, printed=printed), "NOT SENT: no answer in 15 s")
        refuted(self.judged(*TAKEN, printed=""), "the box says nothing of mail from the router's")

    def test_what_no_server_took(self) -> None:
        refuted(self.judged(*TAKEN[1:]), "no server took mail from the router's address")

    def test_another_source(self) -> None:
        other = Taken(2.0, "mail", MANAGEMENT, TAKEN[0].text)
        refuted(self.judged(other, *TAKEN[1:]), "came from 192.0.2.194")

    def test_an_address_of_somebody_else(self) -> None:
        other = Taken(2.0, "mail", ROUTER, f"the exit to {STRANGER}:443 is slow")
        refuted(self.judged(*TAKEN, other), f"a text by mail has {STRANGER}")

    def test_a_site_that_tells_nobody_proves_nothing(self) -> None:
        refuted(alarm_checks.alarmed("", (), {}, OWN), "nobody is told")


class TestToldOf:
    def judged(self, *taken: Taken, now: bool, channels: tuple[str, ...] = ("mail",)) -> Verdict:
        return alarm_checks.told_of(
            "told of", taken, channels, OWN, wrong=WRONG, well=WELL, now=now
        )

    wrong = mail(f"{WRONG} is restarted")
    well = mail("DOWN: log", f"Well again, after 4 minutes: {WELL}")

    def test_holds_while_it_is_wrong(self) -> None:
        verdict = self.judged(mail("DOWN: log"), self.wrong, now=False)
        assert verdict.holds
        assert verdict.evidence == "mail: UNTENDED: nothing is restarted"

    def test_holds_once_it_is_well(self) -> None:
        assert self.judged(self.wrong, self.well, now=True).holds
        assert self.judged(self.wrong, self.well, self.wrong, now=False).holds

    def test_every_channel_has_to_tell_in_whatever_form(self) -> None:
        both = ("mail", "webhook")
        refuted(self.judged(self.wrong, now=False, channels=both), "came by webhook")
        posted = mail(f"{WRONG} is restarted", channel="webhook")
        assert self.judged(self.wrong, posted, now=False, channels=both).holds

    def test_what_is_not_told(self) -> None:
        refuted(self.judged(mail("DOWN: log"), now=False), "nothing of it came by mail")
        refuted(self.judged(now=False, channels=()), "nobody is told")

    def test_what_is_still_wrong_and_what_nobody_was_told(self) -> None:
        refuted(self.judged(self.wrong, now=True), "the last word of it is: UNTENDED")
        refuted(self.judged(self.wrong, self.well, now=False), "the last word of it is: Well")
        refuted(self.judged(self.well, now=True), "nobody was told that it was wrong")

    def test_an_address_of_somebody_else(self) -> None:
        other = mail(f"relay 1 was left by {STRANGER}", channel="webhook")
        refuted(self.judged(self.wrong, other, now=False), STRANGER)
