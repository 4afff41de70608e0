"""Deltas: section 11 of format.md. The result is compiled anew from its records."""

import snapshot
from wire import Reader, Record, require

HEAD = "base:32 scope_words:u8 verifier_len:u8 status:u8 ext:?blob"


def read(data: bytes) -> tuple[Record, dict[str, tuple[set, dict]]]:
    """Returns the head, and for each table the keys that go and the records that come."""
    reader = Reader(data, "bad_delta_malformed")
    require(reader.take("u8") == 1, "bad_delta_unknown_format")
    head, changes = reader.record(HEAD), {}
    sane = head.scope_words <= 4 and head.verifier_len in (16, 32) and head.status <= 1
    require(sane, reader.word)
    scope = f"scope:u{64 * head.scope_words}"
    # By name: the kind of a key, and the fields after it.
    tables = {
        "grants": ("u32", "permissions:v64"),
        "principals": ("u32", f"id:16,name:name,kind:u8,flags:u8,grant:u32,end:u32,{scope}"),
        "tokens": ("u64", f"owner:u32,disabled:flag,end:u32,verifier:{head.verifier_len}"),
        "resources": ("17", "division:u16"),
    }
    for table, (key, fields) in tables.items():
        gone = reader.take(f"{1 << 32}*{key}")
        records = reader.take(f"{1 << 32}*(key:{key},{fields})")
        come = [one.key for one in records]
        ascending = all(keys == sorted(set(keys)) for keys in (gone, come))
        require(ascending and not set(gone) & set(come), "bad_delta_order")
        changes[table] = (set(gone), dict(zip(come, records)))
    require(reader.left() == 0, reader.word)
    return head, changes


def apply(data: bytes, base: bytes, base_root: bytes) -> bytes:
    """Returns the file that a delta makes of another one."""
    result = snapshot.read(base)
    new, changes = read(data)
    of = (base_root, result.head.scope_words, result.head.verifier_len)
    require((new.base, new.scope_words, new.verifier_len) == of, "bad_delta_other_base")
    result.head.status = new.status
    result.ext = result.ext if new.ext is None else new.ext
    left, gone = changes["principals"][0], changes["tokens"][0]
    gone.update(key for key, one in result.tokens.items() if one.owner in left)
    for table, (gone, come) in changes.items():
        held = vars(result)[table]
        require(gone <= held.keys(), "bad_delta_missing")
        vars(result)[table] = {key: one for key, one in held.items() if key not in gone} | come
    places = [*range(len(result.divisions)), snapshot.NOWHERE]
    references = (
        all(one.grant in result.grants for one in result.principals.values())
        and all(one.owner in result.principals for one in result.tokens.values())
        and all(one.division in places for one in result.resources.values())
    )
    require(references, "bad_delta_dangling")
    return snapshot.write(result)
