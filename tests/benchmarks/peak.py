"""Run a command and print the bytes that it held at its peak: ``python -S peak.py COMMAND…``.

A file of its own that imports next to nothing: see `processes.peak_memory`.
"""

import os
import sys


def main() -> None:
    """Wait for the command alone; its own output is thrown away, its errors are not."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    redirected = [(os.POSIX_SPAWN_DUP2, nothing, 1)]
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=redirected)
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{sys.argv[1:]} ended with {os.waitstatus_to_exitcode(status)}")
    # Kilobytes, but for macOS.
    print(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    main()
