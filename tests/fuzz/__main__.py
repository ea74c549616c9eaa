"""
Fuzz framings: C{python -m tests.fuzz --runs N [FRAMING ...]}.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: The fuzzer observes this package while it runs.
INSTRUMENTED = "twisted_clienttcp.framing"

#: The longest input in bytes: more than a few records with the limits of C{FRAMINGS}.
LONGEST = 160


def seeds(made: Any) -> list[bytes]:
    """
    Return inputs to begin with: encoded records, split in some ways.
    """
    encoded = [made.make().encode(record) for record in made.records]
    return [
        bytes(head) + b"".join(stream)
        for head in ((0, 0, 0, 0, 1, 1), (1, 1, 1, 1, 9, 0), (3, 5, 2, 0, 2, 2))
        for stream in (encoded, encoded[::-1], *([each] for each in encoded))
    ]


def complain(name: str, data: bytes, error: BaseException) -> None:
    """
    Print the error, and the command that reproduces it.
    """
    print(f"{name}: {type(error).__name__}: {error}")
    print(f"    python -m tests.fuzz --input {data.hex()} '{name}'", flush=True)


def fuzz(atheris: Any, name: str, made: Any, runs: int, seed: int, corpus: str) -> None:
    """
    Fuzz one framing, and end this process: with status 0 only if nothing was found.

    @param corpus: a folder for the inputs.
    """
    target = import_module(f"{__package__}.target")

    def one(data: bytes) -> None:
        try:
            target.check(made, data)
        except Exception as error:
            complain(name, data, error)
            os._exit(1)

    for number, data in enumerate(seeds(made)):
        Path(corpus, str(number)).write_bytes(data)
    options = (f"-runs={runs}", f"-max_len={LONGEST}", f"-seed={seed}")
    quiet = ("-verbosity=0", "-timeout=20", f"-artifact_prefix={corpus}/")
    atheris.Setup(["fuzz", *options, *quiet, corpus], one)
    atheris.Fuzz()


def fuzzAll(atheris: Any, framings: Mapping[str, Any], runs: int, seed: int) -> int:
    """
    Fuzz each of these in a process of its own.

    @return: in how many of them something was found.
    """
    found = 0
    for name, made in framings.items():
        # The child ends without cleaning up, so this process owns the folder.
        with TemporaryDirectory() as corpus:
            child = os.fork()
            if not child:
                fuzz(atheris, name, made, runs, seed, corpus)
                os._exit(0)
            _, status = os.waitpid(child, 0)
        if status:
            found += 1
            print(f"{name}: found with seed {seed}, status {status}", flush=True)
    return found


def main(arguments: list[str]) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="inputs a framing")
    parser.add_argument("--seed", type=int, default=1, help="0: a random one")
    parser.add_argument("--input", type=bytes.fromhex, help="check only this one")
    parser.add_argument("framings", nargs="*", metavar="FRAMING", help="all by default")
    options = parser.parse_args(arguments)
    atheris: Any = None
    if options.input is None:
        try:
            atheris = import_module("atheris")
        except ImportError:
            print("atheris is not installed: pip install atheris", file=sys.stderr)
            return 2
        with atheris.instrument_imports(include=[INSTRUMENTED]):
            import_module(INSTRUMENTED)
    every = import_module("tests._framings").FRAMINGS
    unknown = [name for name in options.framings if name not in every]
    if unknown:
        parser.error(f"no such framing: {unknown}; there are {', '.join(every)}")
    chosen = {name: every[name] for name in options.framings or every}
    if options.input is not None:
        check = import_module(f"{__package__}.target").check
        found = 0
        for name, made in chosen.items():
            try:
                check(made, options.input)
            except Exception as error:
                complain(name, options.input, error)
                found += 1
    else:
        found = fuzzAll(atheris, chosen, options.runs, options.seed)
    print(f"{len(chosen)} framings, {found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
