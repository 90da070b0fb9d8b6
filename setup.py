"""The package: ranges of what it needs, its extras and its command; tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "evo_snn" / "__init__.py").read_text())
README = HERE / "README.md"

# Norse brings torchvision, which has to fit torch; requirements.txt has a pair that does.
RUNTIME = [
    "torch>=2.4",
    "norse>=1.1,<1.2",
    "pymoo>=0.6.2,<0.7",  # 0.7 announces breaking changes
    "moocore>=0.1.7",
    "numpy>=1.26",
    "scipy>=1.11",
    "pandas>=2.2",
    "joblib>=1.3",
    "scikit-learn>=1.4",
    "threadpoolctl>=3.1",  # scikit-learn needs it too
    "safetensors>=0.4.3",
    "pydantic>=2.7",
    "tomli-w>=1.0",
    "typer>=0.12",
    "rich>=13.7",
    "matplotlib>=3.8",
    "pillow>=10.0",  # folders of images; matplotlib needs it too
    "seaborn>=0.13",
    "numba>=0.59",  # the loops over neurons on a CPU; the algorithm age-moea of pymoo
]
# What make bench measures beside the package; no test needs them, so requirements.txt has none.
BENCH = ["spikingjelly>=2.0,<2.1", "snntorch>=1.0,<1.1"]
# Scenes in files of MATLAB 7.3, which are HDF5.
SCENES = ["h5py>=3.8"]
DEVELOPMENT = [
    *SCENES,
    "pytest>=8.2",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "ruff>=0.8",
    "mypy>=1.11",
    "pandas-stubs>=2.2",
    "nbmake>=1.5",
    "ipykernel>=6.29",
    "setuptools>=70.1",  # tests build a wheel without the network
]

setup(
    name="evo_snn",
    version=VERSION.group(1) if VERSION else "0",
    description=(
        "Evolutionary, hardware-aware search of spiking neural networks"
        " for RRAM compute-in-memory chips"
    ),
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # The examples of `runs/` travel as evo_snn.examples, for `evo-snn init`.
    packages=[
        *find_packages(
            include=["evo_snn*", "genomes*", "hardware*", "analysis*"], exclude=["*.notebooks*"]
        ),
        "evo_snn.examples",
    ],
    package_dir={"evo_snn.examples": "runs"},
    package_data={
        "evo_snn": ["py.typed"],
        "genomes": ["py.typed"],
        "hardware": [
            "py.typed",
            "machines/*.toml",
            "presets/*.toml",
            "presets/*.npz",
            "presets/devices/*.toml",
        ],
        "analysis": ["py.typed"],
        "evo_snn.examples": ["*.toml", "*.py"],
    },
    install_requires=RUNTIME,
    extras_require={"dev": DEVELOPMENT, "bench": BENCH, "scenes": SCENES},
    entry_points={"console_scripts": ["evo-snn = evo_snn.commands:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
