"""Exchanges, ranked by what is known of them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.peering import known
from firstboot.site.peering.command import named_networks, show_exchanges
from firstboot.site.peering.exchanges import Ranked, rank
from firstboot.site.peering.known import Facts
from firstboot.site.peering.networks import NAMED
from firstboot.site.peering.sources import read_sources
from firstboot.site.peering.table import lines, of_exchanges, page
from firstboot.site.published.peeringdb import PeeringDb
from tests.command import exitisp
from tests.firstboot.site.peering.world import EXAMPLE, FACTS, answer, dump, example, parsed


def ranked(
    facts: dict[str, Facts] | None = None, found: PeeringDb | None = None
) -> dict[str, Ranked]:
    return {one.exchange.name: one for one in rank(found or example(), facts or {}, NAMED)}


def test_participants_named_networks_and_root_servers_are_counted() -> None:
    one = ranked()["COAST-IX"]
    assert (one.participants, one.named, one.roots) == (5, ("Cloudflare", "Google"), "KL")
    assert one.shares[:3] == (5 / 6, 0.5, 2 / 13)


def test_more_of_what_an_operator_wants_comes_first() -> None:
    assert list(ranked()) == ["COAST-IX", "EXAMPLE-IX", "FAR-IX"]
    wanted = {"example-ix": Facts(True, True, True, 0)}
    assert next(iter(ranked(wanted))) == "EXAMPLE-IX"


@pytest.mark.parametrize("field", ["nonprofit", "forbids_surveillance", "sea_cables"])
def test_what_is_unknown_counts_neither_for_nor_against(field: str) -> None:
    unknown = ranked()["EXAMPLE-IX"].score

    def score(said: Any) -> float:
        return ranked({"1": replace(Facts(), **{field: said})})["EXAMPLE-IX"].score

    no, yes = score(False), score(True)
    assert no < unknown < yes


def test_without_ports_participants_are_unknown_and_not_none() -> None:
    said = dump()
    del said["netixlan"]
    one = ranked(found=parsed(said))["EXAMPLE-IX"]
    assert (one.participants, one.named, one.roots) == (None, None, None)
    table = of_exchanges([one])
    cells = dict(zip(table.head, table.rows[0], strict=True))
    assert cells["participants"] is None
    assert "unknown" in lines(table)
    assert ranked()["FAR-IX"].participants == 0


def test_the_cheapest_counts_most_and_other_currencies_are_not_compared() -> None:
    facts = {
        "1": Facts(monthly_cost=100, currency="EUR"),
        "3": Facts(monthly_cost=400, currency="EUR"),
        "2": Facts(monthly_cost=9000, currency="JPY"),
    }
    shares = {name: one.shares[4] for name, one in ranked(facts).items()}
    assert shares == {"EXAMPLE-IX": 0.75, "FAR-IX": 0, "COAST-IX": 0}
    assert ranked()["COAST-IX"].shares[4] == 1, "no commercial terms"
    assert ranked()["EXAMPLE-IX"].shares[4] is None, "recurring fees of nobody knows how much"


def test_files_of_the_api_say_together_what_a_dump_says(tmp_path: Path) -> None:
    files = [answer(tmp_path, kind) for kind in ("ix", "net", "netixlan")]
    assert read_sources(files) == example()


def test_the_page_has_table_and_picture_and_loads_nothing() -> None:
    made = page(of_exchanges(list(ranked().values())))
    assert made.count("<svg") == 1
    assert 'class="unknown">unknown<' in made
    assert "http" not in made.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in made


def test_names_of_others_cannot_act_on_a_page() -> None:
    said = dump()
    said["ix"]["data"][0]["name"] = "<script>alert(1)</script>\x1b[2J"
    made = page(of_exchanges(rank(parsed(said), {}, NAMED)))
    assert "<script" not in made
    assert "\x1b" not in made


def test_the_command_prints_the_table_and_writes_the_page(tmp_path: Path) -> None:
    ran = exitisp(
        *("exchanges", "--from", EXAMPLE, "--facts", FACTS, "--country", "nl", "-o", "page.html"),
        folder=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "EXAMPLE-IX" in ran.stdout
    assert "250 EUR" in ran.stdout
    assert "COAST-IX" not in ran.stdout
    assert "EXAMPLE-IX" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"name,nonprofit\n", "the column 'name' is unknown"),
        (b"nonprofit\nyes\n", "there is no column exchange"),
        (b"exchange,nonprofit\nA,maybe\n", "row 2: nonprofit is 'maybe'. Write yes or no"),
        (b"exchange,monthly_cost\nA,1e9\n", "monthly_cost is '1e9'. Write a number"),
        (b"exchange\nA\na\n", "row 3: 'a' is there twice"),
        (b"exchange\nA,b\n", "row 2: it has not the cells of the first row"),
        (b"exchange\n\xff\n", "it is no table"),
    ],
)
def test_a_table_of_facts_that_is_wrong_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_bytes(data)
    with pytest.raises(Refusal) as refused:
        known.load(tmp_path / "facts.csv")
    assert said in str(refused.value)


def test_without_a_file_or_an_exchange_there_is_nothing_to_rank(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no file that says who is at which exchange"):
        show_exchanges([], None, [], [], None)
    with pytest.raises(Refusal, match="no exchange is in the files"):
        show_exchanges([answer(tmp_path, "net")], None, [], [], None)
    with pytest.raises(Refusal, match="no exchange in the files is in FR"):
        show_exchanges([EXAMPLE], None, [], ["FR"], None)
    with pytest.raises(Refusal, match=r"'Google' is not an AS number .* Write it as in"):
        show_exchanges([EXAMPLE], None, ["Google"], [], None)


def test_a_named_network_that_is_asked_for_again_keeps_its_name() -> None:
    assert named_networks(["AS15169", "64496"]) == {**NAMED, 64496: "AS64496"}


def test_a_page_never_takes_the_place_of_a_pipe_or_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refusal, match=r"what is there is no file.*Name another file with -o"):
        show_exchanges([EXAMPLE], None, [], [], tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
