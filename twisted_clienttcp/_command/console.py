"""
Between a client and standard input and output.

Theory of operation:

 1. Standard input is read only while there is a connection, and while that keeps up:
    it is the client's producer. So what is read is put at once, nothing needs to be
    held here, and what is not read waits where it came from: in the pipe, the file, or
    the terminal. Only with an C{offlineLimit} it is read without a connection too,
    until the client takes no more.
 2. The connection is read only while standard output keeps up: the client is the
    producer of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

from .. import ClientTCPFactory, Disconnection, errorDetails
from ..errors import ClientTCPError, NotConnectedError, OutputFull
from .options import Options
from .progress import Progress, size
from .status import exitStatus
from .stdio import StandardInput, StandardOutput, standard
from .text import Form, event, now, place

#: The seconds for which a server that talks on is heard out when nobody reads that.
SILENCE = 1.0

#: After a signal, the seconds in which the rest of the output must be read.
PATIENCE = 2.0


class Console:
    """
    Puts what standard input gives, and writes what comes to standard output.

    @ivar lost: data has been lost, or standard input could not be sent to its end.
    @ivar failure: what ended the last attempt or connection, if not well.
    @ivar progress: shows how far it has come, if anything does.
    """

    _log = Logger()

    def __init__(self, options: Options, reactor: Any) -> None:
        """
        @param options: what is wanted.
        @param reactor: what reads and writes.
        """
        self._reactor = reactor
        self.lost = False
        self.failure: Failure | None = None
        self.progress: Progress | None = None
        self._options = options
        self._staying = options.staying
        limits = {"maxLength": options["max-length"]} if options["max-length"] else {}
        self._form = Form(options.framing, **limits)
        default = "keep" if options.staying else "half"
        self._eof = options["eof"] or ("close" if options["send-only"] else default)
        self._printing = not (options["json-events"] or options["send-only"])
        #: What the client did not take without a connection.
        self._held: list[Any] = []
        #: The connection that standard input is read for.
        self._served: Any = None
        self._input: Any = None
        self._inputEnded = False
        self._output: Any = None
        #: There has been a signal.
        self._hurries = False
        self._closed: Deferred[None] = Deferred()
        self._client: ClientTCPFactory

    def callbacks(self) -> dict[str, Callable[..., object]]:
        """
        @return: the callbacks for the client.
        """
        own: dict[str, Callable[..., object]] = {
            "started": self._started,
            "connected": self._connected,
            "connectError": self._notConnected,
            "serverInput": self._serverInput,
            "serverError": self._failed,
            "disconnected": self._disconnected,
        }
        if self._options["json-events"]:
            for name in ("serverFlushed", "stopped"):
                own[name] = lambda client, *args: None
            if self._options["high-mark"] is not None:
                own["serverHigh"] = own["serverLow"] = own["serverFlushed"]
            return {name: self._told(name, does) for name, does in own.items()}
        return own

    def _told(self, name: str, does: Callable[..., object]) -> Callable[..., object]:
        """
        @return: a callback that is an event too.
        """

        def callback(client: ClientTCPFactory, *args: Any) -> None:
            does(client, *args)
            value = args[0] if args else None
            self._print(event(name, client.pendingBytes, value, self._form.limit))

        return callback

    def shutdown(self) -> None:
        """
        Read no further, and let the client end when all is sent.
        """
        self.stopReading()
        self._client.shutdown()

    def interrupt(self, signal: str | None) -> None:
        """
        Shut down, and wait for the reader of standard output only for a moment.

        @param signal: the name of the signal that is the reason, to report how much is
            still to be sent; None for no report.
        """
        if signal and self._client.pendingBytes:
            self._log.warn(
                "{signal}: sending the last {pending} bytes; once more ends at once",
                signal=signal,
                pending=self._client.pendingBytes,
            )
        self._hurries = True
        self._reactor.callLater(PATIENCE, self._abandonOutput)
        self.shutdown()

    def _abandonOutput(self) -> None:
        if self._output is not None and self._output.pending:
            self.lost = True
            self._log.warn("not all that came could be printed: nobody reads it")
            self._output.connectionLost(Failure(CONNECTION_LOST))

    def stopReading(self) -> None:
        """
        Read no further.
        """
        if self._input is not None:
            self._input.pauseProducing()
            # Or the client would wait for it at the end.
            self._client.unregisterProducer()

    def close(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when standard output has all that is to be
            written.
        """
        if self.progress is not None:
            self.progress.stop()
        if self._output is None:
            return succeed(None)
        if self._hurries:
            # For what has been printed since then.
            self._reactor.callLater(PATIENCE, self._abandonOutput)
        self._output.unregisterProducer()
        self._output.loseConnection()
        return self._closed

    def exitStatus(self, failure: Failure | None) -> int:
        """
        @param failure: what the client has stopped with, if not well.

        @return: the exit status: 0 if all of standard input was sent, and all that came
            was printed.
        """
        lost = self.lost or bool(self._held) or self._isInputLeft()
        return exitStatus(failure or self.failure) or int(lost)

    def _isInputLeft(self) -> bool:
        """
        True if a part of standard input was not put, or more may come.
        """
        if self._input is None:
            return False
        return not self._input.hasEnded() or self._form.endsInside()

    def look(self) -> tuple[int, int]:
        """
        @return: the number of bytes put, and how many of them are pending.
        """
        stats = self._client.stats
        return stats.bytesOut, stats.pendingBytes

    # -- what the client tells

    def _started(self, client: ClientTCPFactory) -> None:
        self._client = client
        if self._output is None:
            self._output = StandardOutput(
                self._reactor, standard(1), self._outputClosed
            )
            self._output.registerProducer(client, True)
            if not self._options["recv-only"]:
                self._input = StandardInput(
                    self._reactor, standard(0), self._read, self._ended
                )
        if self.progress is not None:
            self.progress.start(client.highMark, client.lowMark)
        self._readOffline()

    def _readOffline(self) -> None:
        if self._options["offline-limit"] and self._input is not None:
            self._input.resumeProducing()

    def _connected(self, client: ClientTCPFactory, peer: IAddress) -> None:
        self.failure = None
        if self._options["verbose"]:
            self._log.info("connected to {peer}", peer=place(peer))
        if self._output is not None and self._output.full:
            client.pauseProducing()
        # What has waited for the connection goes first, when this has returned.
        self._reactor.callLater(0, self._goOn)

    def _goOn(self) -> None:
        """
        There is a connection to read standard input for.
        """
        client = self._client
        if not client.connected or client.server is self._served:
            return
        self._served = client.server
        held, self._held = self._held, []
        self._putAll(held)
        if self._inputEnded:
            self._atEnd()
        elif self._input is not None:
            self._input.resumeProducing()
            client.registerProducer(self._input, True)

    def _notConnected(self, client: ClientTCPFactory, failure: Failure) -> None:
        self._failed(client, failure, f"{place(client.connector.getDestination())}: ")

    def _failed(
        self, client: ClientTCPFactory, failure: Failure, where: str = ""
    ) -> None:
        operation, _, text = errorDetails(failure)
        if text:
            self._log.warn(
                "{where}{operation}: {text}",
                where=where,
                operation=operation,
                text=text,
            )
            if getattr(failure.value, "skipped", False):
                return
            self.failure = failure
        elif self._input is not None and not self._input.hasEnded():
            self._log.warn(
                "the server closed the connection before the end of standard input"
            )
        self.stopReading()

    def _serverInput(self, client: ClientTCPFactory, record: Any) -> None:
        if self._printing:
            self._print(self._stamp() + self._form.write(record))

    def _stamp(self) -> bytes:
        return f"{now()} ".encode() if self._options["timestamps"] else b""

    def _print(self, shown: bytes) -> None:
        if self.progress is not None:
            self.progress.hide()
        if self._output is not None:
            self._output.write(shown)

    def _disconnected(
        self, client: ClientTCPFactory, disconnection: Disconnection
    ) -> None:
        self.stopReading()
        if disconnection.truncated is not None and self._printing:
            # A last line without its newline is printed as it came.
            self._print(self._stamp() + disconnection.truncated.rest)
        if disconnection.unsent:
            self.lost = True
            self._log.warn(
                "up to {unsent} bytes could not be sent", unsent=disconnection.unsent
            )
        if self._options["verbose"]:
            stats = client.stats
            self._log.info(
                "disconnected; so far {sent} sent, {got} received",
                sent=size(stats.bytesOut - stats.unsentBytes),
                got=size(stats.bytesIn),
            )
        if not self._inputEnded:
            self._readOffline()
        elif self._eof != "keep" and not self._waiting:
            client.shutdown()

    @property
    def _waiting(self) -> bool:
        """
        Whether something is to be sent when there is a connection.
        """
        return bool(self._held or self._client.pendingBytes)

    # -- what standard input and output tell

    def _read(self, data: bytes) -> None:
        """
        Put what standard input has given.
        """
        self._putAll(self._form.read(data))

    def _putAll(self, records: Iterable[Any]) -> None:
        """
        Put records; or hold them until there is a connection.
        """
        put = self._client.put
        remaining = iter(records)
        try:
            for record in remaining:
                try:
                    put(record)
                except OutputFull:
                    self._held = [record, *remaining]
                    self._input.pauseProducing()
        except ClientTCPError as e:
            self.lost = True
            self._log.error("standard input: {error}", error=e)
            self.shutdown()

    def _ended(self) -> None:
        """
        Standard input has ended.
        """
        self._client.unregisterProducer()
        self._inputEnded = True
        if self._input.error is not None:
            self.lost = True
            reason = self._input.error.strerror
            self._log.error("standard input cannot be read: {reason}", reason=reason)
        self._putAll(self._form.end())
        self._input = None
        self._atEnd()

    def _atEnd(self) -> None:
        """
        Do what the end of standard input is to do.
        """
        client = self._client
        if not client.connected and self._waiting:
            return
        if self._eof == "close":
            client.shutdown()
        elif self._eof == "half":
            try:
                client.loseWriteConnection()
            except (NotConnectedError, RuntimeError):
                # There will be a connection, or this one is TLS.
                pass

    def _outputClosed(self) -> None:
        """
        Standard output has all; or nobody reads it any more, or it takes no more.
        """
        output, self._output = self._output, None
        self._closed.callback(None)
        if output.disconnecting:
            return
        if output.error is not None:
            self.lost = True
            reason = output.error.strerror
            self._log.error(
                "standard output cannot be written: {reason}", reason=reason
            )
        self._client.resumeProducing()
        if not self._staying:
            # Nobody waits for this either, so a server that talks on is not heard out.
            self._client.lingerTimeout = SILENCE
            self.shutdown()
