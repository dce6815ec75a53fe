"""How much anything from outside may take, and why.

Whoever makes a file decides what it becomes in memory and how long it is read: a kilobyte can be a
tar archive with a member of 2^63 bytes, or 8 GiB once it is decompressed. So each reader counts
what is left of its input, stops at a limit of this module, and refuses. What is refused costs at
most 256 MiB of memory, and ten seconds more than a good file of that size would.

Sizes are in bytes. Each limit is several times what the largest real input takes, unless its reason
says otherwise.
"""

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What compressed data may become: `size` bytes, and no more than `ratio` bytes for each
    compressed one, beyond the first `SLACK`. Texts compress by 4 to 30, zeros by 1,000 (xz) to
    32,000 (zstd)."""

    size: int
    ratio: int


SLACK = 64 * MIB
"""Bytes that any input may become; a processor needs less than a second for them."""

STREAMS = 4096
"""Streams of xz, or frames of zstd, in one file: an image of a release has one for each 32 MiB."""

XZ_MEMORY = 96 * MIB
"""What a decoder of xz may take. Level 9 takes 65 MiB; the dictionary is the author's choice."""

ZSTD_MEMORY = 64 * MIB
"""What a decoder of zstd may take: its window (RFC 8878, 3.1.1.1.2), which the author chooses. The
highest level without --ultra has one of 8 MiB."""


@dataclass(frozen=True, slots=True)
class Tar:
    """What an archive may have: `members`, `names` and targets of so many characters together, a
    `path` and a `target` of so many bytes, `records` of so many bytes for one member (pax), so many
    `facts` in the records of all members, and `holes` of so many bytes in sparse files, which stand
    for zeros and take no room in it, between so many `spans` of data."""

    members: int
    names: int
    path: int
    target: int
    records: int
    facts: int
    holes: int
    spans: int


PATH, TARGET = 1024, 1023
"""FreeBSD's PATH_MAX, with the zero byte at the end, and what a symbolic link may lead to."""

SET = Tar(60_000, 8 * MIB, PATH, TARGET, 64 * KIB, 600_000, 256 * MIB, 20_000)
"""A base set, a package or one of Debian's. HardenedBSD's base has some 30,000 members, with less
than ten records each. Two sets are read at once, and each member takes a kilobyte of memory, so
this is no more than twice as much."""

CATALOGUE_ARCHIVE = Tar(32, 8 * KIB, 256, 256, 4 * KIB, 256, 0, 0)
"""A catalogue and its signatures: three members for one key."""

BACKUP_ARCHIVE = Tar(8192, 512 * KIB, 128, 0, 0, 0, 0, 0)
"""What a box keeps: its site, and some ten keys for each of 256 relays and for their family."""

BACKUP = 16 * MIB
"""An encrypted backup. That of a box with 256 relays has less than 1 MB."""

KEPT_FILE = MIB
"""A file in a backup. The site is by far the largest."""

ATTRIBUTES = 4 * MIB
"""Bytes of all extended attributes of an archive, which stay in memory."""

UNPACKED_SET = Unpacked(16 * GIB, 100)
"""HardenedBSD's base.txz becomes some 3 GB."""

UNPACKED_PACKAGE = Unpacked(4 * GIB, 250)
"""A slot has 1 GiB, so what is installed is smaller still."""

UNPACKED_CATALOGUE = Unpacked(128 * MIB, 100)
"""FreeBSD's packagesite.yaml has some 90 MB. It is in memory while its signature is verified."""

UNPACKED_IMAGE = Unpacked(3 * GIB, 1 << 62)
"""An image of the smallest disk has 2.2 GiB, most of it zeros. Its own table says how many bytes,
and no more are taken."""

COMPRESSED_CATALOGUE = 32 * MIB
"""FreeBSD's has 10 MB."""


@dataclass(frozen=True, slots=True)
class Xml:
    """What a vulnerability feed may have: `entries`; `elements`, of them `in_entry` in one entry,
    with `text` of so many characters; `names` of elements, and as many of entities;
    `depth` levels; and in one `part`, a tag or a comment, so many bytes."""

    entries: int
    elements: int
    in_entry: int
    text: int
    names: int
    depth: int
    part: int


FEED = Xml(50_000, 1_000_000, 20_000, 2 * MIB, 500, 64, MIB)
"""FreeBSD's VuXML has some 10,000 entries of 30 elements."""

UNPACKED_FEED = Unpacked(64 * MIB, 100)
"""FreeBSD's has some 10 MB. A feed may also be given as it is."""

SIGNATURE = 16 * KIB
"""A signature or a key in a catalogue. One of RSA with 16,384 bits has 2 KiB."""

SIGNATURES = 8
"""Signatures and keys in a catalogue."""

SCRIPT = 64 * KIB
"""Characters of a package's script that is followed, of a text that it makes while it is, and words
of a command. Those of the ports framework have less than 8 KB."""

