"""docs/baselines.md: its configurations are complete, and its formula is what is computed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from evo_snn.config_file import load_config
from evo_snn.plan import make_plan
from evo_snn.sahd import log_determinant, similarity
from genomes.documents import parse_toml

PAGE = (Path(__file__).parents[1] / "docs" / "baselines.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("number", "algorithm"), [(0, "snasnet"), (1, "neuronas")])
def test_the_examples_are_plans(number, algorithm):
    plan = make_plan(load_config({**parse_toml(EXAMPLES[number]), "data": {"name": "digits"}}))
    assert plan.config.search.algorithm == algorithm
    assert plan.settings.scoring is not None
    assert plan.settings.rungs == (0, plan.config.training.steps)
    assert plan.settings.scoring.bounded == (algorithm == "neuronas") == bool(plan.constraints)


def test_the_defaults_are_those_of_the_table():
    section = load_config({"data": {"name": "digits"}, "search": {"space": "cell"}}).scoring
    table = dict(re.findall(r"\| `scoring\.(\w+)` \| (\d+) \|", PAGE))
    assert {name: int(value) for name, value in table.items()} == section.model_dump()


def test_the_score_grows_with_the_neurons_as_the_page_says():
    kernel = similarity(torch.eye(5, 40))
    size = 5 * np.log(40)
    assert log_determinant(kernel) == pytest.approx(size + log_determinant(kernel / 40))
