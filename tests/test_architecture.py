"""The house keeps its shape (docs/architecture.md): imports go one way, and data holds no logic."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the top down; a module may import only what stands on its own floor or below.
FLOORS = [
    ("bot.__main__",),
    ("bot.cli",),
    ("bot.app", "bot.bench", "bot.nlu.bench", "bot.supervisor", "bot.training", "bot.engine.host"),
    ("bot.routes",),
    ("bot.middlewares",),
    ("bot.channels",),
    ("bot.turn",),
    ("bot.catalog", "bot.memory", "bot.language", "bot.nlu", "bot.privacy", "bot.engine", "bot.contacts"),
    ("bot.conversation", "bot.settings"),
]
# Rooms do not know each other, except where one is made of another.
ROOMS_THAT_MEET = {
    ("bot.catalog", "bot.language"): "which languages there are",
    ("bot.catalog", "bot.contacts"): "every number comes from there",
    ("bot.nlu", "bot.language"): "the pipeline identifies languages with the edge's own detector",
    ("bot.language", "bot.nlu"): "the detector learns from the same examples, read and normalised in one way",
    ("bot.engine", "bot.privacy"): "logs, and a tracker store without text",
}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "bot").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def imports(path: Path) -> set[str]:
    """Modules of ours that this one imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("bot", "actions", "tests") and name not in ("bot", "tests")}


def floor(name: str) -> int:
    best = max(
        ((len(prefix), number) for number, one in enumerate(FLOORS) for prefix in one if f"{name}.".startswith(f"{prefix}.")),
        default=None,
    )
    assert best is not None, f"{name} stands on no floor: add it to FLOORS"
    return best[1]


def room(name: str) -> str:
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("name", [name for name in modules() if name != "bot"])
def test_imports_go_down(name: str) -> None:
    rooms = FLOORS.index(("bot.catalog", "bot.memory", "bot.language", "bot.nlu", "bot.privacy", "bot.engine", "bot.contacts"))
    known = modules()
    for other in imports(known[name]):
        if other not in known:
            assert other.rpartition(".")[0] in known, f"{name} imports {other}"  # a name inside a module
            continue
        if other == "bot":
            continue
        assert floor(name) <= floor(other), f"{name} imports {other}, which stands above it"
        if floor(name) == floor(other) == rooms and room(name) != room(other) and other != "bot.privacy.logs":
            assert (room(name), room(other)) in ROOMS_THAT_MEET, f"{name} imports {other}"


def test_actions_know_rasa_sdk_and_nothing_of_ours() -> None:
    for path in (ROOT / "actions").rglob("*.py"):
        assert {name for name in imports(path) if not name.startswith("actions")} == set(), path


def test_every_module_says_what_it_is_for() -> None:
    for name, path in modules().items():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if path.name == "__init__.py" and not path.read_text(encoding="utf-8").strip():
            continue
        assert docstring, name


def test_data_holds_no_code_and_no_key_that_rasa_would_take_for_its_own() -> None:
    from ruamel.yaml import YAML

    for path in (ROOT / "data").rglob("*"):
        if path.is_dir():
            continue
        assert path.suffix in (".yml", ".po"), path
        if path.suffix == ".yml" and path.parent.name not in ("rules", "stories") and path.parent.parent.name != "nlu":
            keys = set(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
            assert not keys & {"nlu", "rules", "stories", "responses", "version"}, path


def test_no_forbidden_names() -> None:
    """design.md, "Names": no utils, helpers, managers."""
    for name in modules():
        assert not {"utils", "helpers", "manager", "managers", "misc", "common"} & set(name.split("."))
