"""Records and the chain through them: sections 8, 9 and 10 of format.md."""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from framing import Reader, Refused, require, sha256
from model import OPERATIONS

FORMAT = Path(__file__).resolve().parents[2] / "core" / "docs" / "format.md"
AUTHENTICATIONS = ("none", "api_token", "service_user", "client_cert", "device")
OUTCOMES = ("allow", "deny", "passthrough", "event")
QUALITIES = ("synced", "holdover", "floor", "unknown")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")


def codes(head: str) -> list[str]:
    """Reads one of the two long tables of section 8 out of the document."""
    table = FORMAT.read_text(encoding="utf-8").split(head)[1].split("\n\n")[0]
    return re.findall(r"^\| \d+ \| `(\w+)` \|", table, re.MULTILINE)


REASONS = codes("| number | reason | class |")
EVENTS = codes("| number | event |")


def read(data: bytes) -> dict[str, object]:
    """Reads a record; raises where it is not one, or not in its one spelling."""
    require(len(data) <= 768, "record_too_long")
    reader = Reader(data, "bad_record")
    present = reader.fixed(2)
    fields: dict[str, object] = {"seq": reader.v(), "boot": reader.v(32), "mono_ms": reader.v()}
    fields["created_at"] = reader.fixed(6)
    bits, why, verb = reader.u8(), reader.u8(), reader.u8()
    authentication = pick(AUTHENTICATIONS, bits & 7)
    outcome = OUTCOMES[bits >> 3 & 3]
    fields |= {"authentication": authentication, "outcome": outcome}
    fields |= {"time_quality": QUALITIES[bits >> 5 & 3], "stale": bits >> 7 == 1}
    fields["why"] = pick(EVENTS if outcome == "event" else REASONS, why)
    if verb & 7:
        fields["operation"] = pick(OPERATIONS, (verb & 7) - 1)
    if verb >> 3:
        fields["method"] = "OTHER" if verb >> 3 == 31 else pick(METHODS, (verb >> 3) - 1)
    fields["snapshot_version"] = reader.v()
    read_present(reader, present, authentication, fields)
    reader.end()
    return fields


def pick(words: list[str] | tuple[str, ...], code: int) -> str:
    require(code < len(words), "bad_record")
    return words[code]


def read_present(
    reader: Reader, present: int, authentication: str, fields: dict[str, object]
) -> None:
    def text(most: int) -> str:
        return reader.text(most, "record_too_long")

    if present & 1:
        fields["who"] = [reader.take(16).hex(), text(128)]
    read_credential(reader, present >> 1 & 3, authentication, fields)
    if present >> 3 & 1:
        fields["action"] = text(32)
    if present >> 4 & 1:
        bit = reader.u8()
        require(bit < 64, "bad_record")
        fields["permission"] = bit
    if present >> 5 & 1:
        fields["division"] = reader.take(16).hex()
    if present >> 6 & 1:
        fields["resource"] = text(64)
    if present >> 7 & 1:
        fields["path"] = text(256)
    source = present >> 8 & 3
    if source == 1:
        fields["uid"] = reader.v(32)
    elif source:
        fields["address"] = reader.take(4 if source == 2 else 16).hex()
    if present >> 10 & 1:
        fields["request_id"] = text(32)
    if present >> 11 & 1:
        fields["route"] = reader.v(16)
    fields["count"], fields["dropped_before"] = 1, 0
    for bit, name in ((12, "count"), (13, "dropped_before")):
        if present >> bit & 1:
            number = reader.v(32)
            require(number != fields[name], "bad_record")
            fields[name] = number
    if present >> 14 & 1:
        fields["snapshot"] = [reader.v(32), reader.v(), reader.take(32).hex()]
    if present >> 15 & 1:
        fields["span"] = [reader.v(), reader.v()]


def read_credential(
    reader: Reader, tag: int, authentication: str, fields: dict[str, object]
) -> None:
    implied = {"api_token": 1, "service_user": 2}.get(authentication)
    if tag == 1:
        require(implied is not None, "bad_record")
        fields["credential"] = ["verified", implied, reader.take(8)[::-1].hex()]
    elif tag == 2:
        fields["credential"] = ["unverified", reader.u8(), reader.take(8)[::-1].hex()]
    elif tag == 3 and reader.flag():
        kind = reader.u8()
        require(kind != implied, "bad_record")
        fields["credential"] = ["verified", kind, reader.take(8)[::-1].hex()]
    elif tag == 3:
        fields["credential"] = ["certificate", reader.take(16).hex()]


def chain(
    data: bytes, first: int, before: bytes, key: bytes | None, claimed: bytes
) -> dict[str, object]:
    """Follows records as an upload holds them (length, record, tag) up to the head that is claimed."""
    reader = Reader(data, "bad_record")
    head, number = before, first
    while reader.rest():
        record = reader.take(reader.fixed(2))
        tag = reader.take(16)
        require(read(record)["seq"] == number, "gap")
        head = sha256(b"gwd-audit\0", head, record)
        if key is not None:
            require(hmac.digest(key, head, "sha256")[:16] == tag, "forged_tag")
            key = sha256(b"gwd-ratchet\0", key)
        number += 1
    if head != claimed:
        raise Refused("fork")
    return {"last": number - 1, "next_key": key.hex() if key else None}
