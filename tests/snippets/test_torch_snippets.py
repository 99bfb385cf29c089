"""PyTorch's snippets, run on real networks."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnndiag import snippets
from rnndiag.pipeline import diagnose
from rnndiag.records import LayerReport, Options, Report, Settings, TrainingFact
from rnndiag.snippets.base import Snippets
from rnndiag.snippets.given import with_settings
from rnndiag.wiring import _state_dict_modules
from tests import rule_reports
from tests.snippet_runs import EVERY, check_lines, known, run

FEATURES, UNITS, LAG = 6, 8, 100


class Tagger(nn.Module):
    """A recurrent module deep in a network: ``blocks.0.core``."""

    def __init__(self, core: nn.Module, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Module()])
        self.blocks[0].core = core
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.core(x)[0])

    @property
    def core(self) -> Any:
        return self.blocks[0].core


def lstm(**more: Any) -> nn.Module:
    return nn.LSTM(FEATURES, UNITS, batch_first=True, **more)


CORES: dict[str, Callable[[], nn.Module]] = {
    "lstm": lstm,
    "gru": lambda: nn.GRU(FEATURES, UNITS),
    "rnn": lambda: nn.RNN(FEATURES, UNITS, nonlinearity="relu", batch_first=True),
    "stacked": lambda: lstm(num_layers=3, dropout=0.25),
    "both ways": lambda: nn.GRU(FEATURES, UNITS, 2, bidirectional=True, batch_first=True),
    "no bias": lambda: lstm(bias=False, num_layers=2),
    "projected": lambda: lstm(proj_size=3),
    "same width": lambda: nn.LSTM(FEATURES, FEATURES),
}
CELLS: dict[str, Callable[[], nn.Module]] = {
    "lstm cell": lambda: nn.LSTMCell(FEATURES, UNITS),
    "gru cell": lambda: nn.GRUCell(FEATURES, UNITS),
    "rnn cell": lambda: nn.RNNCell(FEATURES, UNITS, bias=False),
}
WIDTHS = {"both ways": 2 * UNITS, "projected": 3, "same width": FEATURES}


@pytest.fixture(params=CORES)
def network(request: pytest.FixtureRequest) -> Tagger:
    return made(request.param)


def made(name: str) -> Tagger:
    torch.manual_seed(0)
    return Tagger({**CORES, **CELLS}[name](), WIDTHS.get(name, UNITS))


def layers_of(network: nn.Module) -> list[LayerReport]:
    """What a report tells of the network's recurrent layers."""
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    return [
        rule_reports.layer(
            module.kind,
            id=f"{module.path}_l{index}",
            index=index,
            direction=direction,
            input_size=shapes[arrays[0]][1],
            hidden_size=module.hidden_size,
            arguments=module.arguments,
            parameters={"kernel": arrays[:1], "recurrent": arrays[1:2], "bias": arrays[2:4]}
            if len(arrays) > 3
            else {"kernel": arrays[:1], "recurrent": arrays[1:2], "bias": ()},
        )
        for module in _state_dict_modules.find(shapes)
        for index, layer in enumerate(module.layers)
        for direction, arrays in zip(("forward", "backward"), layer, strict=False)
    ]


def report_of(network: nn.Module, settings: Settings | None = None, **more: Any) -> Report:
    return rule_reports.report(*layers_of(network), framework="torch", settings=settings, **more)


def of(network: nn.Module, settings: Settings | None = None, **more: Any) -> Snippets:
    return snippets.for_(report_of(network, settings, **more), None)


def paste(snippet: str, network: nn.Module, **names: Any) -> dict[str, Any]:
    """All names after the snippet, `network` being `model`."""
    assert snippet
    return run(snippet, torch=torch, nn=nn, model=network, **names)[1]


def x_for(network: Tagger, steps: int = 7) -> Tensor:
    """Two sequences, laid out as the network's own module takes them."""
    torch.manual_seed(1)
    return torch.randn((2, steps, FEATURES) if network.core.batch_first else (steps, 2, FEATURES))


