"""Check that the kernel has every setting, module and driver that overlays name."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.kernel import loader, mentions
from image.kernel.kernel import KERNEL, Certainty, Kernel
from image.kernel.mentions import ANY, Mention, Use
from image.overlay import Overlay
from image.tree import Tree

OWN = "exitisp."
"""Prefix of loader variables that are for this project's own scripts."""

HINTS = "hint."
"""Prefix of hardware hints for drivers (device.hints(5)); a driver may read any of them."""

HARDENED = "hardening"
"""Prefix of HardenedBSD's settings, which FreeBSD's kernel does not have."""


NOWHERE_ELSE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Checked:
    """A mention, and how well the kernel is known to have what it names: None for a name that is
    on some kernels, on one that lacks it."""

    mention: Mention
    certainty: Certainty | None


def lint(tree: Tree, overlays: Iterable[Overlay]) -> list[Checked]:
    """Everything that `overlays` name, once it is known to be in `tree`.

    Raises Refusal with the file and the line of the first name that is not.
    """
    overlays = tuple(overlays)
    named = [one for overlay in overlays for one in mentions.in_overlay(overlay.folder)]
    return check(tree, named, on_some_kernels(overlays))


def on_some_kernels(overlays: Iterable[Overlay]) -> dict[str, str]:
    """The names that not every kernel has, with the setting that kernels have that do."""
    rules = (one for overlay in overlays for one in overlay.recipe.value.on_some_kernels)
    return {rule.name: rule.with_ for rule in rules}


def check(
    tree: Tree, named: list[Mention], on_some_kernels: Mapping[str, str] = NOWHERE_ELSE
) -> list[Checked]:
    """The same of what is `named` anywhere. Raises Refusal."""
    judge = _Judge(tree, named, on_some_kernels)
    return [Checked(one, judge.certainty(one)) for one in named]


class _Judge:
    def __init__(
        self, tree: Tree, named: list[Mention], on_some_kernels: Mapping[str, str]
    ) -> None:
        self.tree = tree
        self.on_some_kernels = on_some_kernels
        loaded = [one.name for one in named if one.use is Use.MODULE]
        self.kernel = Kernel(tree, loaded)
        self.loader = loader.variables(tree)
        self.hardened = HARDENED in self.kernel.sysctls

    def certainty(self, one: Mention) -> Certainty | None:
        if one.name in self.on_some_kernels:
            if one.use is Use.SET:
                raise Refusal(
                    one.where,
                    f"not every kernel has '{one.name}', and sysctl(8) fails on one that lacks it",
                    "Set it in loader.conf.d",
                )
            if self.on_some_kernels[one.name] not in self.kernel.sysctls:
                return None
        if one.use is Use.MODULE:
            return self._module(one)
        if one.use is Use.FILE:
            return self._file(one)
        if one.use is Use.DRIVER:
            return self._driver(one)
        if one.use is Use.CHIP:
            return self._chip(one)
        if one.name.startswith(f"{HARDENED}.") and not self.hardened:
            return None
        return self._tunable(one) if one.use is Use.TUNABLE else self._setting(one)

    def _module(self, one: Mention) -> Certainty:
        if ANY not in one.name and not self.kernel.has_module(one.name):
            raise _unknown(one, "a module of the kernel", self.kernel.module_names())
        if ANY not in one.name and (need := self.kernel.lacking(one.name)):
            by = "it" if need.by == one.name else f"'{need.by}'"
            raise Refusal(
                one.where,
                f"'{one.name}' cannot be loaded: {by} needs '{need.name}', which neither the "
                "kernel nor a module of it has",
                "Take a kernel that has it, or do not load the module",
            )
        return Certainty.DECLARED

    def _file(self, one: Mention) -> Certainty:
        path = one.name.removeprefix("/")
        if one.name.startswith("/") and path not in self.tree:
            raise _unknown(one, "a file of the image", (f"/{path}" for path in self.tree))
        return Certainty.DECLARED

    def _driver(self, one: Mention) -> Certainty:
        if not self.kernel.sources(one.name):
            names = (driver.rpartition("/")[2] for driver in self.kernel.drivers)
            raise _unknown(one, "a driver of the kernel", names)
        return Certainty.DECLARED

    def _chip(self, one: Mention) -> Certainty:
        if tuple(int(part, 16) for part in one.name.split(":")) not in self.kernel.chips(
            one.value or ""
        ):
            raise Refusal(
                one.where,
                f"the driver '{one.value}' has no device '{one.name}' in its table",
                "Correct or remove it",
            )
        return Certainty.DECLARED

    def _setting(self, one: Mention) -> Certainty:
        known = self.kernel.look_up(one.name)
        if known is None:
            raise self._unknown_setting(one, "a setting of the kernel")
        for oid in known.oids:
            if one.use is Use.SET and (oid.is_node or not oid.writable):
                raise Refusal(
                    one.where,
                    f"'{one.name}' is a node, not a setting"
                    if oid.is_node
                    else f"'{one.name}' cannot be changed while the kernel runs",
                    "Set it in loader.conf.d" if oid.tunable else "Remove it",
                )
            _check_number(one, oid.is_number)
        return known.certainty

    def _tunable(self, one: Mention) -> Certainty:
        if one.name.startswith((OWN, HINTS)):
            return Certainty.READ
        known = self.kernel.reads(one.name)
        if known is None:
            if one.name in self.loader:
                return Certainty.READ
            raise self._unknown_setting(one, "a variable that the loader or the kernel reads")
        for oid in known.oids:
            if not oid.tunable and not self.kernel.main.has_text(one.name):
                raise Refusal(
                    one.where,
                    f"the loader cannot set '{one.name}': the kernel does not take it from there",
                    "Set it in sysctl.conf",
                )
            _check_number(one, oid.is_number)
        return known.certainty

    def _unknown_setting(self, one: Mention, expected: str) -> Refusal:
        candidates: list[str] = [*self.kernel.sysctls, *self.loader]
        elsewhere = self._in_a_module(one.name)
        if elsewhere is not None:
            return Refusal(
                one.where,
                f"only {elsewhere}.ko has '{one.name}', and nothing loads that module",
                f"Load that module: {elsewhere}_load in loader.conf.d",
            )
        return _unknown(one, expected, candidates)

    def _in_a_module(self, name: str) -> str | None:
        """Return the module that has the setting `name` and that nothing loads, or None."""
        for module in sorted(set(self.kernel.module_names()) - self.kernel.facts.modules):
            one = self.kernel.module(module)
            if one is not None and one.has_text(name.rpartition(".")[2]):
                with_it = Kernel(self.tree, [module])
                known = with_it.look_up(name)
                if known is not None and known.certainty is Certainty.DECLARED:
                    return module
        return None


def _check_number(one: Mention, is_number: bool) -> None:
    if not is_number or one.value is None:
        return
    try:
        int(one.value, 0)
    except ValueError:
        raise Refusal(
            one.where,
            f"'{one.value}' is not a number, which '{one.name}' needs",
            "Correct the value",
        ) from None


def _unknown(one: Mention, expected: str, candidates: Iterable[str]) -> Refusal:
    close = difflib.get_close_matches(one.name, sorted(set(candidates)), 1, 0.75)
    return Refusal(
        one.where,
        f"'{one.name}' is not {expected} ({KERNEL} and the modules that are loaded)",
        f"Correct the name, perhaps to '{close[0]}'" if close else "Remove or correct the name",
    )
