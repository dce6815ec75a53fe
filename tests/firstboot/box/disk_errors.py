"""A disk that fails: one call on the files below some folders ends with an error.

Each call of a function of `os` on such a file, and each time something is read from it or written
to it, is a step.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

READING = ("stat", "lstat", "listdir", "scandir", "readlink", "pread")
WRITING = (
    *("mkdir", "unlink", "rmdir", "rename", "replace", "symlink", "chmod", "chown", "truncate"),
    *("fsync", "fchmod", "fchown", "pwrite"),
)
OF_FILES = {"read": False, "readline": False, "readinto": False, "write": True, "flush": True}
"""Methods of opened files, and whether they write."""

ERRORS = {
    errno.EIO: "a disk that fails once",
    errno.EACCES: "one that says no once",
    errno.ENOSPC: "one that takes nothing more",
    errno.EROFS: "one that is read-only from then on",
}
LASTING = (errno.ENOSPC, errno.EROFS)


@dataclass
class Failure:
    """Step number `at` (from 0 on) fails with `error`. ENOSPC and EROFS concern writing alone, and
    stay."""

    below: tuple[Path, ...]
    at: int
    error: int
    steps: int = 0
    happened: str = ""
    """The call that failed first."""

    paused: bool = False
    """Whether it is a stand-in of a program that is at work."""

    descriptors: set[int] = field(default_factory=set)

    def concerns(self, place: Any) -> bool:
        if isinstance(place, int):
            return place in self.descriptors
        try:
            path = os.fsdecode(place)
        except TypeError:
            return False
        return any(path == str(one) or path.startswith(f"{one}/") for one in self.below)

    def step(self, what: str, place: Any, *, writes: bool) -> None:
        if self.paused or (self.error in LASTING and not writes):
            return
        self.steps += 1
        if self.steps - 1 == self.at or (self.happened and self.error in LASTING):
            self.happened = self.happened or f"{what} {place}"
            shown = None if isinstance(place, int) else os.fsdecode(place)
            raise OSError(self.error, os.strerror(self.error), shown)


class _File:
    """An opened file whose reads and writes are steps."""

    def __init__(self, file: Any, failure: Failure, place: Any) -> None:
        self._file, self._failure, self._place = file, failure, place

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._file, name)
        if name not in OF_FILES:
            return real

        def call(*arguments: Any) -> Any:
            self._failure.step(name, self._place, writes=OF_FILES[name])
            return real(*arguments)

        return call

    def __iter__(self) -> Iterator[Any]:
        self._failure.step("read", self._place, writes=False)
        return iter(self._file)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._file.closed:
            self._failure.descriptors.discard(self._file.fileno())
        self._file.close()


@contextmanager
def failing(failure: Failure) -> Iterator[Failure]:
    """Has the disk fail as `failure` says."""
    with ExitStack() as patches:
        for name in (*READING, *WRITING):
            call = _failing(failure, name, getattr(os, name), writes=name in WRITING)
            patches.enter_context(mock.patch.object(os, name, call))
        patches.enter_context(mock.patch.object(os, "open", _opening(failure, os.open)))
        patches.enter_context(mock.patch.object(os, "close", _closing(failure, os.close)))
        opened = _opening_files(failure, io.open)
        patches.enter_context(mock.patch.object(io, "open", opened))
        patches.enter_context(mock.patch("builtins.open", opened))
        yield failure


def _failing(failure: Failure, name: str, real: Any, *, writes: bool) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        folder = options.get("dir_fd", options.get("src_dir_fd"))
        if arguments and (failure.concerns(arguments[0]) or failure.concerns(folder)):
            failure.step(name, arguments[0], writes=writes)
        return real(*arguments, **options)

    return call


def _opening(failure: Failure, real: Any) -> Callable[..., int]:
    def call(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        concerned = failure.concerns(path) or failure.concerns(options.get("dir_fd"))
        if concerned:
            failure.step("open", path, writes=bool(flags & (os.O_WRONLY | os.O_RDWR)))
        descriptor: int = real(path, flags, *arguments, **options)
        if concerned:
            failure.descriptors.add(descriptor)
        return descriptor

    return call


def _closing(failure: Failure, real: Any) -> Callable[[int], None]:
    def call(descriptor: int) -> None:
        failure.descriptors.discard(descriptor)
        real(descriptor)

    return call


def _opening_files(failure: Failure, real: Any) -> Callable[..., Any]:
    def call(place: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not failure.concerns(place):
            return real(place, mode, *arguments, **options)
        if not isinstance(place, int):
            failure.step("open", place, writes=any(one in mode for one in "wax+"))
        return _File(real(place, mode, *arguments, **options), failure, place)

    return call
