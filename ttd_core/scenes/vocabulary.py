"""The words of the scenes: what can be seen, what never can, and what a word is true for.

A visual word is true for an entity when it is one of the class's names, the plural of one, or one of the entity's
attribute words. Everything else in a caption (frames, relations, tails) is never visible.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

STUFF: tuple[str, ...] = ("sky", "sea", "grass", "sand", "snow", "mountain", "road", "wall", "floor")
THINGS: tuple[str, ...] = (
    "dog", "cat", "cow", "bird", "car", "bus", "boat", "plane", "house", "tree", "flower", "mushroom", "sun", "moon",
    "cloud", "man", "woman", "balloon", "kite", "umbrella", "ball", "fence", "bench", "lamp", "clock", "rock", "table",
)  # fmt: skip
LIVING: frozenset[str] = frozenset({"dog", "cat", "cow", "bird", "man", "woman"})

COLOURS = MappingProxyType({
    "red": (212, 46, 42), "blue": (44, 98, 208), "green": (48, 154, 70), "yellow": (246, 208, 52),
    "white": (242, 242, 238), "black": (40, 40, 46), "orange": (240, 136, 36), "purple": (134, 74, 178),
    "pink": (242, 142, 182), "brown": (134, 86, 50),
})  # fmt: skip
PATTERNS: tuple[str, ...] = ("striped", "dotted")

_SYNONYMS = {
    "sea": ("sea", "ocean", "water"), "grass": ("grass", "lawn", "meadow"), "sand": ("sand", "beach"),
    "mountain": ("mountain", "hill"), "road": ("road", "street"), "dog": ("dog", "puppy"), "cat": ("cat", "kitten"),
    "car": ("car", "automobile", "vehicle"), "bus": ("bus", "vehicle"), "boat": ("boat", "ship"),
    "plane": ("plane", "airplane"), "house": ("house", "cottage"), "man": ("man", "guy", "person"),
    "woman": ("woman", "lady", "person"), "umbrella": ("umbrella", "parasol"), "lamp": ("lamp", "lantern"),
    "rock": ("rock", "stone"), "table": ("table", "desk"),
}  # fmt: skip
_IRREGULAR = {
    "puppy": "puppies", "bus": "buses", "man": "men", "person": "people", "woman": "women", "lady": "ladies",
    "bench": "benches",
}  # fmt: skip


def names(entity_class: str) -> tuple[str, ...]:
    """The singular names of a class, its own name first."""
    return _SYNONYMS.get(entity_class, (entity_class,))


def plural(name: str) -> str:
    """The plural of a thing's name."""
    return _IRREGULAR.get(name, name + "s")


@cache
def name_forms(entity_class: str) -> frozenset[str]:
    """All words that name the class: its names and, for things, their plurals."""
    forms = set(names(entity_class))
    if entity_class in THINGS:
        forms.update(plural(name) for name in names(entity_class))
    return frozenset(forms)


ATTRIBUTES: frozenset[str] = frozenset(COLOURS) | frozenset(PATTERNS)
VISUAL_NOUNS: frozenset[str] = frozenset().union(*(name_forms(c) for c in STUFF + THINGS))
VISUAL_WORDS: frozenset[str] = VISUAL_NOUNS | ATTRIBUTES


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOP_WORDS: frozenset[str] = frozenset(
    _words(
        "a an the and of on in at over against with by for from to near next behind beside under like no without some"
        " many"
    )
)

TAIL_ADJECTIVES: tuple[str, ...] = _words(
    "beautiful lovely amazing perfect modern vintage classic famous popular favorite cute funny happy sad quiet busy"
    " gorgeous incredible local daily national digital creative simple special original"
)
TAIL_NOUNS: tuple[str, ...] = _words(
    "idea concept design style love dream memory story history culture family friendship freedom happiness peace"
    " success business market price sale gift holiday weekend trip travel journey adventure guide tips recipe music"
    " song dance game sport team award festival event party wedding birthday shop store brand fashion"
    " art artist poster wallpaper template symbol logo collection project plan news report magazine blog"
    " website review meaning science education health weather season world life time"
)
TAIL_VERBS: tuple[str, ...] = _words(
    "learn discover explore enjoy buy sell share celebrate remember create inspire imagine relax work think feel"
    " wish help start change"
)

