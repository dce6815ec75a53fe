"""The kernel's initial root: entries in the kernel's format, and the same bytes for the same
tree."""

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from image.rehearsal import cpio
from image.tree import Tree, directory, file, symlink

NAMES = st.from_regex(r"[a-z]{1,20}", fullmatch=True)


def tree(files: dict[str, bytes]) -> Tree:
    made = Tree()
    made["d"] = directory(0o1777)
    for name, data in files.items():
        made[f"d/{name}"] = file(data, 0o640, uid=3, gid=5)
    made["link"] = symlink("d/there")
    return made


def read(archive: bytes) -> list[tuple[str, int, int, int, bytes]]:
    """Return name, mode, user, group and content of each entry before the trailer."""
    entries: list[tuple[str, int, int, int, bytes]] = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 109 + numbers[11]].decode()
        assert archive[at + 109 + numbers[11]] == 0
        data = (at + 110 + numbers[11] + 3) // 4 * 4
        content = archive[data : data + numbers[6]]
        at = (data + numbers[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert at == len(archive)
            return entries
        assert numbers[5] == 1700000000
        entries.append((name, numbers[1], numbers[2], numbers[3], content))


def test_kinds_modes_owners_and_contents_are_as_the_kernel_reads_them() -> None:
    made = tree({"a": b"one", "b": b"", "c": bytes(5001)})
    assert read(b"".join(cpio.archive(made, 1700000000))) == [
        (".", 0o40755, 0, 0, b""),
        ("d", 0o41777, 0, 0, b""),
        ("d/a", 0o100640, 3, 5, b"one"),
        ("d/b", 0o100640, 3, 5, b""),
        ("d/c", 0o100640, 3, 5, bytes(5001)),
        ("link", 0o120755, 0, 0, b"d/there"),
    ]


@given(st.dictionaries(NAMES, st.binary(max_size=300)))
def test_entries_are_aligned_and_sorted(
    files: dict[str, bytes],
) -> None:
    archive = b"".join(cpio.archive(tree(files), 7))
    assert len(archive) % 4 == 0
    assert archive == b"".join(cpio.archive(tree(dict(reversed(files.items()))), 7))
    assert archive.count(b"070701") >= len(files) + 3


def test_it_is_compressed_with_zstd() -> None:
    made = tree({"a": bytes(100000)})
    packed = cpio.compressed(made, 7)
    assert packed == cpio.compressed(made, 7)
    plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 20)
    assert plain == b"".join(cpio.archive(made, 7))
