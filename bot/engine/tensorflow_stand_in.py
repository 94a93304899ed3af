"""Lets Rasa be imported without TensorFlow.

Road: the first thing the engine process (and `andrum train`) does, before any import of Rasa.

Rasa imports TensorFlow in about twenty modules for type names, decorators and base classes of neural components that
Andrum does not use; the real one costs 10 s and 430 MB at every start (knowledge/nlp.md 4.4). `install()` puts an
importer in front that answers for `tensorflow` and `keras` with empty classes.

Promise: nothing here ever computes anything. A component that really needs TensorFlow fails loudly when it is made
(`TensorFlowMissing`), and `bot.engine.host` refuses such a model before that, by name.
Never: active in maintainers' commands (`rasa train`, `rasa shell`), which use the real TensorFlow.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

ROOTS = ("tensorflow", "keras", "tensorflow_hub", "tensorflow_text", "tensorflow_addons")


class TensorFlowMissing(RuntimeError):
    """A neural component was used in a process that runs without TensorFlow."""


class _EmptyType(type):
    """Type of the empty classes: any attribute is another one, a call as a decorator gives the function back."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _empty(name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not cls.__dict__.get("_andrum_empty"):
            raise TensorFlowMissing(
                f"{cls.__name__} needs TensorFlow, and this process runs without it. Take it out of config.yml, "
                'or set engine.tensorflow = "real" in andrum.toml and install the maintainers\' environment.'
            )
        if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
            return args[0]  # used as @tf.function
        return cls  # used as @tf.function(...), tf.TensorSpec(...)

    def __or__(cls, other: Any) -> Any:
        return cls


def _empty(name: str) -> _EmptyType:
    return _EmptyType(name, (), {"_andrum_empty": True})


class _EmptyModule(types.ModuleType):
    __version__ = "0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _empty(name)


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in ROOTS:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = _EmptyModule(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """An empty module has nothing to run."""


def install() -> None:
    """Put the stand-in in front of the real TensorFlow. Raises RuntimeError if the real one is already loaded."""
    if any(isinstance(finder, _Importer) for finder in sys.meta_path):
        return
    if "tensorflow" in sys.modules:
        raise RuntimeError("TensorFlow is already imported; the stand-in must be installed before Rasa is imported.")
    sys.meta_path.insert(0, _Importer())
