"""Sizes and cuts of convolutional layers, whose kernels have a window besides."""

from __future__ import annotations

from rnndiag.rules._decay_advice import columns
from rnndiag.rules._sizes import parameters_after, window_of
from rnndiag.rules.extreme_activations import Cuts
from tests.rule_reports import HEALTHY, layer, report

CONV = layer("ConvLSTM2D", arguments={"class_name": "ConvLSTM2D", "kernel_size": [3, 5]})


def test_the_window_counts_in_parameters_and_columns() -> None:
    assert (window_of(CONV), window_of(layer())) == (15, 1)
    plain, own = report(layer()), report(CONV)
    fewer = parameters_after(own, 1) - parameters_after(own, 0.5)
    whole, half = (4 * n * (15 * (16 + n) + 1) for n in (64, 32))
    assert fewer == whole - half
    assert fewer > parameters_after(plain, 1) - parameters_after(plain, 0.5)
    norms = HEALTHY["weight_norms"]
    assert columns(CONV, norms)[0] == norms.rms_kernel * (15 * 16) ** 0.5
    assert columns(CONV, norms)[1] == norms.rms_recurrent * (15 * 64) ** 0.5


def test_its_activations_are_an_lstm_s() -> None:
    assert Cuts().of("ConvLSTM2D") == Cuts().of("LSTM")
