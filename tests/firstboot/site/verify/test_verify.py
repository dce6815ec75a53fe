"""Rendered files judged against the site: no flaw in good ones, one for each change that is bad."""

import os
import re
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest
import yaml

from firstboot.core.refusal import Refusal
from firstboot.site import model
from firstboot.site.announcement import Announcement
from firstboot.site.commands import verify_folder, write
from firstboot.site.community import Community
from firstboot.site.model import Site
from firstboot.site.render import Box, Rendered, render
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.verify import check_of, judge, verify
from tests.firstboot.site.verify.random_sites import edges, sites

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
LARGEST = ROOT / "examples" / "two-transits-and-an-exchange.yaml"
DEFAULT_ROUTE = ROOT / "examples" / "default-route.yaml"
BOX = Box(cores=8, memory_mib=32768, unbound=(1, 24, 0), openbgpd=(8, 9), tor=(0, 4, 9))
OLD = Box(cores=1, memory_mib=2048, unbound=(1, 17, 1), openbgpd=(7, 7), tor=(0, 4, 8))
MUTATIONS, OF_ROUTES, OF_TWIN, OF_HOPS = (
    yaml.safe_load((Path(__file__).parent / name).read_text())
    for name in (
        "mutations.yaml",
        "routes_mutations.yaml",
        "twin_mutations.yaml",
        "hops_mutations.yaml",
    )
)


BOXES = {"new-daemons": BOX, "old-daemons": OLD}


@cache
def rendered(path: Path, box: str = "new-daemons") -> tuple[Site, list[Rendered]]:
    site = model.load(path).value
    return site, render(site, BOXES[box], ROOT / "overlays")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("box", BOXES)
def test_nothing_is_wrong_with_the_examples(path: Path, box: str) -> None:
    site, files = rendered(path, box)
    assert [str(flaw) for flaw in verify(site, BOXES[box], files)] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_rendered_file_has_a_table(path: Path) -> None:
    _, files = rendered(path)
    assert [file.path for file in files if check_of(file.path) is None] == []


@pytest.mark.parametrize("seed", range(1, 5))
def test_nothing_is_wrong_with_random_valid_sites(seed: int) -> None:
    """Ten sites a seed; with EXITISP_FULL, 500."""
    many = 500 if "EXITISP_FULL" in os.environ else 10
    for number, (site, box) in enumerate(islice(sites(seed), many)):
        flaws = verify(site, box, render(site, box, ROOT / "overlays"))
        assert not flaws, f"site {number} of seed {seed}: {flaws[0]}"


@pytest.mark.parametrize("seed", range(1, 4))
def test_nothing_is_wrong_with_random_boxes_of_two(seed: int) -> None:
    """Six sites a seed; with EXITISP_FULL, 300."""
    many = 300 if "EXITISP_FULL" in os.environ else 6
    for number, (site, box) in enumerate(islice(edges(seed), many)):
        flaws = verify(site, box, render(site, box, ROOT / "overlays"))
        assert not flaws, f"site {number} of seed {seed}: {flaws[0]}"


@pytest.mark.parametrize("case", MUTATIONS, ids=lambda case: f"{case['file']}: {case['why']}")
def test_a_change_to_a_rendered_file_is_a_flaw(case: dict[str, str]) -> None:
    assert_noticed(case, *rendered(LARGEST.with_stem(case.get("site", LARGEST.stem))))


@cache
def with_routes(routes: str) -> tuple[Site, list[Rendered]]:
    site, _ = rendered(DEFAULT_ROUTE)
    (upstream,) = site.peers
    site = replace(site, peers=(replace(upstream, routes=model.Routes(routes)),))
    return site, render(site, BOX, ROOT / "overlays")


@pytest.mark.parametrize("routes", ["full", "default", "static"])
def test_nothing_is_wrong_with_what_is_taken_of_a_transit(routes: str) -> None:
    site, files = with_routes(routes)
    assert [str(flaw) for flaw in verify(site, BOX, files)] == []


@pytest.mark.parametrize("case", OF_ROUTES, ids=lambda case: f"{case['file']}: {case['why']}")
def test_a_change_to_the_routes_of_a_transit_is_a_flaw(case: dict[str, str]) -> None:
    assert_noticed(case, *with_routes(case["routes"]))


@pytest.mark.parametrize("case", OF_TWIN, ids=lambda case: f"{case['file']}: {case['why']}")
def test_a_change_to_the_files_of_one_box_of_two_is_a_flaw(case: dict[str, str]) -> None:
    assert_noticed(case, *rendered(LARGEST.with_stem("two-edges-a")))


@cache
def with_less() -> tuple[Site, list[Rendered]]:
    """The largest example, whose second upstream does not hear of one scope, and whose peer keeps
    the others to itself."""
    site, _ = rendered(LARGEST)
    v4, *_, v6 = site.scopes
    less = (Announcement((v6,), withheld=True), Announcement((v4,), no_export=True, prepend=1))
    peers = list(site.peers)
    peers[1] = replace(peers[1], announce=less, blackhole=Community("65535:666"))
    site = replace(site, peers=tuple(peers))
    return site, render(site, BOX, ROOT / "overlays")


