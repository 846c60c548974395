"""Names of the files a recipe leaves for a sample."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

# Letters of any script stay; what a shell, a file system or a terminal could trip over becomes an underscore.
_UNSAFE = re.compile(r"[^\w.+#-]", re.UNICODE)
_PICTURE_SUFFIX = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?|ppm|pgm|avif|jp2)$", re.IGNORECASE)
# Common file systems end at 255 bytes; some are left for suffixes and a temporary name.
_MAX_BYTES = 180


class Stems:
    """Turns sample keys into file stems: `a/b.jpg` becomes `a/b`; a second `a/b.png` keeps its suffix, `a/b.png`.

    Args:
        taken: stems already in use, e.g. by an interrupted run.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def stem(self, key: str) -> str:
        """A stem of its own for a key: relative, without `..`, safe in a path.

        Args:
            key: the sample's key, `/` between folders.
        """
        whole = "/".join(safe_name(part) for part in key.split("/") if part) or "row"
        for wanted in (_PICTURE_SUFFIX.sub("", whole) or whole, whole):
            if wanted not in self._taken:
                self._taken.add(wanted)
                return wanted
        last = f"{whole}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        self._taken.add(last)
        return last


def safe_name(text: str, limit: int = _MAX_BYTES) -> str:
    """One path component that says what `text` said: at most `limit` bytes, never empty, never `.` or `..`.

    Args:
        text: any string.
        limit: bytes of the name in UTF-8; longer ones are cut and end in a digest of the whole.
    """
    name = _UNSAFE.sub("_", text)
    if not name.strip("."):
        name = name.replace(".", "_") or "_"
    name = name.lstrip("-") or "_"
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= limit and name == encoded.decode("utf-8"):
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return encoded[: limit - 9].decode("utf-8", "ignore") + "-" + digest
