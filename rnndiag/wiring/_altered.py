"""Words in the names of layers whose equations are not those of the LSTM, GRU or RNN.

Such a layer may hold the very arrays of one of them, and only its name tells.
"""

from __future__ import annotations

KINDS = {
    **{"indrnn": "IndRNN", "qrnn": "QRNN", "sru": "SRU", "lmu": "LMU", "mamba": "Mamba"},
    **{"slstm": "sLSTM", "mlstm": "mLSTM", "xlstm": "xLSTM"},
    **{"mingru": "minGRU", "minlstm": "minLSTM", "rwkv": "RWKV"},
    **{"convlstm": "ConvLSTM", "convgru": "ConvGRU", "treelstm": "Tree LSTM"},
}
"""Whole names, and what they are of."""
ALTERED = {
    **{"zoneout": "Zoneout", "phased": "Phased LSTM", "peephole": "Peephole LSTM"},
    **{"coupled": "Coupled gates", "cifg": "Coupled gates", "hyperlstm": "Hyper LSTM"},
    **{"layernormlstm": "LayerNorm LSTM", "lnlstm": "LayerNorm LSTM", "bnlstm": "BatchNorm LSTM"},
    **{"antisymmetric": "Antisymmetric RNN", "leaky": "Leaky RNN", "cfc": "CfC"},
    **{"multiplicative": "Multiplicative LSTM", "timeaware": "Time-aware LSTM"},
    **{"highwaylstm": "Highway LSTM", "highwaygru": "Highway GRU", "highwayrnn": "Highway RNN"},
}
"""What changes the equations of cells that may hold the arrays of plain ones."""
_AROUND = ("norm", "attention", "skip", "residual", "highway")
"""In the name of a class they tell of equations; in a path, of modules around a plain one."""
_PLAIN = ("simple", "vanilla", "elman", "basic", "plain", "rnn")
_NEUTRAL = ("my", "own", "custom", "keras", "reversed", "backward", "masked", "stateful")
_ENDS = ("layer", "cell")


def says_otherwise(class_name: str) -> bool:
    """Whether a class's name tells of equations other than those of the arrays it holds."""
    plain = _plain(class_name)
    return plain in KINDS or any(word in plain for word in (*ALTERED, *_AROUND))


def is_plain_rnn(class_name: str) -> bool:
    """Whether a class's name says that it is a simple RNN, and nothing else."""
    left = _plain(class_name)
    told = False
    for word in (*_PLAIN, *_NEUTRAL, *_ENDS):
        told = told or (word in _PLAIN and word in left)
        left = left.replace(word, "")
    return told and not left.strip("0123456789")


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
