"""
The producer that fills the output queue: paused and resumed at the marks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ProducerControl:
    """
    Holds the one producer of a consumer, and asks it for no more than is wanted.

    @ivar active: there is a producer.
    """

    __slots__ = (
        "_asking",
        "_before",
        "_paused",
        "_pending",
        "_producer",
        "_raised",
        "_streaming",
        "active",
    )

    def __init__(
        self, pending: Callable[[], int], raised: Callable[[str, BaseException], None]
    ) -> None:
        """
        @param pending: tells how many bytes wait to be sent.
        @param raised: called with what a method of the producer raised, and its name.
        """
        self._pending = pending
        self._raised = raised
        self._producer: Any = None
        self.active = False
        self._streaming = False
        self._paused = False
        self._asking = False
        #: How many bytes waited when the producer was last asked.
        self._before = -1

    def register(self, producer: Any, streaming: bool) -> None:
        """
        @param streaming: it produces until it is paused; otherwise, each time when it
            is resumed.

        @raise RuntimeError: if there is one already.
        """
        if self._producer is not None:
            raise RuntimeError(
                f"cannot register {producer!r}: {self._producer!r} has not unregistered"
            )
        self._producer = producer
        self.active = True
        self._streaming = streaming
        self._paused = False
        self._before = -1

    def unregister(self) -> None:
        """
        There is no producer any more.
        """
        self._producer = None
        self.active = False

    def pause(self) -> None:
        """
        Enough is waiting.
        """
        if not self._paused:
            self._paused = True
            if self._streaming:
                self._tell(self._producer, "pauseProducing")

    def resume(self) -> None:
        """
        Little is waiting.
        """
        if self._streaming:
            if self._paused:
                self._paused = False
                self._tell(self._producer, "resumeProducing")
            return
        self._paused = False
        if self._asking:
            return
        self._asking = True
        try:
            # One that gives nothing now has been asked, and will when it has something.
            self._before = -1
            # A call may have replaced the producer, also with a push producer.
            while self.active and not self._streaming and not self._paused:
                pending = self._pending()
                if pending == self._before:
                    break
                self._before = pending
                if not self._tell(self._producer, "resumeProducing"):
                    break
        finally:
            self._asking = False

    def stop(self) -> None:
        """
        Nothing more is taken.
        """
        producer = self._producer
        self.unregister()
        self._tell(producer, "stopProducing")

    def _tell(self, producer: Any, order: str) -> bool:
        """
        Call a method of the producer, if there is one.

        @return: whether it did not raise.
        """
        if producer is not None:
            try:
                getattr(producer, order)()
            except BaseException as error:
                self._raised(order, error)
                return False
        return True
