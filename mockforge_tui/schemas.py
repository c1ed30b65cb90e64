"""Schemas that a config gives, read from their files and in use for as long as a run."""

from collections.abc import Callable, Iterable
from pathlib import Path

from .config import ConfigError
from .decoding.avro import Schema, SchemaError
from .decoding.schemas import SCHEMAS


def give(texts: Iterable[str]) -> Callable[[], None]:
    """Use each `DESTINATION=FILE`; returns what ends that. Raises ConfigError, and uses none."""
    read: dict[str, Schema] = {}
    for text in texts:
        destination, equals, path = text.partition("=")
        if not (destination and equals and path):
            raise ConfigError(f"schema {text}: write DESTINATION=FILE, orders=order.avsc")
        try:
            read[destination] = Schema(Path(path).read_bytes())
        except OSError as error:
            raise ConfigError(f"schema {text}: {path} cannot be read: {error.strerror}") from None
        except SchemaError as error:
            raise ConfigError(f"schema {text}: {path} is no schema of Avro: {error}") from None
    mine = [SCHEMAS.give(destination, schema) for destination, schema in read.items()]

    def forget() -> None:
        for each in mine:
            each()

    return forget
