"""Spike activity by layer, as ``show`` tells and draws it."""


def row_of(text, name):
    """The cells of the line that begins with a layer's name, in the table of activity."""
    table = text.partition("activity by layer on validation data")[2].partition("\n\n")[0]
    (line,) = [one for one in table.splitlines() if one.startswith(f"{name} ")]
    return line.split()


def test_show_tells_and_draws_the_measured_rates(command, finished_run, tmp_path):
    key = finished_run.candidates()["key"][0]
    layers = finished_run.candidate(key).workload["layers"]
    picture = tmp_path / "activity.svg"
    status, out, err = command("show", finished_run.folder, key, "--figure", picture)
    assert status == 0
    assert "activity.svg" in err
    assert picture.stat().st_size > 1000
    for layer in layers:
        expected = [f"{layer[name]:.4g}" for name in ("input_rate", "output_rate")]
        assert row_of(out, layer["name"]) == [layer["name"], *expected]


def test_what_was_never_trained_has_no_activity(command, finished_run, tmp_path):
    failed = finished_run.candidates().set_index("state").loc["failed", "key"]
    line = ("show", finished_run.folder, failed)
    status, _, err = command(*line, "--figure", tmp_path / "a.png")
    assert status == 2
    assert "allowed: a candidate that was trained" in err
    assert err.count("\n") == 1


def test_a_figure_that_cannot_be_is_refused_first(command, finished_run):
    key = finished_run.candidates()["key"][0]
    status, _, err = command("show", finished_run.folder, key, "--figure", "a.txt")
    assert status == 2
    assert "--figure: got 'a.txt'" in err
