"""What pf counts of packets that it stopped, by class."""

from firstboot.box.stopped import Stopped
from firstboot.box.systems.freebsd.counted import parse_stopped

PRINTED = """\
block drop all label "default"
  [ Evaluations: 1000      Packets: 9         Bytes: 640         States: 0     ]
  [ Inserted: uid 0 pid 612 State Creations: 0     ]
block drop out quick on ix1 inet proto udp from ! <own:1> to <near-transit:2> label "LEAK4"
  [ Evaluations: 900       Packets: 4         Bytes: 240         States: 0     ]
  [ Inserted: uid 0 pid 612 State Creations: 0     ]
block drop out quick on ix1 inet proto udp from ! <own:*> to any label "LEAK4"
  [ Evaluations: 900       Packets: 1         Bytes: 60          States: 0     ]
block drop out quick on ix2.12 inet6 from ! <own> to any label "LEAK6"
  [ Evaluations: 900       Packets: 2         Bytes: 120         States: 0     ]
block drop out quick on ix1 from any to <bogons> label "bogon-out"
  [ Evaluations: 900       Packets: 7         Bytes: 120         States: 0     ]
block drop in quick on ix1 proto tcp from any to <own> flags SA/SA label "backscatter"
  [ Evaluations: 900       Packets: 90        Bytes: 3600        States: 0     ]
pass out quick on ix1 proto tcp from <relays> to any no state label "relay-out"
  [ Evaluations: 900       Packets: 99        Bytes: 3600        States: 0     ]
"""


def test_classes_are_told_apart_and_other_rules_left_out() -> None:
    assert [*parse_stopped(PRINTED)] == [
        Stopped("ix1", "LEAK4", "udp", "transit", 4),
        Stopped("ix1", "LEAK4", "udp", "elsewhere", 1),
        Stopped("ix2.12", "LEAK6", "other", "elsewhere", 2),
        Stopped("ix1", "backscatter", "tcp", "elsewhere", 90),
    ]


def test_what_is_cut_or_something_else_has_no_counters() -> None:
    assert [*parse_stopped("pfctl: /dev/pf: Permission denied\n")] == []
    assert [*parse_stopped(PRINTED.split("  [ Evaluations: 900 ")[0])] == []
