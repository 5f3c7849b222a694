"""The base class of all messages; its stub names the methods that we use."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

__all__ = ["DecodeError", "Message"]
