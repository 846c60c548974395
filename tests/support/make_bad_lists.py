"""Awkward and broken lists of samples, made from a seed: which rows must be read, which must be named as bad."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ROWS = 6
"""Good rows in every list."""


@dataclass(frozen=True)
class ListCase:
    name: str
    data: bytes
    good: int = ROWS
    bad: tuple[int, ...] = ()
    """Line numbers of the bad rows, counted from 1."""
    says: tuple[str, ...] = ()
    """Words of the message about each bad row, or of the error."""
    error: bool = False
    """The list as a whole is refused."""
    captions: list[str] | None = field(default=None)


def good_rows(seed: int) -> list[dict[str, str]]:
    rng = np.random.default_rng(seed)
    things = ["kettle", "goat", "ladder", "vase", "kite", "drum"]
    rows = []
    for i in range(ROWS):
        one, two = rng.permutation(things)[:2]
        rows.append({"id": f"r{i}", "image": f"pics/{i}.png", "caption": f"a {one}, and a {two}"})
    return rows


def list_cases(seed: int) -> list[ListCase]:
    return [*_json_lines(seed), *_json_files(seed), *_tables(seed), *_tab_separated(seed), *_plain(seed)]


def _lines(rows: list[Any], end: str = "\n") -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + end for row in rows).encode()


def _json_lines(seed: int) -> list[ListCase]:
    """One bad line in the middle of a good list."""
    rows = good_rows(seed)
    at = int(np.random.default_rng(seed).integers(2, 5))
    good = {"id": "x", "image": "pics/0.png", "caption": "a goat"}
    lines: dict[str, tuple[Any, str]] = {
        "cut": ('{"id": "x", "image": "pics/0.png", "capt', "is not JSON"),
        "trailing_comma": ('{"id": "x", "image": "pics/0.png",}', "is not JSON"),
        "array_line": (["x", "pics/0.png", "a goat"], "is an array"),
        "number_line": ("42", "is a single value"),
        "no_image": ({"id": "x", "caption": "a goat"}, "has no image; found id, caption"),
        "no_caption": ({"id": "x", "image": "pics/0.png"}, "has no text; found id, image"),
        "null_caption": ({**good, "caption": None}, "has no text"),
        "number_caption": ({**good, "caption": 7}, "caption is a number, expected text"),
        "list_image": ({**good, "image": ["pics/0.png"]}, "image is a list, expected text"),
        "object_tags": ({**good, "tags": {"a": 1}}, "tags is an object"),
        "number_in_tags": ({**good, "tags": ["a", 1]}, "tags is a list"),
        "two_texts": ({**good, "text": "a drum"}, "text and caption with different values"),
        "true_id": ({**good, "id": True}, "id is true or false"),
        "parent": ({**good, "image": "../../etc/hostname"}, "leads out of"),
        "windows_parent": ({**good, "image": "..\\secret.png"}, "leads out of"),
        "nul_image": ({**good, "image": "pics/0.png\0.txt"}, "NUL"),
        "parent_id": ({**good, "id": "../../outside"}, "leads out of its folder"),
        "absolute_id": ({**good, "id": "/etc/x"}, "absolute path"),
        "drive_id": ({**good, "id": "C:\\x"}, "absolute path"),
        "address": ({**good, "image": "https://example.org/a.jpg"}, "is an address"),
        "deep": ("[" * 200_000 + "]" * 200_000, "nested too deeply"),
        "long_number": (
            '{"id": 1' + "0" * 5000 + ', "image": "pics/0.png", "caption": "a"}',
            "number that is too long",
        ),
    }
    cases = [
        ListCase(f"{name}.jsonl", _lines([*rows[:at], line, *rows[at:]]), bad=(at + 1,), says=(word,))
        for name, (line, word) in lines.items()
    ]
    raw = _lines(rows).splitlines(keepends=True)
    latin = '{"id": "x", "image": "pics/0.png", "caption": "café"}\n'.encode("latin-1")
    bytes_case = ListCase("latin_line.jsonl", b"".join([*raw[:at], latin, *raw[at:]]), bad=(at + 1,), says=("0xe9",))
    return [*cases, bytes_case]


def _json_files(seed: int) -> list[ListCase]:
    rows = good_rows(seed)
    more = ROWS + 1
    plain = _lines(rows)
    split = json.dumps({**rows[0], "caption": "a goat\u2028a kite\x85a drum"}, ensure_ascii=False)
    return [
        ListCase("good.jsonl", plain, captions=[row["caption"] for row in rows]),
        ListCase("bom.jsonl", b"\xef\xbb\xbf" + plain),
        ListCase("crlf.jsonl", _lines(rows, "\r\n"), captions=[row["caption"] for row in rows]),
        ListCase("blank_lines.jsonl", _lines([*rows[:2], "", *rows[2:], "", "  "])),
        ListCase("no_last_newline.jsonl", plain[:-1]),
        ListCase("line_separators.jsonl", _lines([split, *rows[1:]])),
        ListCase("repeated_id.jsonl", _lines([*rows, {**rows[0], "caption": "a drum"}]), good=more),
        ListCase(
            "repeated_key.jsonl", _lines([*rows, '{"id": "x", "id": "y", "image": "a", "caption": "b"}']), good=more
        ),
        ListCase("nan.jsonl", _lines([*rows, '{"image": "a", "caption": "b", "score": NaN}']), good=more),
        ListCase("absolute.jsonl", _lines([*rows, {"image": "/data/a.png", "caption": "b"}]), good=more),
        ListCase("lone_surrogate.jsonl", _lines([*rows, {"image": "a", "caption": "b \ud83d"}]), good=more),
        ListCase("array.jsonl", json.dumps(rows).encode(), 0, says=("one JSON array",), error=True),
        ListCase("pretty.json", json.dumps(rows, indent=1).encode(), 0, says=("one JSON document",), error=True),
        ListCase("utf16.jsonl", plain.decode().encode("utf-16"), 0, says=("UTF-16",), error=True),
        ListCase("utf16_bare.jsonl", plain.decode().encode("utf-16-le"), 0, says=("UTF-16",), error=True),
        ListCase("empty.jsonl", b"", 0, says=("no rows",), error=True),
        ListCase("blank.jsonl", b"\n \n", 0, says=("no rows",), error=True),
        ListCase("packed.jsonl", b"\x1f\x8b\x08" + bytes(40), 0, says=("gzip",), error=True),
    ]


def _csv(rows: list[dict[str, str]], separator: str = ",", end: str = "\n") -> bytes:
    quoted = ['"' + row["caption"].replace('"', '""') + '"' for row in rows]
    values = [separator.join((row["id"], row["image"], text)) for row, text in zip(rows, quoted, strict=True)]
    return "".join(line + end for line in [separator.join(("id", "image", "caption")), *values]).encode()


def _tables(seed: int) -> list[ListCase]:
    rows = good_rows(seed)
    at = int(np.random.default_rng(seed).integers(1, 5))
    head, tail = _csv(rows[:at]), _csv(rows[at:]).split(b"\n", 1)[1]
    broken = [{**row, "caption": row["caption"].replace(", ", ",\n") + '\nand "more"'} for row in rows]
    found = ("columns found: key, filepath, text", "--image-column")
    renamed = _csv(rows).replace(b"id,image,caption", b"key,filepath,text")
    twice = _csv(rows).replace(b"id,image,caption", b"id,image,image")
    long = _csv([*rows, {"id": "x", "image": "a", "caption": "goat " * 40_000}])
    ragged = head + b"x,pics/0.png\ny,pics/1.png,a goat,more,more\n" + tail
    unclosed = head + b'x,pics/0.png,"never closed\n' + tail
    in_place = head + b'x,pics/0.png,"a "goat" here"\n' + tail
    latin = head + "x,pics/0.png,café\n".encode("latin-1") + tail
    formula = {"id": "x", "image": "a", "caption": "=cmd|' /C calc'!A0"}
    captions = [row["caption"] for row in rows]
    values = ("row " + str(at + 1) + " has 2 values, expected 3", "has 5 values")
    nul = _csv(rows).replace(rows[2]["caption"].encode(), b"a\0goat", 1)
    return [
        ListCase("good.csv", _csv(rows), captions=captions),
        ListCase("line_breaks.csv", _csv(broken), captions=[row["caption"] for row in broken]),
        ListCase("spreadsheet.csv", b"\xef\xbb\xbf" + _csv(rows, end="\r\n"), captions=captions),
        ListCase("semicolons.csv", _csv(rows, ";"), captions=captions),
        ListCase("unclosed.csv", unclosed, bad=(at + 2,), says=("never closed",)),
        ListCase("unclosed_last.csv", _csv(rows) + b'x,a,"never closed\n', bad=(ROWS + 2,), says=("never closed",)),
        ListCase("stray_quote.csv", in_place, bad=(at + 2,), says=("is not CSV",)),
        ListCase("ragged.csv", ragged, bad=(at + 2, at + 3), says=values),
        ListCase("latin.csv", latin, bad=(at + 2,), says=("0xe9",)),
        ListCase("long_value.csv", long, bad=(ROWS + 2,), says=("131,072 characters",)),
        ListCase("formula.csv", _csv([*rows, formula]), good=ROWS + 1),
        ListCase("nul.csv", nul, captions=None),
        ListCase("header_only.csv", _csv([]), 0, says=("no rows",), error=True),
        ListCase("no_header.csv", _csv(rows).split(b"\n", 1)[1], 0, says=("columns found: r0",), error=True),
        ListCase("renamed.csv", renamed, 0, says=found, error=True),
        ListCase("column_twice.csv", twice, 0, says=("the column image twice",), error=True),
    ]


def _tab_separated(seed: int) -> list[ListCase]:
    rows = good_rows(seed)
    header = "id\timage\tcaption"
    lines = [f"{row['id']}\t{row['image']}\t{row['caption']}" for row in rows]
    quotes = [f'{row["id"]}\t{row["image"]}\t"{row["caption"]}' for row in rows]
    web = [f"{row['caption']}\thttps://example.org/{row['id']}.jpg" for row in rows]
    return [
        ListCase("good.tsv", _lines([header, *lines])),
        ListCase(
            "short_row.tsv", _lines([header, *lines, "x\tpics/0.png"]), bad=(ROWS + 2,), says=("2 values, expected 3",)
        ),
        ListCase("quotes.tsv", _lines([header, *quotes]), captions=['"' + row["caption"] for row in rows]),
        ListCase("web_pairs.tsv", _lines(web), 0, says=("columns found", "rename them"), error=True),
    ]


def _plain(seed: int) -> list[ListCase]:
    captions = [row["caption"] for row in good_rows(seed)]
    return [
        ListCase("captions.txt", _lines([captions[0], "", *captions[1:]]), captions=captions),
        ListCase("latin.txt", _lines(captions) + b"caf\xe9\n", bad=(ROWS + 1,), says=("0xe9",)),
    ]
