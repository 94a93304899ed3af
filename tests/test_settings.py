"""andrum.toml: defaults, documentation, and messages an operator can act on."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bot import settings
from bot.settings import Settings, SettingsError

ROOT = Path(__file__).parent.parent


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "andrum.toml"
    path.write_text(text, encoding="utf-8")
    return settings.load(path, environment or {})


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    assert settings.load(ROOT / "andrum.toml", {}) == Settings()
    written = (ROOT / "andrum.toml").read_text(encoding="utf-8")
    for section in fields(Settings):
        assert f"[{section.name}]" in written
        for key in fields(getattr(Settings(), section.name)):
            assert f"\n{key.name} = " in written


def test_no_file_means_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.load(None, {}) == Settings()


def test_the_environment_wins(tmp_path: Path) -> None:
    read_settings = read(
        tmp_path,
        '[edge]\nport = 9000\n[web]\nexit_address = "https://a.example/"\n',
        {
            "ANDRUM_EDGE_PORT": "9001",
            "ANDRUM_WORDS_SHOW_FUZZY": "false",
            "ANDRUM_WEB_FRAME_ORIGINS": "https://p.example, https://q.example",
            "ANDRUM_ENGINE_ANSWER_SECONDS": "2",
        },
    )
    assert read_settings.edge.port == 9001
    assert read_settings.words.show_fuzzy is False
    assert read_settings.web.frame_origins == ("https://p.example", "https://q.example")
    assert read_settings.web.exit_address == "https://a.example/"
    assert read_settings.engine.answer_seconds == 2.0


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("[edge]\nprot = 1\n", {}, ["andrum.toml", "edge.prot", "is not a setting", "host, port"]),
        ("[egde]\n", {}, ["andrum.toml", "[egde]", "edge, web"]),
        ("edge = 1\n", {}, ["andrum.toml", "edge", "[edge]"]),
        ("[edge]\nport = 'many'\n", {}, ["edge.port", "'many'", "0 to 65535"]),
        ("[edge]\nport = 70000\n", {}, ["edge.port", "70000", "0 to 65535"]),
        ("[edge]\nport = true\n", {}, ["edge.port", "True"]),
        ("[engine]\nanswer_seconds = 60\n", {}, ["engine.answer_seconds", "60", "4.5"]),
        ("[engine]\ntensorflow = 'yes'\n", {}, ["engine.tensorflow", '"none" or "real"']),
        ("[web]\nexit_address = 'javascript:alert(1)'\n", {}, ["web.exit_address", "http or https"]),
        ("[web]\nframe_origins = ['*']\n", {}, ["web.frame_origins", "https://partner.example"]),
        ("[words]\nshow_fuzzy = 1\n", {}, ["words.show_fuzzy", "true or false"]),
        ("[edge\n", {}, ["andrum.toml", "is not TOML"]),
        ("", {"ANDRUM_EDGE_PORT": "x"}, ["ANDRUM_EDGE_PORT", "'x'", "0 to 65535"]),
        ("", {"ANDRUM_EDGE_PROT": "1"}, ["ANDRUM_EDGE_PROT", "is not a setting", "ANDRUM_EDGE_PORT"]),
    ],
)
def test_what_does_not_fit_stops_the_start_and_says_why(
    tmp_path: Path, text: str, environment: dict[str, str], expected: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, environment)
    for part in expected:
        assert part in str(caught.value)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        settings.load(tmp_path / "none.toml", {})
