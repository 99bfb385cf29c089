"""What PyTorch has no module for: functions and classes that a snippet brings along."""

from __future__ import annotations

from dataclasses import dataclass

_CHRONO = {
    "LSTM": """\
        i, f, g, o = model.get_parameter(name).zero_().chunk(4)
        f.uniform_(1, {most}).log_()
        i.copy_(-f)""",
    "GRU": """\
        r, z, n = model.get_parameter(name).zero_().chunk(3)
        z.uniform_(1, {most}).log_()  # z keeps the state""",
}
WEIGHT_DROP = '''\
# After the optimizer is made: the weights stay, and their names change.
class WeightDrop(nn.Module):
    """DropConnect on R: it drops connections between timesteps, not states.

    torch.nn has no dropout of states; this keeps its fast modules (Merity et
    al. 2018), which use one draw for a whole sequence.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        # In a state dict it tells that the stored weight is R itself.
        self.register_buffer("weight_drop_rate", torch.tensor(float(rate)))

    def forward(self, weight):
        return nn.functional.dropout(weight, self.rate, self.training)'''
_ZONEOUT = '''\
class Zoneout(nn.Module):
    """A module of torch.nn, step by step (Krueger et al. 2017).

    Units keep their old state with chance `rate`; out of training, the mean.
    """

    def __init__(self, rnn, rate):
        super().__init__()
        self.rnn, self.rate = rnn, rate

    def mix(self, old, new):
        step = nn.functional.dropout(new - old, self.rate, self.training)
        return old + (1 - self.rate) * step

    def forward(self, x, state=None):
        time, outputs = int(self.rnn.batch_first), []
        for step in x.split(1, dim=time):
            _, new = self.rnn(step, state)
{mixing}
            outputs.append({hidden}[-1])
        return torch.stack(outputs, dim=time), state'''
_ONE_STATE = """\
            old = torch.zeros_like(new) if state is None else state
            state = self.mix(old, new)"""
_TWO_STATES = """\
            old = map(torch.zeros_like, new) if state is None else state
            state = tuple(map(self.mix, old, new))"""
_EARLY_STOPPING = """\
best, best_epoch = float("inf"), 0
for epoch in range({epochs}):
    train(model)
    loss = validate(model)
    if loss < best:
        best, best_epoch = loss, epoch
        torch.save(model.state_dict(), "best.pt")
    elif epoch - best_epoch >= {patience}:
        break
model.load_state_dict(torch.load("best.pt"))"""
SPLIT = """\
train, validation, test = torch.utils.data.random_split(
    dataset, [0.8, 0.1, 0.1], torch.Generator().manual_seed(0)
)
# The test set once, when everything is decided."""
SCALED_INPUTS = """\
# Of each feature, over samples and timesteps of the training set alone.
mean = x_train.mean(dim=(0, 1))
std = x_train.std(dim=(0, 1)).clamp(min=1e-6)
x_train, x_validation = (x_train - mean) / std, (x_validation - mean) / std"""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A function that is called before or after a module, and the new module that it uses.

    The new one stands beside the recurrent one, whose own parameters stay all it has: that is how
    a file tells it to be one of ``torch.nn``.
    """

    attribute: str
    """What the new module's name begins with."""
    function: str
    before: bool
    learns: bool
    """Whether the new module has parameters."""
    code: str


INPUT_DROPOUT = Hook(
    attribute="input_dropout",
    function="drop_input",
    before=True,
    learns=False,
    code="""\
def drop_input(dropout, rnn, inputs):
    return dropout(inputs[0]), *inputs[1:]""",
)
OUTPUT_DROPOUT = Hook(
    attribute="output_dropout",
    function="drop_output",
    before=False,
    learns=False,
    code="""\
def drop_output(dropout, rnn, inputs, outputs):
    return dropout(outputs[0]), outputs[1]""",
)
LAYER_NORMALIZATION = Hook(
    attribute="normalization",
    function="normalize",
    before=False,
    learns=True,
    code="""\
# On what leaves the module. Within the recurrence it takes a loop over cells.
def normalize(normalization, rnn, inputs, outputs):
    return normalization(outputs[0]), outputs[1]""",
)
BATCH_NORMALIZATION = Hook(
    attribute="normalization",
    function="normalize",
    before=False,
    learns=True,
    code="""\
# On what leaves the module, over all samples and timesteps; biases stay.
def normalize(normalization, rnn, inputs, outputs):
    flat = normalization(outputs[0].flatten(0, 1))
    return flat.view_as(outputs[0]), outputs[1]""",
)
RESIDUAL = Hook(
    attribute="skip",
    function="add_input",
    before=False,
    learns=True,
    code="""\
def add_input(skip, rnn, inputs, outputs):
    return outputs[0] + skip(inputs[0]), outputs[1]""",
)
STRIDING = Hook(
    attribute="striding",
    function="shorten",
    before=True,
    learns=True,
    code="""\
def shorten(convolution, rnn, inputs):
    to, back = (1, 2, 0), (2, 0, 1)
    if rnn.batch_first:
        to = back = (0, 2, 1)
    x, *state = inputs
    return convolution(x.permute(to)).permute(back), *state""",
)


def chrono(family: str, first: str, second: str, lag: int) -> str:
    """What b_ih and b_hh start from, in loops over their names; their sum is what counts."""
    # U(1, lag - 1) is empty below 2 steps; ln 1 = 0 is as short as memory gets.
    start = _CHRONO[family].format(most=max(lag - 1, 1))
    added = "        model.get_parameter(name).zero_()  # it is added to the other"
    return "\n".join((second, added, first, start))


def zoneout(family: str) -> str:
    """A module that runs an LSTM, or a GRU or RNN, with zoneout."""
    if family == "LSTM":
        return _ZONEOUT.format(mixing=_TWO_STATES, hidden="state[0]")
    return _ZONEOUT.format(mixing=_ONE_STATE, hidden="state")


def early_stopping(patience: int, epochs: int) -> str:
    """A loop around the user's own functions for an epoch of training and for validation."""
    return _EARLY_STOPPING.format(patience=patience, epochs=epochs)
