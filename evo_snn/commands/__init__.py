"""The command line ``evo-snn``: looks for the user's mistakes in one line, never a traceback.

Exit status: 0 done; 2 the request is wrong; 3 the search ended without a feasible design, its run
intact; 1 anything else. Each command imports what it needs when it runs, so that ``--help`` and
looking at a run are quick.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evo_snn.commands.ablate import ablate
from evo_snn.commands.check import check
from evo_snn.commands.chips import chips
from evo_snn.commands.doctor import doctor
from evo_snn.commands.estimate import estimate
from evo_snn.commands.evolve import evolve
from evo_snn.commands.exits import exits
from evo_snn.commands.init import init
from evo_snn.commands.look import candidates, front, show
from evo_snn.commands.names import datasets, objectives, spaces
from evo_snn.commands.output import say, visible
from evo_snn.commands.precision import precision
from evo_snn.commands.recost import recost
from evo_snn.commands.resume import resume
from evo_snn.commands.status import status
from evo_snn.commands.train import train
from genomes.errors import RequestError, printable, shortened

_DEBUG = "--debug"
_NO_NOTE = "the command did not finish"
_LONGEST_USAGE = 400

_COMMANDS: tuple[Callable[..., None], ...] = (
    init,
    evolve,
    resume,
    status,
    front,
    candidates,
    show,
    check,
    train,
    precision,
    exits,
    recost,
    ablate,
    estimate,
    spaces,
    chips,
    datasets,
    objectives,
    doctor,
)


class InterruptedCommandError(Exception):
    """Ctrl-C, with what is known of what it left; typer would end without a word."""


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            notes = getattr(interrupt, "__notes__", ())
            raise InterruptedCommandError("; ".join(notes) or _NO_NOTE) from interrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit with its status.

    Args:
        arguments: What to run; the process's own arguments without it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _DEBUG in given
    _log_to_standard_error()
    line = [argument for argument in given if argument != _DEBUG] or ["--help"]
    try:
        # Not standalone, so that what typer finds wrong is told as everything else is.
        status = make_app()(line, prog_name="evo-snn", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except Exception as error:  # noqa: BLE001 - the last resort, told in one line
        if debug:
            traceback.print_exc()
        sys.exit(_report(error, line, debug=debug))


def _log_to_standard_error() -> None:
    """The library only logs; a command shows it, apart from its results on standard output."""
    logger = logging.getLogger("evo_snn")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_VisibleText())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # a library may have given the root a handler of its own


class _VisibleText(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """A line, which may quote a stranger's run."""
        return visible(super().format(record))


def make_app() -> typer.Typer:
    """The command line as an object, e.g. for tests."""
    app = typer.Typer(
        cls=_Group,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in _COMMANDS:
        app.command()(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        import evo_snn

        typer.echo(f"evo-snn {evo_snn.__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show the traceback of an error; at any place in the line.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version)] = False,
) -> None:
    """Search spiking neural networks for RRAM compute-in-memory chips by evolution."""


def _report(error: Exception, line: Sequence[str], *, debug: bool) -> int:
    """Say what went wrong in one line on standard error; return the exit status."""
    text = printable(" ".join(str(error).split())) or "no message"
    if hasattr(error, "format_message"):  # typer's own, of a line that no command takes
        say("error", _usage(error, line))
        return 2
    if isinstance(error, RequestError):
        say("error", text)
        return 2
    if isinstance(error, InterruptedCommandError):
        say("interrupted", text)
        return 1
    if _is_nothing_feasible(error):
        say("error", text)
        return 3
    hint = "" if debug else f" ({_DEBUG} shows where)"
    kind = "" if isinstance(error, ImportError | OSError) else f"{type(error).__name__}: "
    say("error", f"{kind}{text}{hint}")
    return 1


def _usage(error: Any, line: Sequence[str]) -> str:
    """What is wrong with a command line, and where to look."""
    options: Sequence[str] = getattr(getattr(error, "param", None), "opts", ())
    value = next((each for option in options for each in _values(option, line)), None)
    if value is None:
        text = shortened(printable(" ".join(error.format_message().split())), _LONGEST_USAGE)
        text = text if text.endswith((".", "?")) else f"{text}."
    else:  # in the words of all other errors, rather than those of a library
        allowed = error.message.removeprefix("Input should be ").partition(", unable")[0]
        text = str(RequestError(options[0], value, allowed))
    named = {command.__name__ for command in _COMMANDS}
    command = next((f"evo-snn {word}" for word in line if word in named), "evo-snn")
    command = getattr(getattr(error, "ctx", None), "command_path", command)
    return f"{text} {command} -h shows what it takes."


def _values(option: str, line: Sequence[str]) -> list[str]:
    """The values that a command line gives to an option."""
    joined = [word.partition("=")[2] for word in line if word.startswith(f"{option}=")]
    return [after for word, after in pairwise(line) if word == option] + joined


def _is_nothing_feasible(error: Exception) -> bool:
    # Only the search raises it, so there is no need to import the search to find out.
    search = sys.modules.get("evo_snn.search")
    return search is not None and isinstance(error, search.NothingFeasible)
