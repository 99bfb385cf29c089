"""``python -m rnndiag``."""

from rnndiag.cli import main

if __name__ == "__main__":
    main()