LINKED: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({
    "meadow": ("spring", "countryside"), "beach": ("vacation", "tropical"), "street": ("city", "traffic"),
    "snowy": ("winter", "christmas"), "hills": ("hiking", "landscape"), "lake": ("fishing", "calm"),
    "room": ("home", "interior"), "night": ("evening", "midnight"), "sunset": ("dusk", "evening"), "day": ("sunny",),
})  # fmt: skip

FRAMES_BEFORE: tuple[str, ...] = (
    "photo of", "a photo of", "image of", "picture of", "a picture of", "view of", "stock photo of", "this is",
    "close up of", "here is", "illustration of", "drawing of",
)  # fmt: skip
FRAMES_AFTER: tuple[str, ...] = (
    "on a summer day", "stock photo", "in the morning", "in the afternoon", "in the background", "royalty free image",
    "on a quiet day", "vector illustration", "in front of the camera", "seen from above",
)  # fmt: skip
RELATIONS: tuple[str, ...] = ("near", "next to", "behind", "and", "and", "with", "beside", "in front of")
LIVING_RELATIONS: tuple[str, ...] = (
    "waiting for", "looking at", "standing near", "playing near", "sitting next to", "walking with",
)  # fmt: skip
STUFF_LINKS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({
    "sky": ("against", "under", "in"), "sea": ("at", "by", "in"), "grass": ("on", "in"), "sand": ("on", "at"),
    "snow": ("in", "on"), "mountain": ("at", "against"), "road": ("on", "in", "at"), "wall": ("against", "at"),
    "floor": ("on", "over"),
})  # fmt: skip
COUNTS: MappingProxyType[int, tuple[str, ...]] = MappingProxyType({2: ("two", "some"), 3: ("some", "many")})

FRAME_NOUNS: frozenset[str] = frozenset(
    _words("photo image picture view stock illustration drawing day morning afternoon background vector camera front")
)
_EXTRA_WORDS: tuple[str, ...] = ("two",)


def _all_words() -> tuple[str, ...]:
    words: set[str] = set(VISUAL_WORDS) | STOP_WORDS | set(TAIL_ADJECTIVES) | set(TAIL_NOUNS) | set(TAIL_VERBS)
    for phrases in (FRAMES_BEFORE, FRAMES_AFTER, RELATIONS, LIVING_RELATIONS, _EXTRA_WORDS, *LINKED.values()):
        for phrase in phrases:
            words.update(phrase.split())
    return tuple(sorted(words))


WORDS: tuple[str, ...] = _all_words()
"""Every word a caption may hold, sorted."""

_LINKED_NOUNS = frozenset(word for group in LINKED.values() for word in group) - {"tropical", "calm", "sunny"}
NOUNS: frozenset[str] = VISUAL_NOUNS | frozenset(TAIL_NOUNS) | FRAME_NOUNS | _LINKED_NOUNS
"""The nouns among `WORDS`, visual or not: the tags of a perfect part-of-speech tagger."""


def word_is_true(word: str, entity_class: str, attributes: tuple[str, ...]) -> bool:
    """Whether a word describes an entity of this class with these attribute words."""
    return word in attributes or word in name_forms(entity_class)


def content_words(caption: str, stop_words: frozenset[str] = STOP_WORDS) -> tuple[str, ...]:
    """The caption's distinct words in order, lower case, without stop words: the candidates of a scene caption."""
    return tuple(dict.fromkeys(word for word in caption.lower().split() if word not in stop_words))
