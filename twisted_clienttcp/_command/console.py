"""
The callbacks that connect a client with standard input and output.

 1. Standard input is read only while there is a connection, and only as fast as the
    connection accepts data: reading pauses at the high mark. Data that has not been
    read stays in the pipe, the file or the terminal. With an C{offlineLimit}, it is
    also read without a connection, up to the limit.
 2. Standard input is not a registered producer of the client: a drain would wait until
    it ends. Lines that are read during a drain wait for the next connection.
 3. The client is the producer of standard output: the connection is read only as fast
    as standard output accepts data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from .. import ClientTCPFactory, Disconnection
from .. import _logevents as logged
from .._connecting.resolving import resultsOf
from .._connection.peer import addressText
from .._connection.queue import HIGH_MARK, LOW_MARK
from .._texts import textOf
from ..errors import (
    ClientTCPError,
    DrainTimeout,
    LingerTimeout,
    NotConnectedError,
    OutputFull,
    RecordTooLong,
)
from .options import Options
from .progress import Progress, size
from .reports import Reports
from .screen import Screen
from .status import EX_FAILED, exitStatus
from .stdio import StandardInput, StandardOutput, standard
from .table import asOption
from .text import Form, event, now

#: The time in seconds for which a server may keep sending although its records are not
#: wanted: after a signal, or when the reader of standard output has closed it.
LINGER_TIMEOUT = 1.0

#: The time in seconds after a signal in which the rest of the output must be read.
OUTPUT_TIMEOUT = 2.0


class Console:
    """
    Sends standard input to the server, and writes received records to standard output.

    @ivar lost: True if data has been lost, or standard input could not be read or sent.
    @ivar failure: the error that ended the last attempt or connection.
    @ivar progress: the progress line, if there is one.
    @ivar reports: the messages about failures.
    """

    def __init__(self, options: Options, reactor: Any) -> None:
        self.lost = False
        self.failure: Failure | None = None
        self.progress: Progress | None = None
        self.reports = Reports(reactor)
        self._options = options
        self._reactor = reactor
        self._form = Form(options.framing, options["max-length"])
        default = "keep" if options.staying else "half"
        self._eof = options["eof"] or ("close" if options["send-only"] else default)
        self._printing = not (options["json-events"] or options["send-only"])
        #: Records that the client did not accept, because there is no connection, or
        #: because too many bytes wait for one.
        self._held: list[object] = []
        #: True if standard input may be read for the connection.
        self._isReading = False
        #: The connection that standard input is read for.
        self._served: object = None
        self._input: StandardInput | None = None
        self._inputEnded = False
        self._output: StandardOutput | None = None
        #: Shows records, if standard output is a terminal.
        self._screen: Screen | None = None
        self._interrupted = False
        #: True if it is known why nothing more of standard input will be read.
        self._isExplained = False
        self._closed: Deferred[None] = Deferred()
        self._client: ClientTCPFactory

    def marks(self) -> dict[str, int]:
        """
        @return: marks for the client, unless options set them.
        """
        if {"high-mark", "low-mark"}.isdisjoint(self._options.given):
            return {"highMark": HIGH_MARK, "lowMark": LOW_MARK}
        return {}

    def callbacks(self) -> dict[str, Callable[..., object]]:
        """
        @return: the client's callbacks.
        """
        own: dict[str, Callable[..., object]] = {
            "started": self._started,
            "connected": self._connected,
            "connectError": self._connectError,
            "serverInput": self._serverInput,
            "serverError": self._serverError,
            "serverLow": self._serverLow,
            "disconnected": self._disconnected,
            "stopped": self.reports.stopped,
        }
        if not self._options["json-events"]:
            return own
        names = {*own, "serverFlushed"}
        if self._options["high-mark"] is None:
            names.remove("serverLow")
        else:
            names.add("serverHigh")
        printed = {
            name: self._printed(name, own.get(name, lambda client, *args: None))
            for name in names
        }
        return own | printed

    def _printed(
        self, name: str, function: Callable[..., object]
    ) -> Callable[..., object]:
        """
        @return: a callback that also prints a JSON event.
        """

        def callback(client: ClientTCPFactory, *args: object) -> None:
            function(client, *args)
            value = args[0] if args else None
            pending, limit = client.pendingBytes, self._form.limit
            self._print(event(name, pending, value, limit, resultsOf(client.tried)))

        return callback

    def shutdown(self) -> None:
        """
        Stop reading, and stop the client when everything has been sent.
        """
        self._stopReading()
        self._client.shutdown()

    def interrupt(self, signal: str | None) -> None:
        """
        Shut down, and wait only briefly for the reader of standard output and, if
        nothing is left to send, for the server to close.

        @param signal: the name of the signal that is the reason; None if there is none.
            If output is pending after a signal, a message says how much.
        """
        pending = self._client.pendingBytes
        if not pending:
            self._lingerBriefly()
        elif signal:
            logged.INTERRUPTED.log(self, {"signal": signal, "pending": pending})
        self._interrupted = self._isExplained = True
        self._reactor.callLater(OUTPUT_TIMEOUT, self._abandonOutput)
        self.shutdown()

    def _lingerBriefly(self) -> None:
        """
        Wait only briefly for a server that keeps sending, unless the user has set the
        time.
        """
        if self._options["linger-timeout"] is None:
            self._client.lingerTimeout = LINGER_TIMEOUT

    def _abandonOutput(self) -> None:
        if self._output is not None and self._output.pending:
            self.lost = True
            logged.OUTPUT_ABANDONED.log(self)
            self._output.connectionLost(Failure(CONNECTION_LOST))

    def _stopReading(self) -> None:
        self._isReading = False
        if self._input is not None:
            self._input.pauseProducing()

    def _read(self) -> None:
        """
        Read standard input until the client accepts no more.
        """
        if self._input is not None:
            self._input.resumeProducing()
        held, self._held = self._held, []
        self._putAll(held)

    def close(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when everything has been written to standard
            output.
        """
        if self.progress is not None:
            self.progress.stop()
        if self._output is None:
            return succeed(None)
        if self._interrupted:
            # Records may have been printed since the signal.
            self._reactor.callLater(OUTPUT_TIMEOUT, self._abandonOutput)
        self._output.unregisterProducer()
        self._output.loseConnection()  # type: ignore[no-untyped-call]
        return self._closed

    def exitStatus(self, failure: Failure | None) -> int:
        """
        Log the reason if the exit status is not 0, unless it has been logged.

        @param failure: the error with which the client has stopped, if any.

        @return: 0 if standard input was read to its end and sent, and everything
            received was printed.
        """
        status = exitStatus(failure or self.failure) or int(self.lost)
        isComplete = self._input is None or (
            self._input.hasEnded() and not self._form.isInsideRecord()
        )
        if status or (isComplete and not self._held):
            return status
        if not self._isExplained:
            logged.STOPPED_EARLY.log(self)
        return EX_FAILED

    def look(self) -> tuple[int, int]:
        """
        @return: the number of bytes put, and how many of them are pending.
        """
        stats = self._client.stats
        return stats.bytesOut, stats.pendingBytes

    # -- the client's callbacks

    def _started(self, client: ClientTCPFactory) -> None:
        self._client = client
        if self._output is None:
            descriptor = standard(1)
            self._output = StandardOutput(self._reactor, descriptor, self._outputClosed)
            if os.isatty(descriptor) and not self._options["raw"]:
                self._screen = Screen(self._reactor, self._print)
            self._output.registerProducer(client, True)
            if not self._options["recv-only"]:
                self._input = StandardInput(
                    self._reactor, standard(0), self._received, self._ended
                )
        if self.progress is not None:
            marks = (self._options["high-mark"], self._options["low-mark"])
            self.progress.start(*marks)
        self._readOffline()

    def _readOffline(self) -> None:
        if self._options["offline-limit"] and self._input is not None:
            self._read()

    def _connected(self, client: ClientTCPFactory, peer: IAddress) -> None:
        self.failure = None
        self._isExplained = False
        if self.reports.enabled and self._options["verbose"]:
            logged.PEER_CONNECTED.log(self, {"peer": addressText(peer)})
        if self._output is not None and self._output.full:
            client.pauseProducing()
        if self._screen is not None and self._form.hasLines and not self._stamp():
            assert client.server is not None, "the client is connected"
            self._screen.watch(client.server.inputFraming)
        # The offline queue is sent first, after this callback has returned.
        self._reactor.callLater(0, self._serve)

    def _serve(self) -> None:
        """
        Begin to read standard input for a connection.
        """
        client = self._client
        if not client.connected or client.server is self._served:
            return
        self._served = client.server
        self._isReading = True
        self._read()
        if self._inputEnded:
            self._atEnd()

    def _serverLow(self, client: ClientTCPFactory) -> None:
        if self._isReading:
            self._read()

    def _connectError(self, client: ClientTCPFactory, failure: Failure) -> None:
        self.failure = failure
        self._stopReading()
        self.reports.attemptFailed(client, failure)

    def _serverError(self, client: ClientTCPFactory, failure: Failure) -> None:
        if not failure.check(ConnectionDone):
            self.reports.errorOccurred(client, failure)
            if isinstance(failure.value, RecordTooLong) and failure.value.skipped:
                return
            self.failure = failure
        elif self._input is not None and not self._input.hasEnded():
            self._isExplained = True
            logged.CLOSED_EARLY.log(self)
        self._stopReading()
        self.reports.connectionLost(client)

    def _serverInput(self, client: ClientTCPFactory, record: object) -> None:
        if self._printing:
            self._show(self._form.write(record))

    def _show(self, record: bytes) -> None:
        write = self._print if self._screen is None else self._screen.show
        write(self._stamp() + record)

    def _stamp(self) -> bytes:
        return f"{now()} ".encode() if self._options["timestamps"] else b""

    def _print(self, data: bytes) -> None:
        if self.progress is not None:
            self.progress.hide()
        if self._output is not None:
            self._output.write(data)

    def _disconnected(
        self, client: ClientTCPFactory, disconnection: Disconnection
    ) -> None:
        self._stopReading()
        if disconnection.failure.check(DrainTimeout, LingerTimeout):
            # The server may have had more to send.
            self.lost = True
        if disconnection.truncated is not None and self._printing:
            # Like a line, but without a newline, as it was received.
            self._show(disconnection.truncated.rest)
        for count, message in (
            (disconnection.unsent, logged.NOT_SENT),
            (disconnection.unacknowledged, logged.NOT_ACKNOWLEDGED),
            (disconnection.undelivered, logged.NOT_PRINTED),
        ):
            if count:
                self.lost = True
                if self.reports.enabled or message is not logged.NOT_SENT:
                    message.log(self, {"count": count})
        if self._options["verbose"]:
            stats = client.stats
            sent = size(stats.bytesOut - stats.unsentBytes)
            fields = {"sent": sent, "received": size(stats.bytesIn)}
            logged.DISCONNECTED.log(self, fields)
        if not self._inputEnded:
            self._readOffline()
        elif self._eof != "keep" and not self._isPending():
            client.shutdown()

    def _isPending(self) -> bool:
        """
        True if data waits for a connection.
        """
        return bool(self._held or self._client.pendingBytes)

    # -- events of standard input and output

    def _received(self, data: bytes) -> None:
        """
        Send data from standard input.
        """
        self._putAll(self._form.read(data))

    def _putAll(self, records: Iterable[object]) -> None:
        """
        Put records. Keep those that the client does not accept until there is a
        connection. Without a connection, only C{offlineLimit} limits what is read.
        """
        client, remaining = self._client, iter(records)
        try:
            for record in remaining:
                try:
                    isFull = client.put(record) and client.server is not None
                except (NotConnectedError, OutputFull):
                    # The loss of the connection may not have been reported yet.
                    self._held = [record, *remaining]
                    isFull = True
                if isFull and self._input is not None:
                    self._input.pauseProducing()
        except ClientTCPError as error:
            self.lost = True
            logged.INPUT_REJECTED.log(self, {"error": textOf(error, asOption)})
            self.shutdown()

    def _ended(self, error: OSError | None) -> None:
        """
        Standard input has ended.

        @param error: the error that has ended it, if any.
        """
        self._inputEnded = True
        if error is not None:
            self.lost = True
            logged.INPUT_UNREADABLE.log(self, {"reason": error.strerror})
        self._putAll(self._form.end())
        self._input = None
        self._atEnd()

    def _atEnd(self) -> None:
        """
        Handle the end of standard input as C{--eof} says.
        """
        client = self._client
        if not client.connected and self._isPending():
            return
        if self._eof == "close":
            client.shutdown()
        elif self._eof == "half" and client.connected:
            # A connection that drains ends our side itself.
            with suppress(RuntimeError):
                # TLS has no half-close.
                client.loseWriteConnection()

    def _outputClosed(self, error: OSError | None) -> None:
        """
        Standard output accepts no more data: everything has been written, its reader
        has closed it, or there was an error.

        @param error: the error, if there was one.
        """
        output, self._output = self._output, None
        self._closed.callback(None)
        if output is None or output.disconnecting:
            return
        if error is not None:
            self.lost = True
            logged.OUTPUT_UNWRITABLE.log(self, {"reason": error.strerror})
        self._client.resumeProducing()
        if not self._options.staying:
            self._isExplained = True
            self._lingerBriefly()
            self.shutdown()
