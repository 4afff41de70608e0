"""How bytes are framed (format.md, section 1): one language for all schemas, one way to refuse.

A schema is a text of fields, `name:kind`. Kinds are `16`, so many bytes; `u32`, of fixed width;
`v64`, LEB128 of a number that fits 64 bits; `flag`; `blob`; `text`; `name`; `text32`, of at most
32 bytes; `8*kind`, a list of at most 8; `?kind`, an option; `(a:u8,b:u8)`, a record; `rest`, all
that follows. `zero3` is three bytes that ought to be zero: `reserved` says whether any is not.
"""

import hashlib
import re
from types import SimpleNamespace as Record

CONTROLS = r"\x00-\x1f\x7f-\x9f"
UNNAMED = re.compile(rf"[{CONTROLS}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
KIND = re.compile(r"([a-z]*)([0-9]*)\*?(.*)")


class Refused(Exception):
    """Something is not believed; the argument is the word of section 12 or 13."""


def require(condition: object, word: str) -> None:
    if not condition:
        raise Refused(word)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def utf8(raw: bytes, word: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(word) from None


def name(raw: bytes, word: str) -> str:
    """Reads a name; what `strip` takes beyond White_Space are controls, which no name has."""
    text = utf8(raw, word)
    require(1 <= len(raw) <= 128 and text == text.strip() and not UNNAMED.search(text), word)
    return text


class Reader:
    """Takes values off `data`; what is not in its one spelling is refused by `word`."""

    def __init__(self, data: bytes, word: str = "malformed") -> None:
        self.data, self.at, self.word = data, 0, word

    def left(self) -> int:
        return len(self.data) - self.at

    def raw(self, count: int) -> bytes:
        require(count <= self.left(), self.word)
        self.at += count
        return self.data[self.at - count : self.at]

    def leb128(self, bits: int) -> int:
        value = 0
        for place in range(10):
            (byte,) = self.raw(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                require((byte or not place) and value < 1 << bits, self.word)
                return value
        raise Refused(self.word)

    def record(self, schema: str, separator: str = " ") -> Record:
        found: dict = {}
        for field in schema.split(separator):
            called, colon, kind = field.partition(":")
            if colon:
                found[called] = self.take(kind)
            else:
                found["reserved"] = any(self.raw(int(field[4:]))) or found.get("reserved", False)
        return Record(**found)

    def take(self, kind: str):
        """Takes one value of this kind."""
        if kind[0] == "(":
            return self.record(kind[1:-1], ",")
        if kind[0] == "?":
            return self.take(kind[1:]) if self.take("flag") else None
        word, digits, item = KIND.fullmatch(kind).groups()
        number = int(digits or 0)
        if item:
            count = self.leb128(32)
            require(count <= number, self.word)
            return [self.take(item) for _ in range(count)]
        if word == "v":
            return self.leb128(number)
        if word == "u":
            return int.from_bytes(self.raw(number // 8), "little")
        if word == "flag":
            byte = self.take("u8")
            require(byte <= 1, self.word)
            return byte == 1
        if word in ("", "rest"):
            return self.raw(self.left() if word else number)
        length = self.leb128(32)
        require(length <= number or not number, "record_too_long")
        raw = self.raw(length)
        return raw if word == "blob" else {"text": utf8, "name": name}[word](raw, self.word)


def whole(data: bytes, schema: str, word: str = "malformed") -> Record:
    """Reads `data` as one record that nothing follows."""
    reader = Reader(data, word)
    record = reader.record(schema)
    require(reader.left() == 0, word)
    return record


def written(schema: str, values: Record) -> bytes:
    """The opposite, for kinds of fixed width."""
    out = b""
    for field in schema.split():
        called, _, kind = field.partition(":")
        value = vars(values)[called] if kind else bytes(int(field[4:]))
        out += value.to_bytes(int(kind[1:]) // 8, "little") if kind[:1] == "u" else value
    return out


def shown(value, hidden=()):
    """A value as the vectors write it: bytes in hexadecimal, a record without `hidden` fields."""
    if isinstance(value, Record):
        value = vars(value)
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items() if key not in hidden}
    if isinstance(value, list):
        return [shown(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value