def trained(network: Tagger) -> Tagger:
    """The network after a step of training, which must reach every parameter."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()(x_for(network)).square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    optimizer.step()
    return network


# ---------------------------------------------------------------- text


@pytest.mark.parametrize("name", CORES)
def test_lines_are_narrow_and_valid(name: str) -> None:
    gated = name != "rnn"
    empty = ["without_activity_regularizer", *(["activation"] if gated else ["chrono"])]
    if name == "both ways":
        empty.append("zoneout")
    check_lines(of(made(name)), tuple(empty))


@pytest.mark.parametrize("name", CELLS)
def test_cells_get_what_needs_no_loop(name: str) -> None:
    loop = ("between_dropout", "layer_normalization", "batch_normalization", "stacked")
    more = ("residual", "zoneout", "strided_convolution", "without_activity_regularizer")
    own = ("chrono",) if name == "rnn cell" else ("activation",)
    check_lines(of(made(name)), (*loop, *more, *own))


def test_a_network_without_layers_has_nothing_to_paste() -> None:
    nothing = snippets.for_(rule_reports.report(framework="torch", layers=()), None)
    for snippet in (nothing.decay(1, 1, 1), nothing.chrono(9), nothing.constraint(1)):
        assert snippet == ""
    for snippet in (nothing.recurrent_dropout(0.2), nothing.zoneout(0.1), nothing.units(3)):
        assert snippet == ""


# ---------------------------------------------------------------- weights


def test_decay_is_grouped_by_part_and_reaches_every_parameter_once(network: Tagger) -> None:
    snippet = of(network).decay(1e-4, 2e-5, 5e-6)
    optimizer = paste(snippet, network)["optimizer"]
    assert type(optimizer) is torch.optim.AdamW
    grouped = {id(w): g["weight_decay"] for g in optimizer.param_groups for w in g["params"]}
    assert len(grouped) == sum(len(group["params"]) for group in optimizer.param_groups)
    expected = {"weight_ih": 1e-4, "weight_hh": 2e-5, "bias_ih": 5e-6, "bias_hh": 5e-6}
    for name, weight in network.named_parameters():
        part = name.rpartition(".")[2].partition("_l")[0]
        assert grouped.pop(id(weight)) == expected.get(part, 0.0), name
    assert grouped == {}


def test_decay_shrinks_by_rate_times_decay() -> None:
    """Decoupled: without a gradient, w becomes (1 - lr λ) w."""
    network = made("lstm")
    optimizer = paste(of(network, known(learning_rate=0.5)).decay(0.1, 0.2, 0), network)[
        "optimizer"
    ]
    before = copy.deepcopy(network.state_dict())
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    shares = {"blocks.0.core.weight_ih_l0": 0.95, "blocks.0.core.weight_hh_l0": 0.9}
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, shares.get(name, 1.0) * before[name])


def test_others_keep_the_decay_that_they_had() -> None:
    network = made("gru")
    optimizer = paste(of(network, known(weight_decay=0.03)).decay(1e-4, 1e-4, 0), network)[
        "optimizer"
    ]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1e-4, 1e-4, 0, 0.03]


def test_a_direction_brings_the_other_along() -> None:
    """Both stand in one module: decay for one of them alone would be of no use."""
    network = made("both ways")
    report = report_of(network)
    found = snippets.for_(report, report.layers[1]).decay(1e-4, 1e-4, 1e-4)
    kernels = paste(found, network)["kernel"]
    own = "blocks.0.core.weight_ih_l0"
    assert kernels == [own, f"{own}_reverse"]


def test_pieces_of_a_weight_are_decayed_under_their_own_names() -> None:
    network = made("lstm")
    nn.utils.parametrizations.weight_norm(network.core, "weight_hh_l0")
    pieces = tuple(name for name, _ in network.named_parameters() if "original" in name)
    layer = rule_reports.layer(
        arguments={"module": "blocks.0.core", "class_name": "LSTM"},
        parameters={"kernel": ("blocks.0.core.weight_ih_l0",), "recurrent": pieces, "bias": ()},
    )
    own = snippets.for_(rule_reports.report(layer, framework="torch"), None)
    optimizer = paste(own.decay(1e-4, 2e-5, 0), network)["optimizer"]
    assert len(optimizer.param_groups[1]["params"]) == 2
    assert "original" not in own.constraint(1.0) + own.orthogonal()
    assert own.recurrent_dropout(0.2) == ""


def test_no_row_exceeds_its_bound(network: Tagger) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(20)
    head = network.head.weight.clone()
    short = network.core.weight_ih_l0[0].detach().clone() / 100
    network.core.weight_ih_l0.data[0] = short
    paste(of(network).constraint(1.5), network)
    for name, weight in network.core.named_parameters():
        if name.startswith(("weight_ih", "weight_hh")):
            assert weight.norm(dim=1).max() <= 1.5 + 1e-5
            assert weight.norm(dim=1).max() > 1.49
    torch.testing.assert_close(network.core.weight_ih_l0[0].detach(), short)
    torch.testing.assert_close(network.head.weight, head)


@pytest.mark.parametrize("name", ["lstm", "gru", "both ways", "lstm cell"])
def test_the_summed_biases_stay_within_their_bound(name: str) -> None:
    network = made(name)
    with torch.no_grad():
        for weight in network.core.parameters():
            weight.mul_(20)
    paste(of(network).constraint(2.0, bias=True), network)
    both = [weight for name, weight in network.core.named_parameters() if "bias" in name]
    for first, second in zip(both[::2], both[1::2], strict=True):
        assert float(first.detach().norm()) == pytest.approx(1.0, rel=1e-5)
        assert (first + second).norm() <= 2.0 + 1e-5


def test_biases_of_zero_stay_zero() -> None:
    network = made("lstm")
    nn.init.zeros_(network.core.bias_ih_l0)
    paste(of(network).constraint(2.0, bias=True), network)
    assert not network.core.bias_ih_l0.any()


# ---------------------------------------------------------------- starting values


def keeping(core: Any, index: int = 0) -> Tensor:
    """What remains of a state of ones in one step in which only biases speak."""
    cell = nn.LSTMCell if isinstance(core, nn.LSTM) else nn.GRUCell
    step = cell(1, UNITS)
    with torch.no_grad():
        for weight in step.parameters():
            weight.zero_()
        step.bias_ih.copy_(getattr(core, f"bias_ih_l{index}"))
        step.bias_hh.copy_(getattr(core, f"bias_hh_l{index}"))
        ones = torch.ones(1, UNITS)
        if isinstance(step, nn.LSTMCell):
            return step(torch.zeros(1, 1), (ones, ones))[1]
        return step(torch.zeros(1, 1), ones)


@pytest.mark.parametrize("name", ["lstm", "gru", "stacked", "both ways"])
def test_chrono_keeps_states_as_long_as_it_says(name: str) -> None:
    """σ(ln u) = u / (1 + u) with u in [1, 99]: a half-life from one step to a hundred."""
    network = made(name)
    paste(of(network).chrono(LAG), network)
    for index in range(network.core.num_layers):
        kept = keeping(network.core, index)
        steps = kept / (1 - kept)
        assert steps.min() >= 1 - 1e-4
        assert steps.max() <= LAG - 1 + 1e-2
        assert steps.std() > LAG / 10


def test_chrono_closes_the_input_gate_by_as_much() -> None:
    network = made("lstm")
    paste(of(network).chrono(LAG), network)
    i, f, g, o = (network.core.bias_ih_l0 + network.core.bias_hh_l0).detach().chunk(4)
    assert f.min() >= 0
    assert f.max() <= math.log(LAG - 1)
    torch.testing.assert_close(i, -f)
    assert not g.any()
    assert not o.any()


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_chrono_of_next_to_no_lag_is_a_bias_of_zero(lag: int) -> None:
    network = made("lstm")
    paste(of(network).chrono(lag), network)
    assert not network.core.bias_ih_l0.any()


def test_chrono_gives_biases_to_what_has_none() -> None:
    network = made("no bias")
    paste(of(network).chrono(LAG), network)
    assert network.core.bias
    assert network.core.batch_first
    assert keeping(network.core, 1).min() >= 0.5
    trained(network)


def test_chrono_leaves_alone_what_has_no_forget_gate() -> None:
    assert of(made("rnn")).chrono(LAG) == ""


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "stacked", "both ways", "gru cell"])
def test_every_gate_starts_orthogonal(name: str) -> None:
    network = made(name)
    paste(of(network).orthogonal(), network)
    for own, weight in network.core.named_parameters():
        blocks = weight.detach().split(UNITS)
        for block in blocks:
            if own.startswith("weight_hh"):
                torch.testing.assert_close(block @ block.T, torch.eye(UNITS), atol=1e-5, rtol=0)
            if own.startswith("weight_ih"):
                bound = math.sqrt(6 / sum(block.shape))
                assert 0.5 * bound < block.abs().max() <= bound


# ---------------------------------------------------------------- training


def test_gradients_are_clipped_together() -> None:
    network = made("lstm")
    (1e3 * network(x_for(network))).square().sum().backward()
    paste(of(network).clipping(0.5), network)
    total = math.sqrt(sum(float(w.grad.square().sum()) for w in network.parameters()))
    assert total == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "settings", "kind", "expected"),
    [
        (("AdamW", None, None), {}, "AdamW", {"lr": 1e-3, "weight_decay": 1e-4}),
        (("AdamW", 2e-3, 1e-5), {}, "AdamW", {"lr": 2e-3, "weight_decay": 1e-5}),
        (
            ("AdamW", None, None),
            {"optimizer": "Adam", "learning_rate": 0.004999999888, "weight_decay": 3e-4},
            "AdamW",
            {"lr": 0.005, "weight_decay": 3e-4},
        ),
        (("AdamW", None, 0.0), {}, "AdamW", {"weight_decay": 0.0}),
        # A learning rate of SGD's would make Adam leap.
        (("AdamW", None, None), {"optimizer": "SGD", "learning_rate": 0.5}, "AdamW", {"lr": 1e-3}),
        (
            ("Nadam", None, 1e-4),
            {"optimizer": "Adam", "learning_rate": 2e-3},
            "NAdam",
            {"lr": 2e-3, "weight_decay": 1e-4, "decoupled_weight_decay": True},
        ),
        (("Nadam", None, None), {}, "NAdam", {"weight_decay": 0}),
        (("RMSprop", None, None), {}, "AdamW", {}),
    ],
)
def test_an_optimizer_keeps_what_is_known(
    asked: Any, settings: dict[str, Any], kind: str, expected: dict[str, Any]
) -> None:
    network = made("lstm")
    optimizer = paste(of(network, known(**settings)).optimizer(*asked), network)["optimizer"]
    assert type(optimizer).__name__ == kind
    assert {key: optimizer.defaults[key] for key in expected} == expected
    assert len(optimizer.param_groups[0]["params"]) == len(list(network.parameters()))


def test_sgd_stays_sgd_with_its_momentum() -> None:
    network = made("lstm")
    momentum = TrainingFact(name="momentum", value=0.9, source="optimizer_states[0]")
    own = of(network, known(optimizer="SGD", learning_rate=0.5), training=(momentum,))
    optimizer = paste(own.decay(1e-4, 1e-4, 0), network)["optimizer"]
    assert type(optimizer) is torch.optim.SGD
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.5, 0.9)


def test_the_learning_rate_changes_in_every_group() -> None:
    network = made("lstm")
    halves = [{"params": [w]} for w in network.parameters()]
    optimizer = torch.optim.Adam(halves, lr=0.1)
    paste(of(network).learning_rate(3e-4), network, optimizer=optimizer)
    assert {group["lr"] for group in optimizer.param_groups} == {3e-4}


def test_early_stopping_stops_and_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = made("lstm")
    losses = iter([5.0, 4.0, 3.0, 3.5, 2.0, 2.0, 2.5, 2.1, 1.0])
    seen: list[float] = []

    def train(model: nn.Module) -> None:
        nn.init.constant_(model.head.bias, len(seen))

    def validate(_: nn.Module) -> float:
        seen.append(next(losses))
        return seen[-1]

    paste(of(network).early_stopping(3), network, train=train, validate=validate)
    assert seen == [5.0, 4.0, 3.0, 3.5, 2.0, 2.0, 2.5, 2.1]
    assert network.head.bias.tolist() == [4.0, 4.0]


def test_early_stopping_ends_with_the_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[float] = []

    def validate(_: nn.Module) -> float:
        seen.append(-float(len(seen)))
        return seen[-1]

    own = of(made("lstm"), known(epochs=12))
    paste(own.early_stopping(3), made("lstm"), train=lambda _: None, validate=validate)
    assert len(seen) == 12


def test_samples_come_in_new_order() -> None:
    torch.manual_seed(0)
    dataset = torch.utils.data.TensorDataset(torch.arange(64))
    own = of(made("lstm"), known(batch_size=16))
    loader = paste(own.shuffling(), made("lstm"), dataset=dataset)["loader"]
    first, second = ([int(v) for (batch,) in loader for v in batch] for _ in range(2))
    assert loader.batch_size == 16
    assert sorted(first) == list(range(64))
    assert first != second


def test_the_split_is_disjoint_and_eighty_ten_ten() -> None:
    dataset = torch.utils.data.TensorDataset(torch.arange(50))
    names = paste(of(made("lstm")).split(), made("lstm"), dataset=dataset)
    parts = [names[part].indices for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [40, 5, 5]
    assert sorted(index for part in parts for index in part) == list(range(50))


def test_inputs_are_scaled_by_the_training_set_alone() -> None:
    torch.manual_seed(0)
    x_train = torch.randn(40, 9, 3) * torch.tensor([1.0, 50.0, 0.0]) + 7
    names = paste(
        of(made("lstm")).scaled_inputs(), made("lstm"), x_train=x_train, x_validation=x_train + 50
    )
    scaled, other = names["x_train"], names["x_validation"]
    torch.testing.assert_close(scaled.mean((0, 1)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1))[:2], torch.ones(2))
    expected = scaled[..., 1] + 50 / x_train[..., 1].std()
    torch.testing.assert_close(other[..., 1], expected)
    assert other.isfinite().all()


# ---------------------------------------------------------------- the module


def test_a_module_made_anew_is_the_old_one_but_for_the_change(network: Tagger) -> None:
    old = network.core
    paste(of(network).with_bias(), network)
    assert network.core is not old
    kept = ("input_size", "hidden_size", "num_layers", "bidirectional", "proj_size", "batch_first")
    for key in (*kept, "dropout", "mode"):
        assert getattr(network.core, key) == getattr(old, key), key
    assert network.core.bias
    trained(network)


def test_units_change_with_their_width(network: Tagger) -> None:
    snippet = of(network).units(5)
    paste(snippet, network)
    output, _ = network.core(x_for(network))
    assert network.core.hidden_size == 5
    assert f"take {output.shape[-1]} features" in snippet


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_made_anew_too(name: str) -> None:
    network = made(name)
    paste(of(network).units(5), network)
    assert network.core.hidden_size == 5
    assert type(network.core) is type(made(name).core)
    assert network.core.bias == made(name).core.bias


def test_only_plain_modules_choose_their_activation() -> None:
    network = made("rnn")
    paste(of(network).activation("tanh"), network)
    assert network.core.mode == "RNN_TANH"
    assert of(made("gru")).activation("tanh") == ""


def test_a_second_layer_is_stacked_on_top(network: Tagger) -> None:
    before = network.core.num_layers
    paste(of(network).stacked(), network)
    assert network.core.num_layers == before + 1
    trained(network)


def test_a_module_that_is_the_network() -> None:
    network = CORES["lstm"]()
    names = paste(of(network).units(3), network)
    assert names["model"].hidden_size == 3
    optimizer = paste(of(network).decay(1e-4, 2e-5, 0), network)["optimizer"]
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 2, 0]


def test_numbered_modules_are_reached() -> None:
    network = nn.Sequential(nn.Sequential(CORES["gru"]()), nn.Identity())
    names = paste(of(network).units(3), network)
    assert names["model"][0][0].hidden_size == 3


class Holder(nn.Module):
    """A module whose name is up to the user: ``enc.a-b``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        core = CORES["stacked"]()
        self.enc = nn.Sequential(core) if name == "0" else nn.ModuleDict({name: core})


