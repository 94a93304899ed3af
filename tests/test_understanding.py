"""What she means: the first sentences that were tried, the safety floor, the gate, and the figures on held-out sentences."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language.registry import Languages
from bot.nlu.concepts import Concepts, ConceptsError
from bot.nlu.evaluation import EvaluationError, calibration_error, evaluate, read_cases
from bot.nlu.examples import read_examples
from bot.nlu.language_names import LanguageNames
from bot.nlu.model import ANSWER, FALLBACK, IntentModel, load_from_archive, parse_line
from bot.nlu.normalise import fold, normalise, script_of, split_clauses, words
from bot.nlu.patterns import WordPatterns, canonical, one_apart
from bot.nlu.romanisation import Romanisation, RomanisationError
from bot.nlu.safety import LexiconError, SafetyLexicon

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
HELD_OUT = sorted(DATA.parent.glob("tests/nlu/??.tsv"))
HEADER = "style\tintent\talso_right\ttext\n"
SAFETY = {"in_danger", "self_harm", "sexual_violence", "under_18"}


@pytest.fixture(scope="module")
def lexicon() -> SafetyLexicon:
    return SafetyLexicon.load(DATA / "lexicon")


@pytest.fixture(scope="module")
def concepts() -> Concepts:
    return Concepts.load(DATA / "concepts")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> IntentModel:
    """Trained, kept and read again, as it is used."""
    folder = tmp_path_factory.mktemp("model")
    IntentModel.train(read_examples(DATA), DATA).save(folder)
    return IntentModel.load(folder)


class TestFirstContact:
    @pytest.mark.parametrize(
        ("text", "right"),
        [
            ("jag får ingen lön och chefen har mitt pass", {"ask_unpaid_wages", "documents_taken"}),
            ("pot sta în Suedia dacă vorbesc cu poliția?", {"ask_police_contact", "ask_deportation", "ask_after_reflection"}),
            ("ce este perioada de reflecție", {"ask_reflection_period"}),
            ("ماذا يحدث بعد ثلاثين يوما؟", {"ask_after_reflection"}),
            ("بدي احكي مع حدا", {"talk_to_human"}),
            ("he says I owe 8000 euro and takes all what I earn", {"debt_bondage"}),
            ("who will read this", {"ask_confidentiality"}),
            ("är du polis", {"ask_bot"}),
            ("mi-e frica, e la usa", {"in_danger"}),
            ("i am 16", {"under_18"}),
            ("can my daughter go to school here", {"ask_children"}),
            ("hur mycket kostar det att söka betänketid", {"ask_reflection_application", "ask_cost"}),
            ("vad är en regionkoordinator och hur når jag en", {"ask_region_coordinator"}),
            ("انا بالحجز بمطار ارلاندا", {"ask_detention"}),
            ("my friend works in a nail salon and she can not go out", {"help_someone_else"}),
            ("vreau acasă dar nu am bani", {"ask_return_home", "ask_money"}),
            ("help", {"ask_help_menu", "in_danger"}),
        ],
    )
    def test_is_understood(self, model: IntentModel, text: str, right: set[str]) -> None:
        assert model.parse(text).intent in right

    @pytest.mark.parametrize("text", ["asdkjh", "xqzt wvv", "?", ""])
    def test_nonsense_is_not_answered_as_something_else(self, model: IntentModel, text: str) -> None:
        parse = model.parse(text)
        assert parse.decision == FALLBACK or parse.intent == "out_of_scope"

    def test_nothing_at_all_is_no_alarm(self, model: IntentModel) -> None:
        assert not model.parse("").safety


class TestSafetyFloor:
    @pytest.mark.parametrize(
        ("text", "intent"),
        [
            ("jag vill inte leva längre, vad kostar tolk", "self_harm"),
            ("ja vill bara do", "self_harm"),
            ("sucidal thoughts every night", "self_harm"),
            ("vreau sa mor", "self_harm"),
            ("اريد ان اموت", "self_harm"),
            ("baddi mout", "self_harm"),
            ("he has a big knife", "in_danger"),
            ("هو بيضربني", "in_danger"),
            ("112", "in_danger"),
            ("blev valdtagen igar", "sexual_violence"),
            ("I was rapped... I mean raped", "sexual_violence"),
            ("am 15 ani", "under_18"),
            ("عمري ١٥", "under_18"),
            ("عمري خمسة عشر سنة", "under_18"),
            ("jag är femton", "under_18"),
            ("I’m sixteen", "under_18"),
            ("jag är född 2012", "under_18"),
            ("15 ani", "under_18"),
            ("noo 16 krub", "under_18"),
        ],
    )
    def test_plain_words_decide(self, model: IntentModel, text: str, intent: str) -> None:
        parse = model.parse(text)
        assert (parse.intent, parse.decision, parse.safety) == (intent, ANSWER, True)
        assert parse.ranking[0][0] == intent

    @pytest.mark.parametrize(
        "text",
        [
            "i am 16 weeks pregnant",
            "we are 16 people in one room",
            "30 days",
            "lucrez de 15 zile",
            "عندي ٣ سنين هون",
            "jag är 15 minuter bort",
            "16 kr",
            "I am 18",
            "born in 1990",
        ],
    )
    def test_other_numbers_are_no_age(self, lexicon: SafetyLexicon, text: str) -> None:
        assert lexicon.find(text).decided is None

    def test_the_age_of_her_child_is_a_sign_and_no_more(self, lexicon: SafetyLexicon) -> None:
        signs = lexicon.find("my daughter is 16", "en")
        assert signs.decided is None
        assert "under_18" in signs.seen

    def test_a_single_word_of_another_language_is_no_sign(self, lexicon: SafetyLexicon) -> None:
        """Swedish dö without its marks is English do."""
        assert lexicon.find("what do i do", "en").seen == frozenset()
        assert "self_harm" in lexicon.find("det är bättre att dö", "sv").seen

    def test_every_language_has_a_lexicon_for_each_safety_intent(self, lexicon: SafetyLexicon) -> None:
        files = lexicon.as_dict()
        for tag in Languages.load(DATA).tags:
            assert set(files[tag]["decides"]) == SAFETY, tag
            assert files[tag]["age"]["own"], tag

    def test_phrases_decide_for_what_they_are_listed_under(self, lexicon: SafetyLexicon) -> None:
        """A phrase that another one overrules would never be answered as meant."""
        for content in lexicon.as_dict().values():
            for intent, phrases in content["decides"].items():
                for phrase in phrases:
                    decided = lexicon.find(str(phrase).removeprefix("= ").replace("*", "").replace("{age}", "15")).decided
                    assert decided == intent, phrase

    @pytest.mark.parametrize(
        ("content", "what"),
        [({"decides": {"in_danger": ["he is *coming"]}}, "both ends"), ({"maybe": {}}, "not known")],
    )
    def test_a_lexicon_with_a_mistake_is_refused(self, content: dict[str, object], what: str) -> None:
        with pytest.raises(LexiconError, match=what):
            SafetyLexicon({"xx": content})


class TestModel:
    def test_ranks_every_intent(self, model: IntentModel) -> None:
        parse = model.parse("jag vill ha en advokat")
        assert {intent for intent, _ in parse.ranking} == {e.intent for e in read_examples(DATA)}
        assert sum(share for _, share in parse.ranking) == pytest.approx(1.0, abs=1e-3)
        assert parse.confidence == parse.ranking[0][1] == max(share for _, share in parse.ranking)

    def test_the_language_that_is_known_is_kept(self, model: IntentModel) -> None:
        assert model.parse("ok", "ro").language == "ro"
        assert model.parse("jag vill ha en advokat").language == "sv"

    def test_what_is_asked_at_the_end_of_a_story_counts(self, model: IntentModel) -> None:
        parse = model.parse(
            "Hello, good evening. I write from my room, it rains today and I am tired of everything. "
            "Thank you that you are there. Can I get a lawyer who speaks for me in court?"
        )
        assert parse.intent == "ask_lawyer"

    def test_the_same_examples_give_the_same_model(self) -> None:
        few = [e for e in read_examples(DATA) if e.intent in {"greet", "ask_lawyer", "in_danger", "ask_money"}]
        one, other = (IntentModel.train(few, DATA) for _ in range(2))
        for language, head in one.heads.items():
            assert head.gate == other.heads[language].gate
            assert np.array_equal(head.steps, other.heads[language].steps)

    def test_a_language_is_learned_alike_whichever_others_there_are(self) -> None:
        few = [e for e in read_examples(DATA) if e.intent in {"greet", "ask_lawyer", "in_danger", "ask_money"}]
        alone, beside = (IntentModel.train([e for e in few if e.language in tags], DATA) for tags in ({"sv"}, {"sv", "ro"}))
        assert np.array_equal(alone.heads["sv"].steps, beside.heads["sv"].steps)

    def test_thresholds_are_in_order(self, model: IntentModel) -> None:
        for head in model.heads.values():
            gate = head.gate
            assert 0 < gate.answer_safety_from <= gate.answer_from < 1
            assert 0 < gate.safety_share < gate.answer_from
            assert 0 < gate.clarify_from < 1

    def test_what_another_language_says_is_not_answered_as_if_it_were_understood(self, model: IntentModel) -> None:
        parse = model.parse("mein Chef hat mir seit drei Monaten keinen Lohn bezahlt")
        assert parse.language is None
        assert parse.decision != ANSWER

    def test_read_from_a_rasa_archive(self, model: IntentModel, tmp_path: Path) -> None:
        model.save(tmp_path / "model")
        archive = tmp_path / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in (tmp_path / "model").iterdir():
                tar.add(path, f"components/train_IntentClassifier1/{path.name}")
        line = parse_line(load_from_archive(archive), "jag vill ha en advokat", None)
        assert line["intent"] == "ask_lawyer"
        assert line["language"] == "sv"
        assert line["ranking"][0] == {"intent": line["intent"], "confidence": line["confidence"]}
        json.dumps(line)

    def test_an_archive_of_another_pipeline_is_refused(self, tmp_path: Path) -> None:
        archive = tmp_path / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo("metadata.json"), io.BytesIO())
        with pytest.raises(ValueError, match="no intent model"):
            load_from_archive(archive)

    def test_too_few_intents_are_refused(self) -> None:
        with pytest.raises(ValueError, match="three intents"):
            IntentModel.train([e for e in read_examples(DATA) if e.intent == "greet"], DATA)

    @given(text=st.text(max_size=300))
    def test_any_text_is_taken_and_means_the_same_each_time(self, model: IntentModel, text: str) -> None:
        assert model.parse(text) == model.parse(text)


class TestHeldOut:
    """Sentences that training has not seen, all as first messages."""

    @pytest.fixture(scope="class")
    def figures(self, model: IntentModel) -> dict[str, dict[str, dict[str, float]]]:
        figures: dict[str, dict[str, dict[str, float]]] = evaluate(model, HELD_OUT).as_dict()["figures"]
        return figures

    def test_there_are_sentences_in_every_language(self) -> None:
        assert {path.stem for path in HELD_OUT} == set(Languages.load(DATA).tags)

    def test_none_of_them_was_learned(self) -> None:
        learned = {(example.language, normalise(example.text)) for example in read_examples(DATA)}
        for path in HELD_OUT:
            seen = [number for number, case in enumerate(read_cases(path), 2) if (path.stem, normalise(case.text)) in learned]
            assert not seen, f"{path.name}: lines {seen} are training examples too; take those out of data/nlu/{path.stem}"

    def test_no_example_stands_in_two_intents_of_a_language(self) -> None:
        intents: dict[tuple[str, str], str] = {}
        for example in read_examples(DATA):
            before = intents.setdefault((example.language, normalise(example.text)), example.intent)
            assert before == example.intent, f"data/nlu/{example.language}: an example of {before} and of {example.intent}"

    @pytest.mark.parametrize("language", [path.stem for path in HELD_OUT])
    def test_every_language(self, figures: dict[str, dict[str, dict[str, float]]], language: str) -> None:
        every = figures[language]["all"]
        assert every["first"] >= 0.82
        assert every["in_three"] >= 0.92
        assert every["safety_found"] >= 0.98
        # The line with the number before an answer to something else: a line too much is the price of missing nobody.
        assert every["false_alarms"] <= 0.3
        assert every["wrong_answers"] <= 0.08
        assert every["language_found"] >= 0.95

    def test_a_quick_answer(self, model: IntentModel) -> None:
        assert evaluate(model, HELD_OUT[:1]).as_dict()["median_ms"] < 8

    def test_the_table_shows_no_sentence(self, model: IntentModel) -> None:
        table = evaluate(model, HELD_OUT[:1]).table()
        assert not [case for case in read_cases(HELD_OUT[0]) if len(case.text) > 8 and case.text in table]

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("", "xx.tsv:1: "),
            ("intent\talso_right\ttext\n", "xx.tsv:1: the column style is missing"),
            ("style\tintent\ttext\n", "xx.tsv:1: the column also_right is missing"),
            (f"{HEADER}plain\tgreet\thello\n", "xx.tsv:2: has 3 columns"),
            (f"{HEADER}\n\tgreet\t\thello\n", "xx.tsv:3: style must not be empty"),
            (f"{HEADER}plain\tgreet\t\thello\nplain\tgret\t\thello\n", "xx.tsv:3: unknown intent gret"),
            (f"{HEADER}plain\tgreet\tgoodby, greet\thello\n", "xx.tsv:2: unknown intent goodby"),
            (f"{HEADER}plain\tgreet\t\t\xff\n", "xx.tsv:2: is not UTF-8"),
        ],
    )
    def test_a_file_with_a_mistake_is_named(self, tmp_path: Path, content: str, what: str) -> None:
        path = tmp_path / "xx.tsv"
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(EvaluationError, match=what):
            read_cases(path, {"greet", "goodbye"})

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(EvaluationError, match=r"xx\.tsv"):
            read_cases(tmp_path / "xx.tsv")

    def test_calibration_is_how_far_probabilities_are_from_what_happens(self) -> None:
        assert calibration_error([]) is None
        assert calibration_error([(1.0, True), (0.95, True), (0.95, True), (0.95, False)]) == pytest.approx((3.85 - 3) / 4)
        # Two bins, each counting by its share: 3/4 of 0.2 and 1/4 of 0.9.
        assert calibration_error([(0.8, True)] * 3 + [(0.1, True)]) == pytest.approx(0.375)

    def test_calibration_stands_in_every_language_and_in_the_table(self, model: IntentModel) -> None:
        report = evaluate(model, HELD_OUT[:1])
        figures = report.as_dict()["figures"]
        assert all(0 <= of_language["all"]["calibration_error"] < 0.2 for of_language in figures.values())
        assert "calibration error" in report.table()
        assert report.as_markdown().count("\n| ") == 1 + len(figures)


class TestConcepts:
    def test_the_same_names_in_every_language(self, concepts: Concepts) -> None:
        files = concepts.as_dict()
        for tag in Languages.load(DATA).tags:
            assert set(files[tag]) == set(files["en"]), tag

    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("polisen tog passet", "sv"),
            ("the police took my passport", "en"),
            ("politia mi-a luat pasaportul", "ro"),
            ("الشرطة أخذت جوازي", "ar"),
        ],
    )
    def test_one_meaning_in_four_languages(self, concepts: Concepts, text: str, language: str) -> None:
        assert {"police", "take", "passport"} <= set(concepts.reader(language)(normalise(text)))

    def test_a_language_without_concepts_has_none(self, concepts: Concepts) -> None:
        assert concepts.reader("xx")("police") == concepts.reader(None)("police") == []

    def test_a_mistake_is_named(self) -> None:
        with pytest.raises(ConceptsError, match=r"xx\.yml: police"):
            Concepts({"xx": {"police": ["the police"]}})


class TestLanguageNames:
    @pytest.fixture(scope="class")
    def names(self) -> LanguageNames:
        return LanguageNames.load(DATA)

    @pytest.mark.parametrize(
        ("text", "tags"),
        [
            ("svenska", ["sv"]),
            ("can you speak Tigrinya?", ["ti"]),
            ("thai", ["th"]),
            ("poti scrie in romaneste", ["ro"]),
            ("بالعربي لو سمحت", ["ar"]),
            ("احكي بالإنجليزية", ["en"]),
            ("kan du svensska", ["sv"]),
            ("prata kurdiska (sorani)", ["ku", "ckb"]),
            ("farsi or dari", ["fa", "fa-AF"]),
            ("中文", ["zh"]),
            ("พูดภาษาไทยได้ไหม ไทย", ["th"]),
            ("это русский?", ["ru"]),
            ("hur mår du, var ar du", []),
            ("o persoana, nu un robot", []),
            ("polisen", []),
        ],
    )
    def test_found(self, names: LanguageNames, text: str, tags: list[str]) -> None:
        assert [mention.tag for mention in names.find(text)] == tags

    def test_says_where(self, names: LanguageNames) -> None:
        (mention,) = names.find("Vorbiți ROMÂNĂ?")
        assert "Vorbiți ROMÂNĂ?"[mention.start : mention.end] == "ROMÂNĂ"

    def test_no_tag_is_a_name(self, names: LanguageNames) -> None:
        for tag in Languages.load(DATA).tags:
            assert names.find(tag) == []

    def test_every_language_is_known_by_its_own_name(self, names: LanguageNames) -> None:
        for language in Languages.load(DATA):
            assert [mention.tag for mention in names.find(language.name)] == [language.tag]

    @given(text=st.text(max_size=100))
    def test_any_text_is_taken(self, names: LanguageNames, text: str) -> None:
        for mention in names.find(text):
            assert 0 <= mention.start < mention.end <= len(text)


class TestNormalise:
    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("HJÄLP\u200b Mig", "hjälp mig"),
            ("\u202bمُساعَدة\u202c", "مساعدة"),
            ("مـــرحبا", "مرحبا"),
            ("١٥ ۱۵ १५", "15 15 15"),
            ("heeeeelp!!!!", "heelp!!"),
            ("İstanbul", "istanbul"),
            ("can’t", "can't"),
            ("a\r\n\tb", "a b"),
            ("8000", "8000"),
        ],
    )
    def test_one_spelling(self, text: str, same: str) -> None:
        assert normalise(text) == same

    @pytest.mark.parametrize(
        ("text", "bare"),
        [
            ("åäö", "aao"),
            ("șțăîâ", "staia"),
            ("łódź ø", "lodz o"),
            ("й", "и"),
            ("ไม่", "ไม่"),
            ("मुझे", "मुझे"),
            ("إلى أين", "الي اين"),
            ("مساعدة", "مساعده"),
            ("می‌گیرد کی", "ميگيرد كي"),
            ("ї ґ ё", "і ґ е"),
        ],
    )
    def test_folds_only_what_phones_leave_out(self, text: str, bare: str) -> None:
        assert fold(normalise(text)) == bare

    def test_clauses(self) -> None:
        assert split_clauses("Hej! Jag är rädd.\nVad gör jag?") == ["hej", "jag är rädd", "vad gör jag"]
        assert split_clauses("jag vill ha hjälp, snälla") == ["jag vill ha hjälp, snälla"]
        long = " ".join(f"word{n}" for n in range(60))
        assert all(len(piece.split()) <= 15 for piece in split_clauses(long))

    @given(text=st.text(max_size=400))
    def test_is_the_same_a_second_time(self, text: str) -> None:
        once = normalise(text)
        assert normalise(once) == once
        assert fold(fold(once)) == fold(once)

    @given(text=st.text(max_size=400))
    def test_no_word_is_lost_in_clauses(self, text: str) -> None:
        pieces = split_clauses(text)
        assert all(pieces)
        assert set("".join(words(normalise(text)))) <= set("".join(pieces))

    @given(text=st.text(max_size=100))
    def test_scripts(self, text: str) -> None:
        for character in text:
            assert (script_of(character) is None) or character.isalpha()


class TestRomanisation:
    @pytest.fixture(scope="class")
    def romanisation(self) -> Romanisation:
        return Romanisation.load(DATA)

    @pytest.mark.parametrize(
        ("language", "written", "typed"),
        [
            ("bg", "помощ, моля", "pomosht, molia"),
            ("bg", "шефът ми взе паспорта", "6efat mi vze pasporta"),
            ("ru", "помощь", "pomoshch"),
            ("uk", "допоможіть", "dopomozhit"),
            ("ar", "جوازي", "jawazi"),
            ("ar", "بدي مع حدا", "baddi ma3 7ada"),
            ("fa", "کمک میخوام", "komak mikham"),
        ],
    )
    def test_both_ways_of_writing_meet(self, romanisation: Romanisation, language: str, written: str, typed: str) -> None:
        spell = romanisation.speller(language)
        assert spell(normalise(written)) == spell(normalise(typed))

    def test_a_script_without_rules_loses_only_its_marks(self, romanisation: Romanisation) -> None:
        assert romanisation.speller("sv")("jag får åka") == "jag far aka"
        assert romanisation.speller("xx")("ไทย") == "ไทย"

    def test_a_mistake_is_named(self) -> None:
        with pytest.raises(RomanisationError, match="Cyrl"):
            Romanisation({"Cyrl": {"vowels": "a"}}, {})


class TestPatterns:
    def test_forgives_one_slip_in_a_longer_word(self) -> None:
        patterns = WordPatterns([canonical("passport"), canonical("suicid*"), canonical("cop"), canonical("*قتل*")])
        assert patterns.matches("pasport") == {"passport"}
        assert patterns.matches("passprot") == {"passport"}
        assert patterns.matches("sucidal") == {"suicid*"}
        assert patterns.matches("cap") == set()
        assert patterns.matches("بيقتلني") == {"*قتل*"}

    @given(word=st.text(alphabet="abcdå", min_size=1, max_size=8), other=st.text(alphabet="abcdå", min_size=1, max_size=8))
    def test_one_apart_is_mutual(self, word: str, other: str) -> None:
        assert one_apart(word, other) == one_apart(other, word)
