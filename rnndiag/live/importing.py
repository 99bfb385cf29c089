"""The network that ``--model`` names: the user's own code, imported and called.

``package.module:factory`` is imported as Python does, with the current directory first;
``path/to/file.py:factory`` is run as a file, with the file's folder first.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import operator
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from rnndiag.errors import BadOption
from rnndiag.live.calling import users_code

_FORM = "package.module:factory or path/to/file.py:factory"
_SHOWN = 8
"""Names that a hint lists."""


def build(model: str) -> nn.Module:
    """The module that `model` names, called if it is a function or a class.

    Raises `BadOption` where there is none, or its code raises.
    """
    place, _, name = model.rpartition(":")
    if not place or not name:
        raise BadOption(f"--model {model}: no factory is named", _FORM)
    is_file = place.endswith(".py")
    put_first(Path(place).absolute().parent if is_file else Path.cwd())
    module = _from_file(Path(place), model) if is_file else _by_name(place, model)
    return _made(_attribute(module, name, model), model)


def put_first(folder: Path) -> None:
    """Put `folder` first among the places of modules; it stays, as networks import in forward."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def _by_name(name: str, model: str) -> ModuleType:
    with users_code(f"--model {model}: importing {name}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(f"{error.name}.")):
                hint = f"give {_FORM}, from a folder in which it can be imported"
                raise BadOption(f"--model {model}: no module {error.name!r}", hint) from error
            raise


def _from_file(path: Path, model: str) -> ModuleType:
    if not path.is_file():
        raise BadOption(f"--model {model}: no file {path}", "check the path before the colon")
    name = _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up while it is still being run.
    sys.modules[name] = module
    with users_code(f"--model {model}: running {path}"):
        spec.loader.exec_module(module)
    return module


def _free_name(path: Path) -> str:
    """The file's own name, unless another module has it: ``random.py`` must not hide Python's."""
    known = sys.modules.get(path.stem)
    is_other = known is not None and getattr(known, "__file__", None) != str(path.absolute())
    return f"{path.stem}_of_model" if is_other else path.stem


def _attribute(module: ModuleType, name: str, model: str) -> Any:
    try:
        return operator.attrgetter(name)(module)
    except AttributeError as error:
        own = [key for key, value in vars(module).items() if _is_own(value, module)]
        hint = f"it has {', '.join(own[:_SHOWN])}" if own else _FORM
        raise BadOption(f"--model {model}: {module.__name__} has no {name}", hint) from error


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _made(factory: Any, model: str) -> nn.Module:
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise BadOption(f"--model {model}: is {_one(factory)}, no factory", _FORM)
    _check_arguments(factory, model)
    with users_code(f"--model {model}: building the network"):
        made = factory()
    if not isinstance(made, nn.Module):
        what = f"gives {_one(made)}, no torch.nn.Module"
        raise BadOption(f"--model {model}: {what}", "return the network itself")
    return made


def _one(value: Any) -> str:
    """``an int``, ``a list``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _check_arguments(factory: Any, model: str) -> None:
    """Raise `BadOption` for a factory that cannot be called as it is."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return
    spread = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in spread]
    if needed:
        hint = "write a function without arguments that builds the network, and name that"
        raise BadOption(f"--model {model}: needs arguments: {', '.join(needed)}", hint)
