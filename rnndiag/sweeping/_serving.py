"""A worker process's side: calls come in on stdin, and what they give goes out on stdout."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import threading
from functools import partial
from queue import SimpleQueue
from typing import IO, Any


def serve(folder: str) -> None:
    """Run one call after another; what one raises ends the process.

    `folder` is for this process's temporary files, and goes with it.

    Both ends are rnndiag's own: what is unpickled was pickled by the process that started this.
    """
    # Whoever started this says when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, answers = _private(0, "rb"), _private(1, "wb")
    # What a checkpoint's own code forks must not keep them open behind this process's end.
    if hasattr(os, "register_at_fork"):
        for pipe in (asked, answers):
            os.register_at_fork(after_in_child=partial(os.close, pipe.fileno()))
    calls: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked, calls, folder), daemon=True).start()
    while True:
        function, argument = calls.get()
        pickle.dump(function(argument), answers)
        answers.flush()


def _private(descriptor: int, mode: str) -> IO[bytes]:
    """A standard pipe, which what a checkpoint's own code reads or prints comes nowhere near."""
    pipe = os.fdopen(os.dup(descriptor), mode)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return pipe


def _listen(asked: IO[bytes], calls: SimpleQueue[Any], folder: str) -> None:
    """Take calls as they come. Where nobody can ask any more, nobody waits for an answer."""
    try:
        while True:
            calls.put(pickle.load(asked))
    finally:
        # Who made it has ended, and cannot remove it any more.
        shutil.rmtree(folder, ignore_errors=True)
        # From a thread nothing less ends a process whose main thread is busy.
        os._exit(1)
