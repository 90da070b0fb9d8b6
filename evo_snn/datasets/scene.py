"""Hyperspectral scenes: patches around labelled pixels, and spectra without positions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from evo_snn.datasets.base import Parts, Split, at_most, split_stratified
from evo_snn.datasets.blocks import Pixels, at_random, by_blocks
from evo_snn.datasets.cubes import Scene, read_scene
from evo_snn.datasets.ground import UNKNOWN, Ground
from evo_snn.datasets.lazy import Lazy, settled
from evo_snn.datasets.loader import Options, OwnLoader, Share, SizeOptions, Whole
from evo_snn.datasets.reading import bad, check_finite, class_indices, numeric_arrays
from genomes.errors import RequestError

_TEST_SEED = 0  # the test part is the same for every run, whatever its seed


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number: a patch has a middle")
    return value


def _labelled(value: int) -> int:
    if value == 1:
        raise ValueError("0, or two or more: one of them is for validation")
    return value


class SceneOptions(Options):
    """How a scene becomes patches."""

    patch: Annotated[int, Field(strict=True, ge=1, le=99), AfterValidator(_odd)] = Field(
        5, description="rows and columns of a patch, odd; the pixel in its middle has the label"
    )
    components: Whole = Field(
        0,
        description="principal components, fitted on training pixels alone; 0: all bands",
    )
    labelled: Annotated[Whole, AfterValidator(_labelled)] = Field(
        0, description="labelled pixels of a class for training and validation at most; 0: all"
    )
    split: Literal["blocks", "random"] = Field(
        "blocks",
        description="blocks: parts are separate blocks, and no two parts' patches share a pixel;"
        " random: as in most of the literature, which leaks",
    )
    block: Whole = Field(
        0, description="rows and columns of a block; 0: chosen for most classes, then most pixels"
    )
    test_fraction: Share = Field(0.4, description="share of the labelled pixels for the test")
    rare: Literal["refuse", "drop"] = Field(
        "refuse", description="classes in fewer than three blocks: refuse the scene, or drop them"
    )
    files: tuple[str, ...] = Field(
        (), description="names of the files to take, where the folder has more"
    )


class SpectraOptions(SizeOptions):
    """How spectra are divided."""

    test_fraction: Share = Field(0.3, description="share of each class for the test")


@dataclass(frozen=True, eq=False)
class Patches(Lazy):
    """Patches of a scene; a row is the flat position of the pixel in the middle.

    Attributes:
        cube: float32 in [0, 1], with its edges mirrored, (rows + 2 r, columns + 2 r, bands).
        patch: Side of a patch, 2 r + 1.
    """

    cube: NDArray[np.float32]
    patch: int

    def made(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The patches at positions, (n, 1, bands, patch, patch)."""
        windows = np.lib.stride_tricks.sliding_window_view(
            self.cube, (self.patch, self.patch), axis=(0, 1)
        )
        row, column = np.divmod(rows, windows.shape[1])
        return windows[row, column][:, np.newaxis]

    @property
    def item_shape(self) -> tuple[int, ...]:
        """(1, bands, patch, patch)."""
        return (1, self.cube.shape[2], self.patch, self.patch)


def load_scene(path: Path, options: SceneOptions) -> Parts:
    """Patches (N, 1, bands, rows, columns) around the labelled pixels of a scene.

    The file or files hold one array of three axes, the cube, and one of two, the class of each
    pixel, 0 for none, under any names; the bands come last or first.

    With ``split = "blocks"`` the scene is cut into squares. A pixel is used only if its patch lies
    in its square, whole squares are for training, for validation or for the test, and so no pixel
    is in patches of two parts. With ``split = "random"`` pixels are drawn anywhere, as in most of
    the literature: training and test patches overlap, figures flatter, and the data set says so.

    Bands are scaled to [0, 1] by the smallest and largest value of each over the training pixels
    (those that validation is carved from included), and clipped; so are principal components,
    which are fitted on the same pixels. At the edges of the scene a patch is mirrored.
    """
    return scene_parts(read_scene(path, options.files), options)


