"""A filter expression as a function of a message: RabbitMQ's grammar, by precedence climbing.

From loose to tight: OR, AND, NOT, one comparison (or LIKE, IN, IS NULL), + and -, * / %, a sign.
A pair of brackets takes two calls, so that the 200 tokens of an expression bound the stack.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from . import operators
from .operators import Value
from .tokens import Kind, Malformed, Token, tokens


class Facts(Protocol):
    """What an expression asks: of a message, and the time in ms since 1970."""

    def field(self, name: str) -> Value: ...

    def application_property(self, name: str) -> Value: ...

    def now(self) -> int: ...


Evaluate = Callable[[Facts], Value]
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT = range(6)
_TIGHTNESS: Final[dict[str, int]] = {
    "OR": _OR,
    "AND": _AND,
    **dict.fromkeys((*operators.COMPARISONS, "LIKE", "IN", "IS", "NOT"), _COMPARISON),
    **dict.fromkeys(("+", "-"), _SUM),
    **dict.fromkeys(("*", "/", "%"), _PRODUCT),
}
"""Of what stands behind an operand: NOT is that of NOT LIKE and NOT IN."""


def parse(text: str) -> Evaluate:
    """The function that says what the expression makes of a message; raises Malformed."""
    parser = _Parser(tokens(text))
    evaluate = parser.expression()
    parser.end()
    looks = parser.looks

    def anew(facts: Facts) -> Value:
        looks.renew()
        return evaluate(facts)

    return anew


class _Parser:
    """Goes through the tokens once; each method takes what it is named after."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self.looks = operators.Looks()

    # Tokens.

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _takes(self, *symbols: str) -> bool:
        """Whether these come next; then they are taken."""
        ahead = self._tokens[self._at : self._at + len(symbols)]
        if ahead != [Token(Kind.SYMBOL, symbol) for symbol in symbols]:
            return False
        self._at += len(symbols)
        return True

    def _operator(self, *symbols: str) -> str:
        """Which of these comes next, and is taken; else an empty text."""
        return next((symbol for symbol in symbols if self._takes(symbol)), "")

    def _expect(self, symbol: str) -> None:
        if not self._takes(symbol):
            raise self._unexpected()

    def _unexpected(self) -> Malformed:
        token = self._tokens[self._at]
        what = "the end" if token.kind is Kind.END else repr(token.value)
        return Malformed(f"{what} is not expected there")

    def end(self) -> None:
        if self._tokens[self._at].kind is not Kind.END:
            raise self._unexpected()

    # Operators.

    def expression(self, loosest: int = _OR) -> Evaluate:
        """An operand, and what follows it with operators that bind as tight as `loosest`."""
        times = 0
        # In a loop: hundreds of NOT go no deeper than one.
        while loosest <= _NOT and self._takes("NOT"):
            times += 1
        start = self._at
        left = _negated(self.expression(_COMPARISON), times) if times else self._operand()
        compared = False
        while (tightness := self._tightness()) >= loosest:
            if tightness == _COMPARISON:
                if compared or times:
                    raise self._unexpected()
                left, compared = self._comparison(left, start), True
                continue
            operator = _binary(str(self._next().value))
            left = _two(operator, left, self.expression(tightness + 1))
        return left

    def _tightness(self) -> int:
        """Of the operator that comes next; -1 where none does."""
        token = self._tokens[self._at]
        return _TIGHTNESS.get(str(token.value), -1) if token.kind is Kind.SYMBOL else -1

    def _comparison(self, left: Evaluate, start: int) -> Evaluate:
        """`start`: where the left side begins."""
        if symbol := self._operator(*operators.COMPARISONS):
            operator = partial(operators.compare, symbol)
            return _two(operator, left, self.expression(_SUM))
        if self._takes("IS"):
            return self._is_null(left, start)
        negative = self._takes("NOT")
        if self._takes("LIKE"):
            found = self._like(left)
        elif self._takes("IN"):
            found = self._in(left)
        else:
            raise self._unexpected()
        return _negated(found, 1) if negative else found

    def _is_null(self, value: Evaluate, start: int) -> Evaluate:
        """Of a name alone: `1 IS NULL` and `(a) IS NULL` are no expressions."""
        alone = self._at == start + 2
        if not alone or self._tokens[start].kind not in (Kind.FIELD, Kind.PROPERTY):
            raise Malformed("IS asks for a name alone")
        wanted = not self._takes("NOT")
        self._expect("NULL")
        return lambda facts: (value(facts) is None) is wanted

    def _like(self, value: Evaluate) -> Evaluate:
        pattern, escape = self._text(), None
        if self._takes("ESCAPE"):
            escape = self._text()
            if len(escape) != 1:
                raise Malformed("ESCAPE takes one character")
        test = operators.like(pattern, escape, self.looks)

        def evaluate(facts: Facts) -> Value:
            subject = value(facts)
            return test(subject) if isinstance(subject, bytes) else None

        return evaluate

    def _text(self) -> str:
        token = self._tokens[self._at]
        if token.kind is not Kind.TEXT:
            raise self._unexpected()
        self._at += 1
        return str(token.value)

    def _in(self, value: Evaluate) -> Evaluate:
        self._expect("(")
        members = [self.expression(_SUM)]
        while self._takes(","):
            members.append(self.expression(_SUM))
        self._expect(")")

        def evaluate(facts: Facts) -> Value:
            subject = value(facts)
            if subject is None:
                return None
            return any(operators.equal(subject, member(facts)) for member in members)

        return evaluate

    # Operands.

    def _operand(self) -> Evaluate:
        symbol = self._operator("+", "-")
        if self._takes("("):
            value = self.expression()
            self._expect(")")
        else:
            value = self._primary()
        return (lambda facts: operators.signed(symbol, value(facts))) if symbol else value

    def _primary(self) -> Evaluate:
        if self._takes("UTC", "(", ")"):
            return lambda facts: facts.now()
        token = self._tokens[self._at]
        value = token.value
        match token.kind:
            case Kind.FIELD:
                found = partial(_field, str(value))
            case Kind.PROPERTY:
                found = partial(_application_property, str(value))
            case Kind.TEXT:
                found = partial(_literal, str(value).encode())
            case Kind.NUMBER | Kind.BINARY | Kind.BOOLEAN if not isinstance(value, str):
                found = partial(_literal, value)
            case _:
                raise self._unexpected()
        self._at += 1
        return found


def _field(name: str, facts: Facts) -> Value:
    return facts.field(name)


def _application_property(name: str, facts: Facts) -> Value:
    return facts.application_property(name)


def _literal(value: Value, facts: Facts) -> Value:
    return value


def _binary(symbol: str) -> Callable[[Value, Value], Value]:
    match symbol:
        case "OR":
            return operators.either
        case "AND":
            return operators.both
    return partial(operators.calculate, symbol)


def _two(operator: Callable[[Value, Value], Value], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda facts: operator(left(facts), right(facts))


def _negated(value: Evaluate, times: int) -> Evaluate:
    """What is no boolean is unknown then, be it negated twice."""

    def evaluate(facts: Facts) -> Value:
        found = operators.negate(value(facts))
        return found if times % 2 else operators.negate(found)

    return evaluate
