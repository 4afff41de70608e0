#!/usr/bin/env python3
"""Checks the vectors of core/docs/vectors, and decisions, against a second implementation.

Written from core/docs/format.md; permissions and routes are the product's own tables in core/data. Where
this and Gateward differ, one of the three is wrong. Usage: verify.py [FILE.jsonl ...], each a file of decisions beside the vectors.
"""

import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import audit
import decision
import delta
import floor as floors
import signed
import snapshot
from wire import Reader, Record, Refused, require, shown

VECTORS = Path(__file__).resolve().parents[2] / "core" / "docs" / "vectors"


def token(data: bytes, account: bytes) -> dict:
    read = decision.read_token(data)
    if read.wrong:
        raise Refused(read.wrong[0])
    return vars(read) | {"id": f"{read.id:016x}", "verifier": decision.verifier(account, read)}


def key_set(data: bytes, account: bytes = b"", keys=None, floor=None) -> dict:
    read = signed.key_set(data, keys.account if keys else account, keys)
    trusted = [[key.id, 0 if key.void else key.roles & 15] for key in read.keys]
    fields = {one: vars(read)[one] for one in ("account", "epoch", "expires", "issued_at")}
    if floor:
        floor.accept_keys(read, read.unsettles(keys))
        fields["floor_after"] = floor.write()
    return fields | {"trusted": trusted}


def in_group(read: Callable, admit: Callable, data: bytes, floor=None, clock=None, **given) -> dict:
    """Reads a manifest or a beacon."""
    new = read(data, **given)
    if floor:
        new.admission = admit(floor, new, clock)
        new.floor_after = floor.write()
    return vars(new)


def revocation_list(data: bytes, lists=(), version=None, floor=None, **given) -> dict:
    *held, new = [signed.revocation_list(one, **given) for one in (*lists, data)]
    new.admission = floor.admit_list(new, held[-1] if held else None) if floor else None
    counting = [] if version is None else [*held, new]
    denied = floors.denied(counting, (new.keyset, version))
    new.tokens, tokens = ([f"{one:016x}" for one in ids] for ids in (new.tokens, denied.tokens))
    return vars(new) | {"denied": [tokens, denied.principals], "stale": denied.stale}


def patch(data: bytes, base: bytes, manifest: Record) -> dict:
    result = delta.apply(data, base, manifest.root)
    snapshot.read(result)
    return {"len": len(result), "root": snapshot.root(result, manifest.chunk_log2)}


def bundle(data: bytes, anchor: bytes, account: bytes, audience: bytes) -> dict:
    """Section 6.8: believes a bundle as a gateway does that was enrolled with `anchor`."""
    reader = Reader(data, "not_a_bundle")
    magic, count = reader.raw(8), reader.take("u32")
    require(magic == b"GWDBNDL1" and count <= 4_096, reader.word)
    parts = [reader.raw(reader.take("u32")) for _ in range(count + 4)]
    require(reader.left() == 0, reader.word)
    *sets, envelope, hashes, file, listed = parts
    keys = signed.walk([anchor, *sets], account, passed_over="old_keys")
    manifest = signed.manifest(envelope, keys, audience)
    revoked = signed.revocation_list(listed, keys, audience) if listed else None
    snapshot.check_list(hashes, manifest)
    tokens = len(snapshot.read(file, manifest).tokens)
    count = len(revoked.tokens + revoked.principals) if revoked else 0
    return {"epoch": keys.epoch, "revoked": count, "tokens": tokens, "version": manifest.version}


manifest = partial(in_group, signed.manifest, floors.Floor.admit_manifest)
HIDDEN = "account audience stale_after expires_after lists signers keys_expire".split()
# By kind: what reads an object with what is given, and what it returns beside the stated fields.
KINDS: dict[str, tuple[Callable, list[str]]] = {
    "audit-chains": (audit.chain, []),
    "audit-records": (audit.read, []),
    "beacons": (partial(in_group, signed.beacon, floors.Floor.admit_beacon), HIDDEN),
    "bundles": (bundle, []),
    "checkpoints": (partial(signed.of_gateway, "checkpoint"), ["account", "gateway"]),
    "deltas": (patch, []),
    "floors": (lambda data: floors.read(data).fields(), []),
    "hash-lists": (snapshot.check_list, []),
    "hybrid-key-sets": (key_set, []),
    "hybrid-manifests": (manifest, HIDDEN),
    "key-sets": (key_set, []),
    "manifests": (manifest, HIDDEN),
    "messages": (signed.message, []),
    "receipts": (partial(signed.by_role, "receipt"), [*HIDDEN, "gateway", "incarnation"]),
    "revocation-lists": (revocation_list, HIDDEN),
    "snapshots": (lambda data, manifest=None: snapshot.read(data, manifest).fields(), []),
    "statuses": (partial(signed.of_gateway, "status"), ["account", "gateway"]),
    "tokens": (token, ["wrong"]),
}


