"""The same words, however they were typed.

On the road: first step of everything that reads a visitor's text (language detection at the edge, intents, the safety
lexicon). It promises to be the same on every machine, to accept any string, and to need nothing but the standard
library. It must never drop a letter of a script that it was not written for: only marks that a person on a cheap phone
leaves out are folded. normalise() keeps what tells languages apart (Persian and Arabic have their own kaf and ya); fold()
does not.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Spellings of one Arabic-script letter that people use for each other: alef with and without hamza, final ya and
# alef maqsura, ta marbuta and ha, Persian and Arabic forms of kaf and ya.
_ARABIC_LETTERS = str.maketrans(
    {
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ئ": "ي",
        "ة": "ه",
        "ۀ": "ه",
        "ؤ": "و",
        "ک": "ك",
        "ہ": "ه",
        "ە": "ه",
    }
)
# On a phone the vowel แ is often typed as เ twice.
_THAI_E_TWICE, _THAI_AE = "เเ", "แ"
_ARABIC_FILLING = str.maketrans({"ـ": None})
_ARABIC_MARKS = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]")
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ`´ʹ′", "'"))
# Dotted capital I would otherwise become i and a combining dot.
_BEFORE_CASE = str.maketrans({"İ": "i"})

# Latin letters that Unicode does not take apart into a letter and a mark.
_WHOLE_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h", "ə": "e", "ŋ": "n"}
)
_LATIN_GREEK_CYRILLIC_MARKS = re.compile("[\u0300-\u036f]")

_REPEATED = re.compile(r"([^\d\s])\1{2,}")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_](?:[^\W_]|[\u0300-\u036f\u0900-\u109f\u0e31-\u0e4e'])*")
_SENTENCE_END = re.compile(r"[.!?…。！？؟።།၊။।;；؛\n]+")
_CLAUSE_END = re.compile(r"[,،、，:()–—]+|\s-+\s")

LONG_PIECE_WORDS = 14
WINDOW_WORDS = 10
LONG_PIECE_LETTERS = 60
WINDOW_LETTERS = 40


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    """ASCII for a digit of any script, space for a control, nothing for what cannot be seen; otherwise itself."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in ("Cf", "Cs", "Cn", "Co"):
        return ""
    if category in ("Cc", "Zl", "Zp", "Zs"):
        return "\n" if character == "\n" else " "
    return character


def _characters(text: str) -> str:
    return text if text.isascii() and text.isprintable() else "".join(map(_plain_character, text))


def normalise(text: str) -> str:
    """One spelling for what is the same to a reader; line breaks become spaces."""
    return _SPACE.sub(" ", _normalise_keeping_lines(text)).strip()


def _normalise_keeping_lines(text: str) -> str:
    text = _characters(unicodedata.normalize("NFKC", text).translate(_BEFORE_CASE)).casefold()
    # Case folding can take letters apart again.
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    text = _ARABIC_MARKS.sub("", text).translate(_ARABIC_FILLING).replace(_THAI_E_TWICE, _THAI_AE)
    return _REPEATED.sub(r"\1\1", text)


def fold(normalised: str) -> str:
    """A copy without the marks that Latin, Greek and Cyrillic phones leave out (å becomes a, ț becomes t), and with one
    letter for each that Arabic and Persian keyboards write in different ways."""
    if normalised.isascii():
        return normalised
    bare = unicodedata.normalize("NFD", normalised.translate(_ARABIC_LETTERS))
    bare = _LATIN_GREEK_CYRILLIC_MARKS.sub("", bare)
    return unicodedata.normalize("NFC", bare).translate(_WHOLE_LETTERS)


def words(normalised: str) -> list[str]:
    """The runs of letters (with their marks); digits and signs are not words."""
    return _WORD.findall(normalised)


@lru_cache(maxsize=4096)
def script_of(character: str) -> str | None:
    """The script of a letter, as the first word of its Unicode name; None for what is not a letter."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "").split(" ")[0]
    # A word may stand in two of these at once; a reader sees one script.
    return "KANA" if name in ("HIRAGANA", "KATAKANA") else name or None


def split_clauses(text: str) -> list[str]:
    """The pieces of a message that may each carry what the person wants, normalised, in order, none of them empty.

    Sentences first, then clauses at commas; what is still long is cut into overlapping windows, because people who are
    in a hurry write without any signs, and because this must work for languages that nobody here reads.
    """
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(_normalise_keeping_lines(text)):
        sentence = _SPACE.sub(" ", sentence).strip()
        if _is_long(sentence):
            for clause in _CLAUSE_END.split(sentence):
                pieces.extend(_windows(clause.strip()))
        elif sentence:
            pieces.append(sentence)
    return [piece for piece in pieces if piece]


def _is_long(piece: str) -> bool:
    return piece.count(" ") >= LONG_PIECE_WORDS or len(max(piece.split(" "), key=len)) > LONG_PIECE_LETTERS


def _windows(piece: str) -> list[str]:
    if not _is_long(piece):
        return [piece]
    tokens = piece.split(" ")
    if len(tokens) > LONG_PIECE_WORDS:
        step = WINDOW_WORDS // 2
        return [" ".join(tokens[at : at + WINDOW_WORDS]) for at in range(0, len(tokens) - step, step)]
    # A script without spaces.
    step = WINDOW_LETTERS // 2
    return [piece[at : at + WINDOW_LETTERS] for at in range(0, len(piece) - step, step)]
