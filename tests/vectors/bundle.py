"""Bundles: section 6.8 of format.md."""

from __future__ import annotations

import snapshot
from framing import Reader, Refused, require
from group import Manifest, Revoked
from model import Snapshot
from signed import KeySet


def read(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Returns the key sets and the four parts after them."""
    reader = Reader(data, "not_a_bundle")
    require(reader.take(8) == b"GWDBNDL1", "not_a_bundle")
    count = reader.fixed(4)
    require(count <= 4_096, "not_a_bundle")
    parts = [reader.take(reader.fixed(4)) for _ in range(count + 4)]
    reader.end()
    return parts[:count], parts[count:]


def verify(data: bytes, anchor: bytes, account: bytes, audience: bytes) -> dict[str, object]:
    """Believes a bundle as a gateway does that was enrolled with `anchor`."""
    sets, (envelope, hashes, file, listed) = read(data)
    keys = KeySet.anchor(anchor, account)
    for one in sets:
        try:
            keys = keys.follow(one)
        except Refused as refused:
            if refused.code != "old_keys":
                raise
    manifest = Manifest(envelope, keys, audience)
    revoked = Revoked(listed, keys, audience) if listed else None
    snapshot.check_list(hashes, manifest.file_len, manifest.chunk_log2, manifest.root)
    found = open_snapshot(file, manifest)
    count = len(revoked.tokens) + len(revoked.principals) if revoked else 0
    return {
        "epoch": keys.epoch,
        "revoked": count,
        "tokens": len(found.tokens),
        "version": manifest.version,
    }


def open_snapshot(file: bytes, manifest: Manifest) -> Snapshot:
    """Section 3.7: a file and the manifest that vouches for it."""
    require(len(file) == manifest.file_len, "bad_length")
    hashes = b"".join(snapshot.hash_list(file, manifest.chunk_log2))
    found = snapshot.root(len(file), manifest.chunk_log2, hashes)
    require(found == manifest.root, "bad_root")
    content = snapshot.read(file)
    require(content.account == manifest.account, "other_account")
    return content
