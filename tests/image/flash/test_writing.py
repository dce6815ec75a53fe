"""The write, on disks that fail, lie and lose power, and compared with a plain copy."""

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.flash.blockmap import BLOCK, BlockMap
from image.flash.spans import Span, union, without
from image.flash.writing import CHUNK, MIB, plan, write

ZEROS = bytes(BLOCK)
OLD = 0xA5


@dataclass
class Stick:
    """A disk that records its operations. `at_work` is called before each of them."""

    data: bytearray
    at_work: Callable[["Stick"], None] = lambda _: None
    steps: list[tuple[int, bytes] | None] = field(default_factory=list)

    @classmethod
    def used(cls, size: int) -> "Stick":
        return cls(bytearray([OLD]) * size)

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, at: int, length: int) -> bytes:
        return bytes(self.data[at : at + length])

    def write(self, at: int, data: bytes) -> None:
        assert 0 <= at <= at + len(data) <= self.size
        self.steps.append((at, data))
        self.at_work(self)
        self.data[at : at + len(data)] = data

    def flush(self) -> None:
        self.steps.append(None)
        self.at_work(self)


def image_of(size: int, *held: Span) -> bytes:
    data = bytearray(size)
    for first, end in held:
        data[first:end] = random.Random(first).randbytes(end - first)
    data[:BLOCK] = b"boot sector and table".ljust(BLOCK, b"!")
    data[-BLOCK:] = b"the table again".ljust(BLOCK, b"!")
    return bytes(data)


