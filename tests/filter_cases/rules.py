"""
The expected result of a case, and how ours may differ from it. A case I{agrees} if our
result is that of POE. It is I{corrected} if POE is wrong and our result is the right
one, or if ours differs by one of these rules:

 1. I{An unknown parameter} is an error of the constructor; POE warns or ignores it. A
    parameter without a value is an error too: Python has no way to write it.
 2. I{Limits}: if a case has no limit, ours is that of POE, 64 MiB, not our smaller
    default (L{tests.filter_cases.runner.build}).
 3. I{MaxBuffer} has no counterpart: a framing holds no more than its C{maxLength} and
    one read. A MaxBuffer of at least the size of the longest record is left out; a
    smaller one is an unknown parameter. Reference, which has no other limit, gets the
    C{maxLength} that fits into it (L{tests.filter_cases.filters.translated}).
 4. I{NoFatals} has no counterpart: an error is never a record. The case ends where POE
    returns the text of an error as a record.
 5. I{A read is never empty}: the results of Map and Grep for an empty read, without a
    framing below them, are not compared.
 6. I{A record that is too long} is an error as soon as that is certain, with the same
    records before it; POE may wait for the end of the record.
 7. I{A record that would be decoded as another one} is rejected with an error of the
    framing: a line that contains a delimiter, an incomplete block.
 8. I{The pending data} are all bytes from which a new framing can continue. POE omits a
    length that it has already removed (Block), and everything but the pending bytes of
    the last filter (Stackable).
 9. I{Serialized records} are compared as values, not as bytes.
10. I{A size has a limit too}: C{maxLength} may be combined with C{size} of a Block; POE
    rejects this.

The texts of errors and warnings are never compared. HTTPD, a filter for servers, has no
counterpart; Storable, the default serializer of POE, exists only in Perl.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted_clienttcp.errors import FramingError, RecordTooLong

from .filters import FILTERS, Waiting
from .runner import Refused, Run, Step, steps

#: All verdicts, as the summary prints them.
VERDICTS = ("agree", "corrected", "not applicable", "waiting", "different")

Case = dict[str, Any]


@dataclass
class Outcome:
    """
    The verdict on one case.
    """

    case: Case
    verdict: str
    why: str = ""

    def __str__(self) -> str:
        parts = [f"{self.case['id']} ({self.case['kind']})", self.verdict, self.why]
        return ": ".join(part for part in parts if part)


class Result:
    """
    The result of a request, from POE or from ours.

    @ivar refused: why the constructor rejected its parameters.
    @ivar steps: otherwise, the result of each step, up to the first error.
    """

    def __init__(self, refused: str = "", steps: list[Step] | None = None) -> None:
        self.refused = refused
        self.steps = steps or []

    def __str__(self) -> str:
        if self.refused:
            return f"refused: {self.refused:.60}"
        return "; ".join(map(str, self.steps)) or "accepted"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Result)
            and bool(self.refused) == bool(other.refused)
            and self.steps == other.steps
        )

    @property
    def records(self) -> list[Any]:
        """
        The records of all steps, in one list.
        """
        return [record for step in self.steps for record in step.records or ()]


def judge(case: Case) -> Outcome:
    """
    Run a case with our framings, and compare.
    """
    request = case["request"]
    reason = _notApplicable(request)
    if reason:
        return Outcome(case, "not applicable", reason)
    run = None
    try:
        run = Run(request)
        ours = Result(steps=run.run())
    except Waiting as e:
        return Outcome(case, "waiting", f"for {e}")
    except Refused as e:
        ours = Result(refused=str(e))
    except Exception as e:
        return Outcome(case, "different", f"ours raised {type(e).__name__}: {e}")

    recorded = _recorded(request, case["reply"])
    isWrong = case["quirk"] is not None and case.get("recommend") != "keep"
    if not isWrong and ours == recorded:
        return Outcome(case, "agree")
    expected = _expected(case, recorded) if isWrong else _transformed(request, recorded)
    if _isRight(case, expected, ours, run):
        return Outcome(case, "corrected")
    return Outcome(case, "different", f"expected {expected}, got {ours}")


def _notApplicable(request: dict[str, Any]) -> str:
    """
    @return: why no framing of ours can run the request; empty if one can.
    """
    name, arguments = request["filter"], request.get("args") or []
    if name not in FILTERS:
        return f"the filter {name} is not one of ours, or not one of the original's"
    words = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if name == "Reference" and not isinstance(words.get("Serializer"), dict):
        return "Storable is Perl's own"
    nested = words.get("Filters")
    for each in nested.get("list", []) if isinstance(nested, dict) else []:
        if isinstance(each, dict) and "filter" in each:
            reason = _notApplicable(each)
            if reason:
                return reason
    return ""


def _recorded(request: dict[str, Any], reply: dict[str, Any]) -> Result:
    """
    @return: the reply of POE.
    """
    if reply.get("error_in") == "new":
        return Result(refused=reply["error"])
    operation = request["op"]
    result = []
    if operation == "get":
        last = len(reply["records"]) - 1
        for number, records in enumerate(reply["records"]):
            isLast = number == reply.get("error_at", last)
            error = reply.get("error") if isLast else None
            result.append(Step("get", records, error=error))
        if not reply.get("error"):
            result.append(Step("pending", octets=_pending(reply.get("pending"))))
    elif operation == "put":
        octets = reply.get("octets")
        error = reply.get("error")
        if octets is None and not error:
            error = "the data to send is not bytes"
        result.append(Step("put", octets=octets, error=error))
    elif operation == "session":
        for (kind, *_), each in zip(steps(request), reply["steps"], strict=False):
            pending = _pending(each.get("pending")) if kind == "pending" else None
            octets = each.get("octets", pending)
            error = each.get("error")
            result.append(Step(kind, each.get("records"), octets, error))
    return Result(steps=result)


def _pending(pending: Any) -> str:
    """
    @return: the pending data as bytes in hexadecimal.
    """
    if isinstance(pending, dict):
        return "".join(_pending(each) for each in pending["list"])
    return pending or ""


# -- the right result where that of POE is wrong


def _expected(case: Case, recorded: Result) -> Result | _Check:
    """
    @return: the right result, or a check of ours.
    """
    request = case["request"]
    correct = case["correct"] or {}
    unknown = _unknown(request)
    if unknown:
        return Result(refused=unknown)
    for part, check in QUIRKS.items():
        if part in case["quirk"]:
            return check(case, recorded)
    if "records_flat" in correct:
        return Flat(case, recorded)
    if {"records", "steps", "octets"}.intersection(correct):
        reply = {**case["reply"], "error": None, "pending": None, **correct}
        return _recorded(request, reply)
    return Unjudged(case, recorded)


class _Check:
    """
    A check of our result, for cases that do not list the right records.
    """

    what = ""

    def __init__(self, case: Case, recorded: Result) -> None:
        self.case = case
        self.recorded = recorded

    def __str__(self) -> str:
        return self.what

    def isRight(self, ours: Result, run: Run) -> bool:
        """
        @return: True if our result is right.
        """
        return False


class Unjudged(_Check):
    """
    The case does not say what is right.
    """

    what = "a right result: POE is wrong, and the case does not say what is right"


class Flat(_Check):
    """
    The records of all reads in one list, whichever read completes them.
    """

    def __str__(self) -> str:
        correct = self.case["correct"]
        pending = correct.get("pending") or "nothing"
        return f"in a row {correct['records_flat']}, pending {pending}"

    def isRight(self, ours: Result, run: Run) -> bool:
        correct = self.case["correct"]
        last = ours.steps[-1]
        return (
            ours.records == correct["records_flat"]
            and not last.error
            and (
                "pending" not in correct
                or last.octets == _pending(correct["pending"])
                or _isHeld(self.case["request"], last)
            )
        )


class Fails(_Check):
    """
    An error of the framing, after the records that POE returned up to then.
    """

    what = "an error of the framing"

    def isRight(self, ours: Result, run: Run) -> bool:
        last = ours.steps[-1]
        before = Result(steps=self.recorded.steps[: len(ours.steps)])
        return isinstance(last.error, FramingError) and ours.records == before.records


class FailsOrFlat(Fails):
    """
    An error of the framing, or all records.
    """

    what = "an error of the framing, or all records"

    def isRight(self, ours: Result, run: Run) -> bool:
        isRight = super().isRight(ours, run)
        return isRight or Flat(self.case, self.recorded).isRight(ours, run)


class StartsFresh(_Check):
    """
    A clone behaves like a new framing.
    """

    what = "the same results from a clone as from a new framing"

    def isRight(self, ours: Result, run: Run) -> bool:
        return Result(steps=Run(self.case["request"], fresh=True).run()) == ours


class Keeps(_Check):
    """
    A new framing can continue from the pending data.
    """

    what = "pending bytes from which a new framing can continue"

    def isRight(self, ours: Result, run: Run) -> bool:
        recorded, given = (
            [step for step in each.steps if step.kind != "pending"]
            for each in (self.recorded, ours)
        )
        pending = [step for step in ours.steps if step.kind == "pending"]
        return recorded == given and all(step.isHeld for step in pending)


def _refuses(case: Case, recorded: Result) -> Result:
    return Result(refused="the constructor must reject this")


def _noFatals(case: Case, recorded: Result) -> Result:
    return _transformed(case["request"], recorded)


#: Bugs of POE, by a part of C{quirk}, for which the case does not list the right
#: records.
QUIRKS: dict[str, Callable[[Case, Result], Result | _Check]] = {
    "accepted": _refuses,
    "clone()": StartsFresh,
    "get_pending()": Keeps,
    "NoFatals": _noFatals,
    "drops non-digit": FailsOrFlat,
    "wait for ever": Fails,
    "waits for ever": Fails,
}


# -- differences by design


def _unknown(request: dict[str, Any]) -> str:
    """
    Rule 1.
    """
    meanings = FILTERS[request["filter"]][1]
    for word in (request.get("args") or [])[::2]:
        if word not in meanings:
            return f"unknown parameter {word}"
    return ""


def _transformed(request: dict[str, Any], recorded: Result) -> Result:
    """
    Rules 1, 4 and 5.
    """
    unknown = _unknown(request)
    if unknown:
        return Result(refused=unknown)
    arguments = request.get("args") or []
    result = []
    for (_, *values), step in zip(steps(request), recorded.steps, strict=False):
        texts = [isinstance(record, str) for record in step.records or ()]
        if "NoFatals" in arguments[::2] and any(texts):
            records = (step.records or [])[: texts.index(True)]
            result.append(Step(step.kind, records, error="the text of the record"))
            break
        if request["filter"] in ("Map", "Grep") and values == [""]:
            step = Step(step.kind, [])
        result.append(step)
    return Result(recorded.refused, result)


def _isRight(
    case: Case, expected: Result | _Check, ours: Result, run: Run | None
) -> bool:
    """
    @return: True if our result is the expected one, or differs by a rule.
    """
    if ours == expected:
        return True
    request = case["request"]
    if isinstance(expected, Result) and expected.refused and run is not None:
        # Rule 10.
        words = set((request.get("args") or [])[::2])
        return request["filter"] == "Block" and words == {"BlockSize", "MaxLength"}
    if run is None or not ours.steps:
        return False
    if isinstance(expected, _Check):
        return expected.isRight(ours, run)
    asked = steps(request)
    for number, (step, right) in enumerate(
        zip(ours.steps, expected.steps, strict=False)
    ):
        if step == right:
            continue
        if step.kind == "pending" and _isHeld(request, step, right):
            continue
        if step.kind == "put" and _isSent(asked[number][1], step, right, run):
            continue
        return _isEarly(step, right, expected.steps[number + 1 :], run)
    return len(ours.steps) == len(expected.steps)


def _isHeld(request: dict[str, Any], step: Step, right: Step | None = None) -> bool:
    """
    Rule 8.
    """
    if request["filter"] == "Block" and right is not None:
        return step.isHeld and (step.octets or "").endswith(right.octets or "")
    return step.isHeld and request["filter"] in ("Block", "Stackable")


def _isSent(asked: list[Any], step: Step, right: Step, run: Run) -> bool:
    """
    Rules 7 and 9.
    """
    if right.octets is None:
        return False
    records = run.readsBack(bytes.fromhex(right.octets))
    if step.octets is None:
        return isinstance(step.error, FramingError) and records != asked
    return (
        run.isData
        and records is not None
        and records == run.readsBack(bytes.fromhex(step.octets))
    )


def _isEarly(step: Step, right: Step, later: list[Step], run: Run) -> bool:
    """
    Rule 6.
    """
    error = step.error
    if not isinstance(error, RecordTooLong) or step.records != right.records:
        return False
    return any(
        each.error or len(each.octets or "") // 2 > error.maxLength
        for each in later
        if each.kind in ("get", "pending")
    )
