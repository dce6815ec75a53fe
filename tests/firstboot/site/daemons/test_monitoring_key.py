"""A key that may monitor, at a real sshd with the rendered files: what it can do, and what not."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.site.verify.sshd import MONITORING
from tests.firstboot.site.daemons.conftest import find
from tests.firstboot.site.daemons.sites import ROOT, example, files

SCRIPT = ROOT / "overlays/management/files/usr/local/libexec/exitisp/monitoring"

APART = """\
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /usr/local
chmod 755 /run /usr/local
mkdir -p /run/sshd /run/keys /usr/local/libexec/exitisp /usr/local/bin
cp monitoring /usr/local/libexec/exitisp/monitoring
printf '#!/bin/sh\\necho "ran exitisp $*"\\n' >/usr/local/bin/exitisp
chmod 755 /usr/local/libexec/exitisp/monitoring /usr/local/bin/exitisp
cp root /run/keys/root
cp host /run/host
chmod 600 /run/keys/root /run/host
sshd=$1
shift
$sshd -f sshd_config -E /run/sshd.log
trap 'kill $(cat /run/sshd.pid)' EXIT
for _ in 1 2 3 4 5 6 7 8 9; do
    if grep -q '^Server listening' /run/sshd.log; then break; fi
    sleep 1
done
status=0
"$@" </dev/null || status=$?
exit $status
"""
"""Mounts, network and processes of its own, so that all paths are those of the box."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of an administrator, of a monitoring host and of the box, and the rendered files."""
    folder = tmp_path_factory.mktemp("monitoring")
    for name in ("admin", "monitor", "host"):
        command = [find("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f"]
        subprocess.run([*command, str(folder / name)], check=True, timeout=60)
    public = {name: (folder / f"{name}.pub").read_text().strip() for name in ("admin", "monitor")}
    site = example("one-port-of-each")
    management = replace(
        site.management, keys=(public["admin"],), monitoring=(public["monitor"],), networks=()
    )
    rendered = files(replace(site, management=management), "management")
    (folder / "root").write_text(rendered["etc/ssh/authorized_keys/root"].text)
    config = "".join(
        line
        for line in rendered["etc/ssh/sshd_config"].text.splitlines(keepends=True)
        if not line.startswith("ListenAddress")
    )
    config = config.replace("/cfg/ssh/ssh_host_ed25519_key", "/run/host")
    config = config.replace("/etc/ssh/authorized_keys", "/run/keys")
    config += "ListenAddress 127.0.0.1:2222\nPidFile /run/sshd.pid\n"
    (folder / "sshd_config").write_text(config)
    (folder / "monitoring").write_bytes(SCRIPT.read_bytes())
    return folder


def asked(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a client gets; `program` with its key and options, and then `arguments`."""
    apart = [find("unshare", "util-linux"), "--mount", "--net"]
    if os.geteuid() or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("it takes root, and a machine that allows namespaces")
    options = ["-i", program.partition(" ")[2], "-o", "IdentitiesOnly=yes", "-F", "/dev/null"]
    for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"):
        options += ["-o", option]
    client, port = program.split()[0], "-P" if program.startswith("sftp") else "-p"
    command = [client, *options, port, "2222", *arguments]
    sshd = find("sshd", "openssh-server")
    return subprocess.run(
        [*apart, "sh", "-c", APART, "sh", sshd, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ((), "exitisp metrics"),
        (("exitisp", "metrics"), "exitisp metrics"),
        (("exitisp", "status", "--json"), "exitisp status --json"),
    ],
)
def test_it_may_ask_how_the_box_is(folder: Path, command: tuple[str, ...], runs: str) -> None:
    ran = asked(folder, "ssh monitor", "root@127.0.0.1", *command)
    assert (ran.returncode, ran.stdout) == (0, f"ran {runs}\n"), ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        "sh",
        "exitisp apply -",
        "exitisp metrics; id",
        "exitisp status --json\nid",
        "exitisp  metrics",
    ],
)
def test_it_may_do_nothing_else(folder: Path, command: str) -> None:
    ran = asked(folder, "ssh monitor", "root@127.0.0.1", command)
    assert (ran.returncode, ran.stdout) == (1, ""), ran.stderr
    assert "this key is for monitoring" in ran.stderr


def test_it_gets_no_terminal_and_forwards_nothing(folder: Path) -> None:
    ran = asked(folder, "ssh monitor", "-tt", "root@127.0.0.1")
    assert "PTY allocation request failed" in ran.stderr
    ran = asked(folder, "ssh monitor", "-W", "127.0.0.1:2222", "root@127.0.0.1")
    assert ran.returncode
    assert "SSH-2.0" not in ran.stdout


def test_it_fetches_no_files(folder: Path) -> None:
    ran = asked(folder, "sftp monitor", "root@127.0.0.1:/etc/passwd", "/dev/stdout")
    assert ran.returncode
    assert "root:" not in ran.stdout


def test_an_administrator_may_do_all(folder: Path) -> None:
    ran = asked(folder, "ssh admin", "root@127.0.0.1", "echo hello")
    assert (ran.returncode, ran.stdout) == (0, "hello\n"), ran.stderr


def test_the_line_is_what_verify_expects(folder: Path) -> None:
    admin, monitor = (folder / "root").read_text().splitlines()
    assert admin == (folder / "admin.pub").read_text().strip()
    assert monitor == f"{MONITORING} {(folder / 'monitor.pub').read_text().strip()}"
