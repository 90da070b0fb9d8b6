"""Full training that starts from a CNN: what it reports, stores, and refuses."""

import json
from dataclasses import replace

import pytest
import torch

from evo_snn import from_cnn
from evo_snn.cnn_energy import cnn_energy
from evo_snn.config import TrainingSection
from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import read_tensors, restore
from evo_snn.training import Fitted, Samples, data_of, fit, measure, on_device
from genomes.architecture import Architecture
from genomes.errors import RequestError
from tests.chain import HARD, IF_LIKE, chain


@pytest.fixture
def smallest(finished_run):
    """The design of the run with the fewest operations."""
    ok = [one for one in finished_run.candidates().itertuples() if one.state == "ok"]
    candidates = [finished_run.candidate(one.key) for one in ok]
    return min(
        candidates, key=lambda one: Architecture.from_description(one.architecture).operations
    )


def stripes(n, seed):
    """Samples of two classes: the upper or the lower half is bright."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=generator)
    x = 0.3 * torch.rand(n, 1, 4, 4, generator=generator)
    for k, label in enumerate(y.tolist()):
        x[k, 0, 2 * label : 2 * label + 2] += 0.5
    return Samples(x, y)


def converted(architecture, epochs=15):
    train, validation = stripes(128, 0), stripes(64, 1)

    def fitting(network, **options):
        return fit(
            network,
            train,
            validation,
            steps=epochs * 4,
            batch_size=32,
            weight_decay=0.0,
            looks=2,
            seed=0,
            **options,
        )

    settings = TrainingSection(batch_size=32, learning_rate=2e-2)
    return from_cnn.convert(
        architecture, fitting, train, validation, settings, seed=0, kernel="torch"
    )


def test_a_converted_network_knows_what_its_cnn_learnt():
    found = converted(chain(IF_LIKE, steps=5, bits=(6, 6, 6)))
    told = found.told(stripes(200, 2))
    assert told["conversion"] == "rates follow"
    assert told["percentile"] in from_cnn.PERCENTILES
    assert told["cnn"] > 0.95
    assert told["quantized_cnn"] > 0.95
    assert told["converted"] > 0.9  # nothing was trained as a spiking network


def test_hard_reset_is_told_to_be_a_start_only():
    assert converted(chain(HARD, steps=5), epochs=1).kind == "warm start"


def test_a_look_at_a_cnn_leaves_its_training_alone():
    cnn = converted(chain(), epochs=1).cnn.train()
    copy = from_cnn.evaluated(cnn)
    assert cnn.training
    assert not copy.training
    assert copy is not cnn


def test_calibration_takes_each_sample_once_as_far_as_they_go():
    samples = Samples(torch.arange(320.0).view(320, 1), torch.zeros(320, dtype=torch.long))
    batches = from_cnn.calibration(samples, 32, seed=3)
    assert sorted(torch.cat(batches).flatten().tolist()) == list(range(320))


def test_from_the_command_line(command, finished_run, smallest):
    line = ("train", finished_run.folder, smallest.key, "--epochs", 2, "--from-cnn")
    status, out, err = command(*line, "--json")
    assert (status, err) == (0, "")
    (row,) = json.loads(out)
    folder = finished_run.folder / "trained"
    assert json.loads((folder / f"{smallest.key}.json").read_text()) == row
    assert row["conversion"] in ("rates follow", "warm start")
    for name in ("cnn", "quantized_cnn", "converted"):
        assert 0 <= row[name] <= 1
    assert row["cnn"] > 0.3  # ten classes

    # the file is a network of the design itself, and the figures are its own
    architecture = Architecture.from_description(smallest.architecture)
    network = build(architecture, 0)
    restore(network, read_tensors(folder / f"{smallest.key}.safetensors"))
    measured = measure(deploy(network), on_device(data_of(finished_run).test, "cpu"))
    assert measured.accuracy == row["test_accuracy"]
    assert {k: list(v) for k, v in measured.rates.items()} == row["test_rates"]
    assert row["energies"] == cnn_energy(architecture, measured.rates).to_dict()

    status, out, _ = command(*line)
    assert status == 0
    assert "equally quantized CNN / SNN, first layer in memory" in out
    assert "operations alone, on digital_horowitz_isscc_2014" in out


def test_training_goes_on_from_the_converted_network(finished_run, smallest, monkeypatch):
    seen = []

    def stopped(network, *_args, goes_on=False, in_use=deploy, **options):
        seen.append((type(network).__name__, goes_on, options["learning_rate"]))
        tensors = {k: v.detach().clone() for k, v in from_cnn.named_tensors(network).items()}
        found = measure(in_use(network), options["validation"])
        return Fitted(found, tensors, 0)

    monkeypatch.setattr("evo_snn.full_training.fit", stopped)
    from evo_snn.full_training import train

    train(finished_run, [smallest.key], epochs=1, from_cnn=True)
    rate = finished_run.config.training.learning_rate
    low = from_cnn.FINE_TUNING * rate
    assert seen == [
        ("ReLUNetwork", False, rate),
        ("ReLUNetwork", True, low),
        ("TrainableNetwork", True, low),
    ]


def test_what_has_no_cnn_is_refused_in_one_line():
    with pytest.raises(RequestError, match="its input coded as 'rate'"):
        converted(replace(chain(), coding="rate"), epochs=1)
