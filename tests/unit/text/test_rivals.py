from __future__ import annotations

from ttd_core.text.rivals import RIVALS, rivals_of


def test_a_tag_does_not_compete_with_its_own_words() -> None:
    assert "sky" not in rivals_of(["Blue Sky"]) and "tree" not in rivals_of(["trees"])
    assert rivals_of(["umbrella"]) == RIVALS
    assert rivals_of(["umbrella"], ()) == ()