ODD_NAMES = ("a-b", "class", "0", "01", "²", "\N{LATIN SMALL LIGATURE FI}t", 'a"b', "a b")


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_snippet_reaches_modules_whose_names_are_no_python(
    name: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = Holder(name)
    snippet = getattr(of(network), method)(*EVERY[method])
    compile(snippet, method, "exec")
    run(
        snippet,
        **{"torch": torch, "nn": nn, "model": network, "train": lambda _: None},
        validate=lambda _: 1.0,
        optimizer=torch.optim.SGD(network.parameters()),
        dataset=torch.utils.data.TensorDataset(torch.arange(50)),
        x_train=torch.randn(4, 3, 2),
        x_validation=torch.randn(4, 3, 2),
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_modules_whose_names_are_no_python_are_replaced(name: str) -> None:
    network = Holder(name)
    paste(of(network).units(3), network)
    core: Any = network.enc.get_submodule(name)
    assert (core.hidden_size, core.num_layers, core.batch_first) == (3, 3, True)
    paste(of(network).zoneout(0.1), network)
    assert network.enc.get_submodule(name).get_submodule("rnn") is core
    assert len(network.enc) == 1


def test_odd_names_directly_in_the_network() -> None:
    network = nn.ModuleDict({"a-b": CORES["gru"]()})
    snippet = of(network).units(3)
    paste(snippet, network)
    assert 'setattr(model, "a-b", nn.GRU(' in snippet
    assert network["a-b"].hidden_size == 3


# ---------------------------------------------------------------- around the module


def test_dropout_drops_inputs_in_training_alone(network: Tagger) -> None:
    network.core.dropout = 0.0
    x = x_for(network)
    plain = network.eval()(x)
    paste(of(network).dropout(0.5), network)
    torch.testing.assert_close(network.eval()(x), plain)
    assert not torch.equal(network.train()(x), plain)
    seen: list[Tensor] = []
    network.core.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.ones_like(x_for(network, 500)))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    assert float((seen[0] == 0).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_dropout_leaves_the_state_that_is_handed_in() -> None:
    cell = made("gru cell")
    paste(of(cell).dropout(1.0), cell)
    state, nothing = torch.randn(4, UNITS), torch.zeros(4, FEATURES)
    torch.testing.assert_close(cell.core(torch.ones(4, FEATURES), state), cell.core(nothing, state))


def test_dropout_on_an_inner_layers_input_is_the_stacks_own() -> None:
    network = made("stacked")
    report = report_of(network)
    paste(snippets.for_(report, report.layers[1]).dropout(0.125), network)
    assert network.core.dropout == 0.125
    paste(of(network).between_dropout(0.375), network)
    assert network.core.dropout == 0.375


@pytest.mark.parametrize("name", ["lstm", "stacked"])
def test_dropout_after_the_last_layer(name: str) -> None:
    network = made(name)
    network.core.dropout = 0.0
    plain, state = network.core(x_for(network))
    report = report_of(network)
    paste(snippets.for_(report, report.layers[-1]).between_dropout(0.5), network)
    assert network.core.dropout == 0.0
    dropped, same = network.core(x_for(network))
    kept = dropped != 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped[kept], 2 * plain[kept])
    torch.testing.assert_close(same, state)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "stacked", "both ways", "no bias"])
