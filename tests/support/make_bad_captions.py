"""Awkward captions, each with the nouns that must be found in it, or the fact that nothing is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptionCase:
    name: str
    text: str
    nouns: tuple[str, ...] | None = None
    """Keys that must be among the candidates, both as words and as nouns; () means no candidate at all."""
    never: tuple[str, ...] = ()
    """Keys that must not be candidates."""


def caption_cases(first: str = "kettle", second: str = "goat", third: str = "ladder") -> list[CaptionCase]:
    a, b, c = first, second, third
    both, three = (a, b), (a, b, c)
    return [
        CaptionCase("plain", f"a small {a}, an old {b} and a wooden {c}", three, never=("a", "an", "and")),
        CaptionCase("empty", "", ()),
        CaptionCase("blanks", "  \t \n ", ()),
        CaptionCase("unicode blanks", "\u00a0\u2003\u200b\ufeff", ()),
        CaptionCase("stop words", "it is what it was and then the of to", ()),
        CaptionCase("negations", "don't can't isn't won\u2019t", ()),
        CaptionCase("punctuation", "... !!! --- ,,, ??? ;;", ()),
        CaptionCase("numbers", "12 345 6.7 8-9 1,000", ()),
        CaptionCase(
            "emoji", f"a {a} \U0001f436 and a {b} \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1ea\U0001f1fa", both
        ),
        CaptionCase("only emoji", "\U0001f436\U0001f431\U0001f68c\ufe0f\u200d", ()),
        CaptionCase("direction override", f"a \u202e{a[::-1]}\u202c and a {b}", (b,)),
        CaptionCase("soft hyphen", f"a {a[:3]}\u00ad{a[3:]}", (a,)),
        CaptionCase("NUL", f"a {a}\0 and a {b}", both),
        CaptionCase("control characters", f"a {a}\x07\x08\x0b\x0c\x7f {b}", both),
        CaptionCase("line breaks", f"a {a}\tnext to\r\na {b}\n\nand {c}", three),
        CaptionCase("lone surrogate", f"a {a} \ud83d", (a,)),
        CaptionCase(
            "HTML",
            f"<b>a {a}</b> &amp; <a href='x'>{b}</a><script>alert(1)</script><!-- {c} --> &#x1F436;",
            both,
            never=("href", "amp", "alert", "script", c),
        ),
        CaptionCase(
            "terminal sequences",
            f"\x1b[31ma {a}\x1b[0m \x1b]0;title\x07 \x1b[2J{b} \x1b]8;;http://x\x1b\\",
            both,
            never=("31ma", "title", "2j"),
        ),
        CaptionCase("console markup", f"a {a} [/x] [red] [link=file:///etc/passwd]{b}[/link]", both, never=("passwd",)),
        CaptionCase("placeholders", f"{{0}} {{{a}}} %s %(x)d $HOME ${{x}} `{b}`", both),
        CaptionCase(
            "addresses", f"http://example.org/{a}.jpg?a=1 www.{a}.org a {b} me@{a}.org @{a} #{a}", (b,), never=(a,)
        ),
        CaptionCase(
            "quotes", f"\"a {a}\", 'a {b}', \u201ca {c}\u201d, it's; a,b", three, never=("it's", "'s", f"'{a}")
        ),
        CaptionCase("possessive", f"the {a}'s {b} and the {b}\u2019s {c}", three, never=(f"{a}'s", "'s", "s")),
        CaptionCase("dashes", f"--help -o {a}--{b} \u2014{c}", three),
        CaptionCase("slash", f"{a}/{b} and/or {c}", three, never=("and/or",)),
        CaptionCase("sentences", f"A {a}.A {b}. A {c}.", three, never=(f"{a}.", f"{c}.")),
        CaptionCase("tokenizer markers", f"<|startoftext|>a {a}<|endoftext|> a {b}", both, never=("endoftext",)),
        CaptionCase("byte order mark", f"\ufeffa {a}", (a,)),
        CaptionCase("capitals", f"A {a.upper()} AND THE {b.title()}", both, never=("the", "and")),
    ]
