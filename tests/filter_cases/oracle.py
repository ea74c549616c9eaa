"""
POE itself, which answers requests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._processes import completed, program, start, unavailable

#: The program that runs POE's filters.
PROGRAM = Path(__file__).parent / "filter_oracle.pl"


class Oracle:
    """
    A process that runs POE until L{close}.
    """

    def __init__(self) -> None:
        """
        @raise SkipTest: if Perl or POE is not installed, except in CI, where both must
            be.
        """
        perl = program("perl")
        if completed(perl, "-MPOE", "-e", "1").returncode:
            unavailable("perl's POE is not installed")
        self._process = start(perl, PROGRAM)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """
        @return: the reply to a request.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        reply: dict[str, Any] = json.loads(stdout.readline())
        return reply

    def close(self) -> None:
        """
        End the process.
        """
        self._process.communicate()
