"""One configuration key: its type, what it may be, and lists of values as clients alter them."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from ....errors import RequestRefused
from ...codes import AlterConfigOp, ConfigSource, ConfigType, ErrorCode
from ..java_maps import hash_of, in_hash_order

Change = tuple[str, AlterConfigOp, str | None]
"""A key, what to do with it, and the value to do it with."""


class Sourced(NamedTuple):
    """A value with the key under which it was set, and by whom."""

    name: str
    value: str
    source: ConfigSource


class Shape(NamedTuple):
    """What a list must look like, and Kafka's words for it."""

    fits: Callable[[list[str]], bool]
    wanted: str


def is_true(value: str) -> bool:
    """Of a switch, as Kafka's ConfigDef reads it: in any case, with blanks around it."""
    return value.strip().lower() == "true"


class ConfigKey(Struct, frozen=True):
    """`allowed`: the only values; `least` and `most`: of a number, or it is `besides`;
    `shape`: what a list must look like as a whole, in Kafka's words; `distinct`: no word of it may
    stand there twice; `served`: we act on it, as far as it is one of `served_values`, if there are
    any.

    `broker` is the broker's key that gives the default, and `meaning` is for people.
    """

    name: str
    type: ConfigType
    default: str | None
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    besides: int | None = None
    shape: Shape | None = None
    distinct: bool = False
    served: bool = False
    served_values: tuple[str, ...] = ()
    broker: str = ""
    meaning: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether its value is shown to nobody; what Kafka does not know may be a password too."""
        return self.type in (ConfigType.PASSWORD, ConfigType.UNKNOWN)

    def parsed(self, value: str) -> str:
        """As Kafka shows what was set: as Java writes it, words of a choice once each."""
        if self.type is ConfigType.LIST and value:
            words = [word.strip() for word in value.split(",")]
            return ",".join(dict.fromkeys(words) if self.allowed else words)
        if self.type is ConfigType.BOOLEAN:
            return value.strip().lower()
        if self.type in _NUMBERS and value.strip():
            is_double = self.type is ConfigType.DOUBLE
            return _java_double(float(value)) if is_double else str(int(value))
        return value.strip() if self.type in (ConfigType.STRING, ConfigType.CLASS) else value

    def shown(self, value: str) -> str:
        """The value for people and logs."""
        return "(hidden)" if self.is_secret else value

    def acts_on(self, value: str) -> bool:
        """Whether this value is in force: we act on the key, or do anyhow what the value says."""
        return value == self.default or (
            self.served and (not self.served_values or value in self.served_values)
        )

    def check(self, value: str) -> None:
        """Raises RequestRefused, in Kafka's words, for a value not of this type or range."""
        shown, problem = self._problem(value)
        if problem:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"Invalid value {shown} for configuration {self.name}: {problem}",
            )

    def _problem(self, value: str) -> tuple[str, str]:
        """What is wrong, if anything is, and the part of the value that it is about."""
        if self.type in _NUMBERS:
            return self._problem_of_number(value)
        if self.type is ConfigType.BOOLEAN:
            known = value.strip().lower() in ("true", "false")
            return value, "" if known else "Expected value to be either true or false"
        if self.type is ConfigType.LIST:
            return self._problem_of_list(value)
        word = value.strip()
        if self.allowed and word not in self.allowed:
            return word, f"String must be one of: {', '.join(self.allowed)}"
        return value, ""

    def _problem_of_list(self, value: str) -> tuple[str, str]:
        words = [word.strip() for word in value.split(",")] if value.strip() else []
        if self.distinct and len(set(words)) < len(words):
            self._refuse_list("values must not be duplicated.")
        if self.shape is not None:
            words = list(filter(None, words))
            fits = self.shape.fits(words)
            return f"[{', '.join(words)}]", "" if fits else f"{self.name} {self.shape.wanted}"
        for word in words:
            if not word:
                self._refuse_list("values must not be empty.")
            if self.allowed and word not in self.allowed:
                return word, f"String must be one of: {', '.join(self.allowed)}"
        return value, ""

    def _refuse_list(self, problem: str) -> None:
        raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Configuration '{self.name}' {problem}")

    def _problem_of_number(self, value: str) -> tuple[str, str]:
        bits = _NUMBERS[self.type]
        try:
            # Python reads more as a number than Java does: 1_000, and inf in any case.
            if "_" in value or (bits == 0 and value.strip().lstrip("+-") in _PYTHONS):
                raise ValueError
            number = float(value) if self.type is ConfigType.DOUBLE else int(value)
            if bits and not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
                raise ValueError
        except ValueError:
            return value, f"Not a number of type {self.type.name}"
        shown = _java_double(number) if isinstance(number, float) else str(number)
        return shown, "" if number == self.besides else self._out_of_range(number)

    def _out_of_range(self, number: float) -> str:
        low = self.least is not None and number < self.least
        high = self.most is not None and number > self.most
        if (low or high) and self.besides is not None:
            return f"Value must be between {self.least} and {self.most} or equal to {self.besides}"
        if low:
            return f"Value must be at least {self.least:.15g}"
        if high:
            return f"Value must be no more than {self.most:.15g}"
        return ""


