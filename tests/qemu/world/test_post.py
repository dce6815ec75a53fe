"""A box's own code tells the servers of the simulated Internet."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from firstboot.site.model import Site
from firstboot.site.writer import compose
from qemu.lab.lab_site import EXAMPLE, on
from qemu.world.net import Party, Unable, World
from qemu.world.post import Post, Taken, taken

LAB_SITE = on("eth{}", EXAMPLE.with_stem("default-route"))
ROUTER = allot(LAB_SITE).router.v4
TO_MAIL = destinations(LAB_SITE)[0]
SERVER = TO_MAIL.address

TELL = """\
import sys
from pathlib import Path
from firstboot.box.alarms.delivery import Sender
from firstboot.box.alarms.letter import Letter, Undelivered, Way
from firstboot.box.systems.rehearsal import SYSTEM
from firstboot.site.alarms import destinations
from firstboot.site.model import load

site = load(Path(sys.argv[1])).value
letter = Letter("exitisp: 1 alarm", ".dotted\\nDOWN: log", {"text": "exitisp\\nDOWN: log"})
for to in destinations(site):
    try:
        print(Sender(site, SYSTEM, {}).deliver(letter, to, [Way.ROUTER]).value)
    except Undelivered as error:
        print(error)
"""

IN_THE_CLEAR = """\
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as smtp:
    smtp.ehlo()
    print(smtp.mail("noc@example.org"))
"""


@dataclass
class Two:
    """A box, the post, and what was told."""

    box: Party
    host: Party
    post: Post
    folder: Path

    def tells(self, site: Site) -> list[str]:
        place = self.folder / "site.yaml"
        place.write_text(compose(site))
        return self.box.run(sys.executable, "-c", TELL, place).splitlines()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("post")
    try:
        with World(folder) as world:
            box, host = world.party("box"), world.party("post")
            near, far = box.port("eth0"), host.port("eth0")
            world.wire(near, far)
            near.up("10.0.0.1/24")
            far.up("10.0.0.2/24")
            box.port("lo").up(f"{ROUTER}/32")
            host.port("lo").up(f"{SERVER}/32")
            box.run("ip", "route", "add", f"{SERVER}/32", "via", "10.0.0.2")
            host.run("ip", "route", "add", f"{ROUTER}/32", "via", "10.0.0.1")
            post = Post()
            for to in destinations(LAB_SITE):
                post.serve(host, to.channel, to.port)
                post.serve(host, to.channel, to.port)
            yield Two(box, host, post, folder)
    except Unable as reason:
        pytest.skip(str(reason))


def test_what_the_box_tells_arrives_with_its_source(two: Two) -> None:
    account = replace(LAB_SITE.alarm.mail, user="exit", password="a secret")
    site = replace(LAB_SITE, alarm=replace(LAB_SITE.alarm, mail=account))
    assert two.tells(site) == ["from the router's address"] * 2
    mail, posted = two.post.taken()[-2:]
    assert (mail.channel, mail.source) == ("mail", ROUTER)
    assert mail.lines == ["exitisp: 1 alarm", ".dotted", "DOWN: log"]
    assert (posted.channel, posted.source) == ("webhook", ROUTER)
    assert posted.lines == ["exitisp", "DOWN: log"]


def test_a_box_that_knows_another_certificate_tells_nothing(two: Two) -> None:
    before = len(two.post.taken())
    alarm = LAB_SITE.alarm
    other = replace(
        alarm,
        mail=replace(alarm.mail, certificate="0" * 64),
        webhook=replace(alarm.webhook, certificate="0" * 64),
    )
    for line in two.tells(replace(LAB_SITE, alarm=other)):
        assert "its certificate is another one" in line
    assert len(two.post.taken()) == before


def test_a_mail_in_the_clear_is_refused(two: Two) -> None:
    said = two.box.run(sys.executable, "-c", IN_THE_CLEAR, str(SERVER), str(TO_MAIL.port))
    assert "(530, " in said


def test_a_line_that_is_not_whole_yet_is_passed_over() -> None:
    said = 'ready\n{"time": 1.5, "channel": "mail", "source": "192.0.2.1", "text": "a"}\n{"time": 2'
    assert [*taken(said)] == [Taken(1.5, "mail", ip_address("192.0.2.1"), "a")]
    assert Taken(1.5, "webhook", ip_address("192.0.2.1"), "no document").lines == ["no document"]
