"""The quick start in Python: evolve designs for the digits, look at the front, draw it."""

from pathlib import Path

import evo_snn

if __name__ == "__main__":
    here = Path(__file__).parent
    run = evo_snn.evolve(here / "digits.toml", seed=0, progress=True)
    print(run.front().drop(columns=["genome", "parents"]).to_string(index=False))

    from analysis import save_figures

    for path in save_figures(run):
        print(path)