_NUMBERS: Final[Mapping[ConfigType, int]] = MappingProxyType(
    {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64, ConfigType.DOUBLE: 0}
)


_PYTHONS: Final = frozenset(("nan", "inf", "infinity"))
"""As Java spells none of these."""


def _java_double(number: float) -> str:
    """As Double.toString: an exponent from ten million on, and below a thousandth."""
    if not isfinite(number) or number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' * sign}{digits[0]}.{rest}E{exponent + len(digits) - 1}"


def table(*keys: ConfigKey) -> Mapping[str, ConfigKey]:
    return MappingProxyType({key.name: key for key in keys})


def split_list(value: str) -> list[str]:
    """The words of a LIST value."""
    return [word.strip() for word in value.split(",") if word.strip()]


def unpaired(name: str, entries: Iterable[str]) -> str:
    """The first entry of a map without a colon, in the words of Java 17; empty if all have one."""
    for one in entries:
        if ":" not in one:
            length = len(one.encode("utf-16-le", "surrogatepass")) // 2
            words = f"begin 0, end -1, length {length}"
            return f"Error parsing configuration property '{name}': {words}"
    return ""


def altered(
    values: Mapping[str, str], changes: Iterable[Change], keys: Mapping[str, ConfigKey]
) -> dict[str, str]:
    """`values` with single ones set, deleted, appended to or subtracted from (KIP-339).

    A key that is not in `keys` is a plain string. Raises RequestRefused.
    """
    changed = dict(values)
    # The first that is wrong is the first one of Java's map.
    for name, operation, value in in_hash_order(changes, lambda change: hash_of(change[0])):
        if operation is AlterConfigOp.DELETE:
            changed.pop(name, None)
            continue
        if value is None:
            raise null_refused(name)
        if operation is AlterConfigOp.SET:
            changed[name] = value
            continue
        key = keys.get(name)
        if key is None or key.type is not ConfigType.LIST:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"Can't {operation.name} to key {name} because its type is not LIST.",
            )
        before = changed.get(name, key.default or "")
        changed[name] = _edited(before, value, appended=operation is AlterConfigOp.APPEND)
    return changed


def _edited(before: str, change: str, *, appended: bool) -> str:
    """As Kafka: words count with their blanks, and of one that is there twice one is taken away."""
    words = _parts(before) if before else []
    for word in _parts(change):
        if appended and word not in words:
            words.append(word)
        elif not appended and word in words:
            words.remove(word)
    return ",".join(words)


def _parts(value: str) -> list[str]:
    """As Java splits: empty ones at the end are left out, but for the only one."""
    parts = value.split(",")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return [] if parts == [""] and value else parts


def null_refused(name: str, place: str = "") -> RequestRefused:
    """A null where a value must be; Kafka has another code for new topics."""
    code = ErrorCode.INVALID_CONFIG if place else ErrorCode.INVALID_REQUEST
    return RequestRefused(code, f"Null value not supported for {place}: {name}")
