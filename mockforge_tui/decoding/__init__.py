"""Payloads that are neither JSON nor text as values: Avro, CBOR, MessagePack, Sparkplug B,
Protobuf."""

from .look import Decoded, look

__all__ = ("Decoded", "look")
