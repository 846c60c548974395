"""Prompt template sets by name. Needs no torch."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

from ttd_core.registry import unknown_name

SLOT = "{}"


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    text = resources.files("ttd_core.text").joinpath("templates.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return {name: tuple(templates) for name, templates in data["sets"].items()}, dict(data["aliases"])


def template_names() -> list[str]:
    """Names of all template sets, aliases included."""
    sets, aliases = _tables()
    return [*sets, *aliases]


def template_set(name: str) -> tuple[str, ...]:
    """The templates of a set.

    Args:
        name: a set's name, an alias, or a template of one's own holding `{}`.

    Returns:
        templates in their published order, each with one `{}` or more.

    Raises:
        UsageError: the name is unknown.
    """
    sets, aliases = _tables()
    if SLOT in name:
        return (name,)
    found = sets.get(aliases.get(name, name))
    if found is None:
        raise unknown_name("template set", name, template_names(), listing="or give a template: 'a photo of a {}.'")
    return found


def fill(template: str, text: str) -> str:
    """Put a text in a template; braces within the text stay as they are."""
    return template.replace(SLOT, text)
