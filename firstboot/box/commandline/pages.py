"""Files of overlays/firstboot that are made from the declarations, so that the image has them."""

from pathlib import Path

from firstboot.box.commandline import completion, manual


def made() -> dict[str, str]:
    """Their texts, by their paths on the box."""
    return {
        manual.PATH: manual.page(),
        completion.BASH_PATH: completion.bash(),
        completion.ZSH_PATH: completion.zsh(),
    }


def renew(overlays: Path) -> None:
    """Write them into the overlay."""
    for name, text in made().items():
        path = overlays / "firstboot" / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
