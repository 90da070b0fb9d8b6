"""What docs/runs.md shows of chips as part of a design is run."""

import re
import tomllib
from pathlib import Path
from typing import Any

import evo_snn
from tests.evo_snn.searches import TINY

PAGE = Path(__file__).resolve().parents[1] / "docs" / "runs.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [content for name, content in fenced if name == language]


def test_the_sections_and_calls_work(tmp_path: Path) -> None:
    sections: dict[str, Any] = {}
    for text in blocks("toml"):
        sections |= tomllib.loads(text)
    assert set(sections) == {"hardware", "on_chip"}
    metrics = {"objectives.names": ["accuracy_on_chip", "area_mm2"]}
    run = evo_snn.evolve(TINY, tmp_path / "run", generations=1, overrides={**sections, **metrics})
    key = run.front()["key"][0]
    assert {"chip.crossbar_size", "chip.columns_per_adc"} < set(run.candidates().columns)
    evo_snn.train(run, [key], epochs=1)
    (code,) = blocks("python")
    names = {"evo_snn": evo_snn, "run": run, "key": key}
    for line in code.splitlines():
        table = eval(line.partition("#")[0], names)  # noqa: S307 - our own lines
        assert table["accuracy_on_chip"].between(0, 1).all()
        assert len(table) == 20
