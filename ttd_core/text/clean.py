"""Captions as people and web pages leave them -> plain text; and any text -> something safe to print.

All of it is linear in the length of the text.
"""

from __future__ import annotations

import html
import unicodedata

import regex

# Terminal sequences go as a whole: CSI (colours, cursor), OSC (titles, links, up to BEL or ST) and two-byte escapes.
_TERMINAL = regex.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
_MARKUP = regex.compile(
    r"<\|[^<>|]{1,40}\|>"  # markers of a text tokenizer: as text they would end the caption early
    r"|<(script|style)\b[^<>]*>.{0,2000}?</\1\s*>"  # bounded, or a page of openings costs quadratic time
    r"|<!--.{0,2000}?-->"
    r"|</?[a-z][^<>]*>",
    regex.IGNORECASE | regex.DOTALL,
)
# Addresses, mail addresses, @names, #labels. Brackets and quotes end one, so `[link=http://x]dog` keeps `dog`.
_ADDRESS = regex.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\[\]{}\"]*"
    r"|\bwww\.[^\s<>\[\]{}\"]+"
    r"|(?<![\w.])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
    r"|(?<!\w)[@#]\w+",
    regex.IGNORECASE,
)
# Characters that say nothing: format characters other than the two joiners that some scripts spell with.
_FORMAT = regex.compile(r"[\p{Cf}--\u200c\u200d\u200b]", regex.V1)
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Z}\u200b]+")
_UNPRINTABLE = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029--\u200d]", regex.V1)


def clean_caption(caption: str) -> str:
    """Reduce a caption to the text a reader would see.

    Terminal sequences, HTML, tokenizer markers, addresses, @names and #labels are dropped, HTML entities resolved,
    accents composed (NFC), bidirectional and other format characters removed, and every run of white space or control
    characters becomes one blank.

    Args:
        caption: any string, lone surrogates included.

    Returns:
        One line without leading or trailing blanks; empty when nothing is left.
    """
    text = _TERMINAL.sub(" ", caption) if "\x1b" in caption or "\x9b" in caption else caption
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    text = _FORMAT.sub("", _ADDRESS.sub(" ", unicodedata.normalize("NFC", text)))
    return str(_CONTROL.sub(" ", text)).strip()


def clean_tag(tag: str) -> str:
    """Tidy a tag that the user wrote: NFC, single blanks, no terminal sequences or control characters.

    Args:
        tag: any string.

    Returns:
        The tag on one line, otherwise as written; empty when nothing is left.
    """
    text = unicodedata.normalize("NFC", _TERMINAL.sub(" ", tag))
    return str(_CONTROL.sub(" ", _FORMAT.sub("", text))).strip()


def printable(text: str) -> str:
    r"""Escape what could move a cursor, turn letters around or break a line: `a\nb` becomes `a\\nb`.

    Args:
        text: a file name, tag or caption from outside; surrogates may stand for bytes of a name that are no text.

    Returns:
        The same text on one line, safe for a terminal and encodable as UTF-8.
    """
    return str(_UNPRINTABLE.sub(lambda hit: hit[0].encode("unicode_escape").decode("ascii"), text))
