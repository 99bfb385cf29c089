"""What a process does beside its work: opens, imports, processes, code; and who opened a secret.

Python tells through audit hooks, and only of what Python does; of HDF5, which opens files by
itself, Linux tells: whoever opens the secret is noted by inotify.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import CodeType
from typing import Any

_OWN_PACKAGES = (
    *("rnndiag", "torch", "numpy", "h5py", "safetensors", "rich", "click", "msgspec", "tomli"),
    *("tests", "matplotlib", "tensorboard"),
)
"""What may be imported late; of Python's own library, what is not in `_TEMPTING`."""
_TEMPTING = ("pty", "webbrowser", "ctypes", "runpy", "canary", "antigravity", "this", "code")
"""Modules of which files tell, and that nothing else imports."""
_FORBIDDEN = (
    *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"),
    *("subprocess.Popen", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"),
    *("ctypes.dlopen", "urllib.Request", "webbrowser.open", "pickle.find_class", "os.kill"),
    *("code.__new__", "sys.addaudithook", "os.putenv", "signal.pthread_kill"),
)
_CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink")
"""Events with the path of what is changed first."""
_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")


class Watch:
    """Notes what is done from `start` to `stop`; one for each process, as hooks stay."""

    def __init__(self, readable: Iterable[Path], writable: Iterable[Path]) -> None:
        libraries = (*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix)
        system = ("/proc", "/sys", "/dev/null", "/usr/share", "/usr/lib", "/etc/localtime")
        own = (str(Path(__file__).parents[2] / name) for name in ("rnndiag", "tests"))
        self._sources = (*libraries, *own)
        self._writable = tuple(str(path.resolve()) for path in writable)
        given = (str(path.resolve()) for path in readable)
        self._readable = (*self._sources, *system, *given, *self._writable)
        self._on = False
        self._seen: dict[str, None] = {}
        sys.addaudithook(self._hook)

    def start(self) -> None:
        """From now on."""
        self._seen = {}
        self._on = True

    def stop(self) -> list[str]:
        """What was done that should not have been."""
        self._on = False
        return list(self._seen)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        told = self._told(event, arguments)
        if told is not None:
            self._seen.setdefault(told)

    def _told(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        """A complaint about an event, if there is one to make."""
        if event == "open":
            return self._opened(*arguments)
        if event == "import":
            return _imported(str(arguments[0]))
        if event == "exec":
            return self._executed(arguments[0])
        if event in _CHANGING and not self._within(_whole(arguments), self._writable):
            return f"file: {event} {arguments!r}"
        return f"process: {event} {arguments!r:.200}" if event in _FORBIDDEN else None

    def _opened(self, path: Any, mode: Any, flags: int) -> str | None:
        if isinstance(path, int):
            return None
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return None if self._within(path, self._writable) else f"file: {path!r} to write"
        return None if self._within(path, self._readable) else f"file: {path!r} to read"

    def _executed(self, code: Any) -> str | None:
        """Code is of a library's file, or makes a class there while that is imported."""
        name = code.co_filename if isinstance(code, CodeType) else "?"
        known = name.startswith(("<frozen ", *self._sources)) or name == "<string>"
        return None if known else f"code: of {name}"

    def _within(self, path: Any, places: tuple[str, ...]) -> bool:
        whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # nothing is resolved here
        return whole.startswith(places)


def _whole(arguments: tuple[Any, ...]) -> str:
    """The path that an event has first, and last perhaps the folder that it is relative to."""
    path, folder = os.fsdecode(arguments[0]), arguments[-1]
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        return f"{os.readlink(f'/proc/self/fd/{folder}')}/{path}"  # noqa: PTH115  # as above
    return path


def _imported(name: str) -> str | None:
    package = name.partition(".")[0]
    own = package in _OWN_PACKAGES or package in sys.stdlib_module_names or package.startswith("_")
    return None if own and package not in _TEMPTING else f"import: {name}"


class Secret:
    """A file that must not be opened by anyone, watched by Linux."""

    def __init__(self, *paths: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._queue = library.inotify_init1(os.O_NONBLOCK)
        for path in paths:
            library.inotify_add_watch(self._queue, os.fsencode(path), _IN_OPEN)

    def opened(self) -> bool:
        """Whether it was, since the last time this was asked."""
        try:
            return len(os.read(self._queue, 4096)) >= _EVENT.size
        except BlockingIOError:
            return False
