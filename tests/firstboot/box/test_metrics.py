"""What the box counts, for Prometheus: well formed, and nothing about users."""

import json
import os
import re
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import jsonschema
import pytest
import yaml

from firstboot.box.clock import NTPQ
from firstboot.box.metrics import metrics, of_interfaces, of_relay, of_resolver, of_rules
from firstboot.box.rpki import CLIENT, VALIDATED
from tests.firstboot.box.box import ROOT, Box
from tests.firstboot.box.test_apply import configured
from tests.firstboot.box.test_clock import SYSINFO
from tests.firstboot.box.test_sensors import PLUGGED, SYSCTL
from tests.firstboot.box.test_status_document import installed

RULES = ROOT / "examples/monitoring"
DASHBOARD = json.loads((RULES / "exitisp.dashboard.json").read_text())

GRAFANA = Path(os.environ.get("EXITISP_GRAFANA", "~/.cache/exitisp/grafana")).expanduser()
"""The folder with Grafana's schemas, which its Foundation SDK has."""

RELAY = """\
# HELP tor_relay_connections Connections metrics of this relay
# TYPE tor_relay_connections gauge
tor_relay_connections{type="OR",direction="initiated",state="opened",family="ipv4"} 42
tor_relay_traffic_bytes{direction="read"} 1234567
tor_relay_load_tcp_exhaustion_total 0
"""
MORE = """\
tor_relay_load_onionskins_total{type="ntor_v3",action="dropped"} 0
tor_relay_exit_dns_query_total 900
tor_relay_exit_dns_error_total{reason="tor_timeout"} 3
tor_relay_flag{type="Exit"} 1
"""
STRANGERS = """\
tor_a{peer="8.8.4.4"} 1
tor_a{peer="2606:4700::1111"} 1
tor_a{host="www.example.com"} 1
tor_a{to="8.8.4.4:443",state="opened"} 1
8.8.4.4{a="b"} 1
tor_a{a="b"} 8.8.4.4
tor_a{a="b",c=8.8.4.4} 1
"""
STATS = """\
thread0.num.queries=9
total.num.queries=1200
total.recursion.time.avg=0.031
num.answer.rcode.SERVFAIL=3
num.answer.rcode.NOERROR=1100
num.answer.rcode.NXDOMAIN=97
www.example.com=8
"""
NETSTAT = """\
Name  Mtu Network  Address  Ipkts Ierrs Idrop  Ibytes  Opkts Oerrs  Obytes  Coll
ix0   1500 <Link#1>   00:0c:29:8e:f0:01   218130   1   2  244556014   114205   3   11203324   0
ix0  - 192.0.2.0/30  192.0.2.2  0  -  -  0  9001  -  720080  -
lo0   16384 <Link#3>   104   0   0   11344   104   0   11344   0
"""


def well(box: Box) -> Box:
    configured(box)
    for number in range(1, 17):
        box.answer(f"fetch -q -T 5 -o - http://127.0.0.2:{9100 + number}/metrics", RELAY + MORE)
    box.answer("local-unbound-control -c /var/unbound/unbound.conf stats_noreset", STATS)
    box.answer("netstat -ibn", NETSTAT)
    box.answer("sysctl dev.cpu hw.acpi.thermal", SYSCTL)
    box.answer("ifconfig -v ix0", PLUGGED)
    box.stopped(3)
    return box


