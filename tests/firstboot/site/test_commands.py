"""Check, render and compare, as functions and as a person types them."""

import dataclasses
import shutil
import stat
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.check_sites import check_sites
from firstboot.site.commands import (
    BOX,
    difference,
    parse_box,
    render_site,
    show_difference,
    write,
)
from firstboot.site.model import load
from firstboot.site.render import Box, Rendered, render
from firstboot.site.verify.verify import exposed
from tests.command import exitisp
from tests.firstboot.site.sites import EXAMPLES, ONE, ROOT, TWO, changed

SECRET = "MPIiUrPmlmusmfuBxqglIwpV"
OVERLAYS = ROOT / "overlays"

INDEX = """\
templates:
  - {template: asn.j2, path: etc/asn}
  - {template: peers.j2, path: etc/peers, mode: "0600", owner: root, group: _bgpd}
  - {template: relay.j2, path: "etc/relay{relay}", each: relay}
"""


@pytest.fixture
def overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An overlay with a file for the site, one with secrets, and one for each relay: no whole
    configuration, so that there is nothing to judge."""
    modes_alone = "firstboot.site.verify.verify.verify", lambda site, _, files: exposed(site, files)
    monkeypatch.setattr(*modes_alone)
    folder = tmp_path / "overlays" / "small" / "templates"
    folder.mkdir(parents=True)
    (folder / "index.yaml").write_text(INDEX)
    (folder / "asn.j2").write_text("asn {{ site.asn }}\n")
    (folder / "peers.j2").write_text(
        "{% for peer in site.peers if peer.md5 %}\n"
        "peer {{ peer.name }} {{ peer.md5 }}\n"
        "{% endfor %}\n"
    )
    (folder / "relay.j2").write_text("{{ relay.nickname }} on {{ box.cores }} cores\n")
    return tmp_path / "overlays"


def site(folder: Path, *changes: tuple[str, str], name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_bytes(changed(*changes))
    return path


def test_all_sites_are_checked_before_errors_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = site(tmp_path, ("asn: 64511", "asn: 23456"))
    with pytest.raises(Refusal, match=r"site\.yaml: the site has 1 error"):
        check_sites([wrong, ONE])
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{wrong}:15: asn: AS23456 is AS_TRANS") for line in told)
    assert [line for line in told if line.startswith(f"{ONE}: 0 errors, 0 warnings, ")]


def test_a_site_with_nothing_but_advice_passes(capsys: pytest.CaptureFixture[str]) -> None:
    check_sites(EXAMPLES)
    assert capsys.readouterr().out.count(": 0 errors, 0 warnings, ") == len(EXAMPLES)


def test_rendering_writes_files_with_their_modes_and_lists_them(
    tmp_path: Path, overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    render_site(ONE, output, BOX, overlays)
    assert (output / "etc/asn").read_text() == "asn 64511\n"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (output / "etc").iterdir()}
    assert modes == {"asn": 0o644, "peers": 0o600} | {f"relay{n}": 0o644 for n in range(1, 5)}
    assert capsys.readouterr().out.splitlines()[:2] == [
        "0644 root:wheel /etc/asn",
        "0600 root:_bgpd /etc/peers",
    ]


def test_rendering_without_a_folder_lists_and_writes_nothing(
    tmp_path: Path, overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    render_site(ONE, None, BOX, overlays)
    assert sorted(tmp_path.rglob("*")) == before
    told = capsys.readouterr().out
    assert "0600 root:_bgpd /etc/peers\n" in told
    assert SECRET not in told


def test_a_site_with_errors_is_not_rendered_and_its_findings_are_told(
    tmp_path: Path, overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = site(tmp_path, ("asn: 64511", "asn: 23456"))
    with pytest.raises(Refusal, match=r"the site has [0-9]+ error"):
        render_site(wrong, tmp_path / "out", BOX, overlays)
    assert "AS_TRANS" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_faulty_file_is_not_rendered(tmp_path: Path, overlays: Path) -> None:
    wrong = tmp_path / "site.yaml"
    wrong.write_text("asn: [")
    with pytest.raises(Refusal, match="1 error"):
        render_site(wrong, None, BOX, overlays)


def test_a_secret_in_a_file_that_others_may_read_is_refused(
    tmp_path: Path, overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = overlays / "small" / "templates" / "index.yaml"
    index.write_text(INDEX.replace('mode: "0600", ', 'mode: "0640", '))
    with pytest.raises(Refusal, match=r"/etc/peers:1: 1 flaw in the rendered"):
        render_site(ONE, tmp_path / "out", BOX, overlays)
    told = capsys.readouterr().out
    assert "etc/peers:1: has a secret in it and mode 0640, not 0600" in told
    assert SECRET not in told
    assert not (tmp_path / "out").exists()


def test_a_rendering_that_leaks_is_told_and_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlays = tmp_path / "overlays"
    shutil.copytree(OVERLAYS, overlays)
    template = overlays / "unbound/templates/unbound.conf.j2"
    text = template.read_text().replace("qname-minimisation: yes", "log-queries: yes")
    assert text != template.read_text()
    template.write_text(text)
    with pytest.raises(Refusal, match=r"flaws? in the rendered configuration"):
        render_site(ONE, tmp_path / "out", BOX, overlays)
    assert "it would write down what users look up" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def rendered(path: str = "etc/a", text: str = "a\n", mode: int = 0o644) -> Rendered:
    return Rendered(path, text, mode, "root", "wheel")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write([rendered(text="old\n")], tmp_path)
    before = (tmp_path / "etc/a").open()
    write([rendered(text="new and longer\n", mode=0o600)], tmp_path)
    with before:
        assert before.read() == "old\n"
    assert (tmp_path / "etc/a").read_text() == "new and longer\n"
    assert stat.S_IMODE((tmp_path / "etc/a").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["a"]


def test_a_secret_is_never_readable_by_others_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def replace(self: Path, target: Path) -> None:
        seen.append((stat.S_IMODE(self.stat().st_mode), target.name))

    monkeypatch.setattr(Path, "replace", replace)
    write([rendered(mode=0o600)], tmp_path)
    assert seen == [(0o600, "a")]


def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("in the way")
    with pytest.raises(Refusal, match="the file cannot be written"):
        write([rendered()], tmp_path)
    (tmp_path / "var" / "a").mkdir(parents=True)
    with pytest.raises(Refusal, match="the file cannot be written"):
        write([rendered("var/a")], tmp_path)
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["a"]


def test_a_difference_shows_what_comes_goes_and_changes() -> None:
    before = [rendered("a", "1\n2\n3\n"), rendered("b", "gone\n"), rendered("c", "same\n")]
    after = [rendered("a", "1\nB\n3\n"), rendered("c", "same\n", 0o600), rendered("d", "new\n")]
    assert difference(before, after).splitlines() == [
        "--- a/a", "+++ b/a", "@@ -1,3 +1,3 @@", " 1", "-2", "+B", " 3",
        "--- a/b", "+++ /dev/null", "@@ -1 +0,0 @@", "-gone",
        "/c: 0644 root:wheel becomes 0600 root:wheel",
        "--- /dev/null", "+++ b/d", "@@ -0,0 +1 @@", "+new",
    ]  # fmt: skip
    assert difference(before, before) == ""


def test_a_difference_of_sites_shows_files_and_masks_secrets(
    tmp_path: Path, overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = "jR4zvT9mZ2xK7pQw"
    other = site(tmp_path, ("asn: 64511", "asn: 64510"), (SECRET, new), ("count: 4", "count: 3"))
    show_difference(ONE, other, BOX, overlays)
    told = capsys.readouterr().out
    assert "-asn 64511\n+asn 64510\n" in told
    assert "-peer neighbour ********\n+peer neighbour ********\n" in told
    assert "--- a/etc/relay4\n+++ /dev/null\n" in told
    assert not any(secret in told for secret in (SECRET, new, "PCmxV4ElPLGCfHQWBPsW2t9q"))


def test_a_site_differs_in_nothing_from_itself(
    overlays: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_difference(ONE, ONE, BOX, overlays)
    assert capsys.readouterr().out == "no file changes\n"


def test_a_difference_with_a_faulty_site_is_refused(tmp_path: Path, overlays: Path) -> None:
    wrong = site(tmp_path, ("asn: 64511", "asn: 23456"))
    for pair in ((ONE, wrong), (wrong, ONE)):
        with pytest.raises(Refusal, match=r"the site has [0-9]+ error"):
            show_difference(*pair, BOX, overlays)


def test_a_box_is_the_default_where_nothing_else_is_said() -> None:
    assert parse_box("") == BOX
    assert parse_box("cores=2") == dataclasses.replace(BOX, cores=2)
    assert parse_box("memory=4096,openbgpd=7.7,tor=0.4.9") == dataclasses.replace(
        BOX, memory_mib=4096, openbgpd=(7, 7), tor=(0, 4, 9)
    )
    assert parse_box("resolver=base") == BOX
    assert parse_box("resolver=package") == dataclasses.replace(
        BOX, packaged_unbound=True, libevent=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "cores",
        "cores=0",
        "cores=-1",
        "cores=x",
        "discs=2",
        "tor=9",
        "tor=",
        "memory=1.5",
        "=",
        "resolver=",
    ],
)
def test_a_box_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"--box: .* is neither cores or memory"):
        parse_box(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("box", [BOX, Box(2, 2048, (1, 17), (7, 7), (0, 4, 7))], ids=["new", "old"])
def test_every_example_renders_and_keeps_its_secrets_to_root(path: Path, box: Box) -> None:
    example = load(path).value
    files = render(example, box, OVERLAYS)
    assert files
    for secret in filter(None, (peer.md5 for peer in example.peers)):
        holders = [file for file in files if secret in file.text]
        assert holders
        assert {file.mode for file in holders} == {0o600}


def test_check_from_the_command_line(tmp_path: Path) -> None:
    good = exitisp("check", ONE, folder=tmp_path)
    assert (good.returncode, good.stderr) == (0, "")
    told = good.stdout.splitlines()
    (counts,) = (at for at, line in enumerate(told) if line.startswith(f"{ONE}: 0 errors, 0 warn"))
    assert told[counts + 1] == f"{ONE} asks for about 4 cores and 9 GiB of memory:"
    bad = exitisp("check", ONE, site(tmp_path, ("64511", "23456")), folder=tmp_path)
    assert bad.returncode == 1
    assert "AS_TRANS" in bad.stdout
    assert bad.stderr.startswith("exitisp: ")
    assert "Traceback" not in bad.stderr


def test_render_from_the_command_line(tmp_path: Path) -> None:
    done = exitisp("render", ONE, "-o", "out", "--box", "cores=2,openbgpd=7.7", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.partition(" /")[2] for line in done.stdout.splitlines()]
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*")
                     if p.is_file())  # fmt: skip
    assert sorted(listed) == written
    compared = exitisp("render", "--diff", ONE, TWO, folder=tmp_path)
    assert (compared.returncode, compared.stderr) == (0, "")
    assert "\n-AS 64511\n+AS 65550\n" in compared.stdout


def test_findings_are_told_on_a_terminal_that_lacks_their_characters(tmp_path: Path) -> None:
    odd = site(tmp_path, ("name: upstream\n", "name: 出口\n"))
    told = exitisp("check", odd, folder=tmp_path, PYTHONIOENCODING="ascii")
    assert told.returncode == 1
    assert "'??' is not a name" in told.stdout
    assert "Traceback" not in told.stderr
