"""Captions as the web writes them: true words, left-out things, lies and words that no picture can show.

Five steps: who is mentioned, noun phrases, joining, lies, web text. The share of lies is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttd_core.scenes import vocabulary as words
from ttd_core.scenes.dice import Dice
from ttd_core.scenes.scene import Entity, Scene

MAX_WORDS = 30


@dataclass(frozen=True)
class CaptionStyle:
    """How much a caption lies.

    Args:
        absent_as_present: probability of an absent thing listed as if it were there.
        absent_in_phrase: probability of `without a X`, `near the shop of X`.
        absent_in_tail: probability of a figure of speech with an absent thing (`like a X`).
        inserted: fewest and most absent words put at random places afterwards, (1, 3) in the hard split.
    """

    absent_as_present: float = 0.05
    absent_in_phrase: float = 0.10
    absent_in_tail: float = 0.55
    inserted: tuple[int, int] = (0, 0)


DEFAULT_STYLE = CaptionStyle()


@dataclass(frozen=True)
class _Mention:
    """A group of equal things as the caption may name it."""

    name: str
    attributes: tuple[str, ...]
    count: int
    area: float


def make_caption(scene: Scene, dice: Dice, style: CaptionStyle = DEFAULT_STYLE) -> str:
    """Write one caption of at most 30 words for a scene."""
    mentions = _choose_mentions(_groups(scene.entities), dice)
    if dice.chance(style.absent_as_present):
        lie = _Mention(absent_class(scene, dice), (), 1, 0.0)
        mentions.insert(dice.below(len(mentions) + 1), lie)
    stuff = [entity for entity in scene.entities if entity.group is None]
    grounds = [entity for entity in stuff if dice.chance(0.22 if entity.name == "sky" else 0.40)]
    if not mentions and not grounds:
        grounds = [dice.pick(stuff)]
    text = _join(mentions, grounds, dice)
    if dice.chance(style.absent_in_phrase):
        text += dice.pick(("without a", "near the shop of", "without the")).split()
        text.append(_absent_word(scene, dice))
    text = _web_text(text, scene, dice, style)
    for _ in range(_between(dice, *style.inserted)):
        insert_absent(text, scene, dice)
    return " ".join(text)


def harden(caption: str, scene: Scene, dice: Dice, fewest: int = 1, most: int = 3) -> str:
    """Insert fewest to most absent thing words at random places of a caption."""
    text = caption.split()
    for _ in range(_between(dice, fewest, most)):
        insert_absent(text, scene, dice)
    return " ".join(text)


def insert_absent(text: list[str], scene: Scene, dice: Dice) -> None:
    """Insert one thing word that is true for nothing in the scene and not yet in the text; changes text."""
    for _ in range(20):
        word = _absent_word(scene, dice)
        if word not in text:
            text.insert(dice.below(len(text) + 1), word)
            return


def absent_class(scene: Scene, dice: Dice) -> str:
    """A thing class none of whose names is true for anything in the scene."""
    present = frozenset().union(*(words.name_forms(entity.name) for entity in scene.entities))
    return dice.pick([name for name in words.THINGS if not words.name_forms(name) & present])


def _absent_word(scene: Scene, dice: Dice) -> str:
    name = dice.pick(words.names(absent_class(scene, dice)))
    return words.plural(name) if dice.chance(0.15) else name


def _between(dice: Dice, fewest: int, most: int) -> int:
    return fewest if most <= fewest else fewest + dice.below(most - fewest + 1)


def _groups(entities: Sequence[Entity]) -> list[_Mention]:
    """Things by group, largest first."""
    found: dict[int, list[Entity]] = {}
    for entity in entities:
        if entity.group is not None:
            found.setdefault(entity.group, []).append(entity)
    mentions = [_Mention(g[0].name, g[0].attributes, len(g), sum(e.area for e in g)) for g in found.values()]
    return sorted(mentions, key=lambda mention: (-mention.area, mention.name))


def _choose_mentions(groups: list[_Mention], dice: Dice) -> list[_Mention]:
    chosen = []
    for rank, group in enumerate(groups):
        probability = 0.95 if rank == 0 else 0.75 if group.area > 0.02 else 0.5
        if dice.chance(probability):
            chosen.append(group)
    return dice.shuffled(chosen) if dice.chance(0.3) else chosen


def _noun_phrase(mention: _Mention, dice: Dice, bare: bool) -> list[str]:
    chances = [(word, 0.7 if word in words.PATTERNS else 0.5) for word in mention.attributes]
    noun = [word for word, probability in chances if dice.chance(probability)]
    name = dice.pick(words.names(mention.name))
    if mention.count > 1:
        noun.append(words.plural(name))
        return noun if bare or dice.chance(0.3) else [dice.pick(words.COUNTS[mention.count]), *noun]
    noun.append(name)
    if bare:
        return noun
    article = dice.weighted((0.42, 0.18, 0.4))
    if article == 2:
        return noun
    return ["the" if article else "an" if noun[0][0] in "aeiou" else "a", *noun]


def _ground_phrase(entity: Entity, dice: Dice, bare: bool) -> list[str]:
    noun = [word for word in entity.attributes if dice.chance(0.1)] + [dice.pick(words.names(entity.name))]
    if bare:
        return noun
    return [dice.pick(words.STUFF_LINKS[entity.name]), *(["the"] if dice.chance(0.6) else []), *noun]


def _join(mentions: list[_Mention], grounds: list[Entity], dice: Dice) -> list[str]:
    bare = dice.chance(0.25)
    text: list[str] = []
    for number, mention in enumerate(mentions):
        if number and not bare:
            alive = mentions[number - 1].name in words.LIVING and dice.chance(0.45)
            text += dice.pick(words.LIVING_RELATIONS if alive else words.RELATIONS).split()
        text += _noun_phrase(mention, dice, bare)
    for entity in grounds:
        text += _ground_phrase(entity, dice, bare)
    return text


def _web_text(text: list[str], scene: Scene, dice: Dice, style: CaptionStyle) -> list[str]:
    if dice.chance(0.4):
        text = [*dice.pick(words.FRAMES_BEFORE).split(), *text]
    if dice.chance(0.25):
        text = [*text, *dice.pick(words.FRAMES_AFTER).split()]
    linked = words.LINKED[scene.layout] + (words.LINKED[scene.mode] if scene.layout != "room" else ())
    if dice.chance(0.35):
        text = [*text, dice.pick(linked)]
    pieces = [_tail(dice) for _ in range(dice.weighted((0.2, 0.35, 0.45)))]
    if dice.chance(style.absent_in_tail):
        pieces.append(_figure(_absent_word(scene, dice), dice))
    for piece in dice.shuffled(pieces):
        if len(text) + len(piece) <= MAX_WORDS:
            text = [*piece, *text] if dice.chance(0.25) else [*text, *piece]
    return text[:MAX_WORDS]


def _tail(dice: Dice) -> list[str]:
    adjective, noun, verb = (dice.pick(w) for w in (words.TAIL_ADJECTIVES, words.TAIL_NOUNS, words.TAIL_VERBS))
    other = dice.pick(words.TAIL_NOUNS)
    shapes = (
        [adjective, noun], [noun, "and", other], ["for", adjective, noun], [verb, adjective, noun], [verb, noun],
        [adjective, noun, "to", verb], [noun, "by", other], [adjective, noun, other],
    )  # fmt: skip
    return dice.pick(shapes)


def _figure(word: str, dice: Dice) -> list[str]:
    noun = dice.pick(words.TAIL_NOUNS)
    shapes = (["no", word], ["like", "a", word], [word, noun], ["from", word, "to", noun])
    return dice.pick(shapes)
