"""Numbers, lengths and lists, as section 1 of format.md frames them; and what refuses."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Refused(Exception):
    """Something is not believed; `code` is the word of section 13."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def require(condition: bool, code: str) -> None:
    if not condition:
        raise Refused(code)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def crc32(*parts: bytes) -> int:
    return zlib.crc32(b"".join(parts))


class Reader:
    """Takes fields off the front of `data`; anything but the one spelling is `code`."""

    def __init__(self, data: bytes, code: str = "malformed") -> None:
        self.data = data
        self.at = 0
        self.code = code

    def take(self, count: int) -> bytes:
        require(count <= len(self.data) - self.at, self.code)
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def fixed(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def v(self, bits: int = 64) -> int:
        value = 0
        for place in range(10):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                require(byte != 0 or place == 0, self.code)
                require(value < 1 << bits, self.code)
                return value
        raise Refused(self.code)

    def blob(self, most: int | None = None, code: str | None = None) -> bytes:
        count = self.v(32)
        require(most is None or count <= most, code or self.code)
        return self.take(count)

    def text(self, most: int | None = None, code: str | None = None) -> str:
        raw = self.blob(most, code)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(self.code) from None

    def flag(self) -> bool:
        byte = self.u8()
        require(byte in (0, 1), self.code)
        return byte == 1

    def many(self, most: int, item: Callable[[], T]) -> list[T]:
        count = self.v(32)
        require(count <= most, self.code)
        return [item() for _ in range(count)]

    def option(self, item: Callable[[], T]) -> T | None:
        return item() if self.flag() else None

    def rest(self) -> bytes:
        return self.data[self.at :]

    def end(self) -> None:
        require(self.at == len(self.data), self.code)
