"""What a report says of the journal that it is from: whether it is whole, and who signed it."""

from firstboot.box.journal.store import Journal
from firstboot.box.reports.document import Block, Section, Warn, utc


def of(journal: Journal, key: str) -> Section:
    """`key` is the public key of the box, as one line; empty if there is none."""
    chain = journal.chain
    blocks: list[Block] = []
    if not chain.whole:
        what = chain.state.value
        why = f": {chain.reason}" if chain.reason else ""
        blocks.append(Warn(f"The journal is {what}{why}. This report has what is left of it."))
    if journal.unproven:
        blocks.append(Warn(f"Nobody can say that this box wrote it: {journal.unproven}."))
    if journal.aside:
        told = " and ".join(journal.aside)
        blocks.append(Warn(f"An earlier journal was damaged and is not in this report: {told}."))
    if chain.entries:
        first, last = chain.entries[0], chain.entries[-1]
        blocks.append(
            f"From entries {first.number} to {last.number} of the box's journal, "
            f"{utc(first.note.time)} to {utc(last.note.time)} UTC."
        )
        if journal.sound:
            late = f" {chain.unsigned} newer entries are not signed yet." if chain.unsigned else ""
            blocks.append(
                f"Every entry follows the one before it, and the box has signed them.{late}"
            )
        blocks.append(f"SHA-256 of the last entry: {last.digest}")
    if key:
        blocks.append(f"Key of the box: {key}")
    return Section("How far this can be trusted", tuple(blocks))
