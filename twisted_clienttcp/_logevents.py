"""
The log events of the package: the level, the sentence and the fields of each.

Every event is logged through its L{Kind}, and all kinds are in L{KINDS}, from which the
table of the documentation is made.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from string import Formatter
from time import time
from types import MappingProxyType

import attrs
from twisted.logger import Logger, LogLevel, globalLogPublisher

#: The namespace of events of clients. The namespaces of the other parts have the same
#: beginning.
CLIENT = "twisted_clienttcp.ClientTCPFactory"
_RESOLVING = "twisted_clienttcp.resolving"
_SERVICE = "twisted_clienttcp.ClientTCPService"
_WIRE_LOG = "twisted_clienttcp.wirelog"
_COMMAND = "twisted_clienttcp.command"

#: The fields that every event of a client has.
COMMON = ("client", "destination", "alias", "id")

_NOTHING: Mapping[str, object] = MappingProxyType({})

#: The fields of failures that a callback may handle.
_FAILED = ("operation", "errno", "text", "failure", "count", "delay")


#: The fields about what has happened since the last line about the state.
_PAST = ("failures", "losses", "replacements", "closures", "seconds")


@attrs.frozen(eq=False)
class Kind:
    """
    A kind of log event.

    @ivar name: the value of the field C{kind}.
    @ivar level: its level.
    @ivar when: when it is logged.
    @ivar format: its sentence, with the names of fields.
    @ivar more: the fields that are not in the sentence, except L{COMMON}.
    @ivar handledBy: the callback that handles the failure; if the client has it, the
        level is info.
    @ivar namespace: the namespace of its logger.
    """

    name: str
    level: LogLevel
    when: str
    format: str
    more: tuple[str, ...] = ()
    handledBy: str = ""
    namespace: str = CLIENT
    _logger: Logger = attrs.field(init=False, repr=False, eq=False)

    @_logger.default
    def _makeLogger(self) -> Logger:
        return Logger(self.namespace)

    @property
    def fields(self) -> tuple[str, ...]:
        """
        Its own fields, those of the sentence first.
        """
        named = [name for _, name, _, _ in Formatter().parse(self.format) if name]
        fields = dict.fromkeys([*named, *self.more])
        return tuple(each for each in fields if each not in COMMON)

    def logger(self, source: object) -> Logger:
        """
        @param source: the object that the event is about.

        @return: a logger for the event.
        """
        return Logger(self.namespace, source)

    def levelWith(self, callbacks: Container[str]) -> LogLevel:
        """
        @param callbacks: the names of the client's callbacks.

        @return: the level of the event.
        """
        return LogLevel.info if self.handledBy in callbacks else self.level

    def log(
        self,
        source: object,
        fields: Mapping[str, object] = _NOTHING,
        level: LogLevel | None = None,
    ) -> None:
        """
        Log an event.

        @param source: see L{logger}.
        @param fields: all fields, except C{kind}.
        @param level: another level than that of the kind.
        """
        # Like Logger.emit(), which would take longer than all the rest: there is an
        # event for each connection (benchmark row "us a connect").
        globalLogPublisher(
            {
                **fields,
                "kind": self.name,
                "log_logger": self._logger,
                "log_level": level or self.level,
                "log_namespace": self.namespace,
                "log_source": source,
                "log_format": self.format,
                "log_time": time(),
            }
        )


CONNECTED = Kind(
    "connected",
    LogLevel.info,
    "The connection can be used; C{connected} is called next. If the end of an earlier "
    "connection was left out, the event is logged when this one has lasted.",
    "Client {client}: connected to {address}{stable}{history}",
    ("age", *_PAST),
)
ATTEMPT_FAILED = Kind(
    "attemptFailed",
    LogLevel.warn,
    "An attempt has failed; C{connectError} has been called.",
    "Client {client}: {reason}{again}{outlook}",
    ("attempt", *_FAILED),
    handledBy="connectError",
)
CONNECTION_LOST = Kind(
    "connectionLost",
    LogLevel.warn,
    "A connection has ended without your request; C{serverError} has been called.",
    "Client {client}: {reason} (connected for {lasted}){again}{outlook}",
    ("seconds", *_FAILED),
    handledBy="serverError",
)
CONNECTION_CLOSED = Kind(
    "connectionClosed",
    LogLevel.info,
    "A connection has ended at your request in another way: after C{shutdown}, "
    "C{reconnect} or C{loseWriteConnection}, for example.",
    "Client {client}: closed the connection after {lasted}{again}{outlook}",
    ("seconds", "count", "delay"),
)
CONNECTION_REPLACED = Kind(
    "connectionReplaced",
    LogLevel.info,
    "A connection was drained for another one, without an error: after "
    "C{reconnect(drain=True)}, or because of C{maxAge} or C{failBack}.",
    "Client {client}: closed the connection after {lasted}, to replace it ({cause})"
    "{again}{outlook}",
    ("seconds", "count", "delay"),
)
SERVER_ERROR = Kind(
    "serverError",
    LogLevel.warn,
    "An error has happened after which the connection continues: a record was skipped, "
    "for example. C{serverError} has been called.",
    "Client {client}: {reason}{again}",
    _FAILED[:-1],
    handledBy="serverError",
)
GAVE_UP = Kind(
    "gaveUp",
    LogLevel.warn,
    "The client stops, because its retry policy allows no more attempts.",
    "Client {client} gives up: {reason}{history}",
    (*_PAST, "failure"),
    handledBy="stopped",
)
STOPPED = Kind(
    "stopped",
    LogLevel.info,
    "The client stops on request, or because no attempt follows its last connection.",
    "Client {client} stops: {reason}{history}",
    (*_PAST, "failure"),
)
OUTPUT_LOST = Kind(
    "outputLost",
    LogLevel.warn,
    "A connection has ended before all output was sent. The bytes of several such "
    "events within a minute are added up.",
    "Client {client} lost up to {unsent} bytes that were put and not sent",
    handledBy="disconnected",
)
OFFLINE_LOST = Kind(
    "offlineLost",
    LogLevel.warn,
    "The client, or its C{ClientService} during a drain, stops while records wait for "
    "a connection.",
    "Client {client} stops with {unsent} bytes that were put and never sent",
)
RAISED = Kind(
    "raised",
    LogLevel.critical,
    "A callback, C{retryPolicy} or your endpoint has raised an exception. Like a "
    "failure, the same one is logged at most once a minute.",
    "Client {client}: {what}{again}",
    ("log_failure", "count"),
)
DELAY_LIMITED = Kind(
    "delayLimited",
    LogLevel.info,
    "C{retryPolicy} has returned more than C{maxDelay}.",
    "Client {client} waits maxDelay={maxDelay} seconds, not {delay}{again}",
    ("count",),
)
SECOND_CONNECTION = Kind(
    "secondConnection",
    LogLevel.warn,
    "A connector has connected although the client has a connection already. The "
    "client closes the new one.",
    "Client {client} rejects a second connection, to {address}",
)
DISPATCHED = Kind(
    "dispatched",
    LogLevel.info,
    "A named event is dispatched, with C{sessionParams={'trace': True}}.",
    "Client {client} dispatches {event} {args}",
)
LOOKUP_NOT_CANCELLED = Kind(
    "lookupNotCancelled",
    LogLevel.critical,
    "The resolver of the reactor has raised an exception when a lookup was cancelled.",
    "the lookup of {name!r} was not cancelled",
    ("log_failure",),
    namespace=_RESOLVING,
)
WIRE_STOPPED = Kind(
    "wireLogStopped",
    LogLevel.warn,
    "The file of a wire log cannot be written. The connections continue.",
    "The wire log has stopped, because it cannot be written: {error}",
    namespace=_WIRE_LOG,
)
WIRE_FAILED = Kind(
    "wireLogFailed",
    LogLevel.critical,
    "The function that a wire log calls with each entry has raised an exception.",
    "The wire log has stopped, because it has failed",
    ("log_failure",),
    namespace=_WIRE_LOG,
)
HIDE_FAILED = Kind(
    "hideFailed",
    LogLevel.critical,
    "The function C{hide} of a wire log has raised an exception. Only the first one is "
    "logged.",
    "The function hide of a wire log has failed",
    ("log_failure",),
    namespace=_WIRE_LOG,
)
NOT_RESTARTED = Kind(
    "notRestarted",
    LogLevel.critical,
    "A C{ClientTCPService} was started again while its client was shutting down. The "
    "client has stopped since, and could not start again.",
    "{client} cannot start again",
    ("log_failure",),
    namespace=_SERVICE,
)


def _message(name: str, level: LogLevel, when: str, format: str, *more: str) -> Kind:
    return Kind(name, level, when, format, more, namespace=_COMMAND)


#: The messages of the command, by their names.
INTERRUPTED = _message(
    "interrupted",
    LogLevel.warn,
    "A signal has arrived while output was pending.",
    "{signal}: sending the last {pending} bytes; a second {signal} ends the command at "
    "once",
)
OUTPUT_ABANDONED = _message(
    "outputAbandoned",
    LogLevel.warn,
    "The reader of standard output has not read everything in time.",
    "not all output could be printed: nobody reads it",
)
PEER_CONNECTED = _message(
    "peerConnected",
    LogLevel.info,
    "Like C{connected}, for C{clienttcp --verbose}.",
    "connected to {peer}",
)
DISCONNECTED = _message(
    "disconnected",
    LogLevel.info,
    "A connection has ended, with C{--verbose}.",
    "disconnected; so far {sent} sent, {received} received",
)
FAILED = _message(
    "failed",
    LogLevel.warn,
    "Like C{attemptFailed} and C{connectionLost}, for C{clienttcp}.",
    "{text}",
)
CLOSED_EARLY = _message(
    "closedEarly",
    LogLevel.warn,
    "The server has ended its side before the end of standard input.",
    "the server closed the connection before the end of standard input",
)
STOPPED_EARLY = _message(
    "stoppedEarly",
    LogLevel.warn,
    "The client has stopped by itself before the end of standard input, as at "
    "C{--max-age} without C{--reconnect}.",
    "the connection was closed before the end of standard input",
)
NOT_SENT = _message(
    "notSent",
    LogLevel.warn,
    "A connection has ended before all output was sent.",
    "up to {count} bytes could not be sent",
)
NOT_ACKNOWLEDGED = _message(
    "notAcknowledged",
    LogLevel.warn,
    "A connection has ended before all output was acknowledged.",
    "the server has not acknowledged {count} bytes (the end of the stream counts as "
    "one)",
)
NOT_PRINTED = _message(
    "notPrinted",
    LogLevel.warn,
    "A connection has ended before all its records were printed, because standard "
    "output was too slow.",
    "{count} received records could not be printed",
)
INPUT_REJECTED = _message(
    "inputRejected",
    LogLevel.error,
    "The framing cannot encode what standard input contains.",
    "standard input: {error}",
)
INPUT_UNREADABLE = _message(
    "inputUnreadable",
    LogLevel.error,
    "Standard input cannot be read.",
    "standard input cannot be read: {reason}",
)
OUTPUT_UNWRITABLE = _message(
    "outputUnwritable",
    LogLevel.error,
    "Standard output cannot be written.",
    "standard output cannot be written: {reason}",
)
INSECURE = _message(
    "insecure",
    LogLevel.warn,
    "The command runs with C{--insecure}.",
    "WARNING: the server's certificate is NOT verified (--insecure): anyone can "
    "impersonate the server",
)
# Messages below the level of a warning would be shown only with --verbose.
WIRE_ENTRY = _message(
    "wireEntry",
    LogLevel.warn,
    "Bytes were sent or received, with C{--hex-dump=-}.",
    "{entry}",
)
CANNOT_START = _message(
    "cannotStart",
    LogLevel.error,
    "The client, the demo or the demo server cannot start, or the demo has failed.",
    "{what}: {error}",
)
ENDED = _message(
    "ended",
    LogLevel.info,
    "The task of C{twistd clienttcp} or C{twist clienttcp} has ended.",
    "clienttcp has ended: {reason} (as exit status: {status})",
)
ANNOUNCED = _message(
    "announced",
    LogLevel.info,
    "A demo server of C{twistd clienttcp} or C{twist clienttcp} has started to listen.",
    "{text}",
)
BUG = _message(
    "bug",
    LogLevel.critical,
    "The command itself has raised an exception.",
    "this is a bug in clienttcp",
    "log_failure",
)

#: All kinds by their names, in the order of the documentation.
KINDS: dict[str, Kind] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Kind)
}

#: The meaning of each field.
FIELDS = {
    "kind": "The kind of the event: the first column of the table.",
    "client": "The client: its C{alias}, with the destination in parentheses; the "
    "destination if it has no alias; C{(unnamed)} if it has neither. In "
    "C{notRestarted}, the client itself.",
    "destination": "The destination as it was configured: C{host:port}, a path, an "
    "endpoint, or C{host:port through proxy}, without user and password. Under a "
    "C{ClientService}, the address of the last peer; None before the first connection.",
    "alias": "The setting C{alias}; None if there is none.",
    "id": "A number that is unique among the clients of the process that exist.",
    "address": "The address that was connected to: for a name, the IP address and the "
    "port; through a proxy, as C{destination}.",
    "reason": "What has failed and why, in words. If the name has several addresses, "
    "the result of each.",
    "operation": "What failed, as in C{errorDetails}: a fixed set of words.",
    "errno": "The error number, as in C{errorDetails}.",
    "text": "The text, as in C{errorDetails}; for the command, its whole message.",
    "failure": "The C{Failure}; None for a stop on request, or at the end of the only "
    "connection (C{autoReconnect=False}).",
    "log_failure": "The C{Failure}. The observers of Twisted write its traceback after "
    "the sentence.",
    "attempt": "The number of failed attempts, with this one, since the last "
    "C{connected} or the start.",
    "delay": "The seconds until the next attempt; None if none is scheduled. In "
    "C{delayLimited}, the result of C{retryPolicy}.",
    "outlook": "C{delay} in words.",
    "count": "The number of equal events: this one, and those that were left out since "
    "the last line with the same reason, or since the last C{connected}. For the "
    "command, the number of bytes or records.",
    "again": "C{count} in words; empty for 1.",
    "failures": "The failed attempts since the last C{connected} or the start.",
    "losses": "The lost connections since then.",
    "replacements": "The replaced connections since then.",
    "closures": "The connections closed at your request since then.",
    "seconds": "The seconds from the first of these events to the connection or the "
    "stop. In C{connectionLost}, C{connectionReplaced} and C{connectionClosed}, how "
    "long the connection lasted.",
    "history": "C{failures}, C{losses}, C{replacements}, C{closures} and C{seconds} in "
    "words; empty if there were none, or only the end of one connection, which has a "
    "line of its own. "
    "Also empty for a stop because of a failure.",
    "age": "The seconds since the connection was made: 0 unless the line was delayed.",
    "stable": "C{age} in words; empty for 0.",
    "cause": "Why the connection was replaced: C{drain requested}, C{maxAge} or "
    "C{failBack}.",
    "lasted": "How long the connection lasted, in words.",
    "unsent": "The number of bytes that were put and not sent: an upper bound.",
    "what": "What has happened or failed, in words.",
    "maxDelay": "The setting C{maxDelay}.",
    "event": "The name of the named event.",
    "args": "Its arguments.",
    "name": "The name that is looked up.",
    "entry": "The entry of the wire log, which may have several lines.",
    "signal": "The name of the signal.",
    "pending": "The bytes that have not been sent yet.",
    "peer": "The address that was connected to.",
    "sent": "The bytes sent so far, with a unit.",
    "received": "The bytes received so far, with a unit.",
    "error": "The error, in words.",
    "status": "The exit status that C{clienttcp} would have had.",
}
