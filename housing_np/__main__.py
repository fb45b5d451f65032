"""python -m housing_np COMMAND, or housing-np COMMAND: lists the commands and runs one."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .errors import HousingError, quoted
from .store import signals

COMMANDS = {
    "train": "fit a model, evaluate it, quantize it and save it",
    "quantize": "quantize a saved float model",
    "predict": "predict rows with a saved model",
    "explain": "show what is in a saved model, and which feature its error comes from",
    "export": "take a saved model to C, to ONNX or to a web page",
    "serve": "answer rows over HTTP with a saved model",
    "compare": "measure the usual ways to fit a linear model into uint8 beside this one",
}


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names."""
    from argparse import ArgumentParser

    from .command import cli

    parser = cli.Parser("", "A linear model, trained, quantized to uint8 and shipped in a few hundred bytes.", "train")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", required=True, parser_class=ArgumentParser
    )
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    if len(arguments) > 1 and arguments[0] in ("-q", "--quiet"):
        arguments = [*arguments[1:], arguments[0]]
    first = arguments[0] if arguments else "--help"
    if not first.startswith("-") and first not in COMMANDS:
        from .rows import nearest

        near = nearest(first, COMMANDS)
        known = f"did you mean {quoted(near)}?" if near else f"the commands are: {', '.join(COMMANDS)}"
        raise HousingError(f"no command {quoted(first)}; {known}")
    command = parser.parse_args([first]).command
    try:
        # A command reads its own arguments: only the one that runs is imported.
        module = import_module(f".{command}", __package__)
    except (ImportError, SystemError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "numpy":
            raise HousingError("numpy is not installed; in a checkout: pip install .") from None
        reason = error.__cause__ or error
        raise HousingError(f"numpy cannot be loaded ({reason}); give it more memory, or install it again") from None
    return int(module.main(arguments[1:]))


def script(*command: str) -> NoReturn:
    """Run a command, or the one that the first argument names, as a process of its own."""
    # Before anything is imported that takes time.
    signals.catch()
    from .command import cli

    cli.leave(cli.run(main, [*command, *sys.argv[1:]]))


if __name__ == "__main__":
    script()
