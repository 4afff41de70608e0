"""Snapshots and their chunks: sections 3 and 5 of format.md."""

from bisect import bisect_left
from itertools import pairwise

from rules import read_extensions
from wire import Reader, Record, name, require, sha256, written

NOWHERE = 0xFFFF
DISABLED = 1 << 31
HEADER = (
    "magic:8 account:16 n_tokens:u32 n_principals:u32 n_grants:u16 n_divisions:u16 scope_words:u8"
    " verifier_len:u8 flags:u16 heap_len:u32 file_len:u32 dir_bits:u8 window:u8 zero:u16"
    " critical:u32 other:u32 n_resources:u32 ext_len:u32 status:u8 zeros:u88"
)
LIMITS = {"n_tokens": 1 << 22, "n_principals": 1 << 20, "n_divisions": 256, "n_resources": 1 << 16,
          "ext_len": 1 << 20, "heap_len": 1 << 28}


def tables(head: Record) -> list[tuple[str, int]]:
    """Returns the sections between header and heap: a record's schema, and how many there are."""
    principal = "key:u32 id:16 offset:u32 grant:u16 length:u8 kind:u8 flags:u8 zero3 end:u32 zero4"
    return [
        ("id:16 offset:u32 length:u8 zero1", head.n_divisions),
        ("permissions:u64 key:u32 zero4", head.n_grants),
        (f"{principal} scope:u{64 * head.scope_words}", head.n_principals),
        ("key:u64", head.n_tokens),
        (f"owner:u32 end:u32 verifier:{head.verifier_len}", head.n_tokens),
        ("below:u32", (1 << head.dir_bits) + 1),
        ("kind:1 zero1 division:u16 zero4 id:16", head.n_resources),
    ]


class Snapshot(Record):
    """Tables of records by their keys; what refers to another record does so by its key."""

    def fields(self) -> dict:
        return {
            "account": self.head.account, "verifier_len": self.head.verifier_len,
            "suspended": self.head.status == 1, "resources": len(self.resources),
            "divisions": [one.name for one in self.divisions],
            "permissions": [one.id for one in self.permissions],
            "principals": [one.name for one in self.principals.values()],
            "routes": [one.id for one in self.routes],
            "tokens": [f"{number:016x}" for number in self.tokens],
        }


