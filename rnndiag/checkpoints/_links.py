"""Where the links of a checkpoint may lead: into folders that the user named, nowhere else.

Whoever hands over a folder chooses what its links point at, and a report tells of what they
lead to. So a file in it counts where it lies, once links are followed, in the folder that was
named, or beside the file that was; where that file is itself a link, also beside what it leads
to. Hugging Face's cache is the one exception: its ``snapshots/REVISION/`` hold links to
``blobs/``, which stands beside ``snapshots``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rnndiag.errors import UnsafeCheckpoint

_SNAPSHOTS, _BLOBS = "snapshots", "blobs"


def leads_inside(named: Path, file: Path) -> bool:
    """Whether `file`, found on behalf of the file or folder `named`, lies where it may."""
    place = file.resolve()
    return any(place.is_relative_to(folder) for folder in _folders(named))


def check(named: Path, file: Path) -> None:
    """Raise `UnsafeCheckpoint` where a file lies elsewhere."""
    if not leads_inside(named, file):
        raise UnsafeCheckpoint(
            f"{file}: a link that leads out of the folder, and is not followed",
            "copy all files of the checkpoint into one folder, if you trust it",
        )


def _folders(named: Path) -> Iterator[Path]:
    folder = (named if named.is_dir() else named.parent).resolve()
    yield folder
    if not named.is_dir():
        yield named.resolve().parent
    for above in (folder, *folder.parents):
        if above.parent.name == _SNAPSHOTS:
            yield above.parent.with_name(_BLOBS)
