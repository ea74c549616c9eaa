"""
Between a client and standard input and output.

Theory of operation:

 1. Standard input is read only while there is a connection, and while that keeps up.
    So what is read is put at once, nothing needs to be held here, and what is not read
    waits where it came from: in the pipe, the file, or the terminal.
 2. Twisted's L{StandardIO} serves pipes, terminals and files alike: reactors poll
    what the system cannot watch.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from . import ClientTCPFactory, Disconnection, errorDetails
from .errors import FramingError, TruncatedRecord
from .framing import Framing, Line

#: The octets on their way to the server at which standard input is read no further,
#: until the kernel has them all.
PENDING = 128 * 1024

#: The seconds of silence that end the wait for answers, after standard input has ended.
SILENCE = 1.0


@implementer(IHalfCloseableProtocol)
class Console(Protocol):
    """
    Puts what standard input gives, and writes what comes to standard output.

    @ivar lost: octets have been lost, or standard input could not be sent to its end.
    """

    _log = Logger()

    def __init__(self, framing: type[Framing], staying: bool) -> None:
        """
        @param framing: the class of the client's framing.
        @param staying: whether the client is to stay when standard input has ended or
            nobody reads standard output any more.
        """
        self.lost = False
        self._staying = staying
        self._cut = framing()
        self._ending = b"\n" if framing is Line else b""
        self._inputEnded = False
        self._outputEnded = False
        self._silence: IDelayedCall | None = None
        self._closed: Deferred[None] | None = None
        self._client: ClientTCPFactory

    def callbacks(self) -> dict[str, Callable[..., object]]:
        """
        @return: the callbacks for the client.
        """
        return {
            "started": self._started,
            "connected": self._connected,
            "connectError": self._failed,
            "serverInput": self._serverInput,
            "serverFlushed": self._flushed,
            "serverError": self._failed,
            "disconnected": self._disconnected,
        }

    def shutdown(self) -> None:
        """
        Read no further, and let the client end when all is sent.
        """
        self.pause()
        self._client.shutdown()

    def interrupt(self, signal: str) -> None:
        """
        L{shutdown}, because of a signal.

        @param signal: its name.
        """
        if self._client.pendingOctets:
            self._log.warn(
                "{signal}: sending the last {pending} octets; once more ends at once",
                signal=signal,
                pending=self._client.pendingOctets,
            )
        self.shutdown()

    def pause(self) -> None:
        """
        Read no further.
        """
        self._stdio.pauseProducing()

    def close(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when standard output has all that is to be
            written.
        """
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        if self.transport is None or self._outputEnded:
            return succeed(None)
        self._closed = Deferred()
        self._stdio.loseConnection()
        return self._closed

    @property
    def _stdio(self) -> Any:
        return self.transport

    # -- what the client tells

    def _started(self, client: ClientTCPFactory) -> None:
        self._client = client
        StandardIO(self)

    def _connected(self, client: ClientTCPFactory, peer: IAddress) -> None:
        self._log.info("connected to {peer}", peer=peer)
        self._stdio.resumeProducing()

    def _failed(self, client: ClientTCPFactory, failure: Failure) -> None:
        self.pause()
        operation, _, text = errorDetails(failure)
        if text:
            self._log.warn("{operation}: {text}", operation=operation, text=text)
        elif not self._inputEnded:
            self._log.warn("the server has closed the connection")

    def _serverInput(self, client: ClientTCPFactory, record: bytes) -> None:
        self._stdio.write(record + self._ending)
        self._awaitSilence()

    def _flushed(self, client: ClientTCPFactory) -> None:
        if client.connected:
            self._stdio.resumeProducing()
        self._awaitSilence()

    def _disconnected(
        self, client: ClientTCPFactory, disconnection: Disconnection
    ) -> None:
        if disconnection.truncated is not None:
            # A last line without its newline is printed as it came.
            self._stdio.write(disconnection.truncated.rest)
        if disconnection.unsent:
            self.lost = True
            self._log.warn(
                "up to {unsent} octets could not be sent", unsent=disconnection.unsent
            )
        if self._inputEnded and not self._staying:
            client.shutdown()

    # -- what standard input and output tell

    def connectionMade(self) -> None:
        """
        Wait for the connection.
        """
        self.pause()

    def dataReceived(self, data: bytes) -> None:
        """
        Put what standard input has given.
        """
        try:
            for record in self._cut.feed(data):
                self._client.put(record)
        except FramingError as e:
            self.lost = True
            self._log.error("standard input: {error}", error=e)
            self.shutdown()
        if self._client.pendingOctets > PENDING:
            self.pause()

    def readConnectionLost(self) -> None:
        """
        Standard input has ended.
        """
        try:
            for record in self._cut.finish():
                self._client.put(record)
        except TruncatedRecord as e:
            self._client.put(e.rest)
        if not self._staying:
            self._inputEnded = True
            self._awaitSilence()

    def writeConnectionLost(self) -> None:
        """
        Nobody reads standard output any more, or it takes no more.
        """
        self._outputEnded = True
        mode = os.fstat(1).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(1)):
            # A reader may have had enough; a file has not.
            self.lost = True
            self._log.error("standard output cannot be written: is its disk full?")
        if not self._staying:
            # Nobody waits for this either, so a server that talks on is not heard out.
            self._client.lingerTimeout = SILENCE
            self.shutdown()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Standard output has all.
        """
        if self._closed is not None:
            self._closed.callback(None)

    def _awaitSilence(self) -> None:
        """
        Behind the end of standard input: wait anew for the server to fall silent.
        """
        if self._silence is not None and self._silence.active():
            self._silence.reset(SILENCE)
        elif self._inputEnded:
            clock = self._client._timeSource()
            self._silence = clock.callLater(SILENCE, self._silent)

    def _silent(self) -> None:
        # While anything is pending there is a flush to come, and a new wait with it.
        if not self._client.pendingOctets:
            self._client.shutdown()