def test_weight_drop_takes_that_share_of_the_recurrent_weights(name: str) -> None:
    network = made(name)
    network.core.dropout = 0.0
    x = x_for(network)
    plain = network.eval()(x)
    weights = [n for n, _ in network.core.named_parameters() if n.startswith("weight_hh")]
    paste(of(network).recurrent_dropout(0.5), network)
    torch.testing.assert_close(network.eval()(x), plain)
    network.train()
    for weight in weights:
        dropped = (getattr(network.core, weight) == 0).float().mean()
        assert float(dropped) == pytest.approx(0.5, abs=0.2)
    assert not torch.equal(network(x), network(x))
    trained(network)


def test_weight_drop_enters_the_run() -> None:
    """All of it dropped: no step knows of the step before."""
    network = made("lstm")
    paste(of(network).recurrent_dropout(1.0), network)
    x = x_for(network)
    changed = x.clone()
    changed[:, 0] += 1
    with torch.no_grad():
        core = network.core
        core.bias_ih_l0.zero_()[UNITS : 2 * UNITS] = -50.0  # nor do cells keep anything
        torch.testing.assert_close(core(x)[0][:, 1:], core(changed)[0][:, 1:])
        network.eval()
        assert not torch.allclose(core(x)[0][:, 1], core(changed)[0][:, 1])


