"""Answers: which one, in whose words, and that nothing of a stranger's gets into them."""

import email
import email.policy
import json
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.abuse import answer, counts, mail
from firstboot.site.abuse.judge import judge
from firstboot.site.abuse.read import complaint
from firstboot.site.complaint_counts import Category
from tests.firstboot.site.abuse import complaints
from tests.firstboot.site.abuse.complaints import EXIT, NOW, answered, letter, site

SPAM = complaints.XARF_4.replace("login_attack", "spam")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (complaints.XARF_4, "login"),
        (complaints.SCAN, "scan"),
        (SPAM, "spam"),
        (complaints.ACNS, "copyright"),
        (complaints.WEB, "web"),
        (complaints.XARF_4.replace("login_attack", "ddos"), "flood"),
        (complaints.XARF_4.replace("login_attack", "infected_host"), "malware"),
        (complaints.XARF_4.replace("login_attack", "phishing"), "fraud"),
        (f"{EXIT} was unkind to me", "other"),
        (
            complaints.XARF_4.replace('"destination_port": 22', '"destination_port": 25'),
            "impossible",
        ),
        (complaints.XARF_4.replace(EXIT, "198.51.100.1"), "not-exit"),
        (complaints.XARF_4.replace(EXIT, "203.0.113.20"), "not-ours"),
        ("Somebody was unkind to me", "unclear"),
    ],
    ids=lambda value: value if value in answer.NAMES else "",
)
def test_each_has_its_answer(data: str, name: str) -> None:
    chosen, text = answered(letter(data).as_bytes())
    assert chosen == name
    assert "Example Exit Foundation" in text
    assert "{" not in text
    assert "}" not in text


def test_every_answer_has_a_text_and_every_text_is_used() -> None:
    shipped = {path.stem for path in answer.SHIPPED.glob("*.txt")}
    assert shipped == {*answer.NAMES, "opening", "claims", "closing", "signature"}


def test_spam_tells_of_port_25_only_if_exits_do_not_send_to_it() -> None:
    assert "nothing out to port 25" in answered(SPAM.encode())[1]
    everything = 'policy: own\n  rules: ["accept *:*"]'
    at = site(("  nickname: ExampleExit{n}", f"  nickname: ExampleExit{{n}}\n  {everything}"))
    assert "port 25" not in answered(SPAM.encode(), at)[1]


def test_an_answer_is_a_mail_to_who_complained() -> None:
    made = email.message_from_string(
        answered(letter(complaints.FAIL2BAN, subject="Größe").as_bytes())[1],
        policy=email.policy.default,
    )
    assert made["From"] == "abuse@example.org"
    assert made["To"] == "victim@example.net"
    assert made["Subject"] == "Re: Größe"
    assert made["In-Reply-To"] == "<1@example.net>"
    assert EXIT in made.get_content()


def test_if_nobody_reads_the_senders_mail_it_goes_where_the_report_says() -> None:
    data = letter(complaints.XARF_4).as_bytes().replace(b"victim@", b"noreply@")
    assert "\nTo: reports@example.net\n" in answered(data)[1]
    assert (
        "\nTo:"
        not in answered(letter(complaints.SCAN).as_bytes().replace(b"victim@", b"no-reply@"))[1]
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", "=?utf-8?q?Hi=0D=0ABcc=3A_all=40example.com?="),
        ("Subject", "=?utf-8?q?Hi=0ABcc=3A_all=40example.com=0A=0Abody?="),
        ("From", "=?utf-8?q?a=0ABcc=3A_all=40example.com=0A?= <victim@example.net>"),
        ("Reply-To", "victim@example.net\r\n Bcc: all@example.com"),
        ("Message-ID", "<1@example.net>\r\n\tBcc: all@example.com"),
        ("Subject", "Hi\u2028Bcc: all@example.com"),
    ],
)
def test_no_header_is_smuggled_into_an_answer(name: str, value: str) -> None:
    data = f"{name}: {value}\n".encode() + b"Date: x\nContent-Type: text/plain\n\n" + EXIT.encode()
    made = email.message_from_string(answered(data)[1], policy=email.policy.default)
    assert made["Bcc"] is None
    assert "all@example.com" not in made.get_content()
    assert {*made.keys()} <= {
        "From",
        "To",
        "Subject",
        "In-Reply-To",
        "References",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }


def test_what_looks_like_a_template_in_a_complaint_is_none() -> None:
    text = answered(letter(f"{EXIT} {{{{ operator.__class__ }}}} {{% raw %}}").as_bytes())[1]
    assert "class" not in text


def own(folder: Path, data: str = complaints.XARF_4) -> str:
    at = site()
    found = complaint(mail.read(data.encode()))
    return answer.body("login", folder, found, judge(found, at, NOW, None), at)


def test_an_operator_replaces_one_text_and_keeps_the_others(tmp_path: Path) -> None:
    shipped = own(tmp_path)
    (tmp_path / "signature.txt").write_text("Greetings from {{ operator.name }}\n")
    assert own(tmp_path).endswith("Greetings from Example Exit Foundation\n")
    assert own(tmp_path).startswith(shipped[:300])
    (tmp_path / "login.txt").write_text("Use keys.\n")
    assert own(tmp_path) == "Use keys.\n"


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "{% if %}", "{{ operator.name.x }}", '{% include "a" %}']
)
def test_a_faulty_text_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "login.txt").write_text(text)
    with pytest.raises(Refusal, match="it cannot be filled in"):
        own(tmp_path)


def test_complaints_are_counted_by_month_and_nothing_else_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    for category, month in ((Category.LOGIN, "2026-11"), (Category.LOGIN, "2026-11")):
        counts.add(path, category, month)
    counts.add(path, Category.SPAM, "2026-12")
    assert json.loads(path.read_text()) == {"2026-11": {"login": 2}, "2026-12": {"spam": 1}}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"2026-13": {}}',
        '{"2026-11": {"x": 1}}',
        '{"2026-11": {"login": -1}}',
        '{"2026-11": 1}',
    ],
)
def test_a_damaged_file_of_counts_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counts.json"
    path.write_text(text)
    with pytest.raises(Refusal):
        counts.add(path, Category.LOGIN, "2026-11")
    assert path.read_text() == text


def test_a_text_in_any_language_is_read_and_edited_as_it_is_printed() -> None:
    ours = site(("name: Example Exit Foundation", "name: Exitgenoßenschaft"))
    read = mail.read(letter(complaints.FAIL2BAN).as_bytes())
    text = answer.written(f"Grüße\n{ours.operator.name}\n", read, complaint(read), ours)
    assert text.endswith("\n\nGrüße\nExitgenoßenschaft\n")
    parsed = email.message_from_bytes(text.encode(), policy=email.policy.default)
    assert parsed["To"] == "victim@example.net"
    assert parsed["Content-Transfer-Encoding"] == "8bit"
