"""BROKER_LOGGER resources: this program's own loggers, and how much they say (KIP-412)."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from ....errors import RequestRefused
from ...codes import AlterConfigOp, ErrorCode
from ...state.configs.keys import Change

ROOT: Final = "root"
"""What Kafka calls the logger above all others; here it is that of the brokers."""
_ROOT_NAME: Final = __name__.partition(".")[0]
_LEVELS: Final = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}


def loggers() -> dict[str, str]:
    """The level that is in force in each."""
    prefix = _ROOT_NAME + "."
    children = sorted(
        name
        for name, one in logging.root.manager.loggerDict.items()
        if name.startswith(prefix) and isinstance(one, logging.Logger)
    )
    return {name: _level_of(_logger(name)) for name in (ROOT, *children)}


def check_loggers(changes: Iterable[Change]) -> None:
    """Raises RequestRefused in Kafka's words."""
    known = loggers()
    for name, operation, value in changes:
        if operation not in (AlterConfigOp.SET, AlterConfigOp.DELETE):
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"{operation.name} operation is not allowed for the BROKER_LOGGER resource",
            )
        if name not in known:
            raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Logger {name} does not exist!")
        if operation is AlterConfigOp.DELETE and name == ROOT:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                "Removing the log level of the root logger is not allowed",
            )
        if operation is AlterConfigOp.SET and value not in _LEVELS:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"Cannot set the log level of {name} to {value} as it is not a supported log level."
                f" Valid log levels are {', '.join(sorted(_LEVELS))}",
            )


def set_loggers(changes: Iterable[Change]) -> None:
    """What `check_loggers` let pass; a deleted level is that of the logger above."""
    for name, operation, value in changes:
        is_set = operation is AlterConfigOp.SET
        _logger(name).setLevel(_LEVELS[value or ""] if is_set else logging.NOTSET)


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(_ROOT_NAME if name == ROOT else name)


def _level_of(logger: logging.Logger) -> str:
    level = logger.getEffectiveLevel()
    names: Mapping[int, str] = {number: name for name, number in _LEVELS.items()}
    return names.get(level, "INFO")
