"""
The processes that tests start. Each gets an environment of its own, so that a test has
the same result in any shell, for any user and under any runner: in the parent's
environment, C{trial -j} sets C{PYTHONPATH}, and people set C{LC_ALL}, C{COLUMNS},
C{http_proxy} or C{PYTHONUNBUFFERED}.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.interfaces import IProcessProtocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

#: The folder of the clone.
ROOT = Path(__file__).parent.parent

#: Where programs are searched for. Some systems install servers in C{sbin}, which is
#: not on the path of an ordinary user.
PATH = os.pathsep.join(["/usr/local/bin", os.defpath, "/usr/local/sbin", "/usr/sbin"])

#: Variables of the parent that processes of this Python need: the filters for warnings,
#: coverage.py's settings, and the location of a shared libpython.
PASSED_ON = (
    "COVERAGE_FILE",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_PROCESS_START",
    "LD_LIBRARY_PATH",
    "PYTHONWARNINGS",
)


#: A process that has exited, with its output as text.
Completed = subprocess.CompletedProcess[str]


@cache
def _home() -> str:
    """
    @return: an empty folder, removed when this process exits.
    """
    folder = tempfile.mkdtemp(prefix="clienttcp-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(executable: str, **variables: str) -> dict[str, str]:
    """
    @param executable: the program that gets this environment.
    @param variables: more variables.

    @return: a complete environment for a process.
    """
    made = {
        "HOME": _home(),
        "LANG": "C.UTF-8",
        "PATH": PATH,
        "TMPDIR": tempfile.gettempdir(),
    }
    if executable == sys.executable:
        made |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**made, **variables}


def _defaultSignals() -> None:
    """
    Handle no signal differently because the parent does: a shell starts background
    jobs with SIGINT ignored, and C{nohup} ignores SIGHUP. (C{reactor.spawnProcess} does
    the same.)
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def setVariable(test: SynchronousTestCase, name: str, value: str | None) -> None:
    """
    Set a variable of this process until the test ends.

    @param value: its value; None to remove it.
    """
    test.addCleanup(_set, name, os.environ.get(name))
    _set(name, value)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def unavailable(reason: str) -> NoReturn:
    """
    Skip a test because the machine lacks something, except in CI.

    @raise SkipTest: if this is not CI.
    @raise AssertionError: if it is: CI must not skip.
    """
    if os.environ.get("CI"):
        raise AssertionError(f"{reason}, and CI must not skip")
    raise SkipTest(reason)


def program(name: str) -> str:
    """
    @return: the path of a program.

    @raise SkipTest: if it is not installed, except in CI, where it must be.
    """
    return shutil.which(name, path=PATH) or unavailable(f"{name} is not installed")


def spawn(
    protocol: IProcessProtocol,
    *command: object,
    variables: dict[str, str] | None = None,
    reactor: Any = None,
    **options: Any,
) -> Any:
    """
    Start a process.

    @param command: the path of the program, and its arguments.
    @param variables: variables to add to its environment.
    @param options: more arguments for C{reactor.spawnProcess}.

    @return: its transport.
    """
    if reactor is None:
        from twisted.internet import reactor
    words = [str(word) for word in command]
    return reactor.spawnProcess(
        protocol,
        words[0],
        words,
        env=environment(words[0], **(variables or {})),
        **options,
    )


async def execute(
    *command: object,
    path: Path | str = ROOT,
    variables: dict[str, str] | None = None,
) -> tuple[bytes, bytes, int]:
    """
    Run a command until it exits.

    @param command: the path of the program, and its arguments.
    @param path: the folder in which to run it.
    @param variables: variables to add to its environment.

    @return: its output, its errors, and its exit status; for a process that a signal
        has ended, the negative number of the signal.
    """
    words = [str(word) for word in command]
    made = environment(words[0], **(variables or {}))
    running = getProcessOutputAndValue(words[0], words[1:], env=made, path=str(path))

    def signalled(failure: Failure) -> tuple[bytes, bytes, int]:
        out, err, number = failure.value  # type: ignore[misc]
        return out, err, -number

    done: tuple[bytes, bytes, int] = await running.addErrback(signalled)
    return done


def completed(
    *command: object,
    cwd: Path | str = ROOT,
    variables: dict[str, str] | None = None,
    seconds: float = 300,
    **options: Any,
) -> Completed:
    """
    Run a command until it exits, and wait for it.

    @param command: the path of the program, and its arguments.
    @param cwd: the folder in which to run it.
    @param variables: variables to add to its environment.
    @param seconds: the time after which it is killed.
    @param options: more arguments for C{subprocess.run}.

    @return: its output, as text, and its exit status.
    """
    words = [str(word) for word in command]
    return subprocess.run(
        words,
        cwd=cwd,
        env=environment(words[0], **(variables or {})),
        preexec_fn=_defaultSignals,
        text=True,
        timeout=seconds,
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        },
    )


def run(*command: object, **options: Any) -> str:
    """
    Run a command that must succeed.

    @param command: the path of the program, and its arguments.
    @param options: more arguments for L{completed}.

    @return: what it printed, errors included.

    @raise AssertionError: with what it printed, if it failed.
    """
    done = completed(*command, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise AssertionError(f"{command} exited {done.returncode}: {done.stdout}")
    return done.stdout


def start(*command: object) -> subprocess.Popen[bytes]:
    """
    Start a process that is used through pipes, without a reactor.
    """
    words = [str(word) for word in command]
    return subprocess.Popen(
        words,
        env=environment(words[0]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
