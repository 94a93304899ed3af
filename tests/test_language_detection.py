"""Which language: right in every language that we have, the same each time, and no guess where there is nothing to go on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language.detection import Detector, read_others
from bot.language.registry import Languages, LanguagesError
from bot.nlu.examples import Example, ExamplesError, read_examples
from bot.nlu.normalise import fold, normalise

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.from_data(DATA)


def test_is_read_fast_enough_for_the_start_of_the_edge(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "languages.json")
    began = time.process_time()
    Detector.load(tmp_path / "languages.json")
    assert time.process_time() - began < 2


def test_knows_every_language_that_we_have(detector: Detector) -> None:
    assert set(Languages.load(DATA).tags) <= set(detector.languages)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("jag får ingen lön och chefen har mitt pass", "sv"),
        ("jag ar radd och vet inte vart jag ska ga", "sv"),
        ("VÄNLIGEN HJÄLP MIG", "sv"),
        ("he took my passport", "en"),
        ("pls i need sombody to talk", "en"),
        ("ce este perioada de reflecție", "ro"),
        ("mi-e frica, nu am unde sa dorm", "ro"),
        ("ماذا يحدث بعد ثلاثين يوما؟", "ar"),
        ("بدي احكي مع حدا", "ar"),
        ("bedi e7ki ma3 7ada", "ar"),
        ("شو يعني betänketid", "ar"),
    ],
)
def test_first_messages(detector: Detector, text: str, language: str) -> None:
    assert detector.detect(text).language == language


@pytest.mark.parametrize("text", ["", "?", "112", "😀😀", "...", "12:30", "betänketid", "ok"])
def test_what_everybody_writes_decides_nothing(detector: Detector, text: str) -> None:
    found = detector.detect(text)
    assert found.language is None
    assert not found.other


@pytest.mark.parametrize("text", ["ok", "112", "betänketid", "?"])
@pytest.mark.parametrize("language", ["sv", "en", "ro", "ar"])
def test_what_everybody_writes_keeps_the_language_of_the_conversation(detector: Detector, text: str, language: str) -> None:
    assert detector.detect(text, prior=language).language == language


def test_a_clear_change_of_language_is_seen_in_spite_of_the_conversation(detector: Detector) -> None:
    assert detector.detect("jag vill prata med en människa, inte en robot", prior="ro").language == "sv"


@pytest.mark.parametrize(
    "text",
    [
        "ሓገዝ የድልየኒ",
        "धन्यवाद भाई",
        "Guten Abend, der Chef zahlt uns seit Wochen nichts",
        "merhaba, patronum pasaportumu aldı ve para vermiyor",
        "waxaan u baahanahay caawimaad, ninkaas ayaa i garaacaya",
    ],
)
def test_a_language_that_we_do_not_have_is_other(detector: Detector, text: str) -> None:
    found = detector.detect(text)
    assert found.language is None
    assert found.other


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Guten Abend, der Chef zahlt uns seit Wochen nichts", "de"),
        ("bonsoir, est-ce que la police va me renvoyer dans mon pays", "fr"),
        ("hvorfor må jeg ikke gå ud, jeg er bange", "da"),
        ("nemám kam jít, prosím vás o radu, když mě vyhodil", "cs"),
        ("মালিক টাকা দেয় না", "bn"),
        ("waxaan rabaa inaan la hadlo qof, waan baqayaa", "so"),
    ],
)
def test_a_language_that_we_do_not_have_is_named(detector: Detector, text: str, language: str) -> None:
    assert detector.detect(text).named == language


def test_no_language_is_both_ours_and_not_ours() -> None:
    assert not {tag for tag, _ in read_others(DATA)} & set(Languages.load(DATA).tags)


LINES = [line.split("\t") for line in (ROOT / "tests" / "nlu" / "language.tsv").read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize(
    ("kind", "least"), [("word", 0.93), ("short", 0.99), ("sloppy", 0.95), ("romanised", 0.9), ("other", 0.9)]
)
def test_held_out_lines(detector: Detector, kind: str, least: float) -> None:
    """Mean over the languages of the share that is found, as first messages."""
    found: dict[str, list[bool]] = {}
    for of_kind, language, text in LINES:
        if of_kind == kind:
            detection = detector.detect(text)
            found.setdefault(language, []).append(detection.other if kind == "other" else detection.language == language)
    shares = [sum(of_language) / len(of_language) for of_language in found.values()]
    assert sum(shares) / len(shares) >= least


def test_ours_are_seldom_taken_for_a_language_that_we_do_not_have() -> None:
    examples = read_examples(DATA)
    learned = [example for number, example in enumerate(examples) if number % 10]
    held_out = examples[::10]
    detector = Detector.train((example.language, example.text) for example in learned)
    others = [example for example in held_out if detector.detect(example.text).other]
    assert len(others) < 0.03 * len(held_out)
    right = [
        example for example in held_out if detector.detect(example.text).language == example.language or len(example.text) < 12
    ]
    assert len(right) > 0.95 * len(held_out)


def test_marks_may_be_left_out(detector: Detector) -> None:
    """Of the examples with marks, nearly all are read as the same language without them."""
    marked = [e for e in read_examples(DATA) if fold(normalise(e.text)) != normalise(e.text) and len(e.text) > 12][::7]
    same = [e for e in marked if detector.detect(fold(normalise(e.text))).language == e.language]
    assert len(same) > 0.97 * len(marked)


def test_the_ranking_is_complete_and_adds_up(detector: Detector) -> None:
    found = detector.detect("help me please")
    assert {tag for tag, _ in found.ranking} == set(detector.languages)
    assert sum(share for _, share in found.ranking) == pytest.approx(1.0)
    assert found.ranking == sorted(found.ranking, key=lambda item: -item[1])


def test_kept_and_read_again_it_finds_the_same(detector: Detector) -> None:
    again = Detector.from_dict(json.loads(json.dumps(detector.as_dict())))
    for example in read_examples(DATA)[::50]:
        assert again.detect(example.text) == detector.detect(example.text)


def test_a_new_language_is_data_only() -> None:
    examples = [(e.language, e.text) for e in read_examples(DATA)]
    turkish = ["patronum pasaportumu aldı", "gidecek yerim yok", "çocuğum için korkuyorum", "biriyle konuşabilir miyim"] * 5
    found = Detector.train([*examples, *(("tr", text) for text in turkish)], read_others(DATA)).detect(
        "korkuyorum, çocuğumu aldı"
    )
    assert found.language == "tr"


@given(text=st.text(max_size=200))
def test_any_text_is_taken_and_gives_the_same_each_time(detector: Detector, text: str) -> None:
    first = detector.detect(text)
    assert first == detector.detect(text)
    assert first.language is None or first.language in detector.languages
    assert 0 <= first.confidence <= 1


class TestExamples:
    def write(self, data: Path, content: str, tag: str = "xx") -> Path:
        path = data / "nlu" / tag / "theme.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def test_language_above_or_below_the_examples(self, tmp_path: Path) -> None:
        self.write(
            tmp_path,
            'version: "3.1"\nnlu:\n- intent: greet\n  metadata:\n    language: xx\n  examples: |\n    - hej: du\n    - # no\n'
            "- intent: thanks\n  examples: |\n    - tack\n  metadata: {language: xx}\n",
        )
        assert read_examples(tmp_path) == [
            Example("xx", "greet", "hej: du"),
            Example("xx", "greet", "# no"),
            Example("xx", "thanks", "tack"),
        ]

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("    hello", "not understood"),
            ("    - ", "empty"),
            ("    - in [Swedish](language)", "markup"),
        ],
    )
    def test_a_line_that_is_not_understood_is_named(self, tmp_path: Path, line: str, what: str) -> None:
        path = self.write(tmp_path, f"nlu:\n- intent: greet\n  metadata:\n    language: xx\n  examples: |\n    - hi\n{line}\n")
        with pytest.raises(ExamplesError, match=what) as error:
            read_examples(tmp_path)
        assert f"{path}:7" in str(error.value)

    def test_the_folder_and_the_block_must_agree(self, tmp_path: Path) -> None:
        self.write(tmp_path, "nlu:\n- intent: greet\n  metadata:\n    language: sv\n  examples: |\n    - hi\n")
        with pytest.raises(ExamplesError, match="folder"):
            read_examples(tmp_path)

    def test_no_language_is_an_error(self, tmp_path: Path) -> None:
        self.write(tmp_path, "nlu:\n- intent: greet\n  examples: |\n    - hi\n")
        with pytest.raises(ExamplesError, match="metadata"):
            read_examples(tmp_path)

    def test_reads_ours_as_rasa_does(self) -> None:
        from ruamel.yaml import YAML

        path = DATA / "nlu" / "sv" / "safety.yml"
        blocks = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["nlu"]
        theirs = [
            Example("sv", block["intent"], line[1:].strip()) for block in blocks for line in block["examples"].splitlines()
        ]
        ours = [e for e in read_examples(DATA) if e.language == "sv" and e.intent in {block["intent"] for block in blocks}]
        assert ours == theirs


class TestLanguages:
    def test_ours(self) -> None:
        languages = Languages.load(DATA)
        arabic = languages.get("ar")
        assert arabic is not None
        assert arabic.direction == "rtl"
        assert "sv" in languages
        assert "xx" not in languages
        assert languages.get("xx") is None

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("languages: []", "list"),
            ("languages:\n- {tag: sv, name: Svenska, direction: up, script: Latn}", "direction"),
            ("languages:\n- {tag: sv, direction: ltr, script: Latn}", "name"),
            ("languages:\n" + "- {tag: sv, name: S, direction: ltr, script: Latn}\n" * 2, "twice"),
            ("languages: [", "YAML"),
        ],
    )
    def test_a_registry_that_is_not_whole_is_refused(self, tmp_path: Path, content: str, what: str) -> None:
        (tmp_path / "languages.yml").write_text(content, encoding="utf-8")
        with pytest.raises(LanguagesError, match=what):
            Languages.load(tmp_path)
