"""Tokens and decisions: sections 2 and 12 of format.md."""

import base64
import re
import zlib

import rules
from snapshot import NOWHERE, Snapshot
from wire import Record, Refused, require, sha256

OURS = re.compile(rb"gwd1\.[A-Za-z0-9_-]{12}\.[A-Za-z0-9_-]{48}")
STRICTEST = ("issue_ca", "issue", "write")
BARRED = {"approve", "issue", "issue_ca"}
DISABLED, NO_IOT_ACCESS, EVERYWHERE = 1, 2, 4
SYSTEM_USER, SERVICE_USER = 1, 2


def read_token(text: bytes) -> Record:
    """Refuses what is refused before any look-up; `wrong` is what is weighed with the rest."""
    if not text.startswith(b"gwd1."):
        require(22 <= len(text) <= 512, "malformed_token")
        wrong = [] if all(0x21 <= byte <= 0x7E for byte in text) else ["malformed_token"]
        number = int.from_bytes(sha256(b"legacy-id", text)[:8], "big")
        return Record(kind=0, id=number, secret=sha256(text), wrong=wrong)
    require(len(text) == 66 and text[17:18] == b".", "malformed_token")
    if not OURS.fullmatch(text):
        return Record(kind=0, id=0, secret=bytes(32), wrong=["malformed_token"])
    raw = base64.urlsafe_b64decode(text[5:17] + text[18:])
    wrong = [] if raw[0] in (1, 2) else ["malformed_token"]
    if zlib.crc32(b"gwd1." + raw[:41]) != int.from_bytes(raw[41:], "big"):
        wrong.append("bad_checksum")
    return Record(kind=raw[0], id=int.from_bytes(raw[1:9], "big"), secret=raw[9:41], wrong=wrong)


def verifier(account: bytes, token: Record) -> bytes:
    context = b"gwd-token-v1" + bytes(4) + account + bytes(32)
    return sha256(context, token.id.to_bytes(8, "big"), token.secret)


def place_of(snapshot: Snapshot, uuid: bytes | None, name: str | None = None) -> int | str:
    """Returns the place of the division with this id, else of the one with this name."""
    places = [place for place, one in enumerate(snapshot.divisions) if one.id == uuid]
    places += [place for place, one in enumerate(snapshot.divisions) if one.name == name]
    return places[0] if places else "foreign"


def ask_for(snapshot: Snapshot, request: dict, route: Record | None, found) -> Record:
    """Sections 12.1 and 12.2: which permissions count for what, if it is fresh, and the target.

    That is a word of section 12.3, or the place of a division; `found` is what path or query name.
    """
    ids = route.permissions if route else request["permissions"]
    # The first of an id counts.
    by_id = {one.id: one for one in reversed([*rules.CATALOGUE, *snapshot.permissions])}
    known = [by_id[one] for one in ids if one in by_id]
    if route and (len(known) < len(ids) or route.operation == "enroll"):
        return Record(counts=[], fresh=False, target="unscoped")
    operation = route.operation if route else request["operation"]
    counts = [
        (one, operation or next((word for word in STRICTEST if word in one.ops), "read"))
        for one in known
    ]
    if any(one.id == "view_certificate" and operation == "read" for one, operation in counts):
        counts.append((by_id["manage_certificate"], "read"))
    counts = [(one, operation) for one, operation in counts if operation in one.ops]
    fresh = bool(counts) and all(operation in one.fresh_ops for one, operation in counts)
    scoped = len(known) < len(ids) or any(one.division_scoped for one in known)
    said, division = set(), request["division"]
    if division is not None:
        said.add(place_of(snapshot, rules.read_uuid(division), division))
    if route:
        fresh, scoped = route.fresh, scoped and route.division != "none"
        if isinstance(found, bytes) and route.division in rules.RESOURCE_KINDS:
            one = snapshot.resources.get(rules.RESOURCE_KINDS[route.division] + found)
            found = one and ("unattached" if one.division == NOWHERE else one.division)
        said |= {place_of(snapshot, found) if isinstance(found, bytes) else found} - {None}
    if not said:
        said = {"unspecified" if request["mode"] == "direct" else "upstream"}
    target = said.pop() if len(said) == 1 else "malformed"
    return Record(counts=counts, fresh=fresh, target=target if scoped else "unscoped")


def outside(target: int | str, owner: Record, when: Record) -> str | None:
    """Section 12.3: how a principal fails for the division."""
    if target == "malformed":
        return "division_denied"
    if target == "unscoped" or owner.flags & EVERYWHERE:
        return None
    if isinstance(target, int):
        return None if owner.scope >> target & 1 else "division_denied"
    if target in ("unspecified", "upstream"):
        fails = target == "unspecified" or owner.scope == 0 or when.strict
        return "division_unspecified" if fails else None
    fails = target == "foreign" or owner.scope == 0 or when.deny_unattached
    return "division_denied" if fails else None


def decide(snapshot: Snapshot, ask: Record, token: Record, when: Record) -> tuple[str, str | None]:
    """Returns the first check that fails, and who asks where the secret matched."""
    row, wrong = snapshot.tokens.get(token.id), token.wrong
    owner = row and snapshot.principals[row.owner]
    if not row or token.kind not in (0, 2 if owner.kind == SERVICE_USER else 1):
        wrong = [*wrong, "unknown_token"]
    elif not verifier(snapshot.head.account, token).startswith(row.verifier):
        wrong = [*wrong, "bad_secret"]
    if wrong:
        return wrong[0], None
    now, held = min(when.now, 0xFFFFFFFE), snapshot.grants[owner.grant].permissions
    operations = {operation for one, operation in ask.counts if held >> one.bit & 1}
    denied = outside(ask.target, owner, when)
    checks = [
        ("revoked", token.id in when.revoked_tokens or row.owner in when.revoked_principals),
        ("token_disabled", row.disabled),
        ("token_expired", row.end <= now),
        ("owner_disabled", owner.flags & DISABLED),
        ("owner_expired", owner.end <= now),
        ("account_suspended", snapshot.head.status),
        ("no_iot_access", owner.flags & NO_IOT_ACCESS),
        ("snapshot_stale", ask.fresh and when.now >= when.stale_at),
        ("permission_missing", not operations),
        ("system_user_barred", owner.kind == SYSTEM_USER and operations <= BARRED),
        (denied, denied),
    ]
    return next((word for word, fails in checks if fails), "ok"), owner.name


def judge(snapshot: Snapshot, request: dict, when: Record) -> tuple[str, str | None]:
    """Decides one request; returns the reason and the name told."""
    sent, route, found = request["sent"], None, None
    settled = {"token": None, "conflict": "credential_conflict"}.get(sent, "missing_credential")
    try:
        if "method" in request:
            of = (request["method"], request["target"])
            route, found = rules.find_route(*of, snapshot.routes)
            settled = rules.settles(route, sent)
        if settled:
            return settled, None
        token = read_token(bytes.fromhex(request["token"]))
    except Refused as refused:
        return str(refused), None
    reason, who = decide(snapshot, ask_for(snapshot, request, route, found), token, when)
    return "snapshot_expired" if when.now >= when.expires_at else reason, who
