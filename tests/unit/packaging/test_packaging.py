"""What the package, the Dockerfile and the Makefile name exists."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest brings it there
    return tomllib.loads(read("pyproject.toml"))


def test_the_script_points_at_something_callable() -> None:
    module, _, attribute = project()["project"]["scripts"]["ttd"].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_dockerfile_copies_what_exists() -> None:
    lines = [line.split() for line in read("Dockerfile").splitlines()]
    copied = [source for words in lines if words and words[0] == "COPY" for source in words[1:-1]]
    assert {"pyproject.toml", "ttd_core", "ttd_cli"} <= set(copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_the_dockerfile_runs_ttd_as_an_ordinary_user() -> None:
    text = read("Dockerfile")
    assert re.search(r"^USER (?!root)\w+", text, re.MULTILINE)
    assert 'ENTRYPOINT ["ttd"]' in text
    assert re.search(r"^ARG TORCH_INDEX=\S*/cpu$", text, re.MULTILINE)


def test_package_data_is_named() -> None:
    patterns = project()["tool"]["setuptools"]["package-data"]["ttd_core"]
    files = (p for p in (ROOT / "ttd_core").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    kinds = {path.suffix for path in files} - {".py"}
    assert {f"**/*{kind}" for kind in kinds} <= set(patterns)


def test_every_file_the_project_names_is_there() -> None:
    settings = project()["project"]
    assert (ROOT / settings["readme"]).exists()
    assert "Apache License" in read(settings["license-files"][0])


def test_every_imported_package_is_declared() -> None:
    import ast

    declared = " ".join(
        project()["project"]["dependencies"] + sum(project()["project"]["optional-dependencies"].values(), [])
    )
    names = {re.split(r"[<>=!~ ;\[]", word)[0].lower().replace("-", "_") for word in declared.split()}
    provides = {"open_clip": "open_clip_torch", "yaml": "pyyaml", "PIL": "pillow", "pydensecrf": "pydensecrf2"}
    transitive = {"torchvision"}  # comes with open_clip_torch
    used = set()
    for path in [*(ROOT / "ttd_core").rglob("*.py"), *(ROOT / "ttd_cli").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used |= {module.split(".")[0] for module in modules}
    third_party = used - set(sys.stdlib_module_names) - {"ttd_core", "ttd_cli", "__future__"} - transitive
    assert {provides.get(name, name) for name in third_party} <= names


def test_torch_and_torchvision_are_pinned_as_a_pair() -> None:
    pins = dict(line.split("==") for line in read("constraints.txt").splitlines() if line and not line.startswith("#"))
    minor = lambda version: int(version.split(".")[1])  # noqa: E731
    assert minor(pins["torchvision"]) == minor(pins["torch"]) + 15  # the offset of every release since 2.0


def test_ci_runs_the_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    used = set(re.findall(r"^make ([a-z-]+)", read(".ci/run"), re.MULTILINE))
    assert {"demo", "test", "check"} <= used <= targets


def test_the_version_is_in_the_changelog() -> None:
    import ttd_core

    assert f"## {ttd_core.__version__}" in read("CHANGELOG.md")
