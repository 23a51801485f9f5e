"""What the reader makes of YAML, honest and hostile."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.desired.findings import Rule
from reconciler.desired.positions import find_positions
from reconciler.desired.yaml_reader import MOST_BYTES, MOST_LEVELS, read_yaml
from tests.properties import examples

INDICATORS = st.text(alphabet="ab:-#{}[]&*!|>%@`'\"?~,.0123 \n\t\r\x00\x85\u2028\ufeffé", max_size=60)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("23.10", "23.10"),
        ("2.1.0", "2.1.0"),
        ("1:30", "1:30"),
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", "1e3"),
        ("0x1F", "0x1F"),
        ("010", "010"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("\n  -", [None]),
        ("-5", -5),
        ("0", 0),
        ("628", 628),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, "9" * 19),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("'true'", "true"),
        ('"12"', "12"),
        ("''", ""),
        ("|\n  12", "12\n"),
        ("[a, [b, {c: 1}], {}]", ["a", ["b", {"c": 1}], {}]),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read_yaml(f"key: {text}\n".encode()) == ({"key": value}, [])


def test_keys_are_always_text() -> None:
    assert read_yaml(b"1: a\ntrue: b\nnull: c\non: d\n") == ({"1": "a", "true": "b", "null": "c", "on": "d"}, [])


@pytest.mark.parametrize("data", [b"", b"# a comment\n", b"\xef\xbb\xbf", b"---\n", b"---\n...\n"])
def test_nothing_is_none(data: bytes) -> None:
    assert read_yaml(data) == (None, [])


def test_the_first_of_two_equal_keys_counts_with_all_below_it() -> None:
    data, faults = read_yaml(b"a: {x: 1}\nb: 2\na: [3, {a: 1, a: 2}]\n")
    assert data == {"a": {"x": 1}, "b": 2}
    assert [(fault.line, fault.column, fault.rule) for fault in faults] == [
        (3, 1, Rule.DUPLICATE_KEY),
        (3, 15, Rule.DUPLICATE_KEY),
    ]


@pytest.mark.parametrize(
    ("data", "rule", "place"),
    [
        (b"a: &x 1\n", Rule.YAML_ALIAS, (1, 4)),
        (b"a: 1\nb: *x\n", Rule.YAML_ALIAS, (2, 4)),
        (b"a: !!python/name:os.system x\n", Rule.YAML_TAG, (1, 4)),
        (b"a: !!binary aGk=\n", Rule.YAML_TAG, (1, 4)),
        (b"&k a: 1\n", Rule.YAML_ALIAS, (1, 1)),
        (b"a: 1\n--- {}\n", Rule.SEVERAL_DOCUMENTS, (2, 1)),
        (b"[a]: 1\n", Rule.YAML_SYNTAX, (1, 1)),
        (b"? {a: b}\n: 1\n", Rule.YAML_SYNTAX, (1, 3)),
        (b"a: b: c\n", Rule.YAML_SYNTAX, (1, 5)),
        (b"a: [1\nb: 2\n", Rule.YAML_SYNTAX, (2, 2)),
        (b"ab:\n  c: \xe9\n", Rule.NOT_UTF8, (2, 6)),
        ("é: \x00\n".encode(), Rule.YAML_SYNTAX, (1, 4)),
        ("a: \ud800".encode("utf-8", "surrogatepass"), Rule.NOT_UTF8, (1, 4)),
        ("a: b".encode("utf-16"), Rule.NOT_UTF8, (1, 1)),
        (b"a: %s\n" % (b"x" * MOST_BYTES), Rule.TOO_LARGE, (1, 1)),
    ],
)
def test_faults(data: bytes, rule: Rule, place: tuple[int, int]) -> None:
    _, faults = read_yaml(data)
    assert [(fault.rule, (fault.line, fault.column)) for fault in faults] == [(rule, place)]


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"{a: " * 100_000,
        b"- " * 100_000,
        b"? " * 100_000,
        b"".join(b" " * level + b"a:\n" for level in range(1_000)),
    ],
    ids=["lists", "mappings", "dashes", "keys", "indents"],
)
def test_deep_nesting_stops_at_once(data: bytes) -> None:
    _, faults = read_yaml(data)
    assert faults[-1].rule in (Rule.TOO_DEEP, Rule.YAML_SYNTAX)


def test_deep_nesting_does_not_end_the_process() -> None:
    code = "from reconciler.desired.yaml_reader import read_yaml; print(read_yaml(b'[' * 1_000_000)[1][0].rule)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "too-deep\n"


def test_the_deepest_that_is_read() -> None:
    assert read_yaml(b"[" * MOST_LEVELS + b"]" * MOST_LEVELS)[1] == []
    assert read_yaml(b"[" * (MOST_LEVELS + 1) + b"]" * (MOST_LEVELS + 1))[1][0].rule is Rule.TOO_DEEP


def test_a_billion_laughs_is_refused_at_its_first_alias() -> None:
    laughs = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    data, faults = read_yaml(f"l0: &l0 lol\n{laughs}".encode())
    assert data is None
    assert {fault.rule for fault in faults} == {Rule.YAML_ALIAS}


@pytest.mark.parametrize(
    "data",
    [
        b"a" * (MOST_BYTES - 1),
        b"a: |\n" + b"  x\n" * 200_000,
        b"[" + b"a," * 500_000 + b"]",
        b"a: !" + b"%41" * 300_000,
    ],
    ids=["one word", "one text", "one list", "one tag"],
)
@pytest.mark.timeout(120)  # reading takes seconds; in time that grows with the square of the size it takes hours
def test_the_largest_files_are_read(data: bytes) -> None:
    read_yaml(data)


@examples(400)
@given(st.one_of(st.binary(max_size=80), INDICATORS.map(str.encode)))
@example(b"\xff\xfea\x00")
@example(b"%YAML 3.0\n---\n")
@example(b"a: !<\n")
@example(b"- !!str\n- &\n")
def test_no_bytes_make_it_raise(data: bytes) -> None:
    value, faults = read_yaml(data)
    for fault in faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.message
    if value is not None:
        find_positions(data)


PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**17), 10**17), st.text(alphabet="abc 1.:#-é'\"", max_size=8)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abé1 ", max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@examples(200)
@given(PLAIN)
def test_what_a_writer_of_json_wrote_is_read_back(value: object) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False).encode()) == (value, [])


def test_positions() -> None:
    data = b"# c\na: 1\nb:\n  - x: [p, q]\n    y:\n  - z\n"
    positions = find_positions(data)
    assert positions.find(("a",), on_key=False) == (2, 4)
    assert positions.find(("a",), on_key=True) == (2, 1)
    assert positions.find(("b", 0, "x", 1), on_key=False) == (4, 12)
    assert positions.find(("b", 1), on_key=False) == (6, 5)
    assert positions.find(("b", 0, "missing"), on_key=True) == (4, 5)
    assert positions.find(("b", "missing", "deeper"), on_key=False) == (3, 1)
    assert positions.find(("missing",), on_key=True) == (2, 1)
