"""
The producer that fills the output queue, which is paused and resumed at the marks.
"""

from __future__ import annotations

from collections.abc import Callable


class ProducerControl:
    """
    Pauses and resumes the producer that is registered with a connection, so that it
    produces no more than the marks allow.

    @ivar isActive: True if a producer is registered.
    """

    __slots__ = (
        "_isAsking",
        "_isPaused",
        "_isPush",
        "_pending",
        "_pendingBefore",
        "_producer",
        "_raised",
        "isActive",
    )

    def __init__(
        self, pending: Callable[[], int], raised: Callable[[str, BaseException], None]
    ) -> None:
        """
        @param pending: returns the number of bytes that wait to be sent.
        @param raised: called if a method of the producer raises an exception, with the
            name of the method and the exception.
        """
        self._pending = pending
        self._raised = raised
        self._producer: object = None
        self.isActive = False
        self._isPush = False
        self._isPaused = False
        self._isAsking = False
        #: The number of pending bytes when a pull producer was last resumed.
        self._pendingBefore = -1

    def register(self, producer: object, streaming: bool) -> None:
        """
        Register a producer.

        @param streaming: True for a push producer, which produces until it is paused;
            False for a pull producer, which produces once each time it is resumed.

        @raise RuntimeError: if a producer is registered already.
        """
        if self._producer is not None:
            raise RuntimeError(
                f"cannot register {producer!r}: {self._producer!r} is registered; call "
                "unregisterProducer() first"
            )
        self._producer = producer
        self.isActive = True
        self._isPush = streaming
        self._isPaused = False
        self._pendingBefore = -1

    def unregister(self) -> None:
        """
        Forget the producer.
        """
        self._producer = None
        self.isActive = False

    def pause(self) -> None:
        """
        Pause a push producer, because the output has reached the high mark.
        """
        if not self._isPaused:
            self._isPaused = True
            if self._isPush:
                self._call(self._producer, "pauseProducing")

    def resume(self) -> None:
        """
        Resume the producer, because the output is below the high mark or, after having
        reached it, at the low mark.
        """
        if self._isPush:
            if self._isPaused:
                self._isPaused = False
                self._call(self._producer, "resumeProducing")
            return
        self._isPaused = False
        if self._isAsking:
            return
        self._isAsking = True
        try:
            # Stop when a call adds nothing: the producer then has nothing to write now,
            # and will write without being asked.
            self._pendingBefore = -1
            # The call may replace the producer, even with a push producer.
            while self.isActive and not self._isPush and not self._isPaused:
                pending = self._pending()
                if pending == self._pendingBefore:
                    break
                self._pendingBefore = pending
                if not self._call(self._producer, "resumeProducing"):
                    break
        finally:
            self._isAsking = False

    def stop(self) -> None:
        """
        Stop the producer, because the connection accepts no more output.
        """
        producer = self._producer
        self.unregister()
        self._call(producer, "stopProducing")

    def _call(self, producer: object, method: str) -> bool:
        """
        Call a method of the producer, if there is one.

        @return: False if the method has raised an exception.
        """
        if producer is not None:
            try:
                getattr(producer, method)()
            except BaseException as error:
                self._raised(method, error)
                return False
        return True
