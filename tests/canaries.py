"""Canaries: made-up names, numbers and sentences that must be found nowhere, and the search that would find them.

Each value carries a random token, so that a hit names its origin and nothing else on the machine can look like it. The
forms are those of knowledge/security.md 12 that a program of ours could produce by accident.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE = 200 * 1024 * 1024


@dataclass(frozen=True)
class Canary:
    """`text` is sent; `mark` is the part of it that is searched for."""

    text: str
    mark: str


def _token() -> str:
    return "".join(secrets.choice("bcdfghjklmnpqrstvwxz") for _ in range(14))


def forty() -> list[Canary]:
    """Ten kinds in four languages: names, numbers, addresses, and sentences that hold one."""
    made = []
    for sentence in (
        "jag heter {} och bor hos chefen",
        "my name is {} and he hits me",
        "mă cheamă {} și mi-e frică",
        "اسمي {} وانا خايفة",
    ):
        for kind in (
            "{}",
            "Anna {}",
            "{} Andersson",
            "hotel {} rum 12",
            "{}gatan 5",
            "insta {}",
            "barnet {}",
            "pass {}",
            "kod {}",
        ):
            token = _token()
            made.append(Canary(sentence.format(kind.format(token)), token))
        digits = "0701740" + "".join(secrets.choice("0123456789") for _ in range(9))
        made.append(Canary(sentence.format(digits), digits))
    return made


def forms(mark: str) -> Iterator[bytes]:
    """The ways in which a mark could lie on a disk."""
    for text in {mark, mark.upper(), mark.capitalize(), urllib.parse.quote(mark), json.dumps(mark)[1:-1]}:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            yield text.encode(encoding)
    raw = mark.encode()
    yield raw.hex().encode()
    for offset in range(3):
        # Three offsets; the ends depend on the neighbours and are cut off.
        yield base64.b64encode(b"\0" * offset + raw)[4 if offset else 0 : -4]


def found(content: bytes, canaries: Iterable[Canary]) -> set[str]:
    """The marks that lie in these bytes, in any form."""
    contents = [content]
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            contents.append(unpack(content))
        except (OSError, zlib.error, EOFError):
            continue
    return {canary.mark for canary in canaries if any(form in one for one in contents for form in forms(canary.mark))}


def changed_files(since: float) -> Iterator[Path]:
    """Every regular file on this file system that was changed after `since` (seconds since the epoch)."""
    device = os.stat("/").st_dev
    for folder, folders, names in os.walk("/"):
        try:
            folders[:] = [one for one in folders if os.lstat(os.path.join(folder, one)).st_dev == device]
        except OSError:
            folders[:] = []
        for name in names:
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            if path.is_file() and not path.is_symlink() and status.st_ctime > since and status.st_size <= LARGEST_FILE:
                yield path


def in_files(paths: Iterable[Path], canaries: list[Canary]) -> dict[Path, set[str]]:
    """Which of these files hold which marks."""
    hits = {}
    for path in paths:
        try:
            marks = found(path.read_bytes(), canaries)
        except OSError:
            continue  # gone again, or another account's
        if marks:
            hits[path] = marks
    return hits
