"""What the readers share."""

from __future__ import annotations

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so can be text.

    Only control characters speak against it, as a character may be cut off at the end of `head`.
    """
    return head[:2] in _BYTE_ORDER_MARKS or not any(byte < 9 for byte in head)


def begins_like_json(head: bytes) -> bool:
    """Whether a text that begins so is JSON: an object or a list."""
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"{", b"[")
