"""Users' regular expressions say what Python's do, and none of them runs away."""

import re
from random import Random
from re import _parser  # type: ignore[attr-defined]

import pytest
from mockforge_brokers.expressions import _Automaton, compiled

TEXTS = (
    "", "a", "aa", "ab", "ba", "aab", "b", "a.b", "a-b", "orders.eu", "amq.gen-1", "A", "aB", "é",
    "a\nb", "orders", "orders-orders-", "xorders", "0123",
)  # fmt: skip
TABLE = (
    "", "^", "$", "^$", "a", "^a$", "a|b", "^(a|b)+$", "(a+)+$", "^(a|aa)*$", "(?:a|b|)*b", "a?b?",
    "^[^a]+$", r"^\w+$", r"\bb", r"a\B", r"^(\w+-)+$", "^(?!amq\\.)", "^(?!amq\\.).*", "(?<=a)b",
    "(?<!a)b", "(?=.*b)a", "a{2}", "^a{1,2}b?$", "(ab?){2,3}", "(?i)AB", "a(?i:b)", "(?s:a.b)",
    "(?m)^b", r"\A(?:a|b)\Z", "a*?b", "[a-c]+[.-]b", ".*.*.*.*b", "^(a?){12}b", r"\d+",
    "((a|b)(?:c|b))*", "(?i:a(?-i:b))",
)  # fmt: skip


def agree(pattern: str, text: str) -> bool:
    automaton, expression = _Automaton(_parser.parse(pattern)), compiled(pattern)
    found, whole = re.search(pattern, text) is not None, re.fullmatch(pattern, text) is not None
    return found == automaton.search(text) == bool(
        expression.search(text)
    ) and whole == automaton.fullmatch(text) == bool(expression.fullmatch(text))


@pytest.mark.parametrize("pattern", TABLE)
def test_an_automaton_finds_what_python_finds(pattern: str) -> None:
    assert [text for text in TEXTS if not agree(pattern, text)] == []


def made(random: Random, depth: int) -> str:
    if not depth or random.random() < 0.3:
        return random.choice(("a", "b", ".", "[ab]", "[^a]", "^", "$", r"\b", "c", r"\w"))
    inner = made(random, depth - 1)
    match random.randrange(6):
        case 0:
            return f"(?:{inner}){random.choice(('*', '+', '?', '{2}', '{1,3}', '*?', '{0,2}'))}"
        case 1:
            return f"(?:{inner}|{made(random, depth - 1)})"
        case 2:
            return f"({inner})"
        case 3:
            return f"(?{random.choice('=!')}{inner})"
        case _:
            return inner + made(random, depth - 1)


def test_so_it_does_for_expressions_and_texts_of_any_kind() -> None:
    random = Random(1)
    for _ in range(1500):
        pattern = made(random, 4)
        text = "".join(random.choices("abc\n-", k=random.randrange(9)))
        assert agree(pattern, text), (pattern, text)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){20}$", "^a*a*a*a*a*a*a*a*$", "(a?){30}a{30}$",
     "(?=(a+)+$)a", "^((((a*)*)*)*)*$", "^(?:a|(?:aa)+)*$", "(){4000000000}(a+)+$",
     "(?:(){4000000000}){4000000000}(a+)+$"],
)  # fmt: skip
def test_none_runs_away(pattern: str) -> None:
    """Python's engine would be at each of them for longer than a test may take."""
    assert not compiled(pattern).search("a" * 250 + "!")
    assert not compiled(pattern).fullmatch("a" * 250 + "!")


def test_one_that_compares_too_much_finds_nothing_as_with_rabbitmq() -> None:
    assert not compiled("(?:(?:a{0,30}){0,30})*b").search("a" * 3000 + "b")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+\1$", "groupref among repeats or choices"),
        ("(?:(?>a+)b)+(a|b)*", "atomic group among repeats"),
        ("(?:a{1,100}){1,100}", "more than 4000 states"),
        ("((?=a{70}b*)c){70}(d+)+", "more than 4000 states"),
        ("(", "missing \\)"),
    ],
)
def test_what_cannot_be_bounded_is_refused(pattern: str, text: str) -> None:
    with pytest.raises(re.error, match=text):
        compiled(pattern)


def test_flags_hold_for_both_ways() -> None:
    for pattern in ("a.b", "(?:x|a.)+b"):
        assert not compiled(pattern).search("a\nb")
        assert compiled(pattern, re.DOTALL).search("a\nb")
