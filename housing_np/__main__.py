"""python -m housing_np COMMAND: lists the commands and runs one."""

import sys
from collections.abc import Sequence
from importlib import import_module

from . import __version__, cli

COMMANDS = {
    "train": "fit a model, evaluate it, quantize it and save it",
    "quantize": "quantize a saved float model",
    "predict": "predict rows with a saved model",
    "explain": "show what is in a saved model, and which feature its error comes from",
    "compare": "measure the usual ways to fit a linear model into uint8 beside this one",
}


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names."""
    match arguments:
        case [name, *rest] if name in COMMANDS:
            return int(import_module(f".{name}", __package__).main(rest))
        case ["--version"]:
            print(__version__)
            return cli.DONE
        case [] | ["-h" | "--help"]:
            print("usage: python -m housing_np COMMAND [--help] ...\n")
            print("\n".join(f"  {name:10}{text}" for name, text in COMMANDS.items()))
            return cli.DONE
    print(f"error: no command {arguments[0]!r}; the commands are: {', '.join(COMMANDS)}", file=sys.stderr)
    return cli.BAD_INPUT


if __name__ == "__main__":
    cli.leave(cli.run(main, sys.argv[1:]))
