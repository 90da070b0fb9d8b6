"""Devices as data: how far a memory cell's conductance is from what it was programmed to.

A *device* is one published memory technology: the standard deviation of its conductance after
programming, by conductance, and what time does to it. Its numbers are in a TOML file each
(``hardware/presets/devices``), with their source, conditions and range.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from itertools import pairwise
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genomes.documents import parse_toml, read_text
from genomes.errors import RequestError, request_error, unknown_name

Floats = NDArray[np.float64]

#: The device of ideal cells.
IDEAL = "none"

#: A conductance may be outside a range by this share: what rounding does.
_ROUNDING = 1e-9


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: str
    conditions: str


class Programming(_Table):
    """Standard deviation at one time after programming.

    sigma = sum_i coefficients[i] (g / scale_us)^i, in uS, for a target conductance g in uS.
    """

    seconds: float = Field(ge=0)
    scale_us: float = Field(gt=0)
    coefficients: tuple[float, ...] = Field(min_length=1)


class Relaxation(_Table):
    """What the conductance does with the logarithm of time, the same at every conductance.

    From ``first_seconds`` on, the mean is shifted by m0 + m1 ln(t / s) and a deviation of
    d0 + d1 ln(t / s) is added, in uS.
    """

    first_seconds: float = Field(gt=0)
    mean_us: tuple[float, float]
    deviation_us: tuple[float, float]


class Drift(_Table):
    """Drift by a power law, g(t) = g ((t + t0) / t0)^-nu, with t0 the ``reference_seconds``.

    nu = abs(N(mean, deviation)) is drawn for each cell; mean and deviation are a + b ln x, clipped
    to their ranges, with x the target conductance over the largest one.
    """

    reference_seconds: float = Field(gt=0)
    mean: tuple[float, float]
    mean_range: tuple[float, float]
    deviation: tuple[float, float]
    deviation_range: tuple[float, float]


class ReadNoise(_Table):
    """1/f noise: relative deviation min(factor x^exponent, largest) sqrt(ln((t + tr) / (2 tr)))."""

    factor: float = Field(ge=0)
    exponent: float
    largest: float = Field(ge=0)
    read_seconds: float = Field(gt=0)


class Device(_Table):
    """One memory technology.

    Attributes:
        smallest_us, largest_us: Range of conductances that was published.
        last_seconds: The latest time after programming for which there are figures.
        programming: By increasing time.
    """

    name: str
    technology: Literal["rram", "pcm"]
    summary: str
    smallest_us: float = Field(ge=0)
    largest_us: float = Field(gt=0)
    last_seconds: float = Field(ge=0)
    programming: tuple[Programming, ...] = Field(min_length=1)
    relaxation: Relaxation | None = None
    drift: Drift | None = None
    read_noise: ReadNoise | None = None

    def deviation_us(self, conductance_us: Floats, seconds: float = 0.0) -> Floats:
        """Standard deviation in uS of cells that were programmed to some conductance, >= 0.

        Between two published times it is taken to be linear in the logarithm of time, which no
        source says; before the first one, it is the first one's.

        Args:
            conductance_us: The targets in uS, any shape, within the device's range.
            seconds: Time after programming.
        """
        programmed = [_polynomial(each, conductance_us) for each in self.programming]
        deviation = programmed[0]
        for k in range(1, len(self.programming)):
            before, after = self.programming[k - 1].seconds, self.programming[k].seconds
            if seconds > before:
                share = min(1.0, log(seconds / before) / log(after / before))
                deviation = programmed[k - 1] + share * (programmed[k] - programmed[k - 1])
        if self.relaxation and seconds > 0:
            d0, d1 = self.relaxation.deviation_us
            deviation = np.hypot(deviation, d0 + d1 * _ln_seconds(self.relaxation, seconds))
        return np.maximum(deviation, 0.0)

    def shift_us(self, seconds: float = 0.0) -> float:
        """Change of the mean conductance in uS by relaxation."""
        if self.relaxation is None or seconds <= 0:
            return 0.0
        m0, m1 = self.relaxation.mean_us
        return m0 + m1 * _ln_seconds(self.relaxation, seconds)

    def drift_exponents(self, conductance_us: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the drift exponent; zeros without drift."""
        if self.drift is None:
            return np.zeros_like(conductance_us), np.zeros_like(conductance_us)
        ln_x = np.log(self._relative(conductance_us))
        (a, b), (c, d) = self.drift.mean, self.drift.deviation
        return (
            np.clip(a + b * ln_x, *self.drift.mean_range),
            np.clip(c + d * ln_x, *self.drift.deviation_range),
        )

    def drift_time(self, seconds: float) -> float:
        """ln((t + t0) / t0): a conductance is multiplied by exp(-nu times this)."""
        if self.drift is None or seconds <= 0:
            return 0.0
        start = self.drift.reference_seconds
        return log((seconds + start) / start)

    def read_deviation(self, conductance_us: Floats, seconds: float = 0.0) -> Floats:
        """Relative standard deviation of a read; zeros without read noise."""
        if self.read_noise is None:
            return np.zeros_like(conductance_us)
        noise = self.read_noise
        time = seconds + (self.drift.reference_seconds if self.drift else 0.0)
        if time <= noise.read_seconds:
            return np.zeros_like(conductance_us)
        scale = np.minimum(
            noise.factor * self._relative(conductance_us) ** noise.exponent, noise.largest
        )
        spread = log((time + noise.read_seconds) / (2 * noise.read_seconds)) ** 0.5
        return np.asarray(scale * spread, np.float64)

    def _relative(self, conductance_us: Floats) -> Floats:
        return np.maximum(conductance_us / self.largest_us, 1e-7)  # of cells that are off: no log 0