def prepared(given: dict, shared: dict[str, str]) -> dict:
    """Reads what a reader holds: key sets, a manifest, a floor; and what time it is."""

    def resolve(value):
        if isinstance(value, list):
            return [resolve(one) for one in value]
        if isinstance(value, int) or value in signed.TIME_QUALITIES:
            return value
        return bytes.fromhex(shared[value[1:]] if value[0] == "@" else value)

    held = {name: resolve(value) for name, value in given.items()}
    if "now" in held:
        clock = ("now", "time_quality", "backed")
        held["clock"] = Record(**{one: held.pop(one) for one in clock})
    if "key_sets" in held:
        held["keys"] = signed.walk(held.pop("key_sets"), held.pop("account"))
    if "manifest" in held:
        own = (held.pop("keys"), held.pop("audience"))
        held["manifest"] = signed.manifest(held["manifest"], *own)
    if "floor" in held:
        held["floor"] = floors.read(held["floor"])
    return held


def verdict(kind: str, vector: dict, shared: dict[str, str]) -> tuple[str, dict | None]:
    read, hidden = KINDS[kind]
    try:
        data = bytes.fromhex(vector["bytes"]) + bytes(vector.get("zeros", 0))
        return "accepted", shown(read(data, **prepared(vector["given"], shared)), hidden)
    except Refused as refused:
        return str(refused), None


def decided(entries: Iterable[dict]) -> Iterable[tuple[str, tuple, tuple]]:
    """Yields a request, what is found and what is stated; an entry may be a snapshot to read."""
    view = None
    for entry in entries:
        if "snapshot" in entry:
            view = snapshot.read(bytes.fromhex(entry["snapshot"]))
            continue
        when = Record(**entry["circumstances"])
        when.revoked_tokens = {int(one, 16) for one in when.revoked_tokens}
        when.revoked_principals = {int(one, 16) for one in when.revoked_principals}
        found = decision.judge(view, entry["request"], when)
        yield f"decision of {entry['request']}", found, (entry["reason"], entry["who"])


def check(name: str, results: Iterable[tuple[str, tuple, tuple]], least: int = 1) -> list[str]:
    """Returns a line for each difference."""
    results = list(results)
    print(f"{len(results):6} {name}")
    few = [] if len(results) >= least else [f"{name}: {len(results)}, should be {least} or more"]
    return few + [
        f"{name}: {what}: {found}, should be {stated}"
        for what, found, stated in results
        if found != stated
    ]


def main(arguments: list[str]) -> int:
    files = {path.stem: path for path in sorted(VECTORS.glob("*.json"))}
    sample = json.loads(files.pop("decisions").read_text(encoding="utf-8"))
    strange = sorted(files.keys() ^ KINDS.keys())
    differences = [f"{kind} has no vectors or no reader" for kind in strange]
    for kind in sorted(files.keys() & KINDS.keys()):
        content = json.loads(files[kind].read_text(encoding="utf-8"))
        found = [verdict(kind, one, content["shared"]) for one in content["vectors"]]
        stated = [(one["verdict"], one.get("fields")) for one in content["vectors"]]
        differences += check(kind, zip((one["name"] for one in content["vectors"]), found, stated))
    differences += check("decisions", decided(sample["vectors"]))
    for argument in arguments:
        with Path(argument).open(encoding="utf-8") as file:
            differences += check(Path(argument).name, decided(map(json.loads, file)), 10_000)
    for difference in differences[:50]:
        print(difference, file=sys.stderr)
    if differences:
        print(f"{len(differences)} differences", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
