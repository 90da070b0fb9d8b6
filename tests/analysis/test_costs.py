"""Cost breakdowns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis import plot_components, plot_layers, style
from analysis.costs import chosen, colours_of, knee_of
from analysis.view import look
from genomes.errors import RequestError


def widths(ax) -> dict[str, list[float]]:
    return {str(bars.get_label()): [bar.get_width() for bar in bars] for bars in ax.containers}


class TestChosen:
    def test_best_in_each_objective_and_the_knee(self, run) -> None:
        roles = chosen(look(run))
        ok = run.candidates().query("state == 'ok'").set_index("key")
        named = {role: key for key, several in roles.items() for role in several.split(", ")}
        assert set(named) == {
            "best accuracy",
            "least area",
            "least energy",
            "least latency",
            "knee",
        }
        assert named["best accuracy"] == ok["accuracy"].idxmax()
        assert named["least area"] == ok["area_mm2"].idxmin()
        assert named["least energy"] == ok["energy_uj"].idxmin()
        assert named["least latency"] == ok["latency_ms"].idxmin()
        assert knee_of(roles) == named["knee"]

    def test_one_design_is_best_in_everything_and_none_is_nothing(self, examples) -> None:
        table = examples.make_table(1).assign(state="ok")
        roles = chosen(look(table))
        assert roles == {table["key"][0]: "best in everything"}
        assert knee_of(roles) == table["key"][0]
        assert chosen(look(examples.make_table(0))) == {}
        assert knee_of({}) is None


class TestComponents:
    def test_pieces_are_shares_of_the_total(self, run, ax) -> None:
        key = next(iter(chosen(look(run))))
        cost = run.cost(key)
        palette = dict(zip(cost.latency_components_ms, style.CATEGORIES, strict=False))
        plot_components(run, "latency_ms", [key], ax, palette)
        parts = widths(ax)
        assert parts == {
            style.words(name): [pytest.approx(100 * part / cost.latency_ms)]
            for name, part in cost.latency_components_ms.items()
        }
        assert sum(part for (part,) in parts.values()) == pytest.approx(100)
        (total,) = [text.get_text().strip() for text in ax.texts]
        assert total == f"{style.number(cost.latency_ms)} ms"
        assert ax.get_xlabel() == "Latency (%)"

    def test_or_the_quantity_itself(self, run, ax) -> None:
        keys = list(chosen(look(run)))
        plot_components(run, "area_mm2", keys, ax, share=False)
        sums = np.sum(list(widths(ax).values()), axis=0)
        np.testing.assert_allclose(sums, [run.cost(key).area_mm2 for key in keys])
        assert ax.get_xlabel() == "Area (mm²)"

    def test_small_components_are_taken_together(self, run, ax) -> None:
        keys = list(chosen(look(run)))
        palette = colours_of([run.cost(key) for key in keys])
        assert len(palette) == len(set(palette.values())) == 9
        plot_components(run, "energy_uj", keys, ax, palette)
        parts = widths(ax)
        assert len(parts) <= 10
        cost = run.cost(keys[0])
        rest = sum(v for name, v in cost.energy_components_uj.items() if name not in palette)
        assert rest > 0
        assert parts["other"][0] == pytest.approx(100 * rest / cost.energy_uj)

    def test_what_a_chip_calls_other_joins_the_others(self, run, ax, examples) -> None:
        class Named(examples.FakeRun):
            def cost(self, key):
                parts = {"array": 1.0, "other": 3.0}
                return replace(super().cost(key), area_mm2=4.0, area_components_mm2=parts)

        plot_components(Named(run.table), "area_mm2", list(chosen(look(run)))[:1], ax)
        assert widths(ax) == {"array": [25.0], "other": [75.0]}

    def test_designs_are_named_from_top_to_bottom(self, run, ax) -> None:
        keys = list(chosen(look(run)))[:2]
        plot_components(run, keys={keys[0]: "first", keys[1]: "second one"}, ax=ax)
        labels = [text.get_text() for text in ax.get_yticklabels()]
        assert labels == [f"first\n{keys[0][:8]}", f"second one\n{keys[1][:8]}"]
        assert ax.yaxis.get_inverted()

    def test_nothing_spent_is_drawn_as_nothing(self, run, ax, examples) -> None:
        class Idle(examples.FakeRun):
            def cost(self, key):
                parts = {"dynamic": 0.0, "leakage": 0.0}
                return replace(super().cost(key), energy_uj=0.0, energy_components_uj=parts)

        plot_components(Idle(run.table), "energy_uj", list(chosen(look(run)))[:1], ax)
        assert [text.get_text().strip() for text in ax.texts] == ["0 µJ"]

    def test_unknown_quantity_and_empty_front(self, run, ax, examples) -> None:
        with pytest.raises(RequestError, match=r"quantity: got 'energy'.*'energy_uj'"):
            plot_components(run, "energy", ax=ax)
        plot_components(examples.FakeRun(examples.make_table(0)), ax=ax)
        assert [text.get_text() for text in ax.texts] == ["no feasible design was found"]


class TestLayers:
    def test_shares_by_layer_and_no_area_where_tiles_are_shared(self, run, ax) -> None:
        key = knee_of(chosen(look(run)))
        cost = run.cost(key)
        plot_layers(run, ax=ax)
        parts = widths(ax)
        assert set(parts) == {"Area", "Energy", "Latency"}
        expected = [100 * layer.energy_uj / cost.energy_uj for layer in cost.layers]
        np.testing.assert_allclose(parts["Energy"], expected)
        assert sum(parts["Energy"]) == pytest.approx(90)
        assert np.isnan(parts["Area"][-1])
        labels = [text.get_text() for text in ax.get_yticklabels()]
        assert labels == [layer.name for layer in cost.layers]
        assert ax.get_title() == f"Design {key[:8]} (knee)"
        assert ax.yaxis.get_inverted()

    def test_area_is_left_out_where_all_layers_share_tiles(self, run, ax, examples) -> None:
        class Shared(examples.FakeRun):
            def cost(self, key):
                cost = super().cost(key)
                layers = tuple(replace(layer, area_mm2=None) for layer in cost.layers)
                return replace(cost, layers=layers)

        plot_layers(Shared(run.table), ax=ax)
        assert set(widths(ax)) == {"Energy", "Latency"}

    def test_any_design_can_be_shown(self, run, ax) -> None:
        ordinary = next(k for k in run.table["key"] if k not in chosen(look(run)))
        plot_layers(run, ordinary, ax)
        assert ax.get_title() == f"Design {ordinary[:8]}"