IMAGE = image_of(6 * MIB, (BLOCK, MIB // 2), (MIB + BLOCK, 3 * MIB), (5 * MIB - BLOCK, 5 * MIB))
FREE = ((3 * MIB, 4 * MIB),)


def reading(image: bytes) -> Callable[[int, int], bytes]:
    return lambda at, length: image[at : at + length]


def map_of(image: bytes, free: tuple[Span, ...] = FREE) -> BlockMap:
    data = union(
        (at, at + BLOCK) for at in range(0, len(image), BLOCK) if image[at : at + BLOCK] != ZEROS
    )
    return BlockMap(len(image), data, without([(0, len(image))], [*data, *free]))


def flash(stick: Stick, image: bytes = IMAGE, free: tuple[Span, ...] = FREE) -> int:
    return write(stick, reading(image), map_of(image, free), "stick")


@pytest.mark.parametrize("more", [0, 512, BLOCK, MIB // 2, MIB, 3 * MIB, 3 * MIB + 512])
def test_a_used_stick_holds_the_image_and_nothing_of_others_at_its_ends(more: int) -> None:
    stick = Stick.used(len(IMAGE) + more)
    flash(stick)
    (free,) = FREE
    assert stick.data[: free[0]] == IMAGE[: free[0]]
    assert stick.data[free[1] : len(IMAGE)] == IMAGE[free[1] :]
    assert stick.data[-min(more, MIB) or stick.size :] == bytes(min(more, MIB))


def test_free_blocks_are_not_written() -> None:
    stick = Stick.used(9 * MIB)
    flash(stick)
    assert stick.data[3 * MIB : 4 * MIB] == bytes([OLD]) * MIB
    assert stick.data[len(IMAGE) : 8 * MIB] == bytes([OLD]) * (2 * MIB)


def test_zeros_are_not_written_where_there_are_zeros() -> None:
    stick = Stick(bytearray(9 * MIB))
    flash(stick)
    middle = [
        step for step in stick.steps if step and step[0] >= MIB and step[0] < len(IMAGE) - MIB
    ]
    assert sum(len(data) for _, data in middle) <= 2 * MIB
    assert all(data.strip(b"\0") for _, data in middle)


def test_everything_that_matters_is_verified() -> None:
    assert flash(Stick.used(9 * MIB)) == len(IMAGE) - MIB + MIB


class TestPowerCut:
    """Writes after the last flush may or may not have reached the disk, in any order."""

    def test_the_first_sector_is_written_after_everything_else_was_flushed(self) -> None:
        for size in (len(IMAGE), len(IMAGE) + 3 * MIB):
            stick = Stick.used(size)
            flash(stick)
            settled = bytearray([OLD]) * size
            waiting: list[tuple[int, bytes]] = []
            wiped = False
            for step in stick.steps:
                if step is None:
                    for at, data in waiting:
                        settled[at : at + len(data)] = data
                    waiting = []
                    wiped = wiped or settled[:BLOCK] == ZEROS
                    continue
                at, data = step
                if at < BLOCK and data[:BLOCK] != ZEROS:
                    assert waiting == []
                    assert settled[:BLOCK] == ZEROS
                    assert settled[BLOCK : 3 * MIB] == IMAGE[BLOCK : 3 * MIB]
                    assert settled[4 * MIB : len(IMAGE)] == IMAGE[4 * MIB :]
                elif not wiped:
                    assert not data.strip(b"\0"), "something was written before the wipe"
                waiting.append(step)
            assert waiting == []
            assert settled == stick.data

    def test_a_stick_pulled_out_at_any_moment_does_not_boot(self) -> None:
        whole = Stick.used(8 * MIB)
        flash(whole)
        for moment in range(1, len(whole.steps)):

            def cut(stick: Stick, moment: int = moment) -> None:
                if len(stick.steps) >= moment:
                    raise OSError(errno.ENODEV, "No such device")

            stick = Stick.used(8 * MIB)
            stick.at_work = cut
            with pytest.raises(Refusal, match=r"No such device\. The disk does not boot"):
                flash(stick)
            head = bytes(stick.data[:512])
            assert head in (bytes(512), bytes([OLD]) * 512, IMAGE[:512])
            if head == IMAGE[:512]:
                assert stick.data[512 : 3 * MIB] == IMAGE[512 : 3 * MIB]
                assert stick.data[4 * MIB : len(IMAGE)] == IMAGE[4 * MIB :]
            elif head != bytes(512):
                assert moment == 1, "the old boot sector outlived the first step"

    def test_an_interrupted_stick_does_not_boot(self) -> None:
        whole = Stick.used(8 * MIB)
        flash(whole)
        for moment in range(2, len(whole.steps)):

            def interrupt(stick: Stick, moment: int = moment) -> None:
                if len(stick.steps) == moment:
                    raise KeyboardInterrupt

            stick = Stick.used(8 * MIB)
            stick.at_work = interrupt
            with pytest.raises(
                Refusal, match=r"the command was interrupted\. The disk does not boot"
            ):
                flash(stick)
            assert stick.data[:BLOCK] == ZEROS


def worn(at: int) -> Stick:
    """Return a stick whose byte `at` never reads back as it was written."""

    class Worn(Stick):
        def read(self, place: int, length: int) -> bytes:
            data = bytearray(super().read(place, length))
            if place <= at < place + length:
                data[at - place] ^= 1
            return bytes(data)

    return Worn.used(8 * MIB)


class TestReadBack:
    @pytest.mark.parametrize("at", [MIB + BLOCK, 3 * MIB - 1, 4 * MIB, 5 * MIB - 1])
    def test_a_byte_that_reads_back_wrong_is_reported_and_the_stick_does_not_boot(
        self, at: int
    ) -> None:
        stick = worn(at)
        with pytest.raises(Refusal, match=f"byte {at} reads back different"):
            flash(stick)
        assert stick.data[:MIB] == bytes(MIB)

    @pytest.mark.parametrize("at", [0, 511, BLOCK, MIB - 1, 6 * MIB - 1, 8 * MIB - 1])
    def test_a_byte_at_the_ends_that_reads_back_wrong_is_reported(self, at: int) -> None:
        stick = worn(at)
        with pytest.raises(Refusal, match=f"byte {at} reads back different"):
            flash(stick)
        assert stick.data[:BLOCK] == ZEROS

    def test_a_stick_smaller_than_it_claims_is_detected(self) -> None:
        class Liar(Stick):
            """Has 4 MiB; addresses beyond them wrap around."""

            @property
            def size(self) -> int:
                return 8 * MIB

            def read(self, at: int, length: int) -> bytes:
                return bytes(self.data[(at + step) % len(self.data)] for step in range(length))

            def write(self, at: int, data: bytes) -> None:
                for step, byte in enumerate(data):
                    self.data[(at + step) % len(self.data)] = byte

        with pytest.raises(Refusal, match="smaller than it claims"):
            flash(Liar.used(4 * MIB))

    def test_a_stick_that_forgets_is_detected(self) -> None:
        class Forgetful(Stick):
            def write(self, at: int, data: bytes) -> None:
                pass

        with pytest.raises(Refusal, match="reads back different"):
            flash(Forgetful.used(8 * MIB))

    def test_a_short_read_is_detected(self) -> None:
        class Short(Stick):
            def read(self, at: int, length: int) -> bytes:
                return super().read(at, length)[:-1]

        with pytest.raises(Refusal, match="reads back different"):
            flash(Short.used(8 * MIB))


BLOCKS = 3 * CHUNK // BLOCK
PATTERNS = st.lists(st.tuples(st.sampled_from("xz."), st.integers(1, 300)), min_size=1, max_size=20)


@settings(max_examples=60)
@given(PATTERNS, st.integers(0, 2 * MIB // 512))
def test_any_pattern_of_data_zeros_and_free_blocks(
    pattern: list[tuple[str, int]], more: int
) -> None:
    """On a used stick every block is correct, except for free ones: data, and zeros that matter."""
    kinds = "".join(kind * count for kind, count in pattern)[: BLOCKS * 2].ljust(BLOCKS, "z")
    image = bytearray(2 * MIB + len(kinds) * BLOCK)
    free = []
    for number, kind in enumerate(kinds):
        at = MIB + number * BLOCK
        if kind == "x":
            image[at : at + BLOCK] = number.to_bytes(4, "little") * (BLOCK // 4 - 1) + b"data"
        elif kind == ".":
            free.append((at, at + BLOCK))
    image[:BLOCK] = b"1" * BLOCK
    stick = Stick.used(len(image) + more * 512)
    wanted = map_of(bytes(image), union(free))
    flash(stick, bytes(image), union(free))
    for number, kind in enumerate(kinds):
        at = MIB + number * BLOCK
        expected = bytes([OLD]) * BLOCK if kind == "." else image[at : at + BLOCK]
        assert stick.data[at : at + BLOCK] == expected
    assert stick.data[:MIB] == image[:MIB]
    assert stick.data[len(image) - MIB : len(image)] == image[-MIB:]
    steps = plan(wanted, stick.size)
    assert without([*steps.body, *steps.zero], [(MIB, len(image) - MIB)]) == ()