def _polynomial(programming: Programming, conductance_us: Floats) -> Floats:
    x = np.asarray(conductance_us, np.float64) / programming.scale_us
    return np.asarray(np.polynomial.polynomial.polyval(x, programming.coefficients), np.float64)


def _ln_seconds(relaxation: Relaxation, seconds: float) -> float:
    return log(max(seconds, relaxation.first_seconds))


def device_names() -> list[str]:
    """Names of the devices that come with this package, sorted; without the ideal one."""
    folder = resources.files("hardware").joinpath("presets", "devices")
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_device(name_or_path: str) -> Device:
    """Read a device by name, or a user's file whose name ends in ``.toml``.

    Raises:
        RequestError: There is none of that name, or the file is not a device's.
    """
    if name_or_path.endswith(".toml"):
        text = read_text(name_or_path, field="device", allowed="a device's TOML file")
        return _parsed(name_or_path, text)
    return _preset(name_or_path)


@cache  # a preset does not change
def _preset(name: str) -> Device:
    if name not in device_names():
        raise unknown_name("device", name, [IDEAL, *device_names()])
    entry = resources.files("hardware").joinpath("presets", "devices", f"{name}.toml")
    return _parsed(name, entry.read_text(encoding="utf-8"))


def _parsed(name: str, text: str) -> Device:
    try:
        device = Device.model_validate(parse_toml(text))
    except ValidationError as error:
        raise request_error(error, prefix="device", known=Device.model_fields) from None
    except ValueError as error:
        raise RequestError("device", name, f"TOML ({error})") from None
    if device.smallest_us >= device.largest_us:
        raise RequestError("device.smallest_us", device.smallest_us, f"below {device.largest_us}")
    times = [each.seconds for each in device.programming]
    if any(after <= max(before, 0) for before, after in pairwise(times)):
        raise RequestError("device.programming", times, "times that increase")
    for number, each in enumerate(device.programming):
        if _polynomial(each, np.linspace(device.smallest_us, device.largest_us, 257)).max() < 0:
            allowed = "a deviation of 0 or more somewhere in the device's range"
            place = f"device.programming[{number}].coefficients"
            raise RequestError(place, list(each.coefficients), allowed)
    if len(times) > 1 and times[0] == 0:
        raise RequestError("device.programming[0].seconds", 0, "above 0, where there are others")
    return device


def device_scale(device: Device, smallest_us: float, largest_us: float, *, rescale: bool) -> float:
    """What a chip's conductances are multiplied by before a device's figures are read off.

    Args:
        device: The device.
        smallest_us: The chip's conductance of cells that are off.
        largest_us: That of cells that are on.
        rescale: Where they are not in the device's range, take its figures relative to the largest
            conductance: the chip's largest is its largest. What is then below its range has the
            figures of the range's lower end.

    Raises:
        RequestError: They are not, and `rescale` is not set.
    """
    inside = smallest_us >= device.smallest_us * (
        1 - _ROUNDING
    ) and largest_us <= device.largest_us * (1 + _ROUNDING)
    if inside:
        return 1.0
    if rescale:
        return device.largest_us / largest_us
    chip = f"the chip's cells have {smallest_us:.4g} to {largest_us:.4g} uS"
    published = f"{device.smallest_us:g} to {device.largest_us:g} uS"
    raise RequestError(
        "device",
        device.name,
        f"a device whose published range holds the chip's conductances ({published}; {chip})",
        "Change r_on_ohm and r_off_ohm, or set rescale = true to take its figures relative to the"
        " largest conductance.",
    )
