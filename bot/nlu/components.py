"""Our understanding as Rasa sees it: the components that config.yml names.

On the road: the only module of bot/nlu that imports Rasa; each class is a thin shell around one of its neighbours. It
promises the keys that the rest of the engine reads: `language`, `decision` and `safety` beside Rasa's own `intent`,
`intent_ranking` and `entities`. It must never import TensorFlow, and never log, print or keep a message's text.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.nlu.constants import (
    ENTITIES,
    ENTITY_ATTRIBUTE_END,
    ENTITY_ATTRIBUTE_START,
    ENTITY_ATTRIBUTE_TYPE,
    ENTITY_ATTRIBUTE_VALUE,
    INTENT,
    INTENT_NAME_KEY,
    INTENT_RANKING_KEY,
    METADATA,
    METADATA_INTENT,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.language.detection import DETECTOR_FILE, OTHERS, Detector, read_others
from bot.nlu.examples import Example
from bot.nlu.language_names import LanguageNames
from bot.nlu.model import ANSWER, IntentModel

LANGUAGE = "language"
DECISION = "decision"
SAFETY = "safety"
DATA_DIR = "data_dir"
_NAMES_FILE = "andrum-language-names.json"


def _examples(training_data: TrainingData) -> list[Example]:
    """Our examples as Rasa read them; the language stands in the metadata of the intent's block."""
    examples: list[Example] = []
    for message in training_data.intent_examples:
        about = (message.get(METADATA) or {}).get(METADATA_INTENT) or {}
        language = about.get(LANGUAGE) if isinstance(about, dict) else None
        if not language:
            raise ValueError(
                f"data/nlu: an example of {message.get(INTENT)} has no language; "
                "write `metadata: {language: <tag>}` into each intent's block"
            )
        examples.append(Example(str(language), str(message.get(INTENT)), str(message.get(TEXT))))
    # Rasa's order depends on how it merged the files; ours does not.
    return sorted(set(examples))


def _fingerprint(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class LanguageIdentifier(GraphComponent):
    """Says which language a message is read as: the edge's word for it where it gave one, otherwise its own finding."""

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        detector: Detector | None = None,
    ) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._detector = detector

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {DATA_DIR: "data"}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageIdentifier:
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LanguageIdentifier:
        with model_storage.read_from(resource) as folder:
            kept = json.loads((folder / DETECTOR_FILE).read_text(encoding="utf-8"))
        return cls(config, model_storage, resource, Detector.from_dict(kept))

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The languages that are not ours are no training data of Rasa's, but the model carries them."""
        return _fingerprint(Path(config.get(DATA_DIR, "data")) / OTHERS)

    def train(self, training_data: TrainingData) -> Resource:
        examples = ((example.language, example.text) for example in _examples(training_data))
        self._detector = Detector.train(examples, read_others(self._config[DATA_DIR]))
        with self._model_storage.write_to(self._resource) as folder:
            content = json.dumps(self._detector.as_dict(), ensure_ascii=False)
            (folder / DETECTOR_FILE).write_text(content, encoding="utf-8")
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            hint = (message.get(METADATA) or {}).get(LANGUAGE)
            if not hint and self._detector is not None:
                hint = self._detector.detect(message.get(TEXT) or "").language
            message.set(LANGUAGE, hint or None, add_to_output=True)
        return messages


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifier(GraphComponent, RasaIntentClassifier):
    """The intent model: what the person wants, whether it is sure enough to answer, and whether there is any danger."""

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
    ) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._model = model

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {DATA_DIR: "data"}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> IntentClassifier:
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> IntentClassifier:
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder))

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The word lists are no training data of Rasa's, but the model carries them."""
        data_dir = Path(config.get(DATA_DIR, "data"))
        lists = [*sorted(data_dir.glob("lexicon/*.yml")), *sorted(data_dir.glob("concepts/*.yml"))]
        return _fingerprint(data_dir / "romanisation.yml", data_dir / "languages.yml", *lists)

    def train(self, training_data: TrainingData) -> Resource:
        self._model = IntentModel.train(_examples(training_data), self._config[DATA_DIR])
        with self._model_storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        if self._model is None:
            return messages
        for message in messages:
            parse = self._model.parse(message.get(TEXT) or "", message.get(LANGUAGE))
            ranking = [{INTENT_NAME_KEY: intent, PREDICTED_CONFIDENCE_KEY: share} for intent, share in parse.ranking]
            if parse.decision != ANSWER:
                ranking.insert(
                    0,
                    {
                        INTENT_NAME_KEY: DEFAULT_NLU_FALLBACK_INTENT_NAME,
                        PREDICTED_CONFIDENCE_KEY: 1 - parse.confidence,
                    },
                )
            message.set(INTENT, dict(ranking[0]), add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
            message.set(DECISION, parse.decision, add_to_output=True)
            message.set(SAFETY, parse.safety, add_to_output=True)
            message.set(LANGUAGE, parse.language, add_to_output=True)
        return messages


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class LanguageNameExtractor(GraphComponent, EntityExtractorMixin):
    """Marks the languages that a message names, whether we have them or not."""

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        names: LanguageNames | None = None,
    ) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._names = names

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {DATA_DIR: "data"}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LanguageNameExtractor:
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LanguageNameExtractor:
        with model_storage.read_from(resource) as folder:
            kept = json.loads((folder / _NAMES_FILE).read_text(encoding="utf-8"))
        return cls(config, model_storage, resource, LanguageNames.from_dict(kept))

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """The names are no training data of Rasa's, but the model carries them."""
        data_dir = Path(config.get(DATA_DIR, "data"))
        return _fingerprint(data_dir / "languages.yml", data_dir / "language_names.yml")

    def train(self, training_data: TrainingData) -> Resource:
        self._names = LanguageNames.load(self._config[DATA_DIR])
        with self._model_storage.write_to(self._resource) as folder:
            content = json.dumps(self._names.as_dict(), ensure_ascii=False)
            (folder / _NAMES_FILE).write_text(content, encoding="utf-8")
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        if self._names is None:
            return messages
        for message in messages:
            text = message.get(TEXT) or ""
            found: list[dict[str, Any]] = [
                {
                    ENTITY_ATTRIBUTE_TYPE: LANGUAGE,
                    ENTITY_ATTRIBUTE_START: mention.start,
                    ENTITY_ATTRIBUTE_END: mention.end,
                    ENTITY_ATTRIBUTE_VALUE: mention.tag,
                }
                for mention in self._names.find(text)
            ]
            entities = message.get(ENTITIES, []) + self.add_extractor_name(found)
            message.set(ENTITIES, entities, add_to_output=True)
        return messages
