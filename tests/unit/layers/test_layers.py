"""Which way imports point, read from the source: see CONTRIBUTING.md for the layers and their reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LAYERS = [
    {"errors"},
    {"runs", "config", "yaml_files", "atomic", "registry", "packaged", "types", "protocols"},
    {"clip", "ops", "text"},
    {"methods", "training", "metrics", "data", "scenes", "drawing"},
    {"recipes"},
]
RANK = {package: rank for rank, packages in enumerate(LAYERS) for package in packages}
PLAIN = LAYERS[0] | LAYERS[1]  # single modules that may import each other within their layer
DOORS = {
    "open_clip": ("ttd_core/clip/",),
    "torchvision": ("ttd_core/clip/",),
    "peft": ("ttd_core/clip/lora.py",),
    "timm": ("ttd_core/data/augmentation/timm_ops.py",),
    "pydensecrf": ("ttd_core/ops/crf.py",),
    "nltk": ("ttd_core/text/",),
    "textblob": ("ttd_core/text/",),
    "pycocotools": ("ttd_core/data/benchmarks/coco_shapes.py",),
    "matplotlib": ("ttd_core/drawing/report/",),
    "jinja2": ("ttd_core/drawing/report/",),
    "yaml": ("ttd_core/yaml_files.py",),
    "typer": ("ttd_cli/",),
    "rich": ("ttd_cli/",),
    "ttd_cli": ("ttd_cli/",),
}
FORBIDDEN_EVERYWHERE = {"click"}
SOURCES = sorted((ROOT / "ttd_core").rglob("*.py")) + sorted((ROOT / "ttd_cli").rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            yield module, node.lineno
            if module == "ttd_core":
                yield from ((f"ttd_core.{alias.name}", node.lineno) for alias in node.names)


def importable(module: ast.Module) -> Iterator[ast.AST]:
    """Every node but those that run only under `python -m`, where a module is a program of its own."""
    for statement in module.body:
        if not (isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test)):
            yield from ast.walk(statement)


def layer_problems(path: Path, root: Path = ROOT) -> list[str]:
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] != "ttd_core" or len(parts) < 2 or parts[1] == "__init__":
        return []
    here = parts[1]
    problems = []
    for module, line in imports(path):
        names = module.split(".")
        if names[0] != "ttd_core" or len(names) < 2 or names[1] not in RANK or names[1] == here:
            continue
        upward = RANK[names[1]] > RANK[here]
        sideways = RANK[names[1]] == RANK[here] and not {here, names[1]} <= PLAIN
        if upward or sideways:
            problems.append(f"{path.relative_to(root)}:{line}: {here} imports {module}")
    return problems


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    assert layer_problems(path) == []


def test_every_package_has_a_layer() -> None:
    entries = {
        p.stem for p in (ROOT / "ttd_core").iterdir() if (p.is_dir() and any(p.glob("*.py"))) or p.suffix == ".py"
    }
    assert entries - {"__init__", "__pycache__"} <= set(RANK)


@pytest.mark.parametrize("package", sorted(DOORS))
def test_fragile_packages_have_one_door(package: str) -> None:
    users = [
        f"{relative}:{line}"
        for path in SOURCES
        for module, line in imports(path)
        if module.split(".")[0] == package and not (relative := str(path.relative_to(ROOT))).startswith(DOORS[package])
    ]
    assert users == []


def test_nobody_imports_click() -> None:
    users = [str(p) for p in SOURCES for module, _ in imports(p) if module.split(".")[0] in FORBIDDEN_EVERYWHERE]
    assert users == []


def test_the_core_neither_prints_nor_reads_the_environment() -> None:
    problems = []
    for path in SOURCES:
        relative = str(path.relative_to(ROOT))
        if not relative.startswith("ttd_core"):
            continue
        for node in importable(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                problems.append(f"{relative}:{node.lineno}: print")
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if named and ast.unparse(node) in {"os.environ", "os.getenv", "sys.argv"}:
                problems.append(f"{relative}:{node.lineno}: {ast.unparse(node)}")
    assert problems == []


def test_files_stay_small() -> None:
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_the_layer_check_finds_what_it_is_for(tmp_path: Path) -> None:
    package = tmp_path / "ttd_core" / "ops"
    package.mkdir(parents=True)
    upward = package / "bad.py"
    upward.write_text("def f():\n    from ttd_core.recipes.tags import run_tags\n")
    sideways = package / "beside.py"
    sideways.write_text("import ttd_core.text.tokens\n")
    down = package / "good.py"
    down.write_text("from ttd_core.errors import TtdError\nfrom ttd_core.ops.resize import x\n")
    assert layer_problems(upward, tmp_path) == ["ttd_core/ops/bad.py:2: ops imports ttd_core.recipes.tags"]
    assert layer_problems(sideways, tmp_path) == ["ttd_core/ops/beside.py:1: ops imports ttd_core.text.tokens"]
    assert layer_problems(down, tmp_path) == []