def test_layers_are_normalized(network: Tagger) -> None:
    paste(of(network).layer_normalization(), network)
    output, _ = network.core(x_for(network))
    torch.testing.assert_close(output.mean(-1), torch.zeros(output.shape[:2]), atol=1e-5, rtol=0)
    raw_width = output.shape[-1]
    assert network.blocks[0].normalization_core.normalized_shape == (raw_width,)
    trained(network)


def test_batches_are_normalized_over_samples_and_steps(network: Tagger) -> None:
    biases = [n for n, _ in network.core.named_parameters() if "bias" in n]
    paste(of(network).batch_normalization(), network)
    output, _ = network.train().core(x_for(network, 40))
    flat = output.flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(len(flat[0])), atol=1e-5, rtol=0)
    assert set(biases) <= {name for name, _ in network.core.named_parameters()}
    trained(network)


def test_the_input_is_added_to_the_output(network: Tagger) -> None:
    x = x_for(network)
    plain, state = network.eval().core(x)
    paste(of(network).residual(), network)
    output, same = network.core(x)
    torch.testing.assert_close(output - network.blocks[0].skip_core(x), plain)
    torch.testing.assert_close(same, state)
    square = plain.shape[-1] == FEATURES
    assert isinstance(network.blocks[0].skip_core, nn.Identity if square else nn.Linear)
    trained(network)


