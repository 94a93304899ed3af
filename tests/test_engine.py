"""The engine: Rasa without TensorFlow, its memory without text, its slow paths mended, its door shut to others."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parent.parent
CANARY = "Anna Canarysson"


def run(code: str) -> str:
    """Run code in a process of its own (the stand-in can be installed only before Rasa) and return what it prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


WITH_RASA = """
import asyncio, json, sys
from bot.engine import tensorflow_stand_in
tensorflow_stand_in.install()
import structlog, logging
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
"""


def test_rasa_is_imported_without_tensorflow() -> None:
    out = run(
        WITH_RASA
        + """
import rasa.core.agent, tensorflow
from rasa.nlu.classifiers.diet_classifier import DIETClassifier
print(tensorflow.__class__.__name__)
try:
    tensorflow.keras.layers.Layer.__class__
    class Mine(tensorflow.keras.layers.Layer): pass
    Mine()
except tensorflow_stand_in.TensorFlowMissing as error:
    print("refused:", "config.yml" in str(error))
"""
    )
    assert out.splitlines() == ["_EmptyModule", "refused: True"]


def model_with(tmp_path: Path, component: str) -> Path:
    path = tmp_path / "model.tar.gz"
    metadata = {"train_schema": {"nodes": {}}, "predict_schema": {"nodes": {"run_1": {"uses": f"rasa.somewhere.{component}"}}}}
    content = json.dumps(metadata).encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("metadata.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("component", ["DIETClassifier", "TEDPolicy", "ConveRTFeaturizer"])
def test_a_model_that_needs_tensorflow_is_refused_by_name(tmp_path: Path, component: str) -> None:
    from bot.engine.host import ModelUnfit, refuse_neural

    with pytest.raises(ModelUnfit, match=rf"{component} needs TensorFlow.*config\.yml"):
        refuse_neural(model_with(tmp_path, component))


def test_our_own_model_is_not_refused() -> None:
    from bot.engine.host import refuse_neural
    from bot.training import current_model

    refuse_neural(current_model(ROOT))


STORE = (
    WITH_RASA
    + f"""
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import *
from rasa.shared.core.trackers import DialogueStateTracker
from bot.privacy.tracker_store import *
domain = Domain.load("domain.yml")
class Clock:
    now = 0.0
    def __call__(self): return self.now
clock = Clock()
store = EphemeralTrackerStore(domain, clock=clock)
def turn(tracker, number):
    parse = {{"text": "{CANARY}", "intent": {{"name": "ask_rights", "confidence": 0.9}}, "language": "ro",
             "decision": "answer", "safety": False,
             "entities": [{{"entity": "language", "value": "ro"}}, {{"entity": "name", "value": "{CANARY}"}}],
             "intent_ranking": [{{"name": "ask_rights", "confidence": 0.9}}], "metadata": {{"from": "{CANARY}"}}}}
    tracker.update(UserUttered("{CANARY}", parse["intent"], parse["entities"], parse, metadata={{"from": "{CANARY}"}}), domain)
    tracker.update(ActionExecuted("utter_ask_rights"), domain)
    tracker.update(BotUttered("{CANARY}", metadata={{"x": "{CANARY}"}}), domain)
    tracker.update(ActionExecuted("action_listen"), domain)
async def start(name):
    tracker = await store.get_or_create_tracker(name)
    tracker.update(ActionExecuted("action_session_start"), domain)
    tracker.update(SessionStarted(), domain)
    tracker.update(ActionExecuted("action_listen"), domain)
    tracker.update(SlotSet("language", "ro"), domain)
    tracker.update(SlotSet("session_started_metadata", {{"from": "{CANARY}"}}), domain)
    return tracker
async def main():
    tracker = await start("a")
    for number in range(30):
        turn(tracker, number)
        await store.save(tracker)
        tracker = await store.retrieve("a")
    kept = store._kept["a"].events
    print(json.dumps({{"canary": "Canary" in kept, "bytes": len(kept), "language": tracker.get_slot("language"),
        "turns": sum(isinstance(e, UserUttered) for e in tracker.events), "intent": tracker.latest_message.intent["name"],
        "last": store.last_parse("a")["intent"]["name"]}}))
    clock.now = IDLE_SECONDS - 1
    print((await store.retrieve("a")) is not None)
    clock.now = IDLE_SECONDS
    print((await store.retrieve("a")) is None, list(await store.keys()))
    tracker = await start("b")
    born = clock.now
    while clock.now - born < ABSOLUTE_SECONDS:
        clock.now += IDLE_SECONDS / 2
        tracker = await store.retrieve("b") or await start("b")
        turn(tracker, 0)
        await store.save(tracker)
    print((await store.retrieve("b")) is None or len(list(tracker.events)) < 12)
    await store.save(await start("c"))
    store.erase("c")
    print((await store.retrieve("c")) is None)
asyncio.run(main())
"""
)


def test_the_tracker_store_keeps_no_text_and_forgets_p21() -> None:
    first, *rest = run(STORE).splitlines()
    kept = json.loads(first)
    assert kept["canary"] is False
    assert kept["language"] == "ro"
    assert kept["turns"] == 4
    assert kept["intent"] == kept["last"] == "ask_rights"
    assert kept["bytes"] < 6000
    assert rest == ["True", "True []", "True", "True"]


def test_rasas_own_store_would_keep_it() -> None:
    """The control: the same text is found in the store that Rasa takes by default."""
    code = STORE.replace("store = EphemeralTrackerStore(domain, clock=clock)", "store = InMemoryTrackerStore(domain)").replace(
        "from bot.privacy.tracker_store import *", "from rasa.core.tracker_store import InMemoryTrackerStore"
    )
    code = code.replace('kept = store._kept["a"].events', 'print("Canary" in store.store["a"]); raise SystemExit')
    assert run(code).splitlines()[0] == "True"


BOTH_WAYS = (
    WITH_RASA
    + """
import os, tempfile
from pathlib import Path
from bot.settings import Settings
from bot.engine import host, fixes
from bot.training import current_model
host.prepare(Settings(), Path(tempfile.mkdtemp()))
if FIXED is False: fixes.apply = lambda: None
from bot.privacy import tracker_store
if SCRUBBED is False: tracker_store.compact = lambda events, slots: [e for e in events if e["event"] != "bot"]
engine = host.Engine(current_model(Path(".").resolve()), Settings())
SAID = ["hej", "/ask_rights", "ce este perioada de reflecție", "blorp fizzle wump", "grumble snork", "zib zab flumox",
        "svenska", "mi-e frica, e la usa", "ماذا يحدث بعد ثلاثين يوما؟", "ok",
        "my friend works in a nail salon and she can not go out"]
async def main():
    for text in SAID * 2:
        turn = await engine.turn("0" * 32, text, None, None)
        print(json.dumps([turn["replies"], turn["parse"]["intent"]]))
    print(json.dumps((await engine.turn("0" * 32, None, "ask_lawyer", "sv"))["replies"]))
    print(json.dumps((await engine.turn("0" * 32, None, "action_erase", "sv"))["replies"]))
    engine.forget("0" * 32)
    print(list(await engine.trackers.keys()), len(engine.agent.tracker_store.fallback_tracker_store.store)
          if getattr(engine.agent.tracker_store, "_fallback_tracker_store", None) else 0)
asyncio.run(main())
"""
)


def test_the_fixes_and_the_scrubbing_change_no_answer_p21() -> None:
    plain = run(BOTH_WAYS.replace("FIXED", "False").replace("SCRUBBED", "False"))
    assert len(plain.splitlines()) == 25
    assert run(BOTH_WAYS.replace("FIXED", "True").replace("SCRUBBED", "True")) == plain
    assert json.loads(plain.splitlines()[-3]) == [{"answer": "ask_lawyer"}]
    assert json.loads(plain.splitlines()[-2]) == []
    assert plain.splitlines()[-1] == "[] 0"


async def test_the_door_is_shut_without_the_secret(tmp_path: Path) -> None:
    import aiohttp

    from bot.engine import host
    from bot.engine.client import SECRET_HEADER, EngineClient, EngineUnavailable

    class Trackers:
        def drop_expired(self) -> None: ...

    class Failing:
        trackers = Trackers()

        async def turn(self, *arguments: Any) -> Any:
            if arguments[1] == "nothing":
                return {"replies": [], "parse": {}}
            raise ValueError(CANARY)

        def forget(self, conversation: str) -> None: ...

    socket = tmp_path / "engine"
    serving = asyncio.create_task(host.serve(Failing(), socket, "right"))  # type: ignore[arg-type]
    client = EngineClient(socket, "right")
    for _ in range(500):
        if await client.ready():
            break
        await asyncio.sleep(0.01)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(socket))) as session:
        for headers in ({}, {SECRET_HEADER: "wrong"}, {SECRET_HEADER: ""}):
            async with session.get("http://engine/health", headers=headers) as response:
                assert response.status == 403
        async with session.post(
            "http://engine/turn", json={"conversation": "0", "text": "x"}, headers={SECRET_HEADER: "right"}
        ) as r:
            assert r.status == 500
            assert CANARY not in await r.text()
    for text in ("nothing", "anything"):
        with pytest.raises(EngineUnavailable) as caught:
            await client.turn("0" * 32, text, None, None, 1.0)
        assert CANARY not in repr(caught.value.__cause__)
    await client.close()
    serving.cancel()


def test_endpoints_and_config_name_nothing_that_keeps_text() -> None:
    endpoints = (ROOT / "endpoints.yml").read_text(encoding="utf-8")
    lines = [line for line in endpoints.splitlines() if line and not line.startswith("#")]
    assert not any(line.startswith(("event_broker", "lock_store", "models", "nlg")) for line in lines)
    assert "  type: bot.privacy.tracker_store.EphemeralTrackerStore" in lines
    assert not (ROOT / "credentials.yml").exists()
