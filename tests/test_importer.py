"""Training data read our way: the same examples, rules and stories as Rasa's own way gives, and nothing left out in silence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.nlu.normalise import normalise

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parent.parent

# In a process of its own: the stand-in can be installed only before Rasa. It prints what differs, never all examples.
BOTH_WAYS = """
import json, logging, sys, warnings
from collections import Counter
from pathlib import Path
from bot.engine import tensorflow_stand_in
tensorflow_stand_in.install()
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
warnings.simplefilter("ignore")
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.importers.rasa import RasaFileImporter
from bot.nlu.importer import ExamplesImporter

def told(messages):
    return Counter(
        (m.get("intent"), m.get("text"), ((m.get("metadata") or {}).get("intent") or {}).get("language")) for m in messages
    )

def besides(data):
    of_message = {key for message in data.training_examples for key in (*message.data, *message.get("metadata", {}))}
    return [sorted(of_message), data.entity_synonyms, data.regex_features, data.lookup_tables, data.responses]

root = Path(sys.argv[1])
files = str(root / "config.yml"), str(root / "domain.yml"), [str(root / "data")]
ours, plain = ExamplesImporter(root), RasaFileImporter(*files)
our_data, plain_data = ours.get_nlu_data(), plain.get_nlu_data()
our_examples, plain_examples = told(our_data.training_examples), told(plain_data.training_examples)
found = {
    "examples": sum(our_examples.values()),
    "only ours": sorted((our_examples - plain_examples).elements(), key=str),
    "only Rasa's": sorted((plain_examples - our_examples).elements(), key=str),
    "languages": sorted({language for _, _, language in our_examples}),
    "besides": [besides(our_data), besides(plain_data)],
    "rules and stories": [len(importer.get_stories().story_steps) for importer in (ours, plain)],
    "same rules and stories": ours.get_stories().fingerprint() == plain.get_stories().fingerprint(),
    "same domain": ours.get_domain().fingerprint() == plain.get_domain().fingerprint(),
    "same config": ours.get_config() == plain.get_config(),
}
if sys.argv[2:] == ["whole"]:
    # What `rasa train` uses: importers around importers.
    whole = TrainingDataImporter.load_from_config(*files)
    whole_data = whole.get_nlu_data()
    found["lost by the whole"] = sorted((our_examples - told(whole_data.training_examples)).elements(), key=str)
    found["added by the whole"] = sorted((told(whole_data.training_examples) - our_examples).elements(), key=str)
    found["same to components"] = told(whole_data.intent_examples) == told(our_data.intent_examples)
    found["whole: same rules and stories"] = whole.get_stories().fingerprint() == ours.get_stories().fingerprint()
    found["whole: same domain"] = whole.get_domain().fingerprint() == ours.get_domain().fingerprint()
print(json.dumps(found))
"""


def process(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", BOTH_WAYS, str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def both_ways(project: Path, *arguments: str) -> dict[str, Any]:
    """What our importer and Rasa's find in a project."""
    done = process(project, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def project_with(folder: Path, files: Mapping[str, str]) -> Path:
    """Our config, domain, rules and stories, with these files of examples: path below data/nlu and content."""
    for name in ("config.yml", "domain.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("rules", "stories"):
        shutil.copytree(ROOT / "data" / name, folder / "data" / name)
    for name, content in files.items():
        path = folder / "data" / "nlu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def block(tag: str, *lines: str) -> str:
    examples = "".join(f"    - {line}\n" for line in lines)
    return f'version: "3.1"\nnlu:\n- intent: greet\n  metadata:\n    language: {tag}\n  examples: |\n{examples}'


def test_all_our_data_is_read_as_rasa_reads_it() -> None:
    found = both_ways(ROOT)
    assert found["only ours"] == found["only Rasa's"] == []
    assert found["languages"] == sorted(path.name for path in (ROOT / "data" / "nlu").iterdir())
    ours, rasas = found["besides"]
    assert ours == rasas == [["intent", "metadata", "text"], {}, [], [], {}]
    ours, rasas = found["rules and stories"]
    assert ours == rasas > 50
    assert found["same rules and stories"]
    assert found["same domain"]
    assert found["same config"]


def test_what_rasa_train_adds_has_no_text_and_reaches_no_component_of_ours(tmp_path: Path) -> None:
    """Rasa's outer importers add each name of an intent and an action, for policies that learn end to end; we have none."""
    files = {
        f"{tag}/safety.yml": (ROOT / "data" / "nlu" / tag / "safety.yml").read_text(encoding="utf-8") for tag in ("ro", "th")
    }
    found = both_ways(project_with(tmp_path, files), "whole")
    assert found["languages"] == ["ro", "th"]
    assert found["lost by the whole"] == []
    assert found["added by the whole"]
    assert all(text is None for _, text, _ in found["added by the whole"])
    assert found["same to components"]
    assert found["whole: same rules and stories"]
    assert found["whole: same domain"]


def test_signs_that_could_be_read_in_two_ways(tmp_path: Path) -> None:
    """The same example twice teaches once, in one language; nothing is unescaped; marks of YAML are plain text."""
    lines = [
        'it\'s "so"',
        r"a\nb \t \\",
        "# and: *star &and !bang",
        "- dash",
        "[brackets] {x}",
        "e\u0301",
        "\u200bhej",
        "😀",
        "hej",
        "hej",
    ]
    found = both_ways(
        project_with(
            tmp_path, {"xx/a.yml": block("xx", *lines), "xx/b.yml": block("xx", "hej"), "yy/a.yml": block("yy", "hej")}
        )
    )
    assert found["examples"] == len(set(lines)) + 1
    assert found["only ours"] == found["only Rasa's"] == []


def test_what_is_read_otherwise_is_white_and_at_the_ends(tmp_path: Path) -> None:
    """Rasa strips spaces, our reader every white sign: a tab or a hard space that slipped in is nothing a person said, and
    normalise(), the first step of everything that reads an example, takes it off anyway."""
    found = both_ways(project_with(tmp_path, {"xx/a.yml": block("xx", "space  ", "tab\t", "hard\u00a0", "\u3000wide")}))
    ours = [text for _, text, _ in found["only ours"]]
    rasas = [text for _, text, _ in found["only Rasa's"]]
    assert sorted(ours) == ["hard", "tab", "wide"]
    assert sorted(rasas) == sorted(["hard\u00a0", "tab\t", "\u3000wide"])
    assert sorted(map(normalise, rasas)) == sorted(map(normalise, ours))


@pytest.mark.parametrize("name", ["new.yml", "xx/more/new.yml", "xx/new.yaml", "../rules/new.yml"])
def test_a_file_that_only_rasa_would_read_is_refused_by_name(tmp_path: Path, name: str) -> None:
    done = process(project_with(tmp_path, {"xx/a.yml": block("xx", "hej"), name: block("xx", "hello")}))
    assert done.returncode != 0
    assert "ExamplesError" in done.stderr
    assert f"{Path(name).name}: examples must stand in data/nlu/<tag>/<theme>.yml" in done.stderr