def test_it_has_what_the_box_and_its_daemons_count(box: Box) -> None:
    lines = metrics(well(box).machine).splitlines()
    for line in (
        "exitisp_well 1",
        "exitisp_ports_up 1",
        'exitisp_session_up{peer="upstream-a",family="4"} 1',
        'exitisp_session_prefixes_received{peer="upstream-a",family="4"} 1000',
        "exitisp_leaks_stopped_total 3",
        'exitisp_pf_packets_total{rule="LEAK4"} 3',
        'exitisp_interface_in_bytes_total{interface="ix0"} 244556014',
        'exitisp_temperature_celsius{sensor="cpu0"} 48.5',
        'exitisp_optic_received_dbm{interface="ix0",lane="1"} -3.32',
        "unbound_total_num_queries 1200",
        "unbound_num_answer_rcode_servfail 3",
        'tor_relay_traffic_bytes{relay="16",direction="read"} 1234567',
        "# TYPE exitisp_leaks_stopped_total counter",
    ):
        assert line in lines
    assert any(line.startswith('exitisp_disk_free_bytes{place="/cfg"}') for line in lines)


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's prometheus has it")
def test_prometheus_takes_it(box: Box) -> None:
    text = metrics(well(box).machine)
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    # 3 is for matters of taste, such as a metric without a help text.
    assert ran.returncode in (0, 3), ran.stderr
    names = [line.split("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"]
    gathered = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    assert len(gathered) == len(set(gathered)), "samples of one name are apart"


def test_nothing_in_it_is_an_address_or_a_name_of_a_host(box: Box) -> None:
    """While every program that is asked speaks of strangers."""
    well(box)
    for call, answer in box.programs.answers.items():
        if call.startswith(("fetch", "local-unbound", "netstat", "pfctl -s labels")):
            box.answer(call, f"{answer}\n{STRANGERS}8.8.4.4 1 2 3 4\nwww.example.com 1 2 3 \n")
    text = metrics(box.machine)
    assert "tor_relay_connections" in text
    assert "example" not in text
    for word in re.findall(r"[0-9A-Fa-f:.]{2,}", text):
        if ("." in word and word.count(".") == 3) or word.count(":") > 1:
            with pytest.raises(ValueError, match="does not appear"):
                ip_address(word)


def test_what_a_relay_tells_passes_only_if_it_cannot_be_somebody_s() -> None:
    assert [str(one) for one in of_relay(2, RELAY + STRANGERS)] == [
        'tor_relay_connections{relay="2",type="OR",direction="initiated",state="opened",'
        'family="ipv4"} 42',
        'tor_relay_traffic_bytes{relay="2",direction="read"} 1234567',
        'tor_relay_load_tcp_exhaustion_total{relay="2"} 0',
    ]


def test_lines_of_other_forms_are_left_out() -> None:
    assert [*of_rules("pfctl: no"), *of_interfaces("?"), *of_resolver("total.num=a")] == []
    found = [str(one) for one in of_interfaces(NETSTAT)]
    assert 'exitisp_interface_out_bytes_total{interface="lo0"} 11344' in found
    assert len(found) == 14


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's prometheus has it")
@pytest.mark.parametrize("what", [["check", "rules", "exitisp.rules.yaml"],
                                  ["test", "rules", "exitisp.rules.test.yaml"]])  # fmt: skip
def test_the_rules_are_right(what: list[str]) -> None:
    ran = subprocess.run(
        ["promtool", *what], cwd=RULES, text=True, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def told(box: Box) -> set[str]:
    """The names of all metrics that a box tells, those among them of what this one has not had:
    restarts, offline keys, an upgrade."""
    well(box)
    installed(box, NTPQ, CLIENT)
    clock = SYSINFO.format(peer="192.0.2.123:123", offset="-0.2571")
    box.answer("ntpq -n -c sysinfo -c rv 0 offset", clock)
    validated = box.root / VALIDATED
    validated.parent.mkdir(parents=True, exist_ok=True)
    validated.write_text("x")
    box.answer("kenv -q exitisp.slot", "rootA")
    text = metrics(box.machine)
    return {line.split("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"} | {
        "exitisp_restarts_total",
        "exitisp_signing_key_expires_timestamp_seconds",
        "exitisp_slot_on_trial",
    }


def named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:exitisp|tor_relay|unbound)_[a-z0-9_]+", text))


def queries() -> dict[str, str]:
    """Those of the dashboard, by the titles of their panels and their letters."""
    return {
        f"{panel['title']} {one['refId']}": one["expr"]
        for panel in DASHBOARD["panels"]
        for one in panel["targets"]
    }


def test_every_metric_that_a_rule_names_is_told(box: Box) -> None:
    rules = yaml.safe_load((RULES / "exitisp.rules.yaml").read_text())["groups"][0]["rules"]
    assert named(" ".join(one["expr"] for one in rules)) - told(box) == set()


def test_every_metric_that_the_dashboard_names_is_told(box: Box) -> None:
    assert named(" ".join(queries().values())) - told(box) == set()


def test_every_rule_is_tried_with_a_fault_and_without() -> None:
    rules = yaml.safe_load((RULES / "exitisp.rules.yaml").read_text())["groups"][0]["rules"]
    names = {one["alert"] for one in rules}
    well, ill = yaml.safe_load((RULES / "exitisp.rules.test.yaml").read_text())["tests"]
    assert {one["alertname"] for one in ill["alert_rule_test"] if one["exp_alerts"]} == names
    quiet = {"ExitNotAnnounced", "ExitDiskFull", "ExitRestarts"}
    assert {one["alertname"] for one in well["alert_rule_test"]} == names - quiet
    assert not any(one["exp_alerts"] for one in well["alert_rule_test"])


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's prometheus has it")
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    filled = {
        title: expr.replace("$__range", "1h").replace("$box", ".*")
        for title, expr in queries().items()
    }
    rules = [{"record": f"q{at}", "expr": expr} for at, expr in enumerate(filled.values())]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    ran = subprocess.run(
        ["promtool", "check", "rules", path], text=True, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(filled)} rules found" in ran.stdout


@pytest.mark.parametrize("kind", ["dashboard", "prometheus", "stat", "timeseries"])
def test_the_dashboard_is_as_grafana_s_schema_says(kind: str) -> None:
    path = GRAFANA / f"{kind}.jsonschema.json"
    if not path.exists():
        pytest.skip(f"no {path}: docs/development.md says where Grafana's schemas come from")
    schema = json.loads(path.read_text())
    judged = [DASHBOARD]
    if kind == "prometheus":
        judged = [one for panel in DASHBOARD["panels"] for one in panel["targets"]]
    elif kind != "dashboard":
        schema["$ref"] = "#/definitions/Options"
        judged = [panel["options"] for panel in DASHBOARD["panels"] if panel["type"] == kind]
    assert judged
    for one in judged:
        jsonschema.validate(one, schema)


def test_panels_lie_beside_each_other_and_have_names_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken
        assert max(right for right, _ in cells) < 24
        taken |= cells
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(titles) == len({*titles}) == len({panel["id"] for panel in DASHBOARD["panels"]})


@pytest.mark.skipif(not Path("/usr/sbin/tor").exists(), reason="no Tor: Debian's tor has it")
def test_names_of_tor_s_metrics_are_those_of_tor() -> None:
    rules = (RULES / "exitisp.rules.yaml").read_text()
    names = {
        one for one in named(" ".join([*queries().values(), rules])) if one.startswith("tor_relay")
    }
    program = Path("/usr/sbin/tor").read_bytes()
    assert names
    assert {one for one in names if f"\0{one}\0".encode() not in program} == set()


def test_the_script_names_the_box_in_every_sample(tmp_path: Path) -> None:
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    printed = '# TYPE a gauge\\na 1\\nb{c="d"} 2\\n'
    ssh.write_text(f"#!/bin/sh\n[ ! -e {tmp_path}/away ] || exit 255\nprintf '{printed}'\n")
    ssh.chmod(0o755)
    environment = {"PATH": f"{ssh.parent}:{os.defpath}"}
    command = [str(RULES / "collect"), "exit-a", "192.0.2.194", str(tmp_path)]
    subprocess.run(command, env=environment, check=True)
    expected = '# TYPE a gauge\na{box="exit-a"} 1\nb{box="exit-a",c="d"} 2\n'
    assert (tmp_path / "exit-a.prom").read_text() == expected
    (tmp_path / "away").touch()
    assert subprocess.run(command, env=environment, check=False).returncode
    assert (tmp_path / "exit-a.prom").read_text() == expected
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "away", "exit-a.prom"}