def scene_parts(scene: Scene, options: SceneOptions, names: tuple[str, ...] = ()) -> Parts:
    """The parts of a scene; ``names`` are those of the labels 1, 2, ….

    Raises:
        RequestError: The scene is smaller than a patch, has fewer bands than components, or
            classes are in too few blocks.
    """
    rows, columns, bands = scene.cube.shape
    if options.patch > min(rows, columns):
        allowed = f"at most {min(rows, columns)}, the scene's shorter side"
        raise RequestError("data.options.patch", options.patch, allowed)
    if options.components > bands:
        allowed = f"at most {bands}, the bands of the scene"
        raise RequestError("data.options.components", options.components, allowed)
    if 0 < options.block < options.patch:
        raise RequestError("data.options.block", options.block, f"0, or {options.patch} or more")
    pixels = _pixels(scene.truth, options)
    scaled = _scaled(scene.cube, pixels.train, options.components)
    reach = options.patch // 2
    mirrored = np.pad(scaled, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    every = Patches(np.arange(rows * columns), mirrored, options.patch)
    known = np.isin(scene.truth, pixels.labels)
    truth = np.where(known, np.searchsorted(pixels.labels, scene.truth), UNKNOWN).astype(np.int64)

    def split(chosen: NDArray[np.int64]) -> Split:
        return Split(settled(every.take(chosen)), truth.reshape(-1)[chosen])

    return Parts(
        split(pixels.train),
        split(pixels.test),
        pixels.labels,
        groups=pixels.blocks,
        names=_names(scene, pixels.labels, names),
        leaky="" if options.split == "blocks" else "random pixels: patches of all parts overlap",
        ground=Ground(truth, every, pixels.train, pixels.test),
    )


def load_spectra(path: Path, options: SpectraOptions) -> Parts:
    """Spectra (N, 1, bands) of single pixels without positions.

    The ``.npz`` file holds ``x`` (N, bands) and ``y`` (N,). Test and validation are a share of each
    class at random, as nobody knows which pixels were neighbours: the data set says that it leaks.
    Bands are scaled to [0, 1] by the smallest and largest value of each over the training part, and
    clipped.
    """
    arrays = numeric_arrays(path, ("x", "y"))
    x, y = arrays["x"], arrays["y"]
    check_finite("x", x)
    if x.ndim != 2 or y.shape != (len(x),) or y.dtype.kind not in "iu" or x.size == 0:  # noqa: PLR2004
        raise bad(path, "x of shape (N, bands) and whole numbers y of shape (N,)")
    kept, held = split_stratified(y, options.test_fraction, _TEST_SEED)
    y_train, y_test, labels = class_indices(y[kept], y[held])
    chosen = at_most(y_train, options.per_class)
    scaled = _in_range(x, x[kept[chosen]])[:, np.newaxis]
    return Parts(
        Split(scaled[kept[chosen]], y_train[chosen]),
        Split(scaled[held], y_test),
        labels,
        leaky="random pixels without positions: neighbours may be in different parts",
    )


def _pixels(truth: NDArray[np.int64], options: SceneOptions) -> Pixels:
    classes, sizes = np.unique(truth[truth > 0], return_counts=True)
    if len(classes) <= 1:
        raise RequestError("data", f"{len(classes)} class in the scene", "two classes or more")
    if options.split == "random":
        few = classes[sizes <= 2]  # noqa: PLR2004 - a pixel for each part
        if len(few) and options.rare == "refuse":
            got = f"class {few[0]} with {sizes[sizes <= 2][0]} labelled pixels"  # noqa: PLR2004
            remedy = "data.options.rare = 'drop' leaves such classes out."
            raise RequestError("data", got, "three or more", remedy)
        kept = np.where(np.isin(truth, few), 0, truth)
        return at_random(kept, options.test_fraction, options.labelled)
    return by_blocks(
        truth,
        options.patch,
        options.block,
        options.test_fraction,
        options.labelled,
        options.rare == "drop",
    )


def _scaled(cube: NDArray[Any], train: NDArray[np.int64], components: int) -> NDArray[np.float32]:
    """The bands or principal components of all pixels, by what the training pixels say."""
    rows, columns, bands = cube.shape
    spectra = cube.reshape(-1, bands)
    if components:
        spectra = principal_components(spectra, spectra[train].astype(np.float64), components)
    return _in_range(spectra, spectra[train]).reshape(rows, columns, -1)


def principal_components(
    spectra: NDArray[Any], known: NDArray[np.float64], components: int
) -> NDArray[np.float64]:
    """All spectra on the leading eigenvectors of the covariance of those that are known.

    An eigenvector's sign is that which makes its largest entry positive. One thread computes it:
    several add up in another order, and a run compares its data bit by bit.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        mean = known.mean(0)
        _, vectors = np.linalg.eigh(np.cov(known, rowvar=False).reshape(len(mean), -1))
        leading = vectors[:, ::-1][:, :components]
        largest = leading[np.abs(leading).argmax(0), np.arange(components)]
        leading = leading * np.where(largest < 0, -1, 1)
        projected: NDArray[np.float64] = (spectra - mean) @ leading
    return projected


def _in_range(x: NDArray[Any], known: NDArray[Any]) -> NDArray[np.float32]:
    """Columns scaled to [0, 1] by the known rows, the rest clipped; 0 where those are all equal."""
    low, high = known.min(0).astype(np.float64), known.max(0).astype(np.float64)
    span = np.where(high > low, high - low, np.inf)
    scaled: NDArray[np.float32] = np.clip((x - low) / span, 0, 1).astype(np.float32)
    return scaled


def _names(scene: Scene, labels: tuple[int, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """What the classes that are left are called."""
    every = [int(one) for one in np.unique(scene.truth) if one > 0]
    if scene.names and len(scene.names) == len(every):
        return tuple(scene.names[every.index(label)] for label in labels)
    return tuple(known[label - 1] for label in labels) if len(known) >= labels[-1] else ()


SCENE = OwnLoader(
    "A hyperspectral scene of your own: a cube and the class of each pixel",
    load_scene,
    files="a .mat or .npz file with both arrays, or a folder with one file each",
    shape="(N, 1, bands, patch, patch)",
    source="your own",
    licence="your own",
    options=SceneOptions,
)

SPECTRA = OwnLoader(
    "Spectra of single pixels without positions, in an .npz file",
    load_spectra,
    files="an .npz file with x (N, bands) and y (N,)",
    shape="(N, 1, bands)",
    source="your own",
    licence="your own",
    options=SpectraOptions,
)
