"""What there is to tell, by what was told before: pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firstboot.box.alarms.record import HOUR, Cause, Sentence


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is wrong now. An alarm goes out once it was so at as many looks in a row as in
    `patience`."""

    text: str
    patience: int


def compare(
    before: Mapping[str, Cause], found: Mapping[str, Found], now: float
) -> tuple[dict[str, Cause], tuple[Sentence, ...]]:
    """The causes after a look at which `found` was wrong, and the sentences that go out.

    For one cause, an alarm goes out at most once an hour, and what was alarmed is told to be well
    as soon as it is. What is well before anybody was told is nobody's business.
    """
    causes: dict[str, Cause] = {}
    sentences = []
    for name, one in found.items():
        last = before.get(name)
        wrong = Cause(one.text, now) if last is None else replace(last, text=one.text)
        if not wrong.looks:
            wrong = replace(wrong, since=now)
        wrong = replace(wrong, looks=wrong.looks + 1)
        quiet = wrong.told is not None and now - wrong.told < HOUR
        if wrong.looks >= one.patience and not wrong.alarmed and not quiet:
            sentences.append(Sentence(name, one.text, wrong=True))
            wrong = replace(wrong, told=now, alarmed=True)
        causes[name] = wrong
    for name, last in before.items():
        if name in found:
            continue
        if last.alarmed:
            text = f"Well again, after {_minutes(now - last.since)}: {name}"
            sentences.append(Sentence(name, text, wrong=False))
        if last.told is not None and now - last.told < HOUR:
            causes[name] = replace(last, looks=0, alarmed=False)
    return causes, tuple(sentences)


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"
