"""
The original itself, which answers requests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

#: The program around the original.
PROGRAM = Path(__file__).parent / "filter_oracle.pl"


class Oracle:
    """
    A process of the original's, which lives until L{close}.
    """

    def __init__(self) -> None:
        """
        @raise SkipTest: if Perl or POE is not installed, except in CI, where both must
            be.
        """
        perl = shutil.which("perl")
        probe = [perl or "perl", "-MPOE", "-e", "1"]
        if perl is None or subprocess.run(probe, capture_output=True).returncode:
            if os.environ.get("CI"):
                raise AssertionError(
                    "perl's POE is not installed, and CI must not skip"
                )
            raise SkipTest("perl's POE is not installed")
        self._process = subprocess.Popen(
            [perl, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

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