@pytest.mark.parametrize("method", ["layer_normalization", "batch_normalization", "residual"])
def test_what_is_added_stands_beside_the_module_which_stays_what_it_was(
    method: str, tmp_path: Path
) -> None:
    network = made("stacked")
    snippet = getattr(of(network), method)()
    paste(snippet, network)
    assert "what leaves layer 3 of its 3" in snippet
    assert list(network.core.state_dict()) == list(made("stacked").core.state_dict())
    assert copy.deepcopy(network)(x_for(network)).shape == (2, 7, 2)
    torch.save(network.state_dict(), tmp_path / "tagger.pt")
    report = diagnose(str(tmp_path / "tagger.pt"), Options(batch=2, seeds=1, timesteps=4))
    assert [layer.analysed for layer in report.layers] == [True] * 3


def test_a_copy_has_its_own_of_what_was_added() -> None:
    network = made("lstm")
    paste(of(network).layer_normalization(), network)
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.blocks[0].normalization_core.weight.zero_()
        assert not other.core(x_for(other))[0].any()
        assert network.core(x_for(network))[0].any()


def test_nothing_new_stands_in_what_is_numbered() -> None:
    network = nn.Sequential()
    network.add_module("encoder", nn.Sequential(CORES["stacked"]()))
    paste(of(network).residual(), network)
    assert len(network.encoder) == 1
    assert isinstance(network.skip_encoder_0, nn.Linear)


