"""Complaints as they come in, all about an exit of examples/one-port-of-each.yaml."""

import json
from datetime import UTC, date, datetime
from email.message import EmailMessage

from firstboot.site import check
from firstboot.site.abuse import answer, mail
from firstboot.site.abuse.complaint import Complaint
from firstboot.site.abuse.judge import Judged, judge
from firstboot.site.abuse.read import complaint
from firstboot.site.model import Site
from tests.firstboot.site.sites import ROOT, changed

EXAMPLE = ROOT / "examples" / "one-port-of-each.yaml"

EXIT = "198.51.100.12"
NOW = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)
WHEN = "2026-11-30 11:58:01 UTC"


def letter(text: str, subject: str = "Abuse", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Victim <victim@example.net>"
    made["Date"] = "Mon, 30 Nov 2026 12:00:00 +0000"
    made["Message-ID"] = "<1@example.net>"
    made["Subject"] = subject
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


XARF_4 = json.dumps(
    {
        "xarf_version": "4.2.0",
        "report_id": "dbf79f17-f4f4-4c22-ae58-19991f52a1e8",
        "timestamp": "2026-11-30T12:58:01+01:00",
        "reporter": {"org": "A", "contact": "reports@example.net", "domain": "example.net"},
        "sender": {"org": "A", "contact": "reports@example.net", "domain": "example.net"},
        "source_identifier": EXIT,
        "source_port": 45621,
        "category": "connection",
        "type": "login_attack",
        "destination_ip": "203.0.113.77",
        "destination_port": 22,
    }
)

XARF_3 = json.dumps(
    {
        "ReporterInfo": {"ReporterOrg": "A", "ReporterOrgEmail": "reports@example.net"},
        "Disclosure": True,
        "Report": {
            "ReportClass": "Activity",
            "ReportType": "LoginAttack",
            "Date": "2026-11-30T11:58:01Z",
            "SourceIp": EXIT,
            "DestinationIp": "203.0.113.77",
            "DestinationPort": 22,
        },
    }
)

XARF_3_NESTED = json.dumps(
    {
        "Version": "3.0.0",
        "ReporterInfo": {"ReporterContactEmail": "reports@example.net"},
        "Report": {
            "ReportType": "spam",
            "Date": "2026-11-30T11:58:01Z",
            "Source": {"IP": EXIT, "Port": 25},
        },
    }
)

XARF_LINES = f"""---
Reported-From: reports@example.net
Category: abuse
Report-Type: login-attack
Service: ssh
Version: 0.2
Date: Mon, 30 Nov 2026 12:58:01 +0100
Source-Type: ip-address
Source: {EXIT}
Port: 22
"""

FAIL2BAN = f"""Hi,

The IP {EXIT} has just been banned by Fail2Ban after 5 attempts against sshd.

Nov 30 11:58:01 host sshd[1]: Failed password for root from {EXIT} port 41234 ssh2
Nov 30 11:58:03 host sshd[1]: Failed password for admin from {EXIT} port 41235 ssh2
"""

SCAN = f"""We saw a port scan from your network:
2026-11-30 11:58:01 UTC DROP SRC={EXIT} DST=203.0.113.77 PROTO=TCP SPT=40000 DPT=8080 SYN
2026-11-30 11:58:02 UTC DROP SRC={EXIT} DST=203.0.113.78 PROTO=TCP SPT=40001 DPT=8080 SYN
"""

WEB = f"""Attack on our web site (SQL injection):
{EXIT} - - [30/Nov/2026:12:58:01 +0100] "GET /?id=1%27%20OR HTTP/1.1" 403 12
"""

ACNS = f"""Dear Sir, your customer infringes our copyright.

<?xml version="1.0" encoding="UTF-8"?>
<Infringement xmlns="http://www.acns.net/ACNS">
  <Case><ID>1</ID></Case>
  <Complainant><Entity>Sound & Vision</Entity><Email>p2p@example.net</Email></Complainant>
  <Source>
    <TimeStamp>2026-11-30T11:58:01Z</TimeStamp>
    <IP_Address>{EXIT}</IP_Address>
    <Port>63132</Port>
    <Type>BitTorrent</Type>
  </Source>
  <Content><Item><TimeStamp>2026-11-29T00:00:00Z</TimeStamp><FileName>a.mkv</FileName></Item></Content>
</Infringement>
"""

FEEDBACK = f"""From: fbl@example.net
To: abuse@example.org
Date: Mon, 30 Nov 2026 12:00:00 +0000
Subject: complaint about message
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report for an email message received from IP {EXIT}.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Some/1.0
Version: 1
Arrival-Date: Mon, 30 Nov 2026 12:58:01 +0100
Source-IP: {EXIT}
--b
Content-Type: message/rfc822

From: a@example.com
Subject: Earn money

Earn money
--b--
"""


def understood(data: bytes) -> Complaint:
    return complaint(mail.read(data))


def site(*changes: tuple[str, str]) -> Site:
    examined = check.examine_text(changed(*changes, of=EXAMPLE), "site.yaml")
    assert examined.site is not None
    assert not examined.errors, check.report(examined)
    return examined.site.value


def judged(data: bytes, at: Site | None = None, since: date | None = None) -> tuple[Judged, ...]:
    return judge(understood(data), at or site(), NOW, since)


def answered(data: bytes, at: Site | None = None) -> tuple[str, str]:
    """The name of the answer, and the answer."""
    at = at or site()
    read = mail.read(data)
    found = complaint(read)
    whom = judge(found, at, NOW, None)
    name = answer.choose(found, whom)
    return name, answer.written(answer.body(name, None, found, whom, at), read, found, at)
