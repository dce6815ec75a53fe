"""A complaint as it comes in: a mail (RFC 5322, MIME), or a report without one around it."""

import email.policy
import email.utils
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

from firstboot.core.limits import COMPLAINT, COMPLAINT_PARTS
from firstboot.core.refusal import Refusal

WHERE = "the complaint"

LONGEST_HEADER = 2000
"""Characters of a header that are looked at."""

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")

NOBODY = re.compile(r"(?:no-?reply|do-?not-?reply|mailer-daemon|bounces?)\b", re.IGNORECASE)
"""How addresses begin that nobody reads."""

TEXT = ("text/plain", "text/html", "text/xml", "application/json", "application/xml")

KNOWN = ("From", "Received", "Date", "Subject", "Content-Type", "MIME-Version", "Message-ID")
"""A mail has one of these; without them, what looks like headers is a report's first lines."""


@dataclass(frozen=True, slots=True)
class Part:
    """`fields` are those of a feedback report (RFC 5965); all others have a `text`."""

    text: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """`answer_to` and `message_id` have a form in which they can be headers of an answer, or are
    empty. `sent` has a zone."""

    answer_to: str
    subject: str
    message_id: str
    sent: datetime | None
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts)


def read(data: bytes) -> Mail:
    """Raises Refusal for what is too large, is nested too deeply, or has no text."""
    if len(data) > COMPLAINT:
        problem = f"it has more than {COMPLAINT >> 20} MiB"
        raise Refusal(WHERE, problem, "Take attachments out that are no text")
    if data.count(b"boundary") > COMPLAINT_PARTS:
        raise Refusal(WHERE, f"it has more than {COMPLAINT_PARTS} parts", "Pass one complaint")
    try:
        message = BytesParser(policy=email.policy.compat32).parsebytes(data)
        if not any(name in message for name in KNOWN):
            return _found("", "", "", None, [Part(_decoded(data, ""))])
        return _found(
            _answer_to(message),
            _header(message, "Subject"),
            _message_id(_header(message, "Message-ID")),
            _sent(_header(message, "Date")),
            list(_parts(message)),
        )
    except RecursionError:
        raise Refusal(WHERE, "its parts are nested too deeply", "Pass one complaint") from None


def _found(
    answer_to: str, subject: str, message_id: str, sent: datetime | None, parts: list[Part]
) -> Mail:
    if not any(part.text.strip() or part.fields for part in parts):
        raise Refusal(WHERE, "it has no text", "Pass the whole mail, with its headers")
    return Mail(answer_to, subject, message_id, sent, tuple(parts))


def _parts(message: Message) -> Iterator[Part]:
    """Those that have text. Of a text that is there twice, as HTML too, both are taken."""
    for number, part in enumerate(message.walk(), 1):
        if number > COMPLAINT_PARTS:
            raise Refusal(WHERE, f"it has more than {COMPLAINT_PARTS} parts", "Pass one complaint")
        kind = part.get_content_type()
        if kind == "message/feedback-report":
            yield Part("", tuple(_fields(part)))
        elif not part.is_multipart() and (kind in TEXT or _is_report(part)):
            payload = part.get_payload(decode=True)
            data = payload if isinstance(payload, bytes) else b""
            text = _decoded(data, _charset(part))
            yield Part(plain(text) if kind == "text/html" else text)


def _is_report(part: Message) -> bool:
    name = str(part.get_param("name", "", "content-type") or part.get_filename() or "")
    return name.lower().endswith((".json", ".txt", ".xml", ".log"))


def _fields(part: Message) -> Iterator[tuple[str, str]]:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else part
    if isinstance(inner, Message):
        for name, value in inner.items():
            yield str(name).lower()[:100], str(value)[:LONGEST_HEADER]


def _charset(part: Message) -> str:
    found = part.get_param("charset", "")
    return found if isinstance(found, str) else ""


def _decoded(data: bytes, charset: str) -> str:
    """Text with plain line breaks and nothing else that acts on a terminal."""
    try:
        text = data.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        text = data.decode("latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in lines)


def _header(message: Message, name: str) -> str:
    """One line of printable characters."""
    raw = str(message.get(name, ""))[:LONGEST_HEADER]
    try:
        text = str(make_header(decode_header(raw)))
    except (ValueError, LookupError):
        text = raw
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:LONGEST_HEADER]


def _answer_to(message: Message) -> str:
    """From the headers as they stand: what is encoded in one is a name, and no address."""
    for name in ("Reply-To", "From"):
        raw = " ".join(str(message.get(name, ""))[:LONGEST_HEADER].split())
        address = mail_address(email.utils.parseaddr(raw)[1])
        if address:
            return address
    return ""


def mail_address(text: object) -> str:
    """`text` if an answer can go there, or else nothing."""
    if isinstance(text, str) and ADDRESS.fullmatch(text) and not NOBODY.match(text):
        return text
    return ""


def _message_id(text: str) -> str:
    return text if MESSAGE_ID.fullmatch(text) else ""


def _sent(text: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def plain(text: str) -> str:
    """HTML without its tags, scripts and styles. It takes time in proportion to the text, whatever
    is in it."""
    words: list[str] = []
    hidden = ""
    for at, piece in enumerate(text.split("<")):
        tag, closed, rest = piece.partition(">")
        if at == 0 or not closed:
            tag, rest = "", piece
        name = re.match(r"/?[A-Za-z0-9]{0,20}", tag)
        name_of_tag = name[0].lower() if name else ""
        if hidden:
            hidden = "" if name_of_tag == f"/{hidden}" else hidden
        elif name_of_tag in ("script", "style"):
            hidden = name_of_tag
        if not hidden:
            words += ["\n" if name_of_tag.lstrip("/") in BREAKS else " " if tag else "", rest]
    return html.unescape("".join(words))


BREAKS = ("br", "p", "div", "tr", "li", "pre", "h1", "h2", "h3", "table", "ul", "ol")