def test_an_optimizer_keeps_the_decays_that_layers_have() -> None:
    network = made("lstm")
    given = {"kernel_decay": 1e-4, "recurrent_decay": 1e-3, "bias_decay": 1e-4}
    own = snippets.for_(with_settings(report_of(network), given), None)
    optimizer = paste(own.optimizer("Nadam", None, None), network)["optimizer"]
    assert type(optimizer) is torch.optim.NAdam
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1e-4, 1e-3, 1e-4, 0]


def test_weight_drop_leaves_the_optimizer_its_weights() -> None:
    network = made("lstm")
    optimizer = paste(of(network).decay(1e-4, 1e-3, 1e-4), network)["optimizer"]
    paste(of(network).recurrent_dropout(0.5), network)
    known = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert {id(weight) for weight in network.parameters()} == known


@pytest.mark.parametrize(("stride", "steps"), [(2, 7), (3, 7), (4, 8), (4, 9), (5, 3)])
def test_every_so_manyth_step_is_kept(network: Tagger, stride: int, steps: int) -> None:
    paste(of(network).strided_convolution(stride), network)
    output, _ = network.core(x_for(network, steps))
    time = 1 if network.core.batch_first else 0
    assert output.shape[time] == math.ceil(steps / stride)
    assert network.blocks[0].striding_core.kernel_size[0] >= stride
    trained(network)


