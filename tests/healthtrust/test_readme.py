"""Every command line, make target and link that the READMEs name is one that exists, with the words it takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from core.verify import command
from healthtrust.cli import app

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
PROGRAM = re.compile(r"^(?:\.venv/bin/)?healthtrust (.+)$")
COMMANDS: Any = typer.main.get_command(app)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def snippets(name: str) -> list[str]:
    """Lines of code blocks without their comments, and what stands in backticks."""
    blocks = [line.strip() for line in text(name).splitlines() if line.startswith("    ")]
    code = [part.strip() for line in blocks for part in line.partition("#")[0].split(";")]
    return [*filter(None, code), *re.findall(r"`([^`]+)`", text(name))]


def command_lines(name: str) -> list[list[str]]:
    """Calls of our program, as words. ``a | b`` offers another last command; ``[…]`` may be left out: both ways are tried."""
    found = [m[1] for s in snippets(name) if (m := PROGRAM.match(s))]
    spelled = []
    for line in found:
        first, *others = line.split(" | ")
        group = first.split()[0]
        spelled += [first, *(f"{group} {other}" for other in others)]
    plain = [re.sub(r" \[[^]]*\]", "", line) for line in spelled]
    full = [re.sub(r"[][]", "", line) for line in spelled]
    return [shlex.split(line) for line in dict.fromkeys([*plain, *full])]


def parse(words: list[str]) -> Any:
    """The leaf command that these words call, parsed and not run. Raises click's usage errors."""
    command, name, context = COMMANDS, "healthtrust", None
    while True:
        context = command.make_context(name, words, parent=context)
        if not hasattr(command, "commands"):
            return command
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


@pytest.mark.parametrize("name", READMES)
def test_commands_take_what_is_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHTRUST_PASSPHRASE", "asked for at the terminal otherwise")
    lines = command_lines(name)
    for words in lines:
        for word in words:
            if word.endswith(".json"):
                Path(word).write_text("{}", "utf-8")
            elif word == "FOLDER":
                Path(word).mkdir(exist_ok=True)
        if words != ["--help"]:
            parse(words)
    assert len(lines) >= (10 if name == "README.md" else 2)


def test_a_word_that_is_not_taken_is_noticed() -> None:
    for wrong in (["rename"], ["grant", "--for", "ever"], ["mirror", "forget"], ["read"]):
        with pytest.raises(Exception, match=r"(?i)no such|missing") as refused:
            parse(wrong)
        assert type(refused.value).__name__ in ("UsageError", "NoSuchOption", "MissingParameter", "NoSuchCommand")


def test_commands_listed_by_name_exist() -> None:
    (listed,) = re.findall(r"healthtrust --help`（([^）]+)）", text("README.zh-CN.md"))
    assert set(listed.split("、")) <= set(COMMANDS.commands)
    for name in ("down", "status", "anchor"):
        assert f"`{name}" in text("README.md")
        assert name in COMMANDS.commands


@pytest.mark.parametrize("name", READMES)
def test_make_targets_exist(name: str) -> None:
    makefile = text("Makefile")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    calls = [s.split() for s in snippets(name) if s.startswith("make ")]
    assert {call[1] for call in calls} >= {"demo", "test", "check", "bench"}
    for call in calls:
        assert call[1] in targets, call
        for setting in call[2:]:
            assert re.search(rf"^{setting.partition('=')[0]} \?=", makefile, re.MULTILINE), call


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text(name)) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_verifier_alone_takes_what_is_written(tmp_path: Path) -> None:
    (line,) = re.findall(r"`python -m core\.verify ([^`]+)`", text("README.md"))
    with pytest.raises(SystemExit) as usage:
        command.main(["--no-such-option"])
    assert usage.value.code == 2
    words = [str(tmp_path / word) if word.endswith(".json") else word for word in line.split()]
    for word in words:
        if word.endswith(".json"):
            Path(word).write_text("{}", "utf-8")
    assert command.main(words) == 2, "an empty object is no bundle, but the words are understood"
