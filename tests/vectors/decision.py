"""Tokens and decisions: sections 2 and 12 of format.md."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import routes
from framing import Refused, crc32, require, sha256
from model import CATALOGUE, NEVER, Permission, Principal, Snapshot

ALPHABET = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
BARRED = {"approve", "issue", "issue_ca"}
WIDER = {"view_certificate": "manage_certificate"}


@dataclass
class Presented:
    """A token as somebody sent it."""

    kind: int
    id: int
    secret: bytes
    imported: bool
    wrong: list[str] = field(default_factory=list)


def read_token(text: bytes) -> Presented:
    """Raises where the text is refused before any look-up."""
    if not text.startswith(b"gwd1."):
        require(22 <= len(text) <= 512, "malformed_token")
        wrong = [] if all(0x21 <= byte <= 0x7E for byte in text) else ["malformed_token"]
        number = int.from_bytes(sha256(b"legacy-id", text)[:8], "big")
        return Presented(0, number, sha256(text), True, wrong)
    require(len(text) == 66 and text[17:18] == b".", "malformed_token")
    coded = text[5:17] + text[18:]
    if not set(coded) <= ALPHABET:
        return Presented(0, 0, bytes(32), False, ["malformed_token"])
    raw = base64.urlsafe_b64decode(coded)
    kind, number, secret = raw[0], int.from_bytes(raw[1:9], "big"), raw[9:41]
    wrong = [] if kind in (1, 2) else ["malformed_token"]
    if crc32(b"gwd1.", raw[:41]) != int.from_bytes(raw[41:], "big"):
        wrong.append("bad_checksum")
    return Presented(kind, number, secret, False, wrong)


def verifier(account: bytes, number: int, secret: bytes) -> bytes:
    context = b"gwd-token-v1" + bytes(4) + account + bytes(32)
    return sha256(context, number.to_bytes(8, "big"), secret)


@dataclass
class Ask:
    """What is asked of a principal: permissions that count, each with the operations it is for."""

    counts: dict[int, set[str]] = field(default_factory=dict)
    fresh: bool = False
    # unscoped, unspecified, upstream, foreign, malformed, unattached, or a place.
    target: str | int = "unscoped"

    def add(self, permission: Permission, operation: str) -> bool:
        if operation in permission.ops:
            self.counts.setdefault(permission.bit, set()).add(operation)
        return operation in permission.ops


def named(snapshot: Snapshot, name: str) -> Permission | None:
    return next((one for one in CATALOGUE + snapshot.permissions if one.id == name), None)


def strictest(permission: Permission) -> str:
    order = ("issue_ca", "issue", "write")
    return next((operation for operation in order if operation in permission.ops), "read")


def counting(snapshot: Snapshot, permission: Permission, operation: str) -> list[Permission]:
    """The permission, and the one that includes it for reading."""
    wider = named(snapshot, WIDER.get(permission.id, "")) if operation == "read" else None
    return [permission] if wider is None else [permission, wider]


def place_of(snapshot: Snapshot, uuid: bytes) -> str | int:
    places = (at for at, (key, _) in enumerate(snapshot.divisions) if key == uuid)
    return next(places, "foreign")


def stated_division(snapshot: Snapshot, text: str) -> str | int:
    uuid = routes.read_uuid(text)
    place = "foreign" if uuid is None else place_of(snapshot, uuid)
    if place != "foreign":
        return place
    return next((at for at, (_, name) in enumerate(snapshot.divisions) if name == text), "foreign")


def ask_of_permissions(
    snapshot: Snapshot, ids: list[str], operation: str | None, division: str | None, mode: str
) -> Ask:
    ask = Ask()
    scoped = False
    fresh: list[bool] = []
    for name in ids:
        permission = named(snapshot, name)
        if permission is None:
            scoped = True
            continue
        scoped |= permission.division_scoped
        wanted = operation or strictest(permission)
        for one in counting(snapshot, permission, wanted):
            if ask.add(one, wanted):
                fresh.append(wanted in one.fresh_ops)
    ask.fresh = fresh != [] and all(fresh)
    if scoped and division is not None:
        ask.target = stated_division(snapshot, division)
    elif scoped:
        ask.target = "unspecified" if mode == "direct" else "upstream"
    return ask


def ask_of_route(snapshot: Snapshot, found: routes.Found, division: str | None, mode: str) -> Ask:
    rule = found.rule
    permissions = [named(snapshot, name) for name in rule.permissions]
    if rule.operation in ("public", "enroll") or None in permissions:
        return Ask()
    ask = Ask(fresh=rule.fresh)
    known = [one for one in permissions if one is not None]
    for permission in known:
        for one in counting(snapshot, permission, rule.operation):
            ask.add(one, rule.operation)
    if rule.division == "none" or not any(one.division_scoped for one in known):
        return ask
    said = [] if division is None else [stated_division(snapshot, division)]
    by_path = target_of_path(snapshot, found)
    said += [] if by_path is None else [by_path]
    if not said:
        ask.target = "unspecified" if mode == "direct" else "upstream"
    else:
        ask.target = said[0] if len(set(map(str, said))) == 1 else "malformed"
    return ask


def target_of_path(snapshot: Snapshot, found: routes.Found) -> str | int | None:
    if isinstance(found.named, str):
        return "malformed"
    if found.named is None:
        return None
    kind = routes.RESOURCE_KINDS.get(found.rule.division)
    if kind is None:
        return place_of(snapshot, found.named)
    if (kind, found.named) not in snapshot.resources:
        return None
    place = snapshot.resources[kind, found.named]
    return "unattached" if place is None else place


@dataclass
class Circumstances:
    """Time, the limits of the manifest, the operator's rules, and what was revoked."""

    now: int
    stale_at: int
    expires_at: int
    strict: bool = False
    deny_unattached: bool = False
    revoked_tokens: frozenset[int] = frozenset()
    revoked_principals: frozenset[int] = frozenset()