# ---------------------------------------------------------------- zoneout


ONE_WAY = [name for name in CORES if name != "both ways"]


@pytest.mark.parametrize("name", ONE_WAY)
def test_zoneout_of_nothing_is_the_module_itself(name: str) -> None:
    network = made(name)
    network.core.dropout = 0.0
    x = x_for(network)
    plain, state = network.core(x)
    paste(of(network).zoneout(0.0), network)
    output, same = network.core(x)
    torch.testing.assert_close(output, plain)
    torch.testing.assert_close(same, state)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_zoneout_keeps_old_states_by_chance(name: str) -> None:
    network = made(name)
    batch = torch.randn(500, 1, FEATURES)
    if not network.core.batch_first:
        batch = batch.transpose(0, 1)
    plain, _ = network.core(batch)
    paste(of(network).zoneout(0.25), network)
    output, state = network.train().core(batch)
    alive = plain != 0  # relu's zeros tell nothing
    kept = (output == 0)[alive].float().mean()
    assert float(kept) == pytest.approx(0.25, abs=0.03)
    moved = alive & (output != 0)
    torch.testing.assert_close(output[moved], plain[moved])
    assert len(state if name == "lstm" else [state]) == (2 if name == "lstm" else 1)
    mean, _ = network.eval().core(batch)
    torch.testing.assert_close(mean, 0.75 * plain)


def test_zoneout_goes_on_from_a_given_state() -> None:
    network = made("lstm")
    x = x_for(network)
    paste(of(network).zoneout(0.1), network)
    network.eval()
    whole, _ = network.core(x)
    _, halfway = network.core(x[:, :3])
    rest, _ = network.core(x[:, 3:], halfway)
    torch.testing.assert_close(rest, whole[:, 3:])


# ---------------------------------------------------------------- from a file


def test_snippets_fit_a_network_that_was_read_from_its_file(tmp_path: Path) -> None:
    network = made("both ways")
    torch.save(network.state_dict(), tmp_path / "tagger.pt")
    report = diagnose(str(tmp_path / "tagger.pt"), Options(batch=2, seeds=1, timesteps=4))
    own = snippets.for_(report, None)
    optimizer = paste(own.decay(1e-4, 2e-5, 5e-6), network)["optimizer"]
    assert [len(group["params"]) for group in optimizer.param_groups] == [4, 4, 8, 2]
    paste(own.chrono(LAG), network)
    assert keeping(network.core, 1).min() >= 0.5
    paste(own.units(5), network)
    assert (network.core.hidden_size, network.core.num_layers) == (5, 2)
    assert network.core.bidirectional


def test_what_the_file_does_not_tell_is_told_by_the_layers() -> None:
    """A report without the module's arguments."""
    network = made("both ways")
    bare = [
        rule_reports.layer(
            layer.kind,
            id=layer.id,
            index=layer.index,
            direction=layer.direction,
            input_size=layer.input_size,
            hidden_size=UNITS,
            arguments={},
            parameters=layer.parameters,
        )
        for layer in layers_of(network)
    ]
    own = snippets.for_(rule_reports.report(*bare, framework="torch"), None)
    old = network.core
    paste(own.with_bias(), network)
    for key in ("input_size", "hidden_size", "num_layers", "bidirectional", "mode"):
        assert getattr(network.core, key) == getattr(old, key), key
