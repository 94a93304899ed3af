"""The commands: `andrum serve | train | parse | evaluate | bench`.

Road: the top; imports the rest only when a command needs it, so that each starts quickly. Promise: an error is one message
that names the file or the setting, what is wrong and what to do, and an exit code that is not 0. Never: a traceback for
something a person can mend.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot import settings as settings_module
from bot.settings import Settings, SettingsError

if TYPE_CHECKING:
    from bot.nlu.model import IntentModel

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
EXIT_CONFIGURATION = 78
NLU = "our understanding beside Rasa's own pipelines, on the same sentences; takes minutes"
WRITE = "put the table into this Markdown file, between its marks"


class NoModel(Exception):
    """A command needs a model that has not been trained yet."""


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = settings_module.load(arguments.settings)
    host, port = getattr(arguments, "host", None), getattr(arguments, "port", None)
    edge = replace(settings.edge, **{k: v for k, v in (("host", host), ("port", port)) if v is not None})
    return replace(settings, edge=edge)


def _serve(arguments: argparse.Namespace) -> int:
    from bot.supervisor import Supervisor

    settings = _settings(arguments)
    # The two processes read the settings themselves; what was given on this command line reaches them as settings do.
    os.environ["ANDRUM_EDGE_HOST"] = settings.edge.host
    os.environ["ANDRUM_EDGE_PORT"] = str(settings.edge.port)
    if arguments.settings:
        os.environ["ANDRUM_SETTINGS"] = str(arguments.settings.resolve())
    return asyncio.run(Supervisor(ROOT, settings).run())


def _no_core_file() -> None:
    """A core file would hold the memory of a conversation."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _edge(arguments: argparse.Namespace) -> int:
    from bot import app
    from bot.catalog import CatalogError
    from bot.contacts import ContactsError
    from bot.language.registry import LanguagesError
    from bot.privacy import logs

    _no_core_file()
    secret = sys.stdin.readline().strip()
    logs.close("edge")
    try:
        with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
            _until_terminated(app.serve(_settings(arguments), DATA, arguments.socket, secret))
    except (CatalogError, ContactsError, LanguagesError) as error:
        print(f"andrum: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    except OSError as error:
        print(f"andrum: cannot listen: {error.strerror}. See [edge] in andrum.toml.", file=sys.stderr)
        return EXIT_CONFIGURATION
    return 0


def _until_terminated(serving: object) -> None:
    """Run the coroutine; SIGTERM cancels it, so that it cleans up."""
    import signal

    async def main() -> None:
        task = asyncio.ensure_future(serving)  # type: ignore[call-overload]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await task

    asyncio.run(main())


def _engine(arguments: argparse.Namespace) -> int:
    from bot.engine import host

    _no_core_file()
    secret = sys.stdin.readline().strip()
    try:
        host.run(_settings(arguments), arguments.model, arguments.socket, secret, arguments.scratch)
    except host.ModelUnfit as error:
        print(f"andrum: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from bot import training

    try:
        training.train(ROOT, _settings(arguments), force=arguments.force)
    except training.TrainingFailed as error:
        print(f"andrum: {error}", file=sys.stderr)
        return 1
    return 0


def _understanding() -> IntentModel:
    """The model for the data as it is now, without Rasa. Raises NoModel."""
    from bot.nlu.model import load_from_archive
    from bot.training import current_model

    model = current_model(ROOT)
    if not model.exists():
        raise NoModel("there is no model for the data as it is now. Run `andrum train` first.")
    return load_from_archive(model)


def _parse(arguments: argparse.Namespace) -> int:
    from bot.nlu.model import parse_line

    understanding = _understanding()
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").strip("\r\n")
        print(json.dumps(parse_line(understanding, text, arguments.lang), ensure_ascii=False), flush=True)
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from bot.nlu import bench
    from bot.nlu.evaluation import EvaluationError, evaluate

    stock = None
    try:
        report = evaluate(_understanding(), arguments.files)
        if arguments.against:
            print("Training the stock pipeline on the same languages; this takes minutes ...", file=sys.stderr, flush=True)
            stock = bench.against(ROOT, arguments.against, bench.of_files(ROOT, arguments.files))
    except (EvaluationError, bench.BenchFailed) as error:
        print(f"andrum: {error}", file=sys.stderr)
        return 1
    figures = report.as_dict()
    if arguments.json:
        print(json.dumps({**figures, "against": stock} if stock else figures, ensure_ascii=False, indent=2))
    else:
        print(report.table())
        if stock:
            print(f"\n{bench.beside(figures['figures'], stock)}")
    return _write(arguments.write, report.as_markdown(), "evaluate")


def _write(path: Path | None, table: str, what: str) -> int:
    """Put a table where the command line said, if it did."""
    from bot import bench

    if path:
        try:
            bench.write(path, table, what)
        except (OSError, ValueError) as error:
            print(f"andrum: {error}", file=sys.stderr)
            return 1
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from bot import bench

    figures = bench.measure(ROOT)
    print(json.dumps(figures, indent=2) if arguments.json else bench.as_table(figures))
    return _write(arguments.write, bench.as_table(figures), "bench")


def _bench_nlu(arguments: argparse.Namespace) -> int:
    from bot.nlu import bench
    from bot.nlu.evaluation import EvaluationError

    try:
        chosen = bench.subset(ROOT, [tag.strip() for tag in arguments.languages.split(",")], arguments.most)
        print("Training several pipelines one after the other; this takes minutes ...", file=sys.stderr, flush=True)
        figures = bench.measure(ROOT, chosen, arguments.clinc)
    except (EvaluationError, bench.BenchFailed) as error:
        print(f"andrum: {error}", file=sys.stderr)
        return 1
    table = bench.as_table(figures)
    print(json.dumps(figures, indent=2) if arguments.json else table)
    return _write(arguments.write, table, "bench nlu")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="andrum", description="Andrum: rights and help, in many languages, nothing kept.")
    parser.add_argument(
        "--settings",
        type=Path,
        default=Path(os.environ["ANDRUM_SETTINGS"]) if "ANDRUM_SETTINGS" in os.environ else None,
        help="the settings file (default: andrum.toml here)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve | train | parse | evaluate | bench")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str | None) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text) if text else commands.add_parser(name)
        one.set_defaults(run=run)
        return one

    serve = command("serve", _serve, "start everything: the page, and the engine behind it")
    serve.add_argument("--port", type=int, help="port of the page (default: andrum.toml)")
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    train = command("train", _train, "train the model, if the data has changed")
    train.add_argument("--force", action="store_true", help="train even if nothing has changed")
    parse = command("parse", _parse, "understand lines from standard input; one JSON object a line")
    parse.add_argument("--lang", help="the language of the lines (default: detected)")
    evaluate = command("evaluate", _evaluate, "how well held-out sentences are understood")
    evaluate.add_argument("files", nargs="+", type=Path, help="TSV files: style, intent, also_right, text")
    evaluate.add_argument("--json", action="store_true", help="JSON instead of a table")
    evaluate.add_argument("--write", type=Path, help=WRITE)
    evaluate.add_argument(
        "--against", choices=["stock"], help="beside Rasa's own pipeline, trained for it on the same languages; takes minutes"
    )
    bench = command("bench", _bench, "measure this machine: start, training, memory, answers")
    bench.add_argument("--json", action="store_true", help="JSON instead of a table")
    bench.add_argument("--write", type=Path, help=WRITE)
    nlu = bench.add_subparsers(metavar="[nlu]").add_parser(
        "nlu", help=NLU, description=f"{NLU[0].upper()}{NLU[1:]}. DIET only where there is TensorFlow."
    )
    nlu.set_defaults(run=_bench_nlu)
    nlu.add_argument("--languages", default="sv,ar", help="the subset, comma separated (default: sv,ar)")
    nlu.add_argument("--most", type=int, help="learn from at most so many examples an intent (default: all)")
    nlu.add_argument("--clinc", type=Path, help="CLINC150's data_full.json: also check the classifier alone on it")
    nlu.add_argument("--json", action="store_true", help="JSON instead of a table")
    nlu.add_argument("--write", type=Path, help=WRITE)
    # The two processes that `serve` starts.
    edge = command("edge", _edge, None)
    edge.add_argument("--socket", type=Path, required=True)
    engine = command("engine", _engine, None)
    engine.add_argument("--socket", type=Path, required=True)
    engine.add_argument("--model", type=Path, required=True)
    engine.add_argument("--scratch", type=Path, required=True)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
        return code
    except SettingsError as error:
        print(f"andrum: {error}", file=sys.stderr)
        return 2
    except NoModel as error:
        print(f"andrum: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
