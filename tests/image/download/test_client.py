import contextlib
import errno
import hashlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.download import client as module
from image.download.client import Client
from image.download.timeouts import PATIENCE, Patience
from image.download.url import Url
from tests.image.base.upstream import (
    HASTY,
    Answer,
    Quirk,
    Upstream,
    drop_after,
    endless,
    ignore_range,
    instead,
    stall,
    stall_in_body,
    status,
)

SET = hashlib.sha256(b"a set").digest() * 10_000
PATH = "/set"


@pytest.fixture
def url(upstream: Upstream) -> Url:
    upstream.server.files[PATH] = SET
    return Url(f"{upstream.address}{PATH}")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / ".set.part"


@pytest.fixture
def client() -> Client:
    return Client("use --sets", HASTY)


def ignore(amount: int) -> None:
    pass


def bring(client: Client, url: Url, part: Path) -> bytes:
    counted: list[int] = []
    client.download(url, part, len(SET), counted.append)
    assert sum(counted) == len(SET)
    return part.read_bytes()


def test_a_file_comes_whole(client: Client, url: Url, part: Path) -> None:
    assert bring(client, url, part) == SET


def test_a_file_comes_whole_over_a_connection_that_drops(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, drop_after(100_000), drop_after(50_000))
    assert bring(client, url, part) == SET
    seen = upstream.requests(PATH)
    assert [request.headers.get("Range") for request in seen] == [
        None,
        "bytes=100000-",
        "bytes=150000-",
    ]
    assert sum(request.sent for request in seen) == len(SET)


def test_what_came_before_an_interruption_is_not_brought_again(
    url: Url, part: Path, upstream: Upstream
) -> None:
    def interrupt(amount: int) -> None:
        if amount:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Client("", HASTY).download(url, part, len(SET), interrupt)
    have = part.stat().st_size
    assert 0 < have < len(SET)
    assert bring(Client("", HASTY), url, part) == SET
    resumed = upstream.requests(PATH)[1]
    assert resumed.headers["Range"] == f"bytes={have}-"
    assert resumed.sent == len(SET) - have


def test_a_complete_part_asks_for_nothing(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    bring(client, url, part)
    bring(client, url, part)
    assert len(upstream.requests(PATH)) == 1


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, drop_after(100_000), ignore_range)
    assert bring(client, url, part) == SET