def check_header(head: Record, file_len: int) -> None:
    require(head.magic == b"GWDSNAP1", "unknown_format")
    require(head.critical == 0, "unknown_feature")
    follow = head.scope_words == -(-head.n_divisions // 64) and head.verifier_len in (16, 32)
    follow = follow and head.dir_bits == dir_bits(head.n_tokens)
    require(follow and all(vars(head)[one] <= most for one, most in LIMITS.items()), "bad_counts")
    length = 80 + 22 * head.n_divisions + 16 * head.n_grants + 24 * head.n_resources
    length += (40 + 8 * head.scope_words) * head.n_principals + 4 * ((1 << head.dir_bits) + 1)
    length += (16 + head.verifier_len) * head.n_tokens + head.heap_len + head.ext_len
    require(length == file_len == head.file_len <= 1 << 28, "bad_length")
    require(head.status <= 1, "unknown_status")
    require(head.flags == head.zero == head.zeros == 0, "bad_reserved")


def read(file: bytes, manifest: Record | None = None) -> Snapshot:
    """Section 3.7: reads a whole file, which a manifest may vouch for."""
    if manifest:
        require(len(file) == manifest.file_len, "bad_length")
        require(root(file, manifest.chunk_log2) == manifest.root, "bad_root")
    reader = Reader(file, "bad_length")
    head = reader.record(HEADER)
    check_header(head, len(file))
    divisions, grants, principals, ids, tokens, directory, resources = (
        [reader.record(schema) for _ in range(count)] for schema, count in tables(head)
    )
    heap, ext = Reader(reader.raw(head.heap_len), "bad_name"), reader.take("rest")
    ascending(divisions, "id")
    require(not any(one.reserved for one in divisions), "bad_reserved")
    for one in divisions:
        read_name(one, heap)
    require(len({one.name for one in divisions}) == len(divisions), "bad_name")
    ascending(grants)
    require(not any(one.reserved for one in grants), "bad_reserved")
    for one in principals:
        require(one.kind <= 2, "unknown_status")
        require(one.flags < 8 and not one.reserved, "bad_reserved")
        require(one.grant < len(grants), "bad_reference")
        require(one.scope >> len(divisions) == 0, "bad_scope")
        require(not (one.flags & 4 and one.scope), "bad_scope")
        one.grant = grants[one.grant].key
        read_name(one, heap)
    ascending(principals)
    require(heap.left() == 0, "bad_name")
    ascending(ids)
    numbers = [one.key for one in ids]
    for one in tokens:
        one.disabled, place = one.owner & DISABLED != 0, one.owner & ~DISABLED
        require(place < len(principals), "bad_reference")
        one.owner = principals[place].key
    entries = [one.below for one in directory]
    require((entries, head.window) == directory_of(numbers) and head.window <= 64, "bad_directory")
    for one in resources:
        require(not one.reserved, "bad_reserved")
        require(one.division == NOWHERE or one.division < len(divisions), "bad_reference")
        one.key = one.kind + one.id
    ascending(resources)
    permissions, routes = read_extensions(ext)
    require(not manifest or head.account == manifest.account, "other_account")
    grants, principals, resources = (
        {one.key: one for one in rows} for rows in (grants, principals, resources)
    )
    return Snapshot(
        head=head, ext=ext, divisions=divisions, grants=grants, principals=principals,
        tokens=dict(zip(numbers, tokens)), resources=resources, permissions=permissions,
        routes=routes,
    )


def ascending(rows: list[Record], key: str = "key") -> None:
    require(all(vars(one)[key] < vars(two)[key] for one, two in pairwise(rows)), "bad_order")


def read_name(one: Record, heap: Reader) -> None:
    """Names stand in the heap in the order of their records, without gaps."""
    require(one.offset == heap.at, "bad_name")
    one.name = name(heap.raw(one.length), "bad_name")


def dir_bits(n_tokens: int) -> int:
    return max(n_tokens.bit_length() - 3, 0)


def directory_of(numbers: list[int]) -> tuple[list[int], int]:
    """Section 3.4: the directory and the window for these ids."""
    bits = dir_bits(len(numbers))
    buckets = [number >> 64 - bits for number in numbers]
    entries = [bisect_left(buckets, bucket) for bucket in range((1 << bits) + 1)]
    fullest = max(after - before for before, after in pairwise(entries))
    return entries, -(-fullest // 4) * 4


def write(snapshot: Snapshot) -> bytes:
    """Returns the one file for these records: places, counts and lengths are made anew."""
    head, heap = snapshot.head, b""
    grants, principals, tokens, resources = (
        [Record(**vars(one) | {"key": key}) for key, one in sorted(table.items())]
        for table in (snapshot.grants, snapshot.principals, snapshot.tokens, snapshot.resources)
    )
    for one in snapshot.divisions + principals:
        one.offset, one.length = len(heap), len(one.name.encode())
        heap += one.name.encode()
    places = {one.key: place for place, one in enumerate(grants)}
    for one in principals:
        one.grant = places[one.grant]
    places = {one.key: place for place, one in enumerate(principals)}
    for one in tokens:
        one.owner = places[one.owner] + (DISABLED if one.disabled else 0)
    for one in resources:
        one.kind, one.id = one.key[:1], one.key[1:]
    entries, head.window = directory_of([one.key for one in tokens])
    require(head.window <= 64, "bad_delta_too_many")
    directory = [Record(below=entry) for entry in entries]
    sections = (snapshot.divisions, grants, principals, tokens, tokens, directory, resources)
    schemas = [schema for schema, _ in tables(head)]
    body = b"".join(written(schema, one) for schema, rows in zip(schemas, sections) for one in rows)
    body += heap + snapshot.ext
    head.n_tokens, head.n_principals, head.n_grants = len(tokens), len(principals), len(grants)
    head.dir_bits, head.heap_len, head.file_len = dir_bits(len(tokens)), len(heap), 80 + len(body)
    head.n_resources, head.ext_len = len(resources), len(snapshot.ext)
    return written(HEADER, head) + body


def root_of(hashes: bytes, file_len: int, chunk_log2: int) -> bytes:
    return sha256(b"\1", file_len.to_bytes(4, "little"), bytes([chunk_log2]), hashes)


def root(file: bytes, chunk_log2: int) -> bytes:
    """Section 5."""
    chunks = enumerate(range(0, len(file), 1 << chunk_log2))
    hashes = [
        sha256(b"\0", place.to_bytes(4, "little"), file[at : at + (1 << chunk_log2)])
        for place, at in chunks
    ]
    return root_of(b"".join(hashes), len(file), chunk_log2)


def check_list(hashes: bytes, manifest: Record) -> dict:
    chunks = -(-manifest.file_len >> manifest.chunk_log2)
    found = root_of(hashes, manifest.file_len, manifest.chunk_log2)
    require(len(hashes) == 32 * chunks and found == manifest.root, "bad_hash_list")
    return {"chunks": chunks}
