"""The words: every answer in every language, resting on facts that exist, with no number of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bot.catalog import GIVEN, Catalog, CatalogError
from bot.contacts import load as load_contacts

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
MOST_WORDS = 90
AT_MOST_CHOICES = 4
# Numbers that are facts, not ways to reach somebody: thirty days, eighteen years, fifty kronor, a form, a section of law.
LONGEST_FACT_NUMBER = 4
FORM_AND_LAW = {"195011"}
FORBIDDEN = (
    "100 %",
    "anonymous",
    "untraceable",
    "cannot be deported",
    "completely safe",
    "victim",
    "prostitut",
    "illegal",
    "!",
)


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load((DATA / name).read_text(encoding="utf-8"))
    return content


ANSWERS: dict[str, dict[str, Any]] = read("answers.yml")["answers"]
FACTS: dict[str, dict[str, Any]] = read("facts.yml")["facts"]
INTENTS: list[str] = YAML(typ="safe").load((ROOT / "domain.yml").read_text(encoding="utf-8"))["intents"]
CATALOG = Catalog.load(DATA)
LANGUAGES = CATALOG.languages.tags


def test_every_intent_has_an_answer() -> None:
    assert len(INTENTS) == 54
    assert set(INTENTS) <= set(ANSWERS)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_rests_on_facts_that_are_sourced(answer: str) -> None:
    for fact in ANSWERS[answer]["facts"]:
        assert FACTS[fact]["mark"] in ("CONFIRMED", "SEED"), fact
        assert FACTS[fact]["source"]
        assert FACTS[fact]["date"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_advice_is_unconfirmed_and_waits_for_approval(answer: str) -> None:
    waiting = {(row["answer"], row["fact"]) for row in read("approval.yml")["waiting_for_approval"]}
    for fact in ANSWERS[answer].get("advice") or []:
        assert FACTS[fact]["mark"] == "UNCONFIRMED" or FACTS[fact].get("unconfirmed"), fact
        assert (answer, fact) in waiting


def test_what_waits_for_approval_is_said_to_the_letter() -> None:
    for row in read("approval.yml")["waiting_for_approval"]:
        assert row["sentence"] in " ".join(ANSWERS[row["answer"]]["text"].split()), row


def test_every_fact_of_the_sheet_is_carried_over() -> None:
    letters = {letter: sum(fact.startswith(letter) for fact in FACTS) for letter in "ABCDE"}
    assert letters == {"A": 30, "B": 28, "C": 21, "D": 38, "E": 4}
    for fact, row in FACTS.items():
        assert {"statement", "source", "date", "mark"} <= set(row), fact
        assert row["mark"] in ("CONFIRMED", "SEED", "UNCONFIRMED"), fact


@pytest.mark.parametrize("answer", ANSWERS)
def test_one_to_four_choices_that_lead_somewhere(answer: str) -> None:
    choices = CATALOG.choice_ids(answer)
    assert 1 <= len(choices) <= AT_MOST_CHOICES
    assert answer not in choices
    assert all(choice in ANSWERS for choice in choices)


@pytest.mark.parametrize("answer", ["in_danger", "self_harm", "sexual_violence", "under_18", "emergency", "emergency_line"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_danger_begins_with_112_in_every_language(answer: str, language: str) -> None:
    words = CATALOG.find(answer, language)
    assert "112" in words.text.splitlines()[0]
    assert 'href="tel:112"' in words.html
    assert "?" not in words.text.split("112")[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_is_written_in_every_language(answer: str, language: str) -> None:
    words = CATALOG.find(answer, language, {"language": "X", "languages": "X, Y"})
    assert words.language.tag == language
    assert words.text
    assert len(words.text.split()) <= MOST_WORDS * 1.25  # numbers and hours are filled in by now
    assert all(choice.label for choice in words.choices)
    assert "{" not in words.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_interface_words_are_written_in_every_language(language: str) -> None:
    english, own = CATALOG.words("en"), CATALOG.words(language)
    assert english.keys() == own.keys()
    if language != "en":
        same = [key for key in own if own[key] == english[key]]
        assert len(same) <= 1, same  # a word may happen to be the same


@pytest.mark.parametrize(("language", "key"), [(tag, key) for (tag, key) in CATALOG._texts])
def test_no_text_holds_a_number_an_address_or_an_hour(language: str, key: str) -> None:
    text = re.sub(r"\{\w+\}", "", CATALOG._texts[language, key].text)
    assert not re.search(r"https?:|www\.|@|\d[.:]\d\d", text)
    for number in re.findall(r"[\d٠-٩][\d٠-٩ \-]*[\d٠-٩]", text):
        digits = re.sub(r"\D", "", number)
        assert len(digits) <= LONGEST_FACT_NUMBER or digits in FORM_AND_LAW, number
        assert digits not in ("112", "11414"), number


@pytest.mark.parametrize("answer", ANSWERS)
def test_english_source_makes_no_promise_and_names_nobody(answer: str) -> None:
    text = (ANSWERS[answer]["text"] + ANSWERS[answer]["label"]).lower().replace("våldtagna", "")
    for words in FORBIDDEN:
        assert words not in text, words
    assert len(ANSWERS[answer]["text"].split()) <= MOST_WORDS
    assert len(ANSWERS[answer]["label"].split()) <= 5


def test_only_contacts_that_may_be_shown_are_shown() -> None:
    contacts = load_contacts(DATA)
    for answer, entry in ANSWERS.items():
        for name in set(re.findall(r"\{(\w+)\}", entry["text"])) - GIVEN:
            service = contacts[name].service
            professional = answer == "professional_question" and "professionals" in service["serves"]
            assert service["show_to_users"] or professional, (answer, name)
            assert service["source_url"], name
            assert service["source_date"], name


def test_the_line_for_professionals_is_given_to_nobody_else() -> None:
    for answer in ANSWERS:
        assert ("020-39 00 00" in CATALOG.find(answer, "en").text) == (answer == "professional_question")


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_the_same_in_every_language(language: str) -> None:
    for (tag, key), entry in CATALOG._texts.items():
        if tag == language:
            source = CATALOG._texts["en", key].text
            assert sorted(re.findall(r"\{\w+\}", entry.text)) == sorted(re.findall(r"\{\w+\}", source)), key


def test_translations_are_of_the_source_as_it_is_now() -> None:
    from babel.messages.pofile import read_po

    for language in LANGUAGES:
        for folder in ("answers", "interface"):
            path = DATA / folder / f"{language}.po"
            if language == "en":
                continue
            prefix = "" if folder == "answers" else "interface|"
            for message in read_po(path.open("rb")):
                if message.id:
                    assert str(message.id).strip() == CATALOG._texts["en", f"{prefix}{message.context}"].text, (
                        f"{path}:{message.lineno}: {message.context}"
                    )


def test_arabic_isolates_swedish_terms_and_numbers() -> None:
    html = CATALOG.find("ask_reflection_period", "ar").html
    assert '<bdi lang="sv" dir="ltr">betänketid</bdi>' in html
    assert '<bdi dir="ltr">020-50 50 50</bdi>' in CATALOG.find("ask_phone_numbers", "ar").html


def test_hours_are_in_words_of_the_language() -> None:
    texts = {language: CATALOG.find("ask_compensation", language).text for language in LANGUAGES}
    assert "Monday–Friday 09:00–15:00" in texts["en"]
    assert "måndag–fredag" in texts["sv"].lower()
    assert "luni–vineri" in texts["ro"].lower()
    assert "الاثنين" in texts["ar"] or "الإثنين" in texts["ar"]


def test_fuzzy_text_can_be_kept_back() -> None:
    strict = Catalog.load(DATA, show_fuzzy=False)
    assert strict.find("ask_rights", "ro").language.tag == "en"
    assert not CATALOG.find("ask_rights", "ro").reviewed


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("choices: [ask_help_menu, ask_phone_numbers", "choices: [nowhere, ask_phone_numbers"), "nowhere leads nowhere"),
        (("{emergency_112}", "{emergency_113}"), "no such placeholder: emergency_113"),
        (("{emergency_112}", "{emergency_112"), "Write placeholders as {name}"),
        (("answers:", "anwsers:"), "answers.yml: needs entries under `answers:`"),
    ],
)
def test_broken_words_are_refused_by_name(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(DATA, data, ignore=shutil.ignore_patterns("nlu"))
    path = data / "answers.yml"
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    head, _, tail = text.partition("\nanswers:")
    body = f"\nanswers:{tail}".replace(change[0], change[1], 1)
    path.write_text(head + body, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        Catalog.load(data)
    assert expected in str(caught.value)