PYTHON = 512 * MIB
"""All files of the target's Python and its libraries that the wizard is frozen with: they have
40 MB."""

FAT = 2 * MIB
"""The allocation table of the FAT partition of an image: that of 40 MiB in clusters of 512 bytes
has 0.3 MB."""

FAT_FOLDER = 2 * MIB
"""A folder of FAT: 65,536 entries, which Microsoft's specification allows."""

UFS_GROUPS = 256
"""Cylinder groups of a slot of an image, which has four."""

SMALL_MEMBER = 8 * MIB
"""A file of a set or package that is read whole while that is unpacked: accounts, a manifest, a
script. Python's +MANIFEST has 200 KB."""

IN_MEMORY = 64 * MIB
"""A file of the root tree that is in memory to be looked into. The kernel has 30 MB."""

UCL = 16 * KIB
"""A meta.conf or a fingerprint, which have less than 300 bytes."""

SMALL_FILE = MIB
"""A MANIFEST of sets, a listing of a mirror, a meta.conf, a key, a signature, a list of hashes:
each has less than a tenth of this."""

BASE_SET = 4 * GIB
"""A set, compressed. HardenedBSD's base.txz has a seventh of this."""


@dataclass(frozen=True, slots=True)
class Json:
    """The size of a JSON document, and how many values it has. A value takes up to 130 bytes in
    memory, its text apart."""

    size: int
    values: int


PACKAGE_MANIFEST = Json(8 * MIB, 400_000)
"""Of a package: a +MANIFEST lists each file, 1,011 in Python's, which has 200 KB."""

COMPACT_MANIFEST = Json(MIB, 50_000)
"""A package without the list of its files."""

CATALOGUE_ENTRY = Json(MIB, 50_000)
"""One package of a catalogue. The longest lists some hundred libraries and dependencies."""

CATALOGUE_LINES = 300_000
"""Of packagesite.yaml, one for each package. FreeBSD's has 36,000."""

CATALOGUE = Json(128 * MIB, 8_000_000)
"""A catalogue in one document. FreeBSD's has 36,000 packages in some 90 MB. It is read after its
signature was verified, so only its signer can make it take the memory of so many values."""

IMAGE_MANIFEST = Json(24 * MIB, 750_000)
"""That of an image with 20,000 files has less than 8 MB."""

BILL_OF_MATERIALS = Json(8 * MIB, 300_000)
"""That of an image has less than 1 MB."""

RELEASE_TEXT = 64 * MIB
"""The notes or the block map of a release, which have less than 1 MB."""

UPGRADE_MANIFEST = Json(12 * MIB, 400_000)
"""That of an image with 10,000 files has 1.5 MB. It is read after its signature was verified, on
boxes with 4 GiB."""

UNVERIFIED = 64 * MIB
"""What an upgrade may take of a box's memory before its signature is verified: its manifest three
times, as bytes, as text and on its way to ssh-keygen, and the signature."""

SIGNS = Json(MIB, 4096)
"""What works on a box: a sentence for each service, port, relay and session, of which a box has a
few hundred."""

RELEASE_STAMP = Json(64 * KIB, 100)

HISTORY = Json(256 * KIB, 4096)
"""The history of a box: a hundred changes of seven facts each."""

RESTARTS = Json(256 * KIB, 8192)
"""The record of a box's restarts: 256 relays and some services, with six times each."""

DRAINS = Json(64 * KIB, 1024)
"""When drains end: a number for each peer."""

BLACKHOLES = Json(4 * KIB, 64)
"""When blackholes end: a number for each address."""

SAMPLES = Json(16 * KIB, 512)
"""Counters of an hour: two or three numbers for each of seventy minutes."""

CONSENSUS = 32 * MIB
"""A consensus of the Tor network. With 8,000 relays it has 3 MB."""

ALARMS = Json(2 * MIB, 65_536)
"""The record of alarms: twenty messages of a hundred sentences, and as many causes as a box has
relays, services, sessions and conditions."""

UNCONFIRMED = Json(256 * KIB, 4096)
"""A change that waits to be confirmed: some signs for each of 256 relays, and for each session."""

COMPLAINT = 8 * MIB
"""A mail with a complaint. One with the whole log of a day has less than 1 MB."""

COMPLAINT_PARTS = 100
"""Parts of such a mail. Reports have up to ten."""

COMPLAINT_JSON = Json(4 * MIB, 50_000)
"""A report in XARF, with its evidence."""

COUNTS = Json(64 * KIB, 8192)
"""How many complaints there were: ten numbers for each month."""

JOURNAL_ENTRY = Json(64 * KIB, 2048)
"""An entry of the journal: a sentence, or the counters of an hour, a few hundred at most."""

JOURNAL_HEAD = Json(4 * KIB, 16)

JOURNAL_PIECE = 512 * KIB
"""A file of the journal, which has 256 KiB before the next one begins."""

JOURNAL_NOTED = Json(2 * MIB, 32_768)
"""What was noted last: a sentence for each cause, and counters."""
