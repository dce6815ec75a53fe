"""Network cards as ifconfig(8) and sysctl(8) print them. The texts are a real box's."""

from firstboot.box.systems.freebsd import nics
from firstboot.wizard.nics import Nic

PLAIN = """\
vtnet0: flags=1008802<BROADCAST,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=880028<VLAN_MTU,JUMBO_MTU,LINKSTATE,HWSTATS>
\tether 02:00:5e:10:01:00
\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)
\tstatus: active
\tnd6 options=9<PERFORMNUD,IFDISABLED>
ix0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> metric 0 mtu 1500
\toptions=4e53fbb<RXCSUM,TXCSUM,VLAN_MTU,VLAN_HWTAGGING>
\tether 00:25:90:aa:bb:cc
\tmedia: Ethernet autoselect
\tstatus: no carrier
\tnd6 options=9<PERFORMNUD,IFDISABLED>
lo0: flags=1008049<UP,LOOPBACK,RUNNING,MULTICAST,LOWER_UP> metric 0 mtu 16384
\toptions=680003<RXCSUM,TXCSUM,LINKSTATE,RXCSUM_IPV6,TXCSUM_IPV6>
\tinet 127.0.0.1 netmask 0xff000000
\tinet6 ::1 prefixlen 128
\tgroups: lo
pflog0: flags=1000141<UP,RUNNING,PROMISC,LOWER_UP> metric 0 mtu 33152
\toptions=0
\tgroups: pflog
"""

CONFIGURED = """\
vtnet0: flags=1008802<BROADCAST,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=880028<VLAN_MTU,JUMBO_MTU,LINKSTATE,HWSTATS>
\tether 02:00:5e:10:01:00
\tinet 192.0.2.2 netmask 0xfffffffc broadcast 192.0.2.3
\tinet6 fe80::5eff:fe10:100%vtnet0 prefixlen 64 tentative scopeid 0x1
\tinet6 2001:db8:100::2 prefixlen 64 tentative
\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)
\tstatus: active
\tnd6 options=61<PERFORMNUD,AUTO_LINKLOCAL,NO_RADR>
vtnet1: flags=1008802<BROADCAST,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=880028<VLAN_MTU,JUMBO_MTU,LINKSTATE,HWSTATS>
\tether 02:00:5e:10:01:01
\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)
\tstatus: active
\tnd6 options=9<PERFORMNUD,IFDISABLED>
vtnet1.1203: flags=1008842<BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=80000<LINKSTATE>
\tether 02:00:5e:10:01:01
\tinet 192.0.2.6 netmask 0xfffffffc broadcast 192.0.2.7
\tgroups: vlan
\tvlan: 1203 vlanproto: 802.1q vlanpcp: 0 parent interface: vtnet1
\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)
\tstatus: active
vtnet2: flags=1008802<BROADCAST,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=880028<VLAN_MTU,JUMBO_MTU,LINKSTATE,HWSTATS>
\tether 02:00:5e:10:00:0b
\thwaddr 02:00:5e:10:01:02
\tinet 203.0.113.10 netmask 0xffffff00 broadcast 203.0.113.255
\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)
\tstatus: active
"""

SYSCTL = """\
dev.vtnet.0.bind_intr_tally: 0
dev.vtnet.0.%desc: VirtIO Networking Adapter
dev.vtnet.%parent:
dev.ix.0.%desc: Intel(R) X520 82599ES (SFI/SFP+)
dev.ix.0.iflib.driver_version: 5.0.1-k
dev.hpet.0.%desc: High Precision Event Timer
"""


def test_cards_have_driver_address_link_and_speed() -> None:
    assert nics.parse_ifconfig(PLAIN, nics.parse_descriptions(SYSCTL)) == (
        Nic("vtnet0", "VirtIO Networking Adapter", "02:00:5e:10:01:00", True, "10Gbase-T"),
        Nic("ix0", "Intel X520 82599ES (SFI/SFP+)", "00:25:90:aa:bb:cc", False, ""),
    )


def test_vlans_are_no_cards_and_a_card_has_its_own_address() -> None:
    found = nics.parse_ifconfig(CONFIGURED, {})
    assert [(nic.device, nic.driver, nic.mac) for nic in found] == [
        ("vtnet0", "vtnet", "02:00:5e:10:01:00"),
        ("vtnet1", "vtnet", "02:00:5e:10:01:01"),
        ("vtnet2", "vtnet", "02:00:5e:10:01:02"),
    ]


def test_cards_are_raised_on_a_box_without_addresses_alone() -> None:
    assert nics.liftable(PLAIN) == ("vtnet0", "ix0")
    assert nics.liftable(CONFIGURED) == ()
    assert nics.liftable("") == ()
