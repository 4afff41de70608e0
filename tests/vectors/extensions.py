"""Added permissions and routes: section 3.6 of format.md."""

from __future__ import annotations

from framing import Reader, require
from model import CATALOGUE, METHODS, OPERATIONS, Permission, Rule, Snapshot


def read(section: Reader, snapshot: Snapshot) -> None:
    section.code = "bad_extension"
    if section.rest():
        snapshot.permissions = section.many(1024, lambda: read_permission(section))
    if section.rest():
        snapshot.routes = section.many(1024, lambda: read_rule(section))
    section.end()
    bits = [one.bit for one in snapshot.permissions]
    require(len(set(bits)) == len(bits), "bad_extension")


def names(bits: int, known: tuple[str, ...]) -> set[str]:
    require(bits >> len(known) == 0, "bad_extension")
    return {name for place, name in enumerate(known) if bits >> place & 1}


def read_permission(section: Reader) -> Permission:
    bit, name, ops, fresh = section.u8(), section.text(), section.u8(), section.u8()
    require(len(CATALOGUE) <= bit <= 63, "bad_extension")
    return Permission(bit, name, names(ops, OPERATIONS), names(fresh, OPERATIONS), section.flag())


def read_rule(section: Reader) -> Rule:
    name, methods, pattern, ids = section.text(), section.u8(), section.text(), section.text()
    operation, accepts, division, fresh = section.u8(), section.u8(), section.u8(), section.flag()
    _resource, _action, enabled = section.text(), section.text(), section.flag()
    words = dict(enumerate(OPERATIONS)) | {0x80: "public", 0x81: "enroll"}
    sources = {0: "none", 1: "upstream", 2: "query", 3: "division", 0x81: "ep", 0x82: "policy"}
    known = methods != 0 and operation in words and division in sources and is_pattern(pattern)
    require(known, "bad_extension")
    return Rule(
        name, names(methods, METHODS), pattern, [one for one in ids.split("|") if one],
        words[operation], names(accepts, ("key", "passcode", "mtls", "device")),
        sources[division], fresh, enabled,
    )  # fmt: skip


def is_pattern(pattern: str) -> bool:
    segments = pattern.split("/")[1:]
    fits = pattern.startswith("/") and len(pattern.encode()) <= 256 and len(segments) <= 64
    return fits and "**" not in segments[:-1] and all(is_segment(one) for one in segments)


def is_segment(text: str) -> bool:
    if text == "**":
        return True
    if text.startswith("{"):
        name = text[1:-1].removesuffix(":ver")
        return (
            text.endswith("}")
            and name != ""
            and all(c in "abcdefghijklmnopqrstuvwxyz_" for c in name)
        )
    plain = all(c.isascii() and (c.isalnum() or c in "-_.~@:+") for c in text)
    return text not in ("", ".", "..") and plain
