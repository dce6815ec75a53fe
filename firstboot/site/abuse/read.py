"""From a mail to what it claims, whichever form it is in. A form for machines wins over words."""

from collections.abc import Iterator

from firstboot.site.abuse.complaint import Complaint
from firstboot.site.abuse.forms import of_feedback, parse_acns, parse_plain
from firstboot.site.abuse.mail import Mail
from firstboot.site.abuse.xarf import parse_json, parse_lines


def complaint(mail: Mail) -> Complaint:
    """What `mail` claims. It may claim nothing: no address."""
    found = next((one for one in _by_form(mail) if one.claims), None)
    return found or parse_plain(mail.text, mail.subject, mail.sent)


def _by_form(mail: Mail) -> Iterator[Complaint]:
    for read in (parse_json, parse_lines, parse_acns):
        for part in mail.parts:
            if one := read(part.text):
                yield one
    for part in mail.parts:
        if one := of_feedback(dict(reversed(part.fields))):
            yield one