def test_nothing_is_wrong_with_a_scope_that_a_neighbour_does_not_hear_of() -> None:
    site, files = with_less()
    assert [str(flaw) for flaw in verify(site, BOX, files)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"deny to \S+ prefix \S+\n", ""),
        (r"deny to (\S+) prefix \S+\n", r"deny to \1 prefix 198.51.100.0/24\n"),
        (r"deny to \S+ prefix (\S+)\n", r"deny to ebgp prefix \1\n"),
        (r"deny to (\S+) prefix (\S+)\n", r"deny to \1 prefix \2\nallow to \1 prefix \2\n"),
        (r" community NO_EXPORT ", " "),
        (r"community NO_EXPORT ", "community NO_ADVERTISE "),
        (r"(match to ebgp|\Z)", "match to ebgp set { community NO_EXPORT }\n"),
    ],
)
def test_a_change_to_who_hears_of_which_scope_is_a_flaw(old: str, new: str) -> None:
    site, files = with_less()
    (bgpd,) = (file for file in files if file.path == "etc/local/bgpd.conf")
    text, count = re.subn(old, new, bgpd.text, count=1)
    assert count
    assert check(replace(bgpd, text=text), site)


@cache
def with_open_machine() -> tuple[Site, list[Rendered]]:
    """The smallest example, with a machine on its LAN of which strangers reach two ports."""
    site, _ = rendered(LARGEST.with_stem("one-port-of-each"))
    address = ip_address("198.51.100.130")
    opened = (model.Reachable(address, 443), model.Reachable(address, 53, model.Protocol.UDP))
    ports = tuple(
        replace(port, reachable=opened) if port.role is model.PortRole.LAN else port
        for port in site.ports
    )
    site = replace(site, ports=ports)
    return site, render(site, BOX, ROOT / "overlays")


def test_nothing_is_wrong_with_a_machine_that_strangers_reach() -> None:
    site, files = with_open_machine()
    assert [str(flaw) for flaw in verify(site, BOX, files)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r" port 443 flags S/SA no state label \"lan-open\"", ' no state label "lan-open"'),
        (r" port 53 no state label \"lan-open\"", ' no state label "lan-open"'),
        (r"pass in [^\n]*tcp to 198.51.100.130 port 443[^\n]*\n", ""),
        (r"pass in [^\n]*udp to 198.51.100.130 port 53[^\n]*\n", ""),
        (r"(in [^\n]*) to 198.51.100.130 port 443", r"\1 to <lan> port 443"),
        (r"tcp to <lan> flags A/A", "tcp to <lan>"),
        (r"block in [^\n]*\"lan-port-unasked\"\n", ""),
        (r"block in ([^\n]*) to <lan> label \"lan-unasked\"", r"pass in \1 to <lan> no state"),
        (r"(from <lan>) keep state \(floating\)", r"\1 no state"),
        (r"(from <lan>) keep state \(floating\)", r"\1 keep state (if-bound)"),
        (r"pass out [^\n]*\"lan-asks\"\n", ""),
    ],
)
def test_a_change_to_what_reaches_machines_on_a_lan_is_a_flaw(old: str, new: str) -> None:
    site, files = with_open_machine()
    (pf,) = (file for file in files if file.path == "etc/pf.conf")
    text, count = re.subn(old, new, pf.text, count=1)
    assert count
    assert check(replace(pf, text=text), site)


@cache
def several_hops_away() -> tuple[Site, list[Rendered]]:
    """The example with a default route, whose upstream has its sessions from its loopback."""
    site, _ = rendered(DEFAULT_ROUTE)
    (upstream,) = site.peers
    far = (ip_address("203.0.113.254"), ip_address("2001:db8:fff::1"))
    upstream = replace(upstream, addresses=far, gateway=upstream.addresses, hops=3, gtsm=True)
    site = replace(site, peers=(upstream,))
    return site, render(site, BOX, ROOT / "overlays")


def test_nothing_is_wrong_with_a_neighbour_several_hops_away() -> None:
    site, files = several_hops_away()
    assert [str(flaw) for flaw in verify(site, BOX, files)] == []
    (bgpd,) = (file.text for file in files if file.path == "etc/local/bgpd.conf")
    assert bgpd.count("    multihop 3\n") == 2
    assert bgpd.count("    ttl-security yes") == 1


@pytest.mark.parametrize("case", OF_HOPS, ids=lambda case: f"{case['file']}: {case['why']}")
def test_a_change_to_the_way_to_a_neighbour_several_hops_away_is_a_flaw(
    case: dict[str, str],
) -> None:
    assert_noticed(case, *several_hops_away())


def assert_noticed(case: dict[str, str], site: Site, files: list[Rendered]) -> None:
    (target,) = (file for file in files if file.path.endswith(case["file"]))
    count = 0 if case.get("every") else 1
    text = re.sub(case["find"], case["put"], target.text, count=count)
    assert text != target.text, "the example no longer has what is changed here"
    flaws = check(replace(target, text=text), site)
    assert flaws
    assert all(flaw.path == target.path and flaw.reason for flaw in flaws)
    assert all(1 <= flaw.line <= text.count("\n") + 1 for flaw in flaws)


