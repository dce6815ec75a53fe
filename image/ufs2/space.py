"""Handing out blocks and fragments, from the start of the file system to its end."""

from image.ufs2.geometry import FRAGMENTS_A_BLOCK, Geometry

Run = tuple[int, int]
"""Address of the first block in fragments, and the number of consecutive blocks."""

ALL_FREE = 0xFF


class Space:
    """The free fragments of a file system, one byte a block, a set bit a free fragment.

    Addresses past the end are handed out too: `overrun` tells how much is missing, so that a
    refusal can say what size would do.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._end = geometry.fragments
        self.free = bytearray([ALL_FREE]) * (geometry.fragments // FRAGMENTS_A_BLOCK)
        for group in range(geometry.groups):
            start = geometry.group_start(group)
            first = 0 if group == 0 else start // FRAGMENTS_A_BLOCK + 3
            last = self._data_start(group) // FRAGMENTS_A_BLOCK
            self.free[first:last] = bytes(last - first)
            if odd := self._data_start(group) % FRAGMENTS_A_BLOCK:
                self.free[last] = ALL_FREE << odd & ALL_FREE
        self._group = 0
        self._next = self._first_block(0)
        self._broken: list[list[int]] = [[] for _ in range(FRAGMENTS_A_BLOCK)]
        self.overrun = 0

    def _data_start(self, group: int) -> int:
        start = self._geometry.group_start(group) + self._geometry.data_offset
        return start + (self._geometry.summary_fragments if group == 0 else 0)

    def _first_block(self, group: int) -> int:
        return -(-self._data_start(group) // FRAGMENTS_A_BLOCK) * FRAGMENTS_A_BLOCK

    def blocks(self, count: int) -> list[Run]:
        """`count` whole blocks, in as few runs as the cylinder groups allow."""
        runs = []
        while count:
            end = self._geometry.group_start(self._group + 1)
            if self._group < self._geometry.groups:
                end = min(end, self._end)
            taken = min(count, (end - self._next) // FRAGMENTS_A_BLOCK)
            if taken > 0:
                first = self._next // FRAGMENTS_A_BLOCK
                inside = max(min(taken, len(self.free) - first), 0)
                self.free[first : first + inside] = bytes(inside)
                self.overrun += (taken - inside) * FRAGMENTS_A_BLOCK
                runs.append((self._next, taken))
                self._next += taken * FRAGMENTS_A_BLOCK
                count -= taken
            else:
                self._group += 1
                self._next = self._first_block(self._group)
        return runs

    def fragments(self, count: int) -> int:
        """`count` (less than a block's) consecutive fragments of one block: their address."""
        for remaining in range(count, FRAGMENTS_A_BLOCK):
            if self._broken[remaining]:
                address = self._broken[remaining].pop()
                self._keep(address + count, remaining - count)
                break
        else:
            ((address, _),) = self.blocks(1)
            block = address // FRAGMENTS_A_BLOCK
            if block < len(self.free):
                self.free[block] = ALL_FREE
            self._keep(address + count, FRAGMENTS_A_BLOCK - count)
        block, first = divmod(address, FRAGMENTS_A_BLOCK)
        if block < len(self.free):
            self.free[block] &= ~(((1 << count) - 1) << first) & ALL_FREE
        return address

    def _keep(self, address: int, remaining: int) -> None:
        if remaining:
            self._broken[remaining].append(address)
