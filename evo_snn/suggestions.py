"""What an ablation suggests to leave out of a space, and the key of the configuration for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evo_snn.ablation_design import Record, Role, Value
from evo_snn.effects import PER_CENT, POINTS, Effect, Measured, reference, reference_name


@dataclass(frozen=True)
class Needless:
    """A choice that helps nothing, and why.

    Attributes:
        role: whose.
        choice: the choice.
        against: what it was compared with.
        effects: one an objective.
    """

    role: str
    choice: Value
    against: str
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Suggestion:
    """Choices to leave out of one list of the configuration.

    Attributes:
        key: of the configuration, dotted; "" where no key says which choices there are.
        value: to write; None where there is no key, or it cannot say it.
        needless: the choices, with their reasons.
        unmeasured: roles that the key changes too, and of which genes were not measured.
    """

    key: str
    value: tuple[Value, ...] | int | None
    needless: tuple[Needless, ...]
    unmeasured: tuple[str, ...] = ()

    @property
    def setting(self) -> str:
        """What to write, as TOML: ``[space] pools = ["none", "max"]``; "" where nothing."""
        if self.value is None:
            return ""
        section, _, key = self.key.rpartition(".")
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"[{section}] {key} = {json.dumps(value, ensure_ascii=False)}"


def is_needless(effects: Sequence[Effect]) -> bool:
    """Whether a choice harms an objective, and may help none by more than the margin.

    Where an objective has no interval, too little is known: the choice may help there.
    """
    measured = all(one.is_measured for one in effects)
    may_help = any(one.may_help for one in effects)
    return measured and not may_help and any(one.outcome == "harms" for one in effects)


def needless_choices(measured: Measured) -> list[Needless]:
    """The choices of a role that help nothing; never all of them.

    A categorical choice is judged against its reference. Of an ordered gene only ends are left out,
    one by one, as long as each that is gone helps nothing against the last that stays: a choice
    between two others is a compromise that either end would not offer.
    """
    role = measured.role
    count = len(role.choices)
    if role.kind == "categorical":
        references = {k: reference(role, k) for k in range(count)}
    else:
        first, last = _kept_range(measured)
        references = dict.fromkeys(range(first), (first,))
        references |= dict.fromkeys(range(last + 1, count), (last,))
    found = {k: measured.effects(k, against) for k, against in references.items()}
    needless = [
        Needless(role.name, role.choices[k], reference_name(role, references[k]), tuple(effects))
        for k, effects in found.items()
        if is_needless(effects)
    ]
    return needless if len(needless) < count else []


def _kept_range(measured: Measured) -> tuple[int, int]:
    """The first and the last choice of an ordered gene that stay."""
    first, last = 0, len(measured.role.choices) - 1

    def goes(choices: range, kept: int) -> bool:
        return all(is_needless(measured.effects(k, (kept,))) for k in choices)

    while first < last and goes(range(last, len(measured.role.choices)), last - 1):
        last -= 1
    while first < last and goes(range(first + 1), first + 1):
        first += 1
    return first, last


def suggestions(record: Record, roles: Sequence[Measured]) -> list[Suggestion]:
    """What to leave out, by key of the configuration.

    Several roles may have their choices from one key: a choice is left out where none of those that
    were measured needs it.
    """
    by_key: dict[str, list[Measured]] = {}
    for one in roles:
        by_key.setdefault(one.role.key or one.role.name, []).append(one)
    found = []
    for group in by_key.values():
        needless = [needless_choices(one) for one in group]
        out = _agreed([one.role for one in group], needless)
        if out:
            reasons = [one for each in needless for one in each if one.choice in out]
            found.append(_suggestion(record, group[0].role, out, reasons))
    return found


def _agreed(roles: Sequence[Role], needless: Sequence[Sequence[Needless]]) -> list[Value]:
    """The choices that no role needs, of those that it has."""
    dispensable = [{one.choice for one in each} for each in needless]
    choices = dict.fromkeys(choice for role in roles for choice in role.choices)
    return [
        choice
        for choice in choices
        if all(
            choice in each or choice not in role.choices
            for role, each in zip(roles, dispensable, strict=True)
        )
    ]


def _suggestion(
    record: Record, role: Role, out: Sequence[Value], reasons: Sequence[Needless]
) -> Suggestion:
    others = tuple(name for name, key in record.unmeasured.items() if key and key == role.key)
    return Suggestion(role.key, _value(role, out), tuple(reasons), others)


def _value(role: Role, out: Sequence[Value]) -> tuple[Value, ...] | int | None:
    """What the key has to say so that some choices are left out; None where it cannot."""
    kept = [choice for choice in role.choices if choice not in out]
    if isinstance(role.configured, tuple):
        value = tuple(one for one in role.configured if one not in out)
        return value if value and value != role.configured else None
    largest = kept[-1]
    from_below = kept == list(role.choices[: len(kept)])  # a largest one says only that
    if isinstance(role.configured, int) and isinstance(largest, int) and from_below:
        return largest if largest < role.configured else None
    return None


def in_words(needless: Needless) -> str:
    """One line: what to leave out, and what it does."""
    effects = ", ".join(
        f"{one.objective} {shown(one, f' {one.unit}'.rstrip())}" for one in needless.effects
    )
    return f"{needless.choice} ({needless.role}) against {needless.against}: {effects}"


def shown(effect: Effect, unit: str = "") -> str:
    """An effect with its interval: ``+6.1 % [4.0, 9.2]``; "-" where there is none."""
    if not effect.pairs:
        return "-"
    mean, low, high = (
        _rounded(one, effect.unit) for one in (effect.effect, effect.low, effect.high)
    )
    text = f"{'' if mean.startswith(('-', '0.0')) or mean == '0' else '+'}{mean}{unit}"
    return f"{text} [{low}, {high}]" if effect.is_measured else text


def _rounded(value: float, unit: str) -> str:
    """Points and per cents with one digit behind the point, and none where there are two before."""
    if unit in (PER_CENT, POINTS):
        text = f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.1f}"  # noqa: PLR2004
    else:
        text = f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"  # noqa: PLR2004
    return text.removeprefix("-") if float(text) == 0 else text


def to_document(suggestion: Suggestion) -> Mapping[str, object]:
    """A suggestion as ``--json`` prints it."""
    return {
        "key": suggestion.key,
        "value": suggestion.value,
        "setting": suggestion.setting,
        "leave_out": [in_words(one) for one in suggestion.needless],
        "choices": list(dict.fromkeys(one.choice for one in suggestion.needless)),
        "unmeasured": list(suggestion.unmeasured),
    }
