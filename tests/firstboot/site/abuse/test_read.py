"""Complaints of every form are understood, and mails of every shape give their text."""

from email.message import EmailMessage
from ipaddress import ip_address

import pytest

from firstboot.core.limits import COMPLAINT, COMPLAINT_PARTS
from firstboot.core.refusal import Refusal
from firstboot.site.abuse import mail
from firstboot.site.abuse.forms import addresses
from firstboot.site.abuse.moments import moment
from firstboot.site.complaint_counts import Category
from tests.firstboot.site.abuse import complaints
from tests.firstboot.site.abuse.complaints import EXIT, NOW, WHEN, letter, understood


def attached(report: str, maintype: str, subtype: str) -> bytes:
    made = letter("A report is attached. Machines read it.")
    made.add_attachment(report.encode(), maintype=maintype, subtype=subtype, filename="xarf.json")
    return made.as_bytes()


def as_html(text: str) -> bytes:
    made = EmailMessage()
    made["From"] = "victim@example.net"
    made["Date"] = "Mon, 30 Nov 2026 12:00:00 +0000"
    body = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>\n")
    style = "<style>p { color: red } 192.0.2.9</style>"
    made.set_content(f"<html>{style}<body><p>{body}</body></html>", subtype="html")
    return made.as_bytes()


IDS = (
    "v4",
    "v4-attached",
    "v4-octets",
    "v4-in-text",
    "v4-list",
    "v3",
    "v3-attached",
    "v3-nested",
    "v0",
    "feedback",
    "acns",
    "fail2ban",
    "fail2ban-html",
    "scan",
    "scan-bare",
    "web",
)


@pytest.mark.parametrize(
    ("data", "form", "category", "port"),
    [
        (complaints.XARF_4.encode(), "XARF 4", Category.LOGIN, 22),
        (attached(complaints.XARF_4, "application", "json"), "XARF 4", Category.LOGIN, 22),
        (attached(complaints.XARF_4, "application", "octet-stream"), "XARF 4", Category.LOGIN, 22),
        (letter(f"Hello\n\n{complaints.XARF_4}\n").as_bytes(), "XARF 4", Category.LOGIN, 22),
        (f"[{complaints.XARF_4}]".encode(), "XARF 4", Category.LOGIN, 22),
        (complaints.XARF_3.encode(), "XARF 3", Category.LOGIN, 22),
        (attached(complaints.XARF_3, "application", "json"), "XARF 3", Category.LOGIN, 22),
        (complaints.XARF_3_NESTED.encode(), "XARF 3", Category.SPAM, None),
        (letter(complaints.XARF_LINES).as_bytes(), "X-ARF 0.2", Category.LOGIN, 22),
        (complaints.FEEDBACK.encode(), "a feedback report", Category.SPAM, None),
        (letter(complaints.ACNS).as_bytes(), "ACNS", Category.COPYRIGHT, None),
        (letter(complaints.FAIL2BAN).as_bytes(), "plain text", Category.LOGIN, None),
        (as_html(complaints.FAIL2BAN), "plain text", Category.LOGIN, None),
        (letter(complaints.SCAN).as_bytes(), "plain text", Category.SCAN, 8080),
        (complaints.SCAN.encode(), "plain text", Category.SCAN, 8080),
        (letter(complaints.WEB).as_bytes(), "plain text", Category.WEB, None),
    ],
    ids=IDS,
)
def test_each_form_is_understood(
    data: bytes, form: str, category: Category, port: int | None
) -> None:
    found = understood(data)
    (claim,) = [one for one in found.claims if str(one.address) == EXIT]
    assert (found.form, found.category, claim.port) == (form, category, port)
    assert claim.moment
    assert str(claim.moment).startswith(WHEN)


