#!/usr/bin/env python3
"""Checks the vectors of core/docs/vectors, and decisions, against a second implementation.

Written from core/docs/format.md and from nothing else: where this and Gateward differ, one of the
three is wrong. Usage: verify.py [FILE.jsonl ...], each a file of decisions beside the vectors.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import audit
import bundle
import decision
import delta
import group
import signed
import snapshot
from floor import Floor, Now
from framing import Refused, require

VECTORS = Path(__file__).resolve().parents[2] / "core" / "docs" / "vectors"
Given = dict[str, Any]
Fields = dict[str, object]


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def keys_of(given: Given) -> signed.KeySet:
    return signed.walk([unhex(one) for one in given["key_sets"]], unhex(given["account"]))


def manifest_of(given: Given, data: bytes | None = None) -> group.Manifest:
    envelope = unhex(given["manifest"]) if data is None else data
    return group.Manifest(envelope, keys_of(given), unhex(given["audience"]))


def token(data: bytes, given: Given) -> Fields:
    read = decision.read_token(data)
    require(not read.wrong, read.wrong[0] if read.wrong else "")
    known = decision.verifier(unhex(given["account"]), read.id, read.secret)
    return {
        "id": f"{read.id:016x}",
        "kind": read.kind,
        "secret": read.secret.hex(),
        "verifier": known.hex(),
    }


def snapshot_file(data: bytes, given: Given) -> Fields:
    if "manifest" in given:
        return bundle.open_snapshot(data, manifest_of(given)).fields()
    return snapshot.read(data).fields()


def patch(data: bytes, given: Given) -> Fields:
    manifest = manifest_of(given)
    result = delta.apply(data, unhex(given["base"]), manifest.root)
    snapshot.read(result)
    hashes = b"".join(snapshot.hash_list(result, manifest.chunk_log2))
    root = snapshot.root(len(result), manifest.chunk_log2, hashes)
    return {"len": len(result), "root": root.hex()}


def list_of_hashes(data: bytes, given: Given) -> Fields:
    manifest = manifest_of(given)
    snapshot.check_list(data, manifest.file_len, manifest.chunk_log2, manifest.root)
    return {"chunks": len(data) // 32}


def manifest(data: bytes, given: Given) -> Fields:
    read = manifest_of(given, data)
    fields = read.fields()
    return fields | admission(read, given)


def admission(read: group.Manifest | group.Beacon, given: Given) -> Fields:
    if "floor" not in given:
        return {}
    now = Now(given["now"], given["time_quality"], given["backed"])
    word, after = read.admit(Floor.read(unhex(given["floor"])), now)
    return {"admission": word, "floor_after": after.write().hex()}


def beacon(data: bytes, given: Given) -> Fields:
    read = group.Beacon(data, keys_of(given), unhex(given["audience"]))
    return read.fields() | admission(read, given)


def revocation_list(data: bytes, given: Given) -> Fields:
    keys, audience = keys_of(given), unhex(given["audience"])
    lists = [group.Revoked(unhex(one), keys, audience) for one in given.get("lists", [])]
    read = group.Revoked(data, keys, audience)
    word = None
    if "floor" in given:
        word = read.admit(Floor.read(unhex(given["floor"])), lists[-1] if lists else None)
    denied = group.Denied((read.keyset, given.get("version", 0)))
    for one in [*lists, read] if "version" in given else []:
        denied.accept(one)
    counting = [[f"{one:016x}" for one in sorted(denied.tokens)], sorted(denied.principals)]
    return read.fields() | {"admission": word, "denied": counting, "stale": denied.stale}


def message(data: bytes, _given: Given) -> Fields:
    envelope, deltas = signed.message(data)
    listed = [{"bytes": delta.hex(), "from": first} for first, delta in deltas]
    return {"deltas": listed, "envelope": envelope.hex()}


def key_set(data: bytes, given: Given) -> Fields:
    if "key_sets" in given:
        held = keys_of(given)
        read = held.follow(data)
        if "floor" not in given:
            return read.fields()
        changes = (read.epoch, read.issued_at, read.compromised, read.unsettles(held))
        after = Floor.read(unhex(given["floor"])).with_keys(*changes)
        return read.fields() | {"floor_after": after.write().hex()}
    return signed.KeySet.anchor(data, unhex(given["account"])).fields()


def receipt(data: bytes, given: Given) -> Fields:
    return signed.receipt(
        data, keys_of(given), unhex(given["gateway"]), unhex(given["incarnation"])
    )


def of_gateway(typ: int) -> Callable[[bytes, Given], Fields]:
    def read(data: bytes, given: Given) -> Fields:
        key, account, gateway = (unhex(given[name]) for name in ("key", "account", "gateway"))
        return signed.of_gateway(data, typ, key, account, gateway)

    return read


def floor(data: bytes, _given: Given) -> Fields:
    return Floor.read(data).fields()


def record(data: bytes, _given: Given) -> Fields:
    return audit.read(data)


def chain(data: bytes, given: Given) -> Fields:
    key = unhex(given["key"]) if "key" in given else None
    return audit.chain(data, given["first"], unhex(given["before"]), key, unhex(given["head"]))


def whole_bundle(data: bytes, given: Given) -> Fields:
    anchor, account, audience = (unhex(given[name]) for name in ("anchor", "account", "audience"))
    return bundle.verify(data, anchor, account, audience)


KINDS: dict[str, Callable[[bytes, Given], Fields]] = {
    "audit-chains": chain,
    "audit-records": record,
    "beacons": beacon,
    "bundles": whole_bundle,
    "checkpoints": of_gateway(signed.CHECKPOINT),
    "deltas": patch,
    "floors": floor,
    "hash-lists": list_of_hashes,
    "hybrid-key-sets": key_set,
    "hybrid-manifests": manifest,
    "key-sets": key_set,
    "manifests": manifest,
    "messages": message,
    "receipts": receipt,
    "revocation-lists": revocation_list,
    "snapshots": snapshot_file,
    "statuses": of_gateway(signed.STATUS),
    "tokens": token,
}


def verdict(kind: str, vector: Given, shared: dict[str, str]) -> tuple[str, Fields | None]:
    def resolve(value: Any) -> Any:
        return shared[value[1:]] if str(value).startswith("@") else value

    given = {
        name: [resolve(one) for one in value] if isinstance(value, list) else resolve(value)
        for name, value in vector["given"].items()
    }
    try:
        data = unhex(vector["bytes"]) + bytes(vector.get("zeros", 0))
        return "accepted", KINDS[kind](data, given)
    except Refused as refused:
        return refused.code, None


def check_vectors() -> Iterable[str]:
    """Yields one line for each vector on which this does not agree."""
    files = {path.stem: path for path in sorted(VECTORS.glob("*.json"))}
    decisions = files.pop("decisions", None)
    if decisions is None or files.keys() != KINDS.keys():
        yield f"kinds differ: {sorted(files.keys() ^ KINDS.keys())}; one has no vectors or no reader"
        return
    for kind, path in files.items():
        content = json.loads(path.read_text(encoding="utf-8"))
        for vector in content["vectors"]:
            found, fields = verdict(kind, vector, content["shared"])
            expected, stated = vector["verdict"], vector.get("fields")
            if found != expected:
                yield f"{kind}: {vector['name']}: {found}, should be {expected}"
            elif fields != stated:
                yield f"{kind}: {vector['name']}: read as {fields}, should be {stated}"
        print(f"{len(content['vectors']):6} {kind}")


def check_decisions(lines: Iterable[str], name: str, least: int = 1) -> Iterable[str]:
    """Each line is a snapshot to read, or a request with what was decided."""
    count, view = 0, None
    for line in lines:
        entry = json.loads(line)
        if "snapshot" in entry:
            view = snapshot.read(unhex(entry["snapshot"]))
            continue
        assert view is not None
        when = dict(entry["circumstances"])
        for bits in ("revoked_tokens", "revoked_principals"):
            when[bits] = frozenset(int(str(one), 16) for one in when.get(bits, []))
        circumstances = decision.Circumstances(**when)
        reason, who = decision.answer(view, entry["request"], circumstances)
        count += 1
        if (reason, who) != (entry["reason"], entry["who"]):
            expected = f"should be {entry['reason']} {entry['who']}"
            yield f"{name}: decision {count}: {reason} {who}, {expected}: {entry['request']}"
    if count < least:
        yield f"{name}: {count} decisions, should be at least {least}"
    print(f"{count:6} {name}")


def main(arguments: list[str]) -> int:
    differences = list(check_vectors())
    sample = json.loads((VECTORS / "decisions.json").read_text(encoding="utf-8"))
    lines = [json.dumps(entry) for entry in sample["vectors"]]
    differences += check_decisions(lines, "decisions")
    for argument in arguments:
        with Path(argument).open(encoding="utf-8") as file:
            differences += check_decisions(file, Path(argument).name, 10_000)
    for difference in differences[:50]:
        print(difference, file=sys.stderr)
    if differences:
        print(f"{len(differences)} differences", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
