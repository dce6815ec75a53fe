"""The answer to a complaint: a text of the operator's with what is known filled in.

Texts are Jinja templates, one for each category and four for what is no exit's doing. Nothing of a
complaint reaches an answer but addresses, times and ports, written anew from what they were read
as; its subject and its sender only as headers, and only in a form that is one header.
"""

from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import jinja2

from firstboot.core.refusal import Refusal
from firstboot.site.abuse.complaint import Complaint
from firstboot.site.abuse.judge import Judged, Whose
from firstboot.site.abuse.mail import Mail
from firstboot.site.complaint_counts import Category
from firstboot.site.model import Site
from firstboot.site.reach import sends

SHIPPED = Path(__file__).with_name("answers")

MOST_ROWS = 20
"""Claims that an answer lists."""

NOT_OURS, NOT_EXIT, IMPOSSIBLE, UNCLEAR = "not-ours", "not-exit", "impossible", "unclear"

NAMES = (*(one.value for one in Category), NOT_OURS, NOT_EXIT, IMPOSSIBLE, UNCLEAR)
"""All answers that there are."""

MAIL = 25
"""The port that mail servers take mail of strangers by."""


def choose(complaint: Complaint, judged: Sequence[Judged]) -> str:
    """The name of the answer."""
    if not judged:
        return UNCLEAR
    first = judged[0]
    if first.whose is Whose.FOREIGN:
        return NOT_OURS
    if first.whose is not Whose.EXIT:
        return NOT_EXIT
    if not any(one.possible for one in judged if one.whose is Whose.EXIT):
        return IMPOSSIBLE
    return complaint.category.value


def body(
    name: str, folder: Path | None, complaint: Complaint, judged: Sequence[Judged], site: Site
) -> str:
    """The text `name`: the one in `folder` if it is there, or else the one that is shipped, and so
    each text that it includes. Raises Refusal for one that cannot be read or filled in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*([folder] if folder else []), SHIPPED]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.get_template(f"{name}.txt").render(
            operator=site.operator,
            about=complaint.category.told,
            claims=judged[:MOST_ROWS],
            more=max(0, len(judged) - MOST_ROWS),
            sends_mail=sends(site, MAIL, None),
        )
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, OSError) as error:
        file = getattr(error, "filename", None) or f"{name}.txt"
        line = getattr(error, "lineno", None)
        where = f"{file}:{line}" if line else file
        raise Refusal(where, f"it cannot be filled in: {error}", "Correct the text") from error


def written(text: str, mail: Mail, complaint: Complaint, site: Site) -> str:
    """The answer as a mail, to whoever sent the complaint, or to whom the report asks to write if
    nobody reads the sender's mail. It has no recipient if neither is known."""
    letter = EmailMessage()
    letter["From"] = site.operator.abuse
    if recipient := mail.answer_to or complaint.contact:
        letter["To"] = recipient
    subject = mail.subject[:200] or f"Your complaint to {site.operator.abuse}"
    letter["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    if mail.message_id:
        letter["In-Reply-To"] = letter["References"] = mail.message_id
    letter.set_content(text, cte="8bit")
    # as_string() would turn a text with one letter beyond ASCII into Base64, which nobody reads.
    return letter.as_bytes().decode()