@pytest.mark.parametrize(
    ("text", "when", "said"),
    [
        ("2026-11-30T11:58:01.123Z", WHEN, True),
        ("2026-11-30 11:58:01 UTC", WHEN, True),
        ("2026/11/30 06:58:01 -0500", WHEN, True),
        ("2026-11-30 11:58:01", WHEN, False),
        ("Mon, 30 Nov 2026 12:58:01 +0100", WHEN, True),
        ("30 November 2026 11:58:01 GMT", WHEN, True),
        ("[30/Nov/2026:12:58:01 +0100]", WHEN, True),
        ("Nov 30, 2026, 11:58:01", WHEN, False),
        ("Nov 30 11:58:01 host", WHEN, False),
        ("Dec 31 23:59:59 host", "2025-12-31 23:59:59 UTC", False),
    ],
)
def test_times_are_read(text: str, when: str, said: bool) -> None:
    found = moment(text, NOW)
    assert found
    assert str(found).startswith(when)
    assert found.said is said


@pytest.mark.parametrize("text", ["2026-13-30T11:58:01Z", "Nov 31 11:58:01", "12:30", ""])
def test_what_no_calendar_has_is_no_time(text: str) -> None:
    assert moment(text, NOW) is None


def test_a_time_without_a_year_needs_the_mails() -> None:
    assert moment("Nov 30 11:58:01", None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2[.]1 and hxxp://192.0.2.2/", ["192.0.2.1", "192.0.2.2"]),
        ("from 2001:db8::1 port 5", ["2001:db8::1"]),
        ("[2001:DB8:0:0:0:0:0:1]:443", ["2001:db8::1"]),
        ("::ffff:192.0.2.1", ["192.0.2.1"]),
        ("1.2.3.4.5 300.1.1.1 at 12:30:45, 02:00:00:00:00:01", []),
    ],
)
def test_addresses_are_found_in_lines(text: str, expected: list[str]) -> None:
    assert [*map(str, addresses(text))] == expected


def test_a_mapped_address_counts_as_the_ipv4_address() -> None:
    assert [*addresses("2001:db8::1 0:0:0:0:0:ffff:c000:201")][1] == ip_address("192.0.2.1")


def test_html_is_reduced_to_its_text() -> None:
    text = mail.plain("<p>a &lt;b&gt;<script>if (1<2) x</script>c<br>d <SCRIPT>e</script >f <g")
    assert text.split() == ["a", "<b>", "c", "d", "f", "g"]


def test_nothing_that_acts_on_a_terminal_is_left() -> None:
    read = mail.read(letter("a\x1b[2Jb\u202ec\x07d").as_bytes())
    assert "\x1b" not in read.text
    assert "\u202e" not in read.text


def test_a_complaint_within_a_forwarded_mail_is_read() -> None:
    outer = letter("see below", subject="Fwd: abuse")
    outer.add_attachment(letter(complaints.FAIL2BAN))
    assert EXIT in {str(one.address) for one in understood(outer.as_bytes()).claims}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"x" * (COMPLAINT + 1), "MiB"),
        (b"Content-Type: multipart/mixed; boundary=a\n" * (COMPLAINT_PARTS + 1), "parts"),
        (b"", "no text"),
        (b"From: a@example.net\nSubject: 192.0.2.1\n\n", "no text"),
    ],
    ids=("large", "many-parts", "empty", "headers-alone"),
)
def test_what_is_no_complaint_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        mail.read(data)


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Reply-To", "desk@example.net", "desk@example.net"),
        ("Reply-To", "noreply@example.net", "victim@example.net"),
        ("Reply-To", '"a\\"b"@example.net', "victim@example.net"),
        ("Reply-To", "=?utf-8?q?a=0ABcc:_x=40example.net_?= <d@example.net>", "d@example.net"),
    ],
)
def test_an_answer_goes_to_an_address_that_is_one(header: str, value: str, expected: str) -> None:
    data = letter("x").as_bytes().replace(b"Date:", f"{header}: {value}\nDate:".encode(), 1)
    assert mail.read(data).answer_to == expected
