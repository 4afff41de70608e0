"""Method and request target to a rule: section 12.2 of format.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes
from uuid import UUID

from framing import Refused, require
from model import METHODS, Rule, table

OFF = ("scep", "acme")
RESOURCE_KINDS = {"ep": 1, "policy": 2}
ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")
LIKE = re.compile(rb" *division_id([\[. \0].*)?", re.IGNORECASE | re.DOTALL)
LIKE_INDEXED = re.compile(rb" *division_id[\[. \0].*", re.IGNORECASE | re.DOTALL)
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass
class Found:
    rule: Rule
    # None: nothing is said; "bad": nobody passes; else the id.
    named: bytes | str | None


def built_in() -> list[Rule]:
    words = {"path:division": "division", "path:enrollment_profile": "ep", "path:policy": "policy"}
    return [
        Rule(
            row["id"],
            set(row["methods"].split()),
            row["pattern"],
            [one for one in row["permission_any_of"].split("|") if one != "-"],
            row["op"],
            set(row["auth"].split()) - {"none"},
            words.get(row["division"], row["division"].split(":")[0].split("(")[0]),
            row["stale"] == "fresh",
            row["id"] not in OFF,
        )
        for row in table("routes.tsv")
    ]


BUILT_IN = built_in()


def read_uuid(text: str) -> bytes | None:
    return UUID(text).bytes if UUID_TEXT.fullmatch(text) else None


def unescape(raw: bytes) -> bytes | None:
    """Decodes once; none where a percent sign is no escape."""
    return None if STRAY.search(raw) else unquote_to_bytes(raw)


def read_path(raw: bytes) -> list[str]:
    """Returns the decoded segments of a path that can be read in one way only."""
    unknown = "route_unknown"
    require(len(raw) <= 2_048, unknown)
    escaped = {unquote_to_bytes(one) for one in ESCAPE.findall(raw)}
    require(not escaped & {b"/", b"%", b"?", b"#"}, unknown)
    decoded = unescape(raw)
    require(decoded is not None and not set(decoded) & set(b"\\;"), unknown)
    assert decoded is not None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(unknown) from None
    controls = {*range(0x20), *range(0x7F, 0xA0)}
    require(not any(ord(character) in controls for character in text), unknown)
    text = text.removesuffix("/")
    segments = text.split("/")[1:]
    require(len(segments) <= 64, unknown)
    require(not set(segments) & {"", ".", ".."}, unknown)
    return segments


def rank(piece: str) -> int:
    if piece == "**":
        return 0
    if piece.startswith("{"):
        return 2 if piece.endswith(":ver}") else 1
    return 3


def pieces(pattern: str) -> list[str]:
    return pattern.split("/")[1:]


def matches(pattern: str, segments: list[str]) -> bool:
    wanted = pieces(pattern)
    if wanted[-1] == "**":
        wanted, segments = wanted[:-1], segments[: len(wanted) - 1]
    if len(wanted) != len(segments):
        return False
    for piece, segment in zip(wanted, segments):
        kind = rank(piece)
        if kind == 3 and piece != segment:
            return False
        if kind == 2 and not re.fullmatch(r"v[0-9]{1,2}", segment):
            return False
    return True


def claim(rule: Rule, method: str) -> tuple[list[int], bool]:
    """The greater one wins: piece by piece from the left, where an end is above a tail."""
    return [rank(piece) for piece in pieces(rule.pattern)] + [1], method in rule.methods


def find(method: str, target: str, added: list[Rule]) -> Found:
    """Returns the rule that judges a request, or raises the reason why none does."""
    unknown = "route_unknown"
    require(target.startswith("/") and "#" not in target, unknown)
    raw, mark, query = target.partition("?")
    segments = read_path(raw.encode())
    replaced = {rule.id for rule in added}
    rules = [rule for rule in BUILT_IN if rule.id not in replaced] + added
    rules = [rule for rule in rules if matches(rule.pattern, segments)]
    wanted = {method, "GET"} if method == "HEAD" else {method}
    able = [rule for rule in rules if rule.methods & wanted & set(METHODS)]
    if not able:
        require(not any(rule.enabled for rule in rules), "method_not_allowed")
        raise Refused(unknown)
    best = max(claim(rule, method) for rule in able)
    first = [rule for rule in able if claim(rule, method) == best]
    require(len(first) == 1 and first[0].enabled, unknown)
    rule = first[0]
    named: bytes | str | None = None
    if rule.division == "query" and mark:
        named = query_division(query)
    elif rule.division in ("division", *RESOURCE_KINDS):
        named = named_by_path(rule, segments)
    return Found(rule, named)


def named_by_path(rule: Rule, segments: list[str]) -> bytes | str | None:
    wanted = pieces(rule.pattern)
    slot = "{" + rule.division + "}"
    at = wanted.index(slot) if slot in wanted else len(wanted) - 1
    if wanted[at] not in (slot, "**") or at >= len(segments):
        return None
    if rule.division == "division":
        return read_uuid(segments[at]) or "bad"
    return read_uuid(segments[at].removeprefix("IOT_"))


def query_division(query: str) -> bytes | str | None:
    """Reads the one parameter that matters; whatever else could be taken for it counts as it."""
    if len(query.encode()) > 8_192:
        return "bad"
    found: bytes | str | None = None
    for parameter in re.split("[&;]", query):
        name, _, value = parameter.partition("=")
        raw_name = name.encode().replace(b"+", b" ")
        # A stray percent sign ends what can be read; only an index before it still tells.
        readable = (
            raw_name if (stray := STRAY.search(raw_name)) is None else raw_name[: stray.start()]
        )
        decoded = unquote_to_bytes(readable)
        pattern = LIKE if stray is None else LIKE_INDEXED
        if not pattern.fullmatch(decoded):
            continue
        if stray is not None or decoded != b"division_id" or found is not None or ";" in query:
            found = "bad"
            continue
        raw = unescape(value.encode().replace(b"+", b" ")) or b""
        found = read_uuid(raw.decode("latin-1")) or "bad"
    return found


def settles(rule: Rule, sent: str) -> str | None:
    """Says what settles a request before its token is looked at, or none where the token does."""
    if rule.operation == "public":
        return "ok_public"
    if sent == "conflict":
        return "credential_conflict"
    if sent == "token":
        return None if "key" in rule.accepts else "credential_not_accepted"
    if "device" in rule.accepts or (sent == "passcode" and "passcode" in rule.accepts):
        return "passthrough_device"
    return "missing_credential"