def test_a_file_that_changed_in_between_is_read_from_the_beginning(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    changed = SET[::-1]

    def change(answer: Answer) -> None:
        answer.server.files[PATH] = changed
        answer.honest()

    upstream.misbehave(PATH, drop_after(100_000), change)
    assert bring(client, url, part) == changed


def test_a_part_of_another_file_is_not_gone_on_with(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.server.files["/other"] = bytes(len(SET))
    upstream.misbehave("/other", *[drop_after(1000)] * 4)
    with pytest.raises(Refusal):
        client.download(Url(f"{upstream.address}/other"), part, len(SET), ignore)
    assert bring(client, url, part) == SET
    assert "Range" not in upstream.requests(PATH)[0].headers


def test_a_server_without_validators_is_read_from_the_beginning(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, instead(SET[:1000]))
    assert bring(client, url, part) == SET
    assert "Range" not in upstream.requests(PATH)[1].headers


@pytest.mark.parametrize(
    "answer",
    ["bytes 5-9/10", "bytes 0-1/2", "nonsense", f"bytes {'9' * 5000}-1/2", "bytes \xb2-1/2"],
    ids=range(5),
)
def test_a_range_that_was_not_asked_for_is_thrown_away(
    answer: str, client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    def other_range(request: Answer) -> None:
        request.status(206, Content_Range=answer)

    upstream.misbehave(PATH, drop_after(1000), other_range)
    assert bring(client, url, part) == SET


def test_a_file_that_became_shorter_is_refused(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    def shorten(answer: Answer) -> None:
        answer.server.files[PATH] = SET[:500]
        answer.status(416)

    upstream.misbehave(PATH, drop_after(1000), shorten)
    with pytest.raises(Refusal, match=f"offers 500 bytes instead of {len(SET)}"):
        client.download(url, part, len(SET), ignore)


@pytest.mark.parametrize("size", [len(SET) - 1, len(SET) + 1])
def test_another_size_is_refused_before_a_byte_is_kept(
    size: int, client: Client, url: Url, part: Path
) -> None:
    with pytest.raises(Refusal, match=f"offers {len(SET)} bytes instead of {size}"):
        client.download(url, part, size, ignore)
    assert not part.exists()


def test_an_endless_file_is_cut_off_at_its_size(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, endless)
    with pytest.raises(Refusal, match=f"larger than {len(SET)} bytes"):
        client.download(url, part, len(SET), ignore)
    assert not part.exists()


def test_an_endless_document_is_cut_off_at_its_limit(
    client: Client, url: Url, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, endless)
    with pytest.raises(Refusal, match="the file is larger than 1000 bytes"):
        client.read(url, 1000)


def test_a_file_that_stays_too_short_is_refused_and_kept(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, *[drop_after(10)] * 4)
    with pytest.raises(Refusal, match=r"the connection|a broken connection") as refused:
        client.download(url, part, len(SET), ignore)
    assert "the part that came is kept" in str(refused.value)
    assert part.stat().st_size == 40


@pytest.mark.parametrize("fault", [status(500), status(503), status(429), stall_in_body])
def test_a_passing_fault_is_overcome(
    fault: Quirk, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, fault, fault)
    patience = replace(HASTY, silence=0.2, pauses=(0.0,) * 30)
    assert bring(Client("", patience), url, part) == SET


def test_a_lasting_fault_is_told_with_the_number_of_attempts(
    client: Client, url: Url, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, *[status(503)] * 4)
    with pytest.raises(Refusal, match=r"HTTP 503, at the last of 4 attempts.*use --sets"):
        client.read(url, 1000)


def test_the_pauses_between_attempts_grow(
    url: Url, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    upstream.misbehave(PATH, *[status(503)] * 5)
    with pytest.raises(Refusal):
        Client("").read(url, 1000)
    assert slept == list(PATIENCE.pauses) == sorted(PATIENCE.pauses)


def test_headway_gives_all_attempts_again(
    client: Client, url: Url, part: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEADWAY", 10_000)
    upstream.misbehave(PATH, *[drop_after(20_000)] * 10)
    assert bring(client, url, part) == SET


def test_a_trickle_counts_as_silence(
    url: Url, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(answer: Answer) -> None:
        answer.send_response(200)
        answer.end_headers()
        answer.close_connection = True
        while not answer.server.closing.wait(0.01):
            answer.write(b"x")

    monkeypatch.setattr(module, "SLOWEST", 1 << 20)
    upstream.misbehave(PATH, trickle)
    with pytest.raises(Refusal, match="bytes in 1 s, at the last of 1 attempts"):
        Client("", replace(HASTY, silence=1.0, pauses=())).read(url, 1 << 20)


def test_no_file_is_no_fault(client: Client, url: Url, upstream: Upstream) -> None:
    assert client.read(Url(f"{upstream.address}/none"), 1000) is None
    assert client.length(Url(f"{upstream.address}/none")) is None
    upstream.misbehave(PATH, status(410))
    assert client.read(url, 1000) is None
    assert client.length(url) == len(SET)


def test_a_file_that_vanished_before_it_came_is_refused(
    client: Client, part: Path, upstream: Upstream
) -> None:
    with pytest.raises(Refusal, match="HTTP 404"):
        client.download(Url(f"{upstream.address}/none"), part, 10, ignore)


def test_a_forbidden_file_is_refused_at_once(client: Client, url: Url, upstream: Upstream) -> None:
    upstream.misbehave(PATH, status(403))
    with pytest.raises(Refusal, match="the server answers HTTP 403"):
        client.read(url, 1000)


def test_a_redirection_within_the_server_is_followed(
    client: Client, url: Url, part: Path, upstream: Upstream
) -> None:
    upstream.misbehave("/moved", status(302, Location=PATH))
    assert bring(client, Url(f"{upstream.address}/moved"), part) == SET


@pytest.mark.parametrize(
    "there",
    [
        "http://127.0.0.2:1/set",
        "https://elsewhere.example.org/set",
        "//elsewhere.example.org/set",
        "file:///etc/passwd",
        "http://[::1",
        "/set?query",
    ],
)
def test_a_redirection_elsewhere_is_refused(
    there: str, client: Client, url: Url, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, status(302, Location=there))
    with pytest.raises(Refusal, match="the server redirects to"):
        client.read(url, 1000)


def test_the_body_of_a_redirection_is_not_read(
    client: Client, url: Url, upstream: Upstream
) -> None:
    def redirect_endlessly(answer: Answer) -> None:
        answer.send_response(302)
        answer.send_header("Location", PATH)
        answer.end_headers()
        answer.close_connection = True
        while not answer.server.closing.is_set():
            answer.write(bytes(1 << 16))

    upstream.misbehave("/moved", redirect_endlessly)
    assert client.read(Url(f"{upstream.address}/moved"), len(SET)) == SET


def test_redirections_in_a_circle_are_refused(client: Client, url: Url, upstream: Upstream) -> None:
    upstream.misbehave(PATH, *[status(302, Location=PATH)] * 5)
    with pytest.raises(Refusal, match="more than 5 redirections"):
        client.read(url, 1000)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_what_came_is_kept(
    code: int, client: Client, url: Url, part: Path, upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    upstream.misbehave(PATH, drop_after(1000))
    real = Path.open

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def write(self, data: memoryview) -> int:
            if part.stat().st_size >= 1000:
                raise OSError(code, os.strerror(code))
            return self.file.write(data[:1000])  # type: ignore[attr-defined, no-any-return]

    def open_full(path: Path, mode: str = "r", **facts: object) -> object:
        file = real(path, mode, **facts)  # type: ignore[call-overload]
        return Full(file) if mode == "ab" else file

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(Refusal, match=r"\.set\.part: no room to write.*Free some space"):
        client.download(url, part, len(SET), ignore)
    assert part.read_bytes() == SET[:1000]


def test_a_folder_that_cannot_be_written_is_refused(
    client: Client, url: Url, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="cannot be written: Not a directory"):
        client.download(url, tmp_path / "file" / "part", len(SET), ignore)


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a listener whose queue is full: the kernel answers no further SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_never_answers_is_told_in_one_sentence() -> None:
    with black_hole() as server:
        client = Client("use --sets", Patience(connect=0.2, answer=0.4, pauses=(0.1, 60.0)))
        with pytest.raises(Refusal) as refused:
            client.read(Url(f"http://{server}/set"), 1000)
    assert str(refused.value) == (
        f"{server}: the server cannot be reached within 0.4 s (no answer). Check this machine's "
        "way to the Internet (or the proxy in HTTPS_PROXY), or use --sets."
    )


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(
    url: Url, upstream: Upstream
) -> None:
    upstream.misbehave(PATH, *[stall] * 2)
    with pytest.raises(Refusal, match=r"the server cannot be reached within 0\.3 s \(no answer\)"):
        Client("", Patience(answer=0.3)).read(url, 1000)


def test_a_port_where_nobody_listens_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        Refusal, match=r"the server cannot be reached within 10 s \(Connection refused\)"
    ):
        Client("use --sets", HASTY).read(Url(f"http://127.0.0.1:{port}/set"), 1000)


def test_name_resolution_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(Refusal, match=r"the server cannot be reached within 0\.3 s \(no answer\)"):
        Client("", Patience(answer=0.3)).read(Url("https://mirror.example.org/set"), 1000)
    over.set()


def test_a_name_that_is_unknown_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(
        Refusal, match=r"the server cannot be reached within 10 s \(Name or service not known\)"
    ):
        Client("", HASTY).read(Url("https://mirror.example.org/set"), 1000)


def test_no_route_is_told_within_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    def fail(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: passed)
    with pytest.raises(Refusal):
        Client("").read(Url("https://mirror.example.org/set"), 1000)
    assert PATIENCE.answer <= 15
    assert 0 < passed < PATIENCE.answer


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def accept(listener: socket.socket) -> None:
        caller, _ = listener.accept()
        with contextlib.suppress(OSError), caller:
            context.wrap_socket(caller, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        url = Url(f"https://127.0.0.1:{listener.getsockname()[1]}/set")
        with pytest.raises(
            Refusal, match=r"this machine does not trust the server's TLS certificate: \[SSL:"
        ):
            Client("", HASTY).read(url, 1000)
        thread.join()
