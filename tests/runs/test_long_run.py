import importlib.util
from pathlib import Path

PATH = Path(__file__).parents[2] / "runs" / "benchmarks" / "long_run.py"


def test_the_figures_are_of_the_whole_run():
    specification = importlib.util.spec_from_file_location("long_run", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)

    figures = module.measured(200)

    assert figures["candidates"] == 200
    assert 0 < figures["front"] <= 200
    assert 500 < figures["bytes_a_candidate"] < 20_000
    assert set(figures["seconds_a_generation"]) == set(figures["peak_mb"])
    assert figures["peak_mb"]["first"] <= figures["peak_mb"]["last"]
