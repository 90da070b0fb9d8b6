"""The scenes that everybody uses, under the names of their files at their home.

https://www.ehu.eus/ccwintco/index.php/Hyperspectral_Remote_Sensing_Scenes
"""

from collections.abc import Callable
from pathlib import Path

from evo_snn.datasets.base import Parts
from evo_snn.datasets.cubes import read_scene
from evo_snn.datasets.loader import OwnLoader
from evo_snn.datasets.scene import SceneOptions, load_scene, scene_parts


def _named(cube: str, truth: str, names: tuple[str, ...]) -> Callable[[Path, SceneOptions], Parts]:
    """The loader of a scene whose files have known names."""

    def load(path: Path, options: SceneOptions) -> Parts:
        files = options.files
        if not files and path.is_dir() and (path / cube).is_file() and (path / truth).is_file():
            files = (cube, truth)
        return scene_parts(read_scene(path, files), options, names)

    load.__doc__ = load_scene.__doc__
    return load


def _of_ehu(title: str, cube: str, truth: str, shape: str, names: tuple[str, ...]) -> OwnLoader:
    return OwnLoader(
        title,
        _named(cube, truth, names),
        files=f"a folder with {cube} and {truth}, or one file with both arrays (.mat or .npz)",
        shape=shape,
        source="Grupo de Inteligencia Computacional, EHU: https://www.ehu.eus/ccwintco",
        licence="none stated at its home",
        options=SceneOptions,
    )


_INDIAN_PINES = (
    "Alfalfa",
    "Corn-notill",
    "Corn-mintill",
    "Corn",
    "Grass-pasture",
    "Grass-trees",
    "Grass-pasture-mowed",
    "Hay-windrowed",
    "Oats",
    "Soybean-notill",
    "Soybean-mintill",
    "Soybean-clean",
    "Wheat",
    "Woods",
    "Buildings-Grass-Trees-Drives",
    "Stone-Steel-Towers",
)
_PAVIA = (
    "Asphalt",
    "Meadows",
    "Gravel",
    "Trees",
    "Painted metal sheets",
    "Bare Soil",
    "Bitumen",
    "Self-Blocking Bricks",
    "Shadows",
)
_SALINAS = (
    "Brocoli_green_weeds_1",
    "Brocoli_green_weeds_2",
    "Fallow",
    "Fallow_rough_plow",
    "Fallow_smooth",
    "Stubble",
    "Celery",
    "Grapes_untrained",
    "Soil_vinyard_develop",
    "Corn_senesced_green_weeds",
    "Lettuce_romaine_4wk",
    "Lettuce_romaine_5wk",
    "Lettuce_romaine_6wk",
    "Lettuce_romaine_7wk",
    "Vinyard_untrained",
    "Vinyard_vertical_trellis",
)

INDIAN_PINES = _of_ehu(
    "Indian Pines: 145 x 145 pixels, 200 bands (AVIRIS, 1992), 16 classes",
    "Indian_pines_corrected.mat",
    "Indian_pines_gt.mat",
    "(N, 1, 200, patch, patch)",
    _INDIAN_PINES,
)
PAVIA_UNIVERSITY = _of_ehu(
    "Pavia University: 610 x 340 pixels, 103 bands (ROSIS, 2003), 9 classes",
    "PaviaU.mat",
    "PaviaU_gt.mat",
    "(N, 1, 103, patch, patch)",
    _PAVIA,
)
SALINAS = _of_ehu(
    "Salinas: 512 x 217 pixels, 204 bands (AVIRIS, 1998), 16 classes",
    "Salinas_corrected.mat",
    "Salinas_gt.mat",
    "(N, 1, 204, patch, patch)",
    _SALINAS,
)
SALINAS_A = _of_ehu(
    "Salinas-A: 83 x 86 pixels of Salinas, 204 bands, 6 classes",
    "SalinasA_corrected.mat",
    "SalinasA_gt.mat",
    "(N, 1, 204, patch, patch)",
    _SALINAS,
)
