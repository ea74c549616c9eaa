"""
Tests that run the recorded cases of POE's filters with our framings, compare random
cases with POE itself, and test the runner.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_clienttcp import framing
from twisted_clienttcp.errors import InvalidRecord

from .._processes import execute
from .filters import CODECS
from .oracle import Oracle
from .rules import Case, Outcome, judge
from .runner import CASES

ALL: list[Case] = json.loads(CASES.read_text(encoding="utf-8"))

#: The verdicts that are not errors.
GOOD = (
    "agree",
    "corrected",
    "not applicable",
)


class CaseTests(SynchronousTestCase):
    """
    A test for each kind of recorded case; see L{tests.filter_cases}.
    """


def _kind(cases: list[Case]) -> Callable[[CaseTests], None]:
    def test(self: CaseTests) -> None:
        outcomes = map(judge, cases)
        self.assertEqual(
            [str(each) for each in outcomes if each.verdict not in GOOD], []
        )

    return test


for _name in {case["kind"] for case in ALL}:
    setattr(
        CaseTests,
        f"test_{_name.replace('-', '_')}",
        _kind([case for case in ALL if case["kind"] == _name]),
    )


#: A filter of a request: its name and its arguments.
Filter = tuple[str, list[Any]]


def _streams(pieces: Sequence[bytes]) -> SearchStrategy[bytes]:
    """
    @return: streams of these pieces.
    """
    return st.lists(st.sampled_from(pieces), max_size=20).map(b"".join)


@st.composite
def _reads(
    draw: st.DrawFn, filters: SearchStrategy[Filter], streams: SearchStrategy[bytes]
) -> dict[str, Any]:
    """
    @return: requests to read a stream in reads of any size.
    """
    (name, arguments), stream = draw(filters), draw(streams)
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)))) | {0, len(stream)})
    chunks = [stream[start:end].hex() for start, end in pairwise(cuts)]
    return {"filter": name, "args": arguments, "op": "get", "chunks": chunks}


@st.composite
def _puts(
    draw: st.DrawFn, filters: SearchStrategy[Filter], records: SearchStrategy[Any]
) -> dict[str, Any]:
    """
    @return: requests to send records.
    """
    (name, arguments), put = draw(filters), draw(st.lists(records, max_size=5))
    return {"filter": name, "args": arguments, "op": "put", "records": put}


@st.composite
def _filters(
    draw: st.DrawFn, name: str, arguments: Sequence[list[Any]], limited: bool = True
) -> Filter:
    """
    @return: filters with one of these arguments, and perhaps a limit.
    """
    given = draw(st.sampled_from(arguments))
    limit = draw(st.integers(0, 8)) if limited else 0
    return name, [*given, *(["MaxLength", limit] if limit else [])]


@st.composite
def _cut(draw: st.DrawFn, frames: SearchStrategy[bytes]) -> bytes:
    """
    @return: streams of frames, of which the last may be incomplete.
    """
    stream = b"".join(draw(st.lists(frames, max_size=6)))
    return stream[: len(stream) - draw(st.integers(0, 2))]


@st.composite
def _stacks(draw: st.DrawFn, grouped: bool) -> Filter:
    """
    @return: filters of records above one of bytes.
    """
    below = [
        ("Line", ["Literal", "\n"]),
        ("Line", ["Literal", ",,"]),
        ("Block", ["BlockSize", 3]),
        ("Stream", []),
    ]
    # The records that a filter makes of one record are consumed together here, while
    # POE may leave some of them in a RecordBlock: so none of these filters is below it.
    several = () if grouped else ("split_comma", "duplicate")
    above = [
        *(("Map", name) for name in ("upper", "reverse", *several)),
        *(("Grep", name) for name in ("non_empty", "not_comment", "has_digit")),
        ("Map", "drop_empty"),
    ]
    filters = [draw(st.sampled_from(below))]
    # If one of several records is dropped, POE keeps the records after it for its next
    # read; ours deliver them at once. So no filter that drops is above one that splits.
    splits = False
    for name, code in draw(st.lists(st.sampled_from(above), max_size=3)):
        if splits and code not in ("upper", "reverse", "duplicate"):
            continue
        splits = splits or code in several
        filters.append((name, ["Code", {"code": code}]))
    if grouped:
        filters.append(("RecordBlock", ["BlockSize", draw(st.integers(1, 3))]))
    listed = [{"filter": name, "args": arguments} for name, arguments in filters]
    return "Stackable", ["Filters", {"list": listed}]


def _decimal(record: bytes) -> bytes:
    return b"%d\0%b" % (len(record), record)


#: Records of bytes.
_octets = st.binary(max_size=12).map(bytes.hex)


class DifferentialTests(SynchronousTestCase):
    """
    Random requests, for which our results are those of POE.
    """

    def setUp(self) -> None:
        self.oracle = Oracle()
        self.addCleanup(self.oracle.close)

    def compare(self, *requests: SearchStrategy[dict[str, Any]]) -> None:
        """
        Compare the replies of POE with ours, for many requests of each kind.
        """
        for each in requests:

            @settings(max_examples=100, deadline=None)
            @given(each)
            def check(request: dict[str, Any]) -> None:
                self.judge(request)

            check()

    def judge(self, request: dict[str, Any], **case: Any) -> None:
        """
        Compare one reply of POE with ours.
        """
        case = {
            "id": json.dumps(request),
            "kind": "drawn",
            "request": request,
            "reply": self.oracle.ask(request),
            "quirk": None,
            "correct": None,
            **case,
        }
        outcome = judge(case)
        self.assertIn(outcome.verdict, GOOD, outcome)

    def test_lineDefault(self) -> None:
        """
        Any newline. POE's reply may be wrong if a newline is split between two reads;
        its reply for the whole stream is right.
        """

        @settings(max_examples=100, deadline=None)
        @given(
            _reads(
                _filters("Line", [[]], limited=False),
                _streams([b"a", b"b", b"\r", b"\n", b"\r\n"]),
            )
        )
        def check(request: dict[str, Any]) -> None:
            whole = {**request, "chunks": ["".join(request["chunks"])]}
            reply = self.oracle.ask(whole)
            correct = {
                "records_flat": reply["records"][0],
                "pending": reply["pending"],
            }
            self.judge(
                request, quirk="a newline in two", recommend="fix", correct=correct
            )

        check()

    def test_lineLiteral(self) -> None:
        """
        A literal newline, with and without a limit.
        """
        for literal in ("\n", "\r\n", "||", ".*", "aab", "\0"):
            octets = literal.encode()
            pieces = [octets, b"a", b"b", octets[:1], octets[-1:]]
            filters = _filters(
                "Line", [["Literal", literal], ["InputLiteral", literal]]
            )
            self.compare(_reads(filters, _streams(pieces)))
        given = [["Literal", "||"], ["OutputLiteral", "<>"], ["InputLiteral", "!"], []]
        self.compare(_puts(_filters("Line", given), _octets))

    def test_lineAutodetect(self) -> None:
        """
        The first newline decides the newline of the stream.
        """
        self.compare(
            _reads(
                _filters("Line", [["InputLiteral", None]]),
                _streams([b"a", b"b", b"\r", b"\n", b"\r\n"]),
            )
        )

    def test_lineRegexp(self) -> None:
        """
        A regular expression, also with groups, and one whose match may become longer.
        """
        patterns = [r"[;,]", r"\d+x", r"(?:\r?\n)", r"(;)(,)?", r"-{2,3}", r"\s*;\s*"]
        arguments: list[list[Any]] = []
        for pattern in patterns:
            arguments.append(["InputRegexp", pattern])
            arguments.append(["InputRegexp", {"qr": f"{pattern}|b;"}])
        pieces = [bytes([octet]) for octet in b"ab;,12x\r\n- "]
        self.compare(_reads(_filters("Line", arguments), _streams([*pieces, b"--"])))

    def test_blockSize(self) -> None:
        """
        Blocks of one size.
        """
        sizes = [["BlockSize", size] for size in range(1, 6)]
        filters = _filters("Block", sizes, limited=False)
        self.compare(
            _reads(filters, st.binary(max_size=30)),
            _puts(filters, _octets),
        )

    def test_blockLength(self) -> None:
        """
        Blocks with a length in front: in POE's default form, and in that of the user's
        functions.
        """
        frames: list[tuple[Callable[[bytes], bytes], list[Any]]] = [
            (_decimal, []),
            *(
                (CODECS[name][0], ["LengthCodec", {"codec": name}])
                for name in ("be32", "u8", "colon")
            ),
        ]
        for frame, arguments in frames:
            filters = _filters("Block", [arguments])
            self.compare(
                _reads(filters, _cut(st.binary(max_size=12).map(frame))),
                _puts(filters, _octets),
            )

    def test_stackable(self) -> None:
        """
        Filters of records, above one of bytes.
        """
        streams = _streams([b"a", b"B", b"1", b"#", b",", b"\n"])
        words = st.text("aB1#,", max_size=5).map(lambda text: text.encode().hex())
        groups = st.lists(words, max_size=4).map(lambda group: {"list": group})
        self.compare(
            _reads(_stacks(False), streams),
            _reads(_stacks(True), streams),
            _puts(_stacks(False), words),
            _puts(_stacks(True), groups),
        )

    def test_reference(self) -> None:
        """
        Any data as JSON, compressed or not.
        """
        text = st.text('aé"\\\n', max_size=4)
        leaves = st.one_of(st.none(), st.integers(-9, 9), text)
        data = st.recursive(
            st.lists(leaves, max_size=3),
            lambda inner: st.one_of(
                st.lists(st.one_of(leaves, inner), max_size=3),
                st.dictionaries(text, inner, max_size=3),
            ),
            max_leaves=6,
        )
        payloads = data.map(lambda value: json.dumps(value).encode())
        records = data.map(lambda value: {"data": value})
        for compression, frames in (
            (0, payloads.map(_decimal)),
            (1, payloads.map(zlib.compress).map(_decimal)),
        ):
            given = ["Serializer", {"serializer": "json"}, "Compression", compression]
            filters = _filters("Reference", [given], limited=False)
            self.compare(_reads(filters, _cut(frames)), _puts(filters, records))


def _update(case: Case, part: str, **changes: Any) -> None:
    case[part].update(changes)


class RunnerTests(TestCase):
    """
    The runner finds differences.
    """

    timeout = 60

    def judged(self, identity: str, change: Callable[[Case], object]) -> Outcome:
        """
        @return: the verdict on a changed case.
        """
        (case,) = (deepcopy(case) for case in ALL if case["id"] == identity)
        change(case)
        return judge(case)

    def differs(
        self, change: Callable[[Case], object], why: str, identity: str = "f0046"
    ) -> None:
        outcome = self.judged(identity, change)
        self.assertEqual(outcome.verdict, "different", outcome)
        self.assertIn(why, outcome.why)

    def test_record(self) -> None:
        """
        A record is different, is missing, or is one too many.
        """
        change: Callable[[Case], object]
        for change in (
            lambda case: case["reply"]["records"][0].__setitem__(1, "62"),
            lambda case: case["reply"]["records"][0].pop(),
            lambda case: case["reply"]["records"][0].append(""),
            lambda case: case["reply"]["records"][0].insert(0, None),
        ):
            self.differs(change, "expected get [")

    def test_read(self) -> None:
        """
        The records come in another read.
        """
        self.differs(
            lambda case: case["reply"]["records"].reverse(),
            'got get []; get ["61", "620d630a64", ""]',
            "f0047",
        )

    def test_pending(self) -> None:
        """
        The pending bytes are different.
        """
        for pending in (None, "66", "6565"):
            change = partial(_update, part="reply", pending=pending)
            self.differs(change, "got get")

    def test_error(self) -> None:
        """
        An unexpected error, or an expected error that does not occur.
        """
        self.differs(
            lambda case: case["reply"].update(error="x", error_at=0, error_in="get"),
            "error: x, got",
        )
        self.differs(
            lambda case: case["request"].update(args=["MaxLength", 2]),
            "error: a record of at least",
            "f0021",
        )
        self.differs(
            lambda case: case.update(reply={"error": "no", "error_in": "new"}),
            "expected refused: no, got get",
        )
        self.differs(
            lambda case: case["request"].update(args=["Literal", ""]),
            "got refused: ",
        )

    def test_recordsBeforeError(self) -> None:
        """
        The records before an error count.
        """
        self.differs(lambda case: case["reply"]["records"][0].clear(), "error", "f0206")

    def test_octets(self) -> None:
        """
        The bytes to send are different.
        """
        self.differs(
            lambda case: case["reply"].update(octets="610d0a0d0a63"), "put", "f0196"
        )

    def test_session(self) -> None:
        """
        A step has another result.
        """
        self.differs(
            lambda case: case["reply"]["steps"][4].update(pending="61"),
            "pending 61",
            "f0224",
        )

    def test_refusal(self) -> None:
        """
        Rejecting a record is right only if POE's bytes would not be decoded as that
        record.
        """
        outcome = self.judged("f0054", lambda case: None)
        self.assertEqual(outcome.verdict, "corrected", outcome)

        class Refusing(framing.Line):
            def encode(self, record: bytes) -> bytes:
                raise InvalidRecord("no")

        self.patch(framing, "Line", Refusing)
        self.differs(lambda case: None, "got put error: no", "f0196")

    def test_corrected(self) -> None:
        """
        If POE is wrong, its result is not the expected one.
        """
        outcome = self.judged("f0003", lambda case: None)
        self.assertEqual(outcome.verdict, "corrected")
        self.differs(
            lambda case: case["correct"].update(records_flat=["6162", "", ""]),
            "expected in a row",
            "f0003",
        )
        self.differs(
            lambda case: case["correct"].update(pending="61"), "pending 61", "f0003"
        )

    def test_unjudged(self) -> None:
        """
        A case in which POE is wrong, and that does not say what is right.
        """
        self.differs(
            lambda case: case.update(correct=None),
            "does not say what is right",
            "f0003",
        )

    def test_notApplicable(self) -> None:
        """
        A filter that is not ours, at any depth.
        """
        inner = {"filter": "HTTPD", "args": []}
        for request in (
            {"filter": "HTTPD", "args": []},
            {"filter": "Stackable", "args": ["Filters", {"list": [inner]}]},
            {"filter": "Reference", "args": []},
        ):
            outcome = self.judged("f0046", partial(_update, part="request", **request))
            self.assertEqual(outcome.verdict, "not applicable", request)

    def test_waiting(self) -> None:
        """
        A framing that does not exist yet is reported as such.
        """
        self.patch(framing, "Line", None)
        outcome = self.judged("f0046", lambda case: None)
        self.assertEqual((outcome.verdict, outcome.why), ("waiting", "for Line"))

    def test_broken(self) -> None:
        """
        A framing that raises an unexpected exception is a difference.
        """

        def broken(self: object, data: bytes, start: int) -> None:
            raise ZeroDivisionError

        self.patch(framing.Line, "decodeMany", broken)
        self.differs(lambda case: None, "ZeroDivisionError")

    async def test_command(self) -> None:
        """
        The command accepts any file, prints a line for each case that differs and a
        summary, and fails if a case differs.
        """
        self.assertEqual((await self.command())[1], 0)
        holder = TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        path = Path(holder.name, "cases.json")
        cases = deepcopy(ALL[:2])
        cases[1]["reply"]["records"][1].pop()
        path.write_text(json.dumps(cases))
        self.assertEqual(
            await self.command(str(path)),
            (
                "f0001 (line-default-split2): different: "
                'expected get []; get ["6162", ""]; pending nothing, '
                'got get []; get ["6162", "", "6364"]; pending nothing\n'
                "1 agree, 0 corrected, 0 not applicable, 0 waiting, 1 different\n",
                1,
            ),
        )

    async def command(self, *arguments: str) -> tuple[str, int]:
        """
        @return: what the command prints, and its exit status.
        """
        output, _, status = await execute(
            sys.executable, "-m", "tests.filter_cases", *arguments
        )
        return output.decode(), status
