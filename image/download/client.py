"""Download files over HTTP with limits on size, time and server, and resume broken downloads.

Nothing here knows what a file should contain: the caller verifies it.
"""

import http
import queue
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import requests
import urllib3.exceptions

from firstboot.core.refusal import Refusal
from image import atomic_files
from image.download.errors import Unreachable
from image.download.partial import forget, note, resumable
from image.download.timeouts import PATIENCE, Patience
from image.download.url import Url
from image.progress import Advance

CHUNK = 1 << 16
"""Bytes that are read at a time; a broken connection loses at most this many."""

SLOWEST = 1024
"""Bytes per second; a slower server counts as silent."""

HEADWAY = 1 << 20
"""Bytes; a download that progressed by this many gets all its attempts again."""

REDIRECTS = 5

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
"""Content-Range (RFC 9110, 14.4)."""

Result = TypeVar("Result")


class _Fault(Exception):
    """Something that may be better at the next attempt; the text says what was found."""


class _Session(requests.Session):
    """A session that ignores redirections: requests would read their bodies, however long."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Client:
    """Asks servers for files; `instead` ends the remedy of a refusal: what to do without them."""

    def __init__(self, instead: str, patience: Patience = PATIENCE) -> None:
        self._instead = instead
        self._patience = patience
        self._answered: set[str] = set()
        self._session = _Session()
        # Without compression, a length counts the bytes on the wire, and nothing can inflate.
        self._session.headers.update({"Accept-Encoding": "identity", "User-Agent": "exitisp"})

    def read(self, url: Url, limit: int) -> bytes | None:
        """Return the file at `url`, of at most `limit` bytes; None if missing. Raises Refusal."""

        def attempt(deadline: float) -> bytes | None:
            with self._ask("GET", url, deadline) as response:
                if response.status_code == http.HTTPStatus.NOT_FOUND:
                    return None
                data = bytearray()
                for chunk in self._chunks(response):
                    data += chunk
                    if len(data) > limit:
                        raise _too_long(url, limit)
                return bytes(data)

        return self._persist(url, attempt)

    def length(self, url: Url) -> int | None:
        """Return the size in bytes of the file at `url`; None if missing. Raises Refusal."""

        def attempt(deadline: float) -> int | None:
            with self._ask("HEAD", url, deadline) as response:
                if response.status_code == http.HTTPStatus.NOT_FOUND:
                    return None
                length = _content_length(response)
            if length is None:
                raise Refusal(
                    url,
                    "the server does not tell the file's size (no Content-Length)",
                    "Ask the operators of the mirror, or use another mirror",
                )
            return length

        return self._persist(url, attempt)

    def download(self, url: Url, part: Path, size: int, advance: Advance) -> None:
        """Download the file at `url`, of `size` bytes, into `part`; resume an earlier attempt.

        An interruption leaves `part` and, beside it, a note of what it is a part of.
        Raises Refusal, also if the server has more or fewer bytes than `size`.
        """
        done = 0
        headway = 0

        def at(position: int) -> None:
            nonlocal done
            advance(position - done)
            done = position

        def attempt(deadline: float) -> None:
            self._go_on(url, part, size, at, deadline)

        def getting_on() -> bool:
            nonlocal headway
            enough = done - headway >= HEADWAY
            headway = done if enough else headway
            return enough

        self._persist(url, attempt, getting_on)

    def _go_on(
        self, url: Url, part: Path, size: int, at: Callable[[int], None], deadline: float
    ) -> None:
        have, validator = resumable(part, url)
        if have == size:
            at(have)
            return
        headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        with self._ask("GET", url, deadline, headers) as response:
            if response.status_code == http.HTTPStatus.NOT_FOUND:
                raise Refusal(url, "no such file (HTTP 404)", "Try again later")
            have = _begin(response, url, part, size, have)
            at(have)
            with atomic_files.writing(part):
                file = part.open("ab", buffering=0)
            with file:
                for chunk in self._chunks(response):
                    if have + len(chunk) > size:
                        file.close()
                        forget(part)
                        raise _too_long(url, size)
                    with atomic_files.writing(part):
                        rest = memoryview(chunk)
                        while rest:
                            rest = rest[file.write(rest) :]
                    have += len(chunk)
                    at(have)
        if have < size:
            raise _Fault(f"the connection ended after {have} bytes")

    def _persist(
        self,
        url: Url,
        attempt: Callable[[float], Result],
        getting_on: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Call `attempt` with the time by which an answer must begin, until it succeeds."""
        server = urllib.parse.urlsplit(url).netloc
        began = time.monotonic()
        faults = 0
        while True:
            known = server in self._answered
            deadline = (time.monotonic() if known else began) + self._patience.answer
            try:
                return attempt(deadline)
            except _Fault as fault:
                known = server in self._answered
                faults = 0 if getting_on() else faults
                pauses = self._patience.pauses[faults : faults + 1]
                if not pauses or (not known and time.monotonic() + pauses[0] >= deadline):
                    raise self._failed(url, server, known, str(fault)) from fault
                time.sleep(pauses[0])
                faults += 1

    def _failed(self, url: Url, server: str, known: bool, found: str) -> Refusal:
        if known:
            return Refusal(
                url,
                f"{found}, at the last of {len(self._patience.pauses) + 1} attempts",
                f"Try again later, the part that came is kept; or {self._instead}",
            )
        return Unreachable(
            server,
            f"the server cannot be reached within {self._patience.answer:g} s ({found})",
            "Check this machine's way to the Internet (or the proxy in HTTPS_PROXY), or "
            f"{self._instead}",
        )

    def _ask(
        self, method: str, url: Url, deadline: float, headers: dict[str, str] | None = None
    ) -> requests.Response:
        """Return an answer, its body unread: a file (200, 206), none (404), bad range (416)."""
        asked = url
        for _ in range(REDIRECTS):
            response = self._answer(method, asked, deadline, headers)
            status = response.status_code
            if status in (200, 206, 404, 416):
                return response
            response.close()
            if status == http.HTTPStatus.GONE:
                response.status_code = http.HTTPStatus.NOT_FOUND
                return response
            if status in (408, 425, 429) or status >= 500:
                raise _Fault(f"HTTP {status}")
            if "Location" not in response.headers or not 300 <= status < 400:
                raise Refusal(
                    url, f"the server answers HTTP {status}", "Check the address in the lock file"
                )
            asked = _redirected(asked, response.headers["Location"])
        raise Refusal(
            url, f"more than {REDIRECTS} redirections", "Check the address in the lock file"
        )

    def _answer(
        self, method: str, url: Url, deadline: float, headers: dict[str, str] | None
    ) -> requests.Response:
        """Ask once, in a thread: nothing else limits the time that name resolution takes."""
        answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(
                    self._session.request(
                        method,
                        url,
                        headers=headers,
                        stream=True,
                        allow_redirects=False,
                        timeout=(self._patience.connect, self._patience.silence),
                    )
                )
            except Exception as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise _Fault("no answer") from None
        if isinstance(answer, requests.Response):
            self._answered.add(urllib.parse.urlsplit(url).netloc)
            return answer
        cause = _cause(answer)
        if "certificate verify failed" in cause.lower():
            raise Refusal(
                url,
                f"this machine does not trust the server's TLS certificate: {cause}",
                "Check the clock and the certificates of this machine, and whether a proxy "
                "answers in the mirror's place",
            ) from answer
        if isinstance(answer, requests.ConnectionError | requests.Timeout):
            raise _Fault(cause) from answer
        if not isinstance(answer, requests.RequestException):
            raise answer
        raise Refusal(
            url,
            f"no HTTP answer: {cause}",
            "Check the address in the lock file, and the proxy in HTTPS_PROXY",
        ) from answer

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body as it arrives, not decoded. Raises _Fault if it stalls or breaks off."""
        silence = self._patience.silence
        since, got = time.monotonic(), 0
        while True:
            try:
                chunk = response.raw.read1(CHUNK, decode_content=False)
            except urllib3.exceptions.TimeoutError as error:
                raise _Fault(f"nothing for {silence:g} s") from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise _Fault(f"a broken connection ({_cause(error)})") from error
            if not chunk:
                return
            yield chunk
            got += len(chunk)
            now = time.monotonic()
            if now - since >= silence:
                if got < SLOWEST * silence:
                    raise _Fault(f"{got} bytes in {now - since:.0f} s")
                since, got = now, 0


def _begin(response: requests.Response, url: Url, part: Path, size: int, have: int) -> int:
    """Make `part` ready for the body of `response`; return how many bytes it already has."""
    if response.status_code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        forget(part)
        raise _Fault("fewer bytes than it offered before")
    if response.status_code == http.HTTPStatus.PARTIAL_CONTENT:
        told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not told or (int(told[1]), int(told[2])) != (have, size - 1):
            forget(part)
            raise _Fault("another range than was asked for")
        offered: int | None = int(told[3])
    else:
        offered = _content_length(response)
    if offered is not None and offered != size:
        forget(part)
        raise Refusal(
            url,
            f"the server offers {offered} bytes instead of {size}",
            "Do not use it. Try again later: the mirror may be in the middle of a change",
        )
    if response.status_code == http.HTTPStatus.PARTIAL_CONTENT:
        return have
    forget(part)
    with atomic_files.writing(part):
        part.touch()
        note(part).write_text(f"{url}\n{_validator(response)}\n")
    return 0


def _validator(response: requests.Response) -> str:
    """Return a strong validator: an ETag that is not weak, else the date, else empty."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _content_length(response: requests.Response) -> int | None:
    text: str = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _redirected(url: Url, location: str) -> Url:
    try:
        there = urllib.parse.urljoin(url, location)
        old, new = urllib.parse.urlsplit(url), urllib.parse.urlsplit(there)
        if (old.scheme, old.netloc) == (new.scheme, new.netloc):
            return Url.parse(there)
    except ValueError:
        pass
    raise Refusal(
        url,
        f"the server redirects to {location[:100]!r}, which is outside this server",
        "If the mirror has moved, put its new address into the lock file",
    )


def _too_long(url: Url, limit: int) -> Refusal:
    return Refusal(
        url,
        f"the file is larger than {limit} bytes",
        "Do not use it. Try again later: the mirror may be in the middle of a change",
    )


def _cause(error: BaseException) -> str:
    """Return the operating system's words from a chain of exceptions, if it has any."""
    stack = []
    step: BaseException | None = error
    while step is not None:
        stack.append(step)
        step = step.__cause__ or step.__context__
    for step in stack:
        if isinstance(step, OSError) and step.strerror:
            return step.strerror
    timed_out = any(isinstance(step, urllib3.exceptions.TimeoutError) for step in stack)
    return "no answer" if timed_out else type(error).__name__
