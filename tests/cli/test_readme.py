"""What the README and the help show is what happens: every example is run with the built-in model."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.cli.conftest import ROOT, Ttd
from ttd_cli.app import app

README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_HERE = ("photo.jpg", "tcl.pth", "docker", "source ", "make ", "ttd train --method clip")


def commands(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.split("    #")[0].strip()
        if line.startswith(("ttd ", "cat ")) and not any(word in line for word in NOT_HERE):
            yield line


def readme_commands() -> list[str]:
    return [line for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in commands(block)]


def help_commands() -> list[str]:
    group: Any = typer.main.get_command(app)
    return [line for command in group.commands.values() for line in commands(inspect.cleandoc(command.help or ""))]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_there_are_examples() -> None:
    assert len(readme_commands()) >= 6 and len(help_commands()) >= 9


@pytest.mark.parametrize("line", dict.fromkeys(line for line in readme_commands() + help_commands() if "|" not in line))
def test_an_example_does_what_it_says(ttd: Ttd, checkout: Path, line: str) -> None:
    answer = ttd(*shlex.split(line)[1:])
    assert answer.code == 0, answer.err
    assert answer.out
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("line", [line for line in readme_commands() if "|" in line])
def test_an_example_with_a_pipe_does_too(checkout: Path, line: str) -> None:
    function = f'ttd() {{ PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m ttd_cli "$@"; }}\n'
    done = subprocess.run(["bash", "-c", function + line], cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 2, done.stderr
    assert "Traceback" not in done.stderr


def test_the_python_example_runs(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "umbrella" in capsys.readouterr().out


def test_every_file_linked_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) >= 7 and [link for link in links if not (ROOT / link).exists()] == []


def test_every_exit_code_is_documented() -> None:
    from ttd_cli import errors

    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    documented = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for n in row.split(",")}
    assert codes == documented
