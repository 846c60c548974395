"""Template sets: the published lists under their published names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ttd_core.errors import UsageError
from ttd_core.text.prompts import fill, template_names, template_set

SIZES = {
    "identity": 1,
    "simple": 1,
    "plural": 1,
    "imagenet7": 7,
    "imagenet80": 80,
    "full": 80,
    "openai": 80,
    "subset": 7,
    "maskclip": 5,
    "subset+maskclip": 12,
    "full+maskclip": 85,
    "custom": 9,
    "origami": 1,
    "trusty-single": 1,
    "trusty-multi": 15,
}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_a_set_has_its_published_size_and_a_slot_in_every_template(name: str, size: int) -> None:
    templates = template_set(name)
    assert len(templates) == size == len(set(templates))
    assert all(template.count("{}") == 1 for template in templates)


def test_names_are_complete_and_sets_contain_one_another_as_published() -> None:
    assert set(SIZES) <= set(template_names())
    assert template_set("full+maskclip") == template_set("imagenet80") + template_set("maskclip")
    assert template_set("custom")[:7] == template_set("subset")
    assert template_set("custom")[7:] == ("a photo of many {}.", "a photo of {}s.")


def test_a_template_of_ones_own_is_a_set_of_one() -> None:
    assert template_set("a sketch of {}") == ("a sketch of {}",)


def test_an_unknown_set_names_the_near_one() -> None:
    with pytest.raises(UsageError, match="template set") as caught:
        template_set("imagenet-80")
    assert "imagenet80" in (caught.value.hint or "")


def test_braces_in_a_text_are_kept() -> None:
    assert fill("a photo of a {}.", "{0} {x}") == "a photo of a {0} {x}."


def test_prompts_need_no_torch() -> None:
    code = "import sys, ttd_core.text.prompts as p; p.template_set('custom'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
