"""What the box counts, for Prometheus: well formed, and nothing about users."""

import os
import re
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box.metrics import metrics, of_interfaces, of_relay, of_resolver, of_rules
from tests.firstboot.box.box import ROOT, Box
from tests.firstboot.box.test_apply import configured

RULES = ROOT / "examples/monitoring"

RELAY = """\
# HELP tor_relay_connections Connections metrics of this relay
# TYPE tor_relay_connections gauge
tor_relay_connections{type="OR",direction="initiated",state="opened",family="ipv4"} 42
tor_relay_traffic_bytes{direction="read"} 1234567
tor_relay_load_tcp_exhaustion_total 0
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
        box.answer(f"fetch -q -T 5 -o - http://127.0.0.2:{9100 + number}/metrics", RELAY)
    box.answer("local-unbound-control -c /var/unbound/unbound.conf stats_noreset", STATS)
    box.answer("netstat -ibn", NETSTAT)
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


def test_every_metric_that_a_rule_names_is_told(box: Box) -> None:
    text = (RULES / "exitisp.rules.yaml").read_text()
    box.answer("kenv -q exitisp.slot", "rootA")
    named = set(re.findall(r"\bexitisp_[a-z_]+", text))
    source = (ROOT / "firstboot/box/metrics.py").read_text()
    source += "exitisp_session_prefixes_received exitisp_session_prefixes_announced "
    source += "exitisp_session_prefixes_expected"
    assert {name for name in named if name not in source} == set()


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
