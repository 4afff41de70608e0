"""Permissions and routes: sections 3.6, 4 and 12.2 of format.md."""

import csv
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes
from uuid import UUID

from wire import CONTROLS, Reader, Record, require, utf8

DATA = Path(__file__).resolve().parents[2] / "core" / "data"
OPERATIONS = ("approve", "delete", "issue", "issue_ca", "read", "revoke", "write")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CREDENTIALS = ("key", "passcode", "mtls", "device")
WORDS = dict(enumerate(OPERATIONS)) | {0x80: "public", 0x81: "enroll"}
# Where a route finds its division; the last two are resources in the path, by their kinds.
SOURCES = {0: "none", 1: "upstream", 2: "query", 3: "division", 0x81: "ep", 0x82: "policy"}
IN_TABLE = {"path:division": "division", "path:enrollment_profile": "ep", "path:policy": "policy"}
RESOURCE_KINDS = {"ep": b"\1", "policy": b"\2"}
OFF = ("scep", "acme")

PERMISSIONS = "1024*(bit:u8,id:text,ops:u8,fresh_ops:u8,division_scoped:flag)"
ROUTES = (
    "1024*(id:text,methods:u8,pattern:text,permissions:text,operation:u8,accepts:u8,division:u8,"
    "fresh:flag,resource:text,action:text,enabled:flag)"
)
SEGMENT = r"/(?!\.{1,2}(/|\Z))([A-Za-z0-9_.~@:+-]+|\{[a-z_]+(:ver)?\})"
PATTERN = re.compile(rf"({SEGMENT})*(/\*\*)?")
STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# A slash, a percent sign, a question mark and a number sign, escaped.
ESCAPED = re.compile(rb"%(2f|25|3f|23)", re.IGNORECASE)
# `division_id`, and what lenient readers take for it.
LIKE = re.compile(rb" *division_id([\[. \0].*)?", re.IGNORECASE | re.DOTALL)
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def table(name: str) -> csv.DictReader:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return csv.DictReader(lines, delimiter="\t")


CATALOGUE = [
    Record(bit=int(row["bit"]), id=row["id"], ops=set(row["ops"].split()),
           fresh_ops=set(row["fresh_ops"].split()), division_scoped=row["division_scoped"] == "yes")
    for row in table("permissions.tsv")
]
BUILT_IN = [
    Record(id=row["id"], methods=set(row["methods"].split()), pattern=row["pattern"],
           permissions=[one for one in row["permission_any_of"].split("|") if one != "-"],
           operation=row["op"], accepts=set(row["auth"].split()), fresh=row["stale"] == "fresh",
           division=IN_TABLE.get(row["division"]) or re.split("[:(]", row["division"])[0],
           enabled=row["id"] not in OFF)
    for row in table("routes.tsv")
]


def read_extensions(ext: bytes) -> tuple[list[Record], list[Record]]:
    """Returns the permissions and the routes that a snapshot adds."""

    def names(bits: int, known: tuple[str, ...]) -> set[str]:
        require(bits >> len(known) == 0, reader.word)
        return {one for place, one in enumerate(known) if bits >> place & 1}

    reader = Reader(ext, "bad_extension")
    permissions = reader.take(PERMISSIONS) if reader.left() else []
    routes = reader.take(ROUTES) if reader.left() else []
    bits = {one.bit for one in permissions}
    require(reader.left() == 0 and len(bits) == len(permissions), reader.word)
    for one in permissions:
        require(len(CATALOGUE) <= one.bit <= 63, reader.word)
        one.ops, one.fresh_ops = names(one.ops, OPERATIONS), names(one.fresh_ops, OPERATIONS)
    for one in routes:
        require(1 <= len(one.pattern) <= 256 and one.pattern.count("/") <= 64, reader.word)
        known = one.methods and one.operation in WORDS and one.division in SOURCES
        require(known and PATTERN.fullmatch(one.pattern), reader.word)
        one.methods, one.accepts = names(one.methods, METHODS), names(one.accepts, CREDENTIALS)
        one.operation, one.division = WORDS[one.operation], SOURCES[one.division]
        one.permissions = [name for name in one.permissions.split("|") if name]
    return permissions, routes


