"""Records and the chain through them: sections 8 to 10 of format.md."""

import hmac
import re
from pathlib import Path

from rules import METHODS, OPERATIONS
from signed import TIME_QUALITIES
from wire import Reader, Record, require, sha256

FORMAT = Path(__file__).resolve().parents[2] / "core" / "docs" / "format.md"
# The two long tables of section 8, read out of the document.
CODES = re.compile(r"^\| number \|.*\n\|[-|]+\n((?:\| \d+ \| `\w+` \|.*\n)+)", re.MULTILINE)
TABLES = CODES.findall(FORMAT.read_text(encoding="utf-8"))
REASONS, EVENTS = (re.findall(r"`(\w+)`", rows) for rows in TABLES)
AUTHENTICATIONS = ("none", "api_token", "service_user", "client_cert", "device")
OUTCOMES = ("allow", "deny", "passthrough", "event")
VERBS = (None, *METHODS, "CONNECT", "TRACE", *[None] * 21, "OTHER")
HEAD = (
    "present:u16 seq:v64 boot:v32 mono_ms:v64 created_at:u48 codes:u8 why:u8 verb:u8"
    " snapshot_version:v64"
)
# Lowest bit in `present`, mask, value there, name, and kind of what follows then.
OPTIONAL = (
    (0, 1, 1, "who", "(id:16,name:text128)"),
    (1, 3, 1, "credential", "implied"),
    (1, 3, 2, "credential", "unverified"),
    (1, 3, 3, "credential", "tagged"),
    (3, 1, 1, "action", "text32"),
    (4, 1, 1, "permission", "u8"),
    (5, 1, 1, "division", "16"),
    (6, 1, 1, "resource", "text64"),
    (7, 1, 1, "path", "text256"),
    (8, 3, 1, "uid", "v32"),
    (8, 3, 2, "address", "4"),
    (8, 3, 3, "address", "16"),
    (10, 1, 1, "request_id", "text32"),
    (11, 1, 1, "route", "v16"),
    (12, 1, 1, "count", "v32"),
    (13, 1, 1, "dropped_before", "v32"),
    (14, 1, 1, "snapshot", "(epoch:v32,version:v64,root:32)"),
    (15, 1, 1, "span", "(first:v64,last:v64)"),
)
NEVER = {"permission": range(64, 256), "count": [1], "dropped_before": [0]}


def pick(words, code: int) -> str:
    require(code < len(words) and words[code], "bad_record")
    return words[code]


def credential(reader: Reader, form: str, authentication: str) -> list:
    """A verified one of the kind that authentication implies is written without its kind."""
    implied = {"api_token": 1, "service_user": 2}.get(authentication)
    if form == "tagged" and not reader.take("flag"):
        return ["certificate", reader.raw(16)]
    kind = implied if form == "implied" else reader.take("u8")
    require(kind is not None and (form != "tagged" or kind != implied), reader.word)
    word = "unverified" if form == "unverified" else "verified"
    return [word, kind, f"{reader.take('u64'):016x}"]


def read(data: bytes) -> dict:
    """Reads a record; refuses what is not one, or not in its one spelling."""
    require(len(data) <= 768, "record_too_long")
    reader = Reader(data, "bad_record")
    found = {"count": 1, "dropped_before": 0} | vars(reader.record(HEAD))
    present, bits, why, verb = (found.pop(one) for one in ("present", "codes", "why", "verb"))
    found["authentication"] = pick(AUTHENTICATIONS, bits & 7)
    found["outcome"], found["stale"] = OUTCOMES[bits >> 3 & 3], bits >> 7 == 1
    found["time_quality"] = TIME_QUALITIES[bits >> 5 & 3]
    found["why"] = pick(EVENTS if found["outcome"] == "event" else REASONS, why)
    if verb & 7:
        found["operation"] = OPERATIONS[(verb & 7) - 1]
    if verb >> 3:
        found["method"] = pick(VERBS, verb >> 3)
    for place, mask, value, name, kind in OPTIONAL:
        if present >> place & mask == value:
            if name == "credential":
                one = credential(reader, kind, found["authentication"])
            else:
                one = reader.take(kind)
            require(one not in NEVER.get(name, []), reader.word)
            found[name] = list(vars(one).values()) if isinstance(one, Record) else one
    require(reader.left() == 0, reader.word)
    return found


def chain(data: bytes, first: int, before: bytes, head: bytes, key: bytes | None = None) -> dict:
    """Follows records as an upload holds them (length, record, tag) up to the `head` claimed."""
    reader, at, number = Reader(data, "bad_record"), before, first
    while reader.left():
        body, tag = reader.raw(reader.take("u16")), reader.raw(16)
        require(read(body)["seq"] == number, "gap")
        at = sha256(b"gwd-audit\0", at, body)
        if key:
            require(hmac.digest(key, at, "sha256")[:16] == tag, "forged_tag")
            key = sha256(b"gwd-ratchet\0", key)
        number += 1
    require(at == head, "fork")
    return {"last": number - 1, "next_key": key}
