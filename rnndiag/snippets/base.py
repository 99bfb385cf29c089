"""What a snippet can do, whatever the framework."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rnndiag.records import LayerReport, Report, Settings


class Snippets(ABC):
    """Lines to paste, for one layer of a network or for all its recurrent layers.

    Every method gives whole lines without a last line break, at most 80 columns wide; an empty
    text where the framework or the layer leaves nothing to do, or more than lines can.

    The lines run where `keras` (or `torch` and `nn`) is imported. In them `model` is the network,
    the one whose parameters have the file's names, and in Keras compiled. The training set is
    `x_train` and `y_train`, all data `samples` and `targets`, in PyTorch `dataset`; there,
    `optimizer` is the optimizer, and `train` and `validate` are the user's own functions. In Keras
    the changed layer comes as an expression, to take the place of the old one; where others stand
    around it, `x` is what goes in and comes out.
    """

    def __init__(self, report: Report, layer: LayerReport | None) -> None:
        analysed = tuple(own for own in report.layers if own.analysed)
        self.layers = analysed if layer is None else (layer,)
        """What the snippet is about."""
        self.report = report
        self.settings = report.settings or Settings()

    @abstractmethod
    def decay(self, kernel: float, recurrent: float, bias: float) -> str:
        """Weight decay λ, decoupled where the framework can, for each of K, R and b; 0 is none.

        What else has weights keeps the decay that it had.
        """

    @abstractmethod
    def constraint(self, maximum: float, *, bias: bool = False) -> str:
        """An upper bound on the norms of K's and R's columns, or of the bias vector alone."""

    @abstractmethod
    def clipping(self, norm: float) -> str:
        """Gradient clipping by the norm of all gradients together."""

    @abstractmethod
    def optimizer(self, name: str, learning_rate: float | None, decay: float | None) -> str:
        """Another optimizer: ``AdamW``, ``Nadam``; None keeps what is known or usual.

        Its decay is decoupled; penalties that layers have besides are taken away.
        """

    @abstractmethod
    def learning_rate(self, value: float) -> str:
        """The same optimizer with another learning rate."""

    @abstractmethod
    def dropout(self, rate: float) -> str:
        """Dropout on the layer's input."""

    @abstractmethod
    def recurrent_dropout(self, rate: float) -> str:
        """Dropout on the state that goes round; PyTorch: on the weights that it meets."""

    @abstractmethod
    def between_dropout(self, rate: float) -> str:
        """Dropout between layers, on what leaves this one."""

    @abstractmethod
    def chrono(self, lag: int) -> str:
        """Chrono initialisation for memories of `lag` steps (Tallec & Ollivier 2018).

        b_f = ln U(1, lag - 1) and b_i = -b_f; a GRU's update gate is its forget gate. Empty where
        no layer has one.
        """

    @abstractmethod
    def orthogonal(self) -> str:
        """Orthogonal recurrent and Glorot-uniform input weights at the start."""

    @abstractmethod
    def units(self, count: int) -> str:
        """The layer with `count` units."""

    @abstractmethod
    def activation(self, name: str) -> str:
        """The layer with another output activation: ``tanh``, ``relu``.

        PyTorch's LSTM and GRU have no choice.
        """

    @abstractmethod
    def layer_normalization(self) -> str:
        """Layer normalization around the layer."""

    @abstractmethod
    def batch_normalization(self) -> str:
        """Batch normalization around the layer; its biases stay."""

    @abstractmethod
    def with_bias(self) -> str:
        """The layer with its biases."""

    @abstractmethod
    def without_activity_regularizer(self) -> str:
        """The layer without constraints on its activity."""

    @abstractmethod
    def stacked(self) -> str:
        """A second layer on top of the layer."""

    @abstractmethod
    def residual(self) -> str:
        """The layer with its input added to its output."""

    @abstractmethod
    def zoneout(self, rate: float) -> str:
        """Zoneout (Krueger et al. 2017) around the layer, in the place of recurrent dropout."""

    @abstractmethod
    def strided_convolution(self, stride: int) -> str:
        """A Conv1D in front that keeps every `stride`-th timestep."""

    @abstractmethod
    def early_stopping(self, patience: int) -> str:
        """Stop `patience` evaluations after the best, and go back to it."""

    @abstractmethod
    def shuffling(self) -> str:
        """Samples in new order each epoch."""

    @abstractmethod
    def split(self) -> str:
        """80 % for training, 10 % for validation, 10 % for the test."""

    @abstractmethod
    def scaled_inputs(self) -> str:
        """Features at mean 0 and variance 1, by the training set's own."""