def read_uuid(text: str) -> bytes | None:
    return UUID(text).bytes if UUID_TEXT.fullmatch(text) else None


def read_path(raw: bytes) -> list[str]:
    """Returns the decoded segments of a path that can be read in one way only."""
    sound = len(raw) <= 2_048 and not STRAY.search(raw) and not ESCAPED.search(raw)
    require(sound, "route_unknown")
    text = utf8(unquote_to_bytes(raw), "route_unknown")
    segments = text.removesuffix("/").split("/")[1:]
    sound = not re.search(rf"[{CONTROLS}\\;]", text) and not set(segments) & {"", ".", ".."}
    require(sound and len(segments) <= 64, "route_unknown")
    return segments


def pieces(pattern: str) -> list[str]:
    return pattern.split("/")[1:]


def rank(piece: str) -> int:
    """A literal is before {name:ver}, which is before {name}; the tail comes last."""
    if piece.startswith("{"):
        return 2 if piece.endswith(":ver}") else 1
    return 0 if piece == "**" else 3


@cache
def regex_of(pattern: str) -> re.Pattern[str]:
    """Of a path without the slash that may end it."""
    kinds = {0: "(/.*)?", 1: "/[^/]+", 2: "/v[0-9]{1,2}"}
    return re.compile("".join(kinds.get(rank(one), f"/{re.escape(one)}") for one in pieces(pattern)))


def find_route(method: str, target: str, added: list[Record]) -> tuple[Record, bytes | str | None]:
    """Returns the route that judges a request, and the id that path or query name, if any.

    Where they name it so that nobody passes, the id is "malformed".
    """
    require(target.startswith("/") and "#" not in target, "route_unknown")
    path, _, query = target.partition("?")
    segments = read_path(path.encode())
    replaced = {route.id for route in added}
    routes = [route for route in BUILT_IN if route.id not in replaced] + added
    plain = "".join(f"/{segment}" for segment in segments)
    routes = [route for route in routes if regex_of(route.pattern).fullmatch(plain)]
    wanted = {"HEAD", "GET"} if method == "HEAD" else {method}
    able = [route for route in routes if route.methods & wanted]
    enabled = any(route.enabled for route in routes)
    require(able, "method_not_allowed" if enabled else "route_unknown")
    # Piece by piece from the left, where the end of a pattern is before a tail.
    claims = [([*map(rank, pieces(one.pattern)), 1], method in one.methods) for one in able]
    route = able[claims.index(max(claims))]
    require(claims.count(max(claims)) == 1 and route.enabled, "route_unknown")
    if route.division == "query":
        return route, named_by_query(query)
    slots = ("{" + route.division + "}", "**")
    named = [one for piece, one in zip(pieces(route.pattern), segments) if piece in slots]
    if not named or route.division not in ("division", *RESOURCE_KINDS):
        return route, None
    if route.division == "division":
        return route, read_uuid(named[0]) or "malformed"
    return route, read_uuid(named[0].removeprefix("IOT_"))


def named_by_query(query: str) -> bytes | str | None:
    """Reads the one parameter that matters; whatever else could be taken for it counts as it."""
    if len(query.encode()) > 8_192:
        return "malformed"
    found: bytes | str | None = None
    for parameter in re.split("[&;]", query):
        name, _, value = (one.encode().replace(b"+", b" ") for one in parameter.partition("="))
        # What follows a percent sign that is no escape cannot be read.
        readable, *stray = STRAY.split(name, maxsplit=1)
        decoded = unquote_to_bytes(readable)
        like = LIKE.fullmatch(decoded)
        if like and (like[1] or not stray):
            sound = decoded == b"division_id" and not stray and found is None and ";" not in query
            text = "" if STRAY.search(value) else unquote_to_bytes(value).decode("latin-1")
            found = (read_uuid(text) if sound else None) or "malformed"
    return found


def settles(route: Record, sent: str) -> str | None:
    """Says what settles a request before its token is looked at, or none where the token does."""
    if route.operation == "public":
        return "ok_public"
    if sent == "conflict":
        return "credential_conflict"
    if sent == "token":
        return None if "key" in route.accepts else "credential_not_accepted"
    device = "device" in route.accepts or (sent == "passcode" and "passcode" in route.accepts)
    return "passthrough_device" if device else "missing_credential"