def check(file: Rendered, site: Site) -> list[Flaw]:
    return list(judge(file, Context.of(site, BOX)))


BROKEN = ["", "\0", "\\", "{", '"', "}" * 300, "a" * 10_000, "\x85", "=", "<", "!", "é\n", "\ufeff"]


@pytest.mark.parametrize("garbage", BROKEN, ids=lambda text: ascii(text)[:20])
def test_a_file_that_cannot_be_read_is_a_flaw_and_no_traceback(garbage: str) -> None:
    site, files = rendered(LARGEST)
    # The exit notice is prose: more of it is no flaw.
    for file in (file for file in files if not file.path.endswith(".html")):
        for text in (garbage, f"{file.text}\n{garbage}x", f"{garbage}x\n{file.text}"):
            assert check(replace(file, text=text), site) or text.strip() in ("", file.text.strip())


@pytest.mark.parametrize("path", ["etc/local/bgpd.conf", "etc/cron.d/rpki-client"])
def test_a_site_without_bgp_has_no_file_of_bgp(path: str) -> None:
    site, files = rendered(LARGEST.with_stem("relays-only"))
    (theirs,) = (file for file in rendered(LARGEST)[1] if file.path == path)
    flaws = verify(site, BOX, [*files, theirs])
    assert [(flaw.path, flaw.reason) for flaw in flaws] == [
        (path, "the site has no such file: what it does is not known")
    ]


def test_a_counterexample_is_a_packet() -> None:
    site, files = rendered(LARGEST)
    (file,) = (file for file in files if file.path == "etc/pf.conf")
    before = file.text.index("block out quick on { ix0")
    leak = "pass out quick on ix2 proto udp to any port 53\n"
    flaw = check(replace(file, text=file.text[:before] + leak + file.text[before:]), site)[0]
    assert "out on ix2: udp from 9.9.9.9 port 40000 to 9.9.9.9 port 53 passes" in flaw.reason
    assert flaw.line == file.text[:before].count("\n") + 1


def test_a_file_that_is_missing_or_unknown_is_a_flaw() -> None:
    site, files = rendered(LARGEST)
    kept = [file for file in files if file.path != "etc/pf.conf"]
    extra = Rendered("etc/rc.conf.d/more", 'pf_enable="NO"\n', 0o644, "root", "wheel")
    flaws = verify(site, BOX, [*kept, extra])
    assert {(flaw.path, flaw.reason) for flaw in flaws} == {
        ("etc/pf.conf", "is missing"),
        ("etc/rc.conf.d/more", "the site has no such file: what it does is not known"),
    }


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o644, "may read it"),
        (0o622, "may write to it"),
        (0o4600, "the rights of its owner"),
    ],
)
def test_a_mode_that_gives_others_more_than_they_need_is_a_flaw(mode: int, told: str) -> None:
    site, files = rendered(LARGEST)
    changed = [
        replace(file, mode=mode) if file.path == "etc/local/bgpd.conf" else file for file in files
    ]
    (flaw,) = verify(site, BOX, changed)
    assert flaw.path == "etc/local/bgpd.conf"
    assert told in flaw.reason


def test_a_secret_is_never_a_part_of_what_is_told() -> None:
    site, files = rendered(LARGEST)
    (file,) = (file for file in files if file.path == "etc/local/bgpd.conf")
    secret = site.peers[0].md5
    assert secret
    flaws = check(replace(file, text=file.text.replace(secret, "another-secret")), site)
    assert flaws
    assert not any(secret in flaw.reason or "another-secret" in flaw.reason for flaw in flaws)


def test_a_folder_is_judged_as_it_lies_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, files = rendered(LARGEST)
    write(files, tmp_path)
    verify_folder(LARGEST, tmp_path, BOX)
    assert "no flaws in 42 files" in capsys.readouterr().out
    (tmp_path / "etc/pf.conf").write_bytes(b"\xff")
    (tmp_path / "etc/crontab").unlink()
    (tmp_path / "etc/crontab").symlink_to("/dev/zero")
    with pytest.raises(Refusal, match="2 flaws in the rendered configuration"):
        verify_folder(LARGEST, tmp_path, BOX)
    told = capsys.readouterr().out
    assert "etc/pf.conf:1: is not text in UTF-8" in told
    assert "etc/crontab:1: is no regular file" in told


def test_a_name_that_cannot_be_shown_is_told_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, files = rendered(LARGEST)
    write(files, tmp_path)
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/etc/\xff"))).touch()
    (tmp_path / "etc" / "a\n\x1b[2J").touch()
    with pytest.raises(Refusal, match="2 flaws"):
        verify_folder(LARGEST, tmp_path, BOX)
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in told] == [r"etc/\udcff", r"etc/a\n\x1b[2J"]


@pytest.mark.parametrize("there", ["nothing", "a file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, there: str) -> None:
    place = tmp_path / "site"
    if there == "a file":
        place.touch()
    with pytest.raises(Refusal, match="is no folder"):
        verify_folder(LARGEST, place, BOX)
