"""YAML on the pages is what the program reads."""

from firstboot.core import document
from firstboot.site.model import Performance
from firstboot.site.profiles import parse as parse_profile
from firstboot.site.services import Services
from image.overlay import Recipe
from tests.docs.pages import ROOT, Page

DOCS = ROOT / "docs"


def blocks(page: str) -> list[bytes]:
    parts = Page(DOCS / page).text.split("```yaml\n")[1:]
    return [part.split("```")[0].encode() for part in parts]


def test_an_overlay_may_say_what_the_page_shows() -> None:
    shown, _ = blocks("development.md")
    recipe = document.parse(shown, "development.md", Recipe).value
    assert {name for name in vars(recipe) if getattr(recipe, name)} == set(vars(recipe))


def test_an_overlay_may_declare_services_as_the_page_shows() -> None:
    _, shown = blocks("development.md")
    declared = document.parse(shown, "development.md", Services).value.services
    assert [service.name for service in declared] == ["newsyslog", "sshd"]


def test_a_profile_may_say_what_the_page_shows() -> None:
    profile, _ = blocks("performance.md")
    assert parse_profile(profile, "performance.md").value.driver == "ix"


def test_a_site_may_say_of_profiles_what_the_page_shows() -> None:
    _, site = blocks("performance.md")
    head, _, body = site.partition(b":\n")
    assert head == b"performance"
    said = document.parse(body, "performance.md", Performance).value
    assert said.profiles
    assert said.settings
