"""A pickle followed as data: nothing that it names is imported, called or changed.

Python's own unpickler calls what a file names, sets attributes of what it finds, and takes the
memory that single bytes ask for. This machine is a plain stack: `pickletools` tells one opcode
from the next, known constructors come from a table of the caller's, and all others leave a
`StandIn` that notes what it was given. All protocols are followed.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from functools import partial
from sys import getsizeof
from typing import Any

from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import BrokenPickle, Global, StandIn, as_key

_LONGEST_INTEGER = 2040
"""Bits: no checkpoint counts further, and Python prints no integer of thousands of digits."""
_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Python 2's names."""

_POINTER, _OBJECT, _CONTAINER, _ENTRY = 8, 400, 64, 100
"""Bytes of what the stack holds: a reference, an object, an empty container, a dict's entry."""
_COSTS = {
    **dict.fromkeys(
        ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BUILD", "BINPERSID"), _OBJECT
    ),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "LIST", "DICT"), _CONTAINER),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET", "MARK"), _CONTAINER),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _ENTRY),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"), _ENTRY),
}
_LITERALS = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}

Persistent = Callable[[Any], Any]
Known = Callable[..., Any]
"""Makes an object of what a pickle gives its class."""


class Machine:
    """Follows the pickles of one file; what they describe is charged to the `budget`."""

    def __init__(
        self, known: Mapping[str, Known], persistent: Persistent, budget: Budget | None = None
    ) -> None:
        self.not_loaded: dict[str, None] = {}
        """Names of the classes and functions that objects were to be made with, in order."""
        self.named: dict[str, None] = {}
        """Names of all those that Python would import, tensors' and containers' own apart."""
        self._known = known
        self._persistent = persistent
        self._budget = Budget() if budget is None else budget
        self.charge = self._budget.charge
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._steps = self._table()

    def run(self, file: Any) -> Any:
        """The object of the pickle that begins here; `file`, or mapped memory, is left behind it.

        Raises `BrokenPickle`.
        """
        self._stack, self._marked, self._memo = [], [], {}
        try:
            for opcode, argument, _ in pickletools.genops(file):
                self.charge(_POINTER + _COSTS.get(opcode.name, 0) + getsizeof(argument))
                if opcode.name == "STOP":
                    self._budget.settle()
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except BrokenPickle:
            raise
        except (ValueError, LookupError, TypeError, OverflowError, struct.error) as error:
            what = str(error).partition("\n")[0] or type(error).__name__
            raise BrokenPickle(f"its pickle makes no sense ({what[:200]})") from error
        raise BrokenPickle("its pickle has no end")

    def call(self, function: Any, arguments: Any) -> Any:
        """What is made of a class or function and its arguments."""
        if not isinstance(arguments, tuple):
            raise BrokenPickle("an object is made without a tuple of arguments")
        if not isinstance(function, (Global, StandIn)):
            raise BrokenPickle(f"a {type(function).__name__} is called")
        if isinstance(function, Global) and function.name in self._known:
            return self._known[function.name](*arguments)
        self.not_loaded.setdefault(function.name)
        return StandIn(function.name, arguments)

    # ------------------------------------------------------------ opcodes

    def _step(self, name: str, argument: Any) -> None:
        if name not in self._steps:
            raise BrokenPickle(f"the opcode {name} is in no checkpoint")
        self._steps[name](argument)

    def _table(self) -> dict[str, Callable[[Any], None]]:
        """What each opcode does; those with an argument of their own are given it."""
        return {
            **dict.fromkeys(_LITERALS, self._literal),
            **{name: partial(self._constant, own) for name, own in _CONSTANTS.items()},
            **dict.fromkeys(("PROTO", "FRAME"), lambda _: None),
            "EMPTY_LIST": lambda _: self._push([]),
            "EMPTY_DICT": lambda _: self._push({}),
            # Sets are kept as lists: what is in them is never looked up.
            "EMPTY_SET": lambda _: self._push([]),
            "MARK": lambda _: self._mark(),
            "POP": lambda _: self._pop_or_unmark(),
            "POP_MARK": self._unmark,
            "DUP": lambda _: self._push(self._stack[-1]),
            "TUPLE": lambda _: self._push(tuple(self._since_mark())),
            "TUPLE1": lambda _: self._push(tuple(self._last(1))),
            "TUPLE2": lambda _: self._push(tuple(self._last(2))),
            "TUPLE3": lambda _: self._push(tuple(self._last(3))),
            "LIST": lambda _: self._push(self._since_mark()),
            "FROZENSET": lambda _: self._push(self._since_mark()),
            "DICT": lambda _: self._dict(self._since_mark()),
            "APPEND": lambda _: self._extend(self._last(1)),
            "APPENDS": lambda _: self._extend(self._since_mark()),
            "ADDITEMS": lambda _: self._extend(self._since_mark()),
            "SETITEM": lambda _: self._set_items(self._last(2)),
            "SETITEMS": lambda _: self._set_items(self._since_mark()),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._get),
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._put),
            "MEMOIZE": lambda _: self._put(len(self._memo)),
            "BINPERSID": lambda _: self._push(self._persistent(self._stack.pop())),
            **dict.fromkeys(("EXT1", "EXT2", "EXT4"), self._extension),
            "GLOBAL": lambda name: self._global(*name.split(" ", 1)),
            "STACK_GLOBAL": lambda _: self._global(*self._last(2)),
            "REDUCE": lambda _: self._reduce(),
            "NEWOBJ": lambda _: self._reduce(),
            "NEWOBJ_EX": lambda _: self._new_with_keywords(),
            "OBJ": lambda _: self._object(*self._since_mark()),
            "INST": lambda name: self._instance(*name.split(" ", 1)),
            "BUILD": lambda _: self._build(),
        }

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _constant(self, value: Any, _: Any) -> None:
        self._push(value)

    def _literal(self, value: Any) -> None:
        if isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER:
            raise BrokenPickle(f"an integer of {value.bit_length()} bits is in it")
        self._push(value)

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise BrokenPickle("its pickle takes more from the stack than is there")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        taken, self._stack = self._stack, self._marked.pop()
        return taken

    def _pop_or_unmark(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._unmark()

    def _unmark(self, _: Any = None) -> None:
        self._since_mark()

    def _get(self, place: int) -> None:
        self._push(self._memo[place])

    def _put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    # ------------------------------------------------------------ containers

    def _dict(self, items: list[Any]) -> None:
        self._push({})
        self._set_items(items)

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, StandIn):
            raise BrokenPickle(f"items are added to a {type(target).__name__}")

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, (dict, StandIn)):
            raise BrokenPickle(f"items are set in a {type(target).__name__}")
        self.charge(_ENTRY * (len(items) // 2))
        for key, value in zip(map(as_key, items[::2]), items[1::2], strict=True):
            if isinstance(target, dict):
                target[key] = value
            else:
                target.put(key, value)

    # ------------------------------------------------------------ objects

    def _global(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise BrokenPickle("a class or function has no name")
        found = Global(f"{_MODULES.get(module, module)}.{name}")
        if found.name not in self._known:
            self.named.setdefault(found.name)
        self._push(found)

    def _extension(self, code: int) -> None:
        self._push(Global(f"copyreg extension {code}"))

    def _reduce(self) -> None:
        function, arguments = self._last(2)
        self._push(self.call(function, arguments))

    def _new_with_keywords(self) -> None:
        function, arguments, keywords = self._last(3)
        made = self.call(function, arguments)
        if isinstance(made, StandIn) and isinstance(keywords, dict):
            made.build(keywords)
        self._push(made)

    def _object(self, function: Any, *arguments: Any) -> None:
        self._push(self.call(function, arguments))

    def _instance(self, module: str, name: str) -> None:
        arguments = self._since_mark()
        self._global(module, name)
        self._push(self.call(self._stack.pop(), tuple(arguments)))

    def _build(self) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        # Containers and tensors have attributes, too, which say nothing of a network.
        if isinstance(target, StandIn):
            target.build(state)
