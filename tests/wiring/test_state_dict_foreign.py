"""Recurrent layers that torch.nn does not have: named, with a reason, and never run as others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from rnndiag.pipeline import Diagnosis

Inspect = Callable[..., Diagnosis]


def named(*names: str) -> dict[str, Tensor]:
    return {name: torch.ones(4, 4) for name in names}


def cell(prefix: str, kind: type[nn.RNNCellBase] = nn.LSTMCell) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in kind(3, 4).state_dict().items()}


def stack(prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in nn.LSTM(3, 4).state_dict().items()}


def gates(form: str, letters: Iterable[str]) -> list[str]:
    return [form.format(letter) for letter in letters]


FOREIGN = [
    (
        "Mamba",
        "layers.0.mixer",
        named(*gates("layers.0.mixer.{}", ("A_log", "D", "x_proj.weight"))),
    ),
    ("Mamba", "enc.mamba", named("enc.mamba.in_proj.weight", "enc.mamba.out_proj.weight")),
    ("S4", "s4.kernel", named("s4.kernel.log_dt", "s4.kernel.A_imag", "s4.output.weight")),
    ("S4", "seq", named("seq.Lambda_re", "seq.Lambda_im", "seq.B")),
    ("LRU", "lru", named("lru.nu_log", "lru.theta_log", "lru.gamma_log")),
    ("RWKV", "blocks.0.att", named("blocks.0.att.time_decay", "blocks.0.att.time_first")),
    ("SRU", "sru", named("sru.rnn_lst.0.weight", "sru.rnn_lst.0.weight_c", "sru.rnn_lst.0.bias")),
    ("QRNN", "qrnn", named("qrnn.layers.0.linear.weight", "qrnn.layers.1.linear.weight")),
    ("minGRU or minLSTM", "a", named("a.to_hidden_and_gate.weight", "a.to_out.weight")),
    ("minGRU", "min_gru", named("min_gru.linear_z.weight", "min_gru.linear_h.weight")),
    ("xLSTM", "b.mlstm_cell", named("b.mlstm_cell.igate.weight", "b.mlstm_cell.fgate.weight")),
    ("xLSTM", "b.slstm_cell", named("b.slstm_cell._recurrent_kernel_", "b.slstm_cell._bias_")),
    ("mLSTM", "m", named("m.wmx.weight", "m.wmh.weight", "m.wx.weight")),
    ("LMU", "lmu", named("lmu.cell.e_x", "lmu.cell.W_m")),
    ("LTC", "ltc.cell", named("ltc.cell.gleak", "ltc.cell.vleak", "ltc.cell.erev")),
    ("CfC", "rnn_cell", named("rnn_cell.ff1.weight", "rnn_cell.time_a.weight")),
    ("ConvLSTM", "conv_lstm", named("conv_lstm.cell_list.0.conv.weight")),
    ("Peephole LSTM", "c", named("c.Wxi.weight", "c.Wci", "c.Wcf", "c.Wco")),
    ("Custom cell", "rnn", named("rnn.i2h.weight", "rnn.h2h.weight")),
    ("Custom cell", "lstm", named(*gates("lstm.W_h{}.weight", "ifgo"))),
    ("Custom cell", "lstm", named(*gates("lstm.U_{}", "ifco"), *gates("lstm.W_{}", "ifco"))),
    ("Custom cell", "", named("kernel", "recurrent_kernel", "bias")),
    (
        "IndRNN",
        "cells.0",
        {"cells.0.weight_ih": torch.ones(4, 3), "cells.0.weight_hh": torch.ones(4)},
    ),
    ("Zoneout", "zoneout_cell", cell("zoneout_cell.")),
    ("Zoneout", "zoneout.cell", cell("zoneout.cell.", nn.GRUCell)),
    ("Coupled gates", "coupled_lstm", cell("coupled_lstm.", nn.GRUCell)),
    ("Phased LSTM", "phased_lstm.lstm", stack("phased_lstm.lstm.")),
    ("LayerNorm LSTM", "ln_lstm", cell("ln_lstm.")),
]


@pytest.mark.parametrize(("kind", "path", "tensors"), FOREIGN)
def test_it_is_named_alone_and_beside_others(
    inspect: Inspect, kind: str, path: str, tensors: dict[str, Tensor]
) -> None:
    alone = inspect(tensors).report
    assert alone.exit_code == 3
    (layer,) = alone.layers
    assert (layer.kind, layer.name) == (kind, path or "rnn")
    assert not layer.analysed
    if path:
        beside = inspect({**tensors, **stack("plain.")}).report
        assert [(own.name, own.analysed) for own in beside.layers] == [
            ("plain", True),
            (path, False),
        ]


@pytest.mark.parametrize(
    "beside", [{"head.h2h.weight": torch.ones(5, 4)}, cell("head.rnn.")], ids=["sizes", "its cell"]
)
def test_an_attention_over_hidden_states_is_no_cell(
    inspect: Inspect, beside: dict[str, Tensor]
) -> None:
    tensors = {**named("head.i2h.weight", "head.h2h.weight", "head.score.weight"), **beside}
    layers = inspect({**stack("plain."), **tensors}).report.layers
    assert {layer.kind for layer in layers} == {"LSTM"}


FURTHER = [
    ("cell.", ["cell.ln_ih.weight", "cell.ln_hh.weight"]),
    ("cell.", ["cell.layernorm_i.weight", "cell.layernorm_c.weight"]),
    ("cell.", ["cell.bn_hh.running_mean", "cell.bn_c.weight"]),
    ("cell.", ["cell.weight_ci", "cell.weight_cf", "cell.weight_co"]),
    ("", ["ln_ih.weight"]),
    ("layer.cell.", ["layer.ln_hh.weight"]),
    ("layer.cell.", ["layer.bn_c.weight"]),
    ("cell.", ["layernorm_c.weight"]),
]


@pytest.mark.parametrize(("prefix", "names"), FURTHER)
@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_cell_with_norms_or_peepholes_is_no_plain_cell(
    inspect: Inspect, prefix: str, names: list[str], kind: type[nn.RNNCellBase]
) -> None:
    report = inspect({**cell(prefix, kind), **{name: torch.ones(4) for name in names}}).report
    assert report.exit_code == 3
    (layer,) = report.layers
    assert f"a custom cell, which also holds {names[0]}" in str(layer.reason)


@pytest.mark.parametrize(
    "name",
    [
        "rnn.ln_ih.weight",
        "rnn.layer_norm.weight",
        "rnn.bn_hh.running_var",
        "rnn.peephole_i",
        "rnn.weight_ci",
        "rnn.norms.0.weight",
    ],
)
def test_a_stack_that_holds_norms_is_no_plain_stack(inspect: Inspect, name: str) -> None:
    report = inspect({**stack("rnn."), name: torch.ones(4)}).report
    assert report.exit_code == 3
    assert report.layers[0].reason == f"rnn: RNN: a custom subclass, which also holds {name}"


@pytest.mark.parametrize(
    "names",
    [
        ["norm.weight", "norm.bias"],
        ["layer.norm.weight"],
        ["rnn.fc.weight", "rnn.fc.bias"],
        ["rnn.h0"],
        ["tcn.network.0.conv1.weight"],
        ["attention.W_h.weight", "attention.v.weight"],
        ["backbone.s4.b1.conv.weight"],
        ["unet.gates.0.weight"],
    ],
)
def test_what_stands_around_a_module_changes_nothing_in_it(
    inspect: Inspect, names: list[str]
) -> None:
    report = inspect({**stack("rnn."), **{name: torch.ones(4) for name in names}}).report
    assert [(layer.name, layer.analysed) for layer in report.layers] == [("rnn", True)]


def test_a_norm_beside_a_cell_that_is_not_called_after_its_states(inspect: Inspect) -> None:
    report = inspect({**cell("decoder.cell."), "decoder.norm.weight": torch.ones(4)}).report
    assert [layer.analysed for layer in report.layers] == [True]


def test_words_for_whole_networks_say_nothing_of_plain_modules_in_them(inspect: Inspect) -> None:
    """Many call a convolution before an LSTM a ConvLSTM."""
    tensors = {**stack("conv_lstm.lstm."), "conv_lstm.conv.weight": torch.ones(4, 3, 3)}
    report = inspect(tensors).report
    assert [(layer.name, layer.analysed) for layer in report.layers] == [("conv_lstm.lstm", True)]
