"""
Tests for the option C{--hex-dump}, also C{-x}: the wire log of the command.
"""

from __future__ import annotations

import os
from pathlib import Path

from .._commands import CLIENTTCP, TWIST, TWISTD, USAGE, ServedTestCase
from .._wirelog import Dump

OUT, IN = ">", "<"


class HexDumpTests(ServedTestCase):
    """
    C{--hex-dump}.
    """

    def path(self) -> Path:
        """
        @return: the path of a file that does not exist.
        """
        return Path(self.directory(), "wire.log")

    async def test_file(self) -> None:
        """
        The file has all bytes of both directions and the end. It is new, and only its
        owner can read it.
        """
        await self.serve()
        path = self.path()
        given = b"one\nbye\n"
        done = await self.run_(*CLIENTTCP, "-x", path, *self.where, given=given)
        self.assertEqual((self.status, done.err), (0, b""))
        self.assertEqual(done.out, b"ONE\nBYE\n")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        dump = Dump(path.read_text("ascii"))
        self.assertEqual(dump.stream(OUT), b"one\r\nbye\r\n")
        self.assertEqual(dump.stream(IN), b"ONE\r\nBYE\r\n")
        self.assertEqual({entry.note for entry in dump.entries}, {""})
        name = f"#1 127.0.0.1:{self.where[1]}"
        self.assertTrue(dump.notes[0].startswith(f"{name} connected from "))
        self.assertEqual(dump.notes[-1], f"{name} closed")

    async def test_all(self) -> None:
        """
        Nothing is left out, however much there is.
        """
        await self.serve()
        path = self.path()
        given = b"x" * 99 + b"\n"
        options = ("--framing=stream", f"--hex-dump={path}")
        await self.run_(*CLIENTTCP, *options, *self.where, given=given * 20_000)
        self.assertEqual(self.status, 0)
        dump = Dump(path.read_text("ascii"))
        self.assertEqual(dump.stream(OUT), given * 20_000)
        self.assertEqual(dump.stream(IN), given.upper() * 20_000)

    async def test_appended(self) -> None:
        """
        A file that exists keeps its content and its mode. The commands of Twisted have
        the option too.
        """
        await self.serve()
        path = self.path()
        path.write_text("before\n")
        path.chmod(0o640)
        runs = (
            CLIENTTCP,
            (*TWISTD, "--logfile=log", "clienttcp", "--eof=close"),
            (*TWIST, "--log-file=log", "clienttcp", "--eof=close"),
        )
        for run in runs:
            await self.run_(*run, "-x", path, *self.where, given=b"one\nbye\n")
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        first, _, rest = path.read_text().partition("\n")
        self.assertEqual(first, "before")
        self.assertEqual(Dump(rest).stream(OUT), b"one\r\nbye\r\n" * len(runs))

    async def test_standardError(self) -> None:
        """
        C{-x -} writes it to standard error, as messages.
        """
        await self.serve()
        done = await self.run_(*CLIENTTCP, "-x", "-", *self.where, given=b"bye\n")
        self.assertEqual((self.status, done.out), (0, b"BYE\n"))
        dump = Dump(done.err.decode("ascii").replace("clienttcp: ", ""))
        self.assertEqual(dump.stream(OUT), b"bye\r\n")
        self.assertEqual(dump.stream(IN), b"BYE\r\n")

    async def test_refused(self) -> None:
        """
        A file that cannot be opened is wrong usage, reported in one line. If anything
        else is wrong, there is no file.
        """
        folder = self.directory()
        for run in (CLIENTTCP, (*TWISTD, "clienttcp"), (*TWIST, "clienttcp")):
            done = await self.run_(*run, "-x", folder, "localhost", "7")
            self.assertEqual((self.status, done.out), (USAGE, b""))
            self.assertEqual(done.err.count(b"\n"), 1, done.err)
            self.assertIn(b"--hex-dump", done.err)
            self.assertIn(b"Is a directory", done.err)
        path = self.path()
        await self.run_(*CLIENTTCP, "-x", path, "localhost", "65536")
        self.assertEqual((self.status, path.exists()), (USAGE, False))

    async def test_fullDisk(self) -> None:
        """
        If the file cannot be written, one message says so, and the client continues.
        """
        await self.serve()
        given = b"one\nbye\n"
        done = await self.run_(*CLIENTTCP, "-x", "/dev/full", *self.where, given=given)
        self.assertEqual((self.status, done.out), (0, b"ONE\nBYE\n"))
        self.assertEqual(done.err.count(b"\n"), 1, done.err)
        self.assertIn(os.strerror(28).encode(), done.err)

    async def test_login(self) -> None:
        """
        With callbacks of the user's own, what may be a login is not shown.
        """
        source = """
class Handlers:
    def connected(self, client, peer):
        client.put(b"PASS secret")

    def serverInput(self, client, line):
        if line == b"PASS SECRET":
            client.put(b"bye")
"""
        await self.serve()
        home = self.directory()
        Path(home, "handlers.py").write_text(source)
        path = self.path()
        command = self.spawn(
            *(*CLIENTTCP, "-x", path, "--client=handlers:Handlers", *self.where),
            path=home,
        )
        await self.end(command, 0)
        dump = Dump(path.read_text("ascii"))
        self.assertEqual(dump.entries[0].note, "masked")
        self.assertEqual(dump.stream(OUT), b"bye\r\n")