def decide(
    snapshot: Snapshot, ask: Ask, token: Presented, when: Circumstances
) -> tuple[str, Principal | None]:
    """Returns the reason, and who asks where the secret matched."""
    row = snapshot.tokens.get(token.id)
    owner = snapshot.principals[row.owner] if row else None
    possession = list(token.wrong)
    if row is None or owner is None:
        possession.append("unknown_token")
    else:
        kind = 2 if owner.kind == 2 else 1
        if not token.imported and token.kind != kind:
            possession.append("unknown_token")
        expected = verifier(snapshot.account, token.id, token.secret)[: snapshot.verifier_len]
        if expected != row.verifier:
            possession.append("bad_secret")
    if possession or row is None or owner is None:
        who, reason = None, possession[0]
    else:
        who = owner
        failed = weigh(snapshot, ask, owner, when)
        moment = min(when.now, NEVER - 1)
        revoked = token.id in when.revoked_tokens or owner.key in when.revoked_principals
        own = [
            ("revoked", revoked),
            ("token_disabled", row.disabled),
            ("token_expired", row.end <= moment),
        ]
        reason = next((name for name, fails in own + failed if fails), "ok")
    return ("snapshot_expired" if when.now >= when.expires_at else reason), who


def weigh(
    snapshot: Snapshot, ask: Ask, owner: Principal, when: Circumstances
) -> list[tuple[str, bool]]:
    moment = min(when.now, NEVER - 1)
    held = [operations for bit, operations in ask.counts.items() if owner.permissions >> bit & 1]
    usable = [one for one in held if owner.kind != 1 or one - BARRED]
    denied = outside(ask.target, owner.divisions, when)
    return [
        ("owner_disabled", owner.disabled),
        ("owner_expired", owner.end <= moment),
        ("account_suspended", snapshot.suspended),
        ("no_iot_access", owner.no_iot_access),
        ("snapshot_stale", ask.fresh and when.now >= when.stale_at),
        ("permission_missing", not held),
        ("system_user_barred", not usable),
        ("division_denied", denied == "division_denied"),
        ("division_unspecified", denied == "division_unspecified"),
    ]


def outside(target: str | int, reach: set[int] | None, when: Circumstances) -> str | None:
    """Says how a principal that reaches `reach` (none: everywhere) fails for the division."""
    if target == "malformed":
        return "division_denied"
    if target == "unscoped" or reach is None:
        return None
    if target == "unspecified":
        return "division_unspecified"
    if target == "upstream":
        return "division_unspecified" if when.strict or not reach else None
    if target == "unattached":
        return "division_denied" if when.deny_unattached or not reach else None
    return None if target in reach else "division_denied"


def answer(
    snapshot: Snapshot, request: dict[str, object], when: Circumstances
) -> tuple[str, str | None]:
    """Decides one request, described as section 12 does; returns the reason and the name told."""
    try:
        reason, who = judge(snapshot, request, when)
    except Refused as refused:
        return refused.code, None
    return reason, who.name if who else None


def judge(
    snapshot: Snapshot, request: dict[str, object], when: Circumstances
) -> tuple[str, Principal | None]:
    sent, mode = str(request["sent"]), str(request["mode"])
    division = request.get("division")
    said = None if division is None else str(division)
    found = None
    if "method" in request:
        found = routes.find(str(request["method"]), str(request["target"]), snapshot.routes)
        settled = routes.settles(found.rule, sent)
        if settled is not None:
            return settled, None
    elif sent != "token":
        return "credential_conflict" if sent == "conflict" else "missing_credential", None
    token = read_token(bytes.fromhex(str(request["token"])))
    if found is not None:
        ask = ask_of_route(snapshot, found, said, mode)
    else:
        ids = request["permissions"]
        assert isinstance(ids, list)
        operation = request.get("operation")
        ask = ask_of_permissions(snapshot, ids, str(operation) if operation else None, said, mode)
    return decide(snapshot, ask, token, when)
