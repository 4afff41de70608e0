"""What was accepted so far, and how what is new stands to it: sections 6 and 7 of format.md."""

from wire import Record, require, sha256, shown, whole, written

FLOOR = (
    "magic:8 keys:u32 version_epoch:u32 version:u64 root:32 issued_at:u64 revoked_epoch:u32"
    " revoked:u64 list_epoch:u32 list:u64 newest_epoch:u32 newest:u64 beacon_epoch:u32 beacon:u64"
    " beacon_time:u64 signed:u64 lived:u64 agreed:u64 boots:u32 rooted:u64 held:u64"
    " manifest_by:73 beacon_by:73 agreed_manifest:73 agreed_beacon:73"
)
STOLEN = 0x80


def signers(threshold: int, keys: list[tuple[int, bytes]]) -> bytes:
    """Returns a threshold, eight algorithms, of which 0 is a free place, and eight key ids."""
    algorithms = bytes(alg for alg, _ in keys).ljust(8, b"\0")
    return bytes([threshold]) + algorithms + b"".join(key for _, key in keys).ljust(64, b"\0")


def marked(by: bytes, stolen: list[bytes]) -> bytes:
    """Marks those keys; the mark stays."""
    algorithms = bytes(
        alg | STOLEN if alg and by[at : at + 8] in stolen else alg
        for alg, at in zip(by[1:9], range(9, 73, 8))
    )
    return by[:1] + algorithms + by[9:]


def are_enough(by: bytes) -> bool:
    return all(by[1:9].count(alg & ~STOLEN) >= by[0] for alg in by[1:9] if alg)


def check_time(new: Record, time: int, clock: Record) -> None:
    require(new.keys_expire > clock.now, "keys_expired")
    require(clock.time_quality != "synced" or time <= clock.now + 600, "issued_ahead")


class Floor(Record):
    """What is admitted raises the floor."""

    def write(self) -> bytes:
        body = written(FLOOR, self)
        return body + sha256(body)[:8]

    def fields(self) -> dict:
        found = vars(self) | {"agreed_by": [self.agreed_manifest, self.agreed_beacon]}
        return shown(found, ("magic", "agreed_manifest", "agreed_beacon"))

    def lift(self, time: int, *names: str) -> None:
        vars(self).update({name: max(vars(self)[name], time) for name in names})

    def lift_pairs(self, epoch: int, **numbers: int) -> None:
        """Pairs of an epoch and a number are compared as such."""
        for name, number in numbers.items():
            held = (vars(self)[f"{name}_epoch"], vars(self)[name])
            vars(self).update(zip((f"{name}_epoch", name), max(held, (epoch, number))))

    def accept_keys(self, keys: Record, unsettles: bool) -> None:
        """Section 6.2."""
        if keys.epoch > self.keys:
            for name in ("manifest_by", "beacon_by", "agreed_manifest", "agreed_beacon"):
                vars(self)[name] = marked(vars(self)[name], keys.compromised)
            if not are_enough(self.agreed_manifest) and not are_enough(self.agreed_beacon):
                self.agreed = 0
            self.lift(self.rooted, "agreed")
            if not are_enough(self.manifest_by):
                self.held = 0
            if not are_enough(self.beacon_by):
                self.beacon_time = 0
            if unsettles:
                self.signed = self.lived = max(self.agreed, self.held)
        self.lift(keys.epoch, "keys")
        self.lift(keys.issued_at, "signed", "lived", "agreed", "rooted")

    def agree(self, time: int, manifest_by: bytes, beacon_by: bytes) -> None:
        """Section 6.4: a manifest and a beacon both say this time."""
        if time and time + 600 >= self.agreed:
            self.lift(time, "agreed")
            self.agreed_manifest, self.agreed_beacon = manifest_by, beacon_by

    def admit_manifest(self, new: Record, clock: Record) -> str:
        """Says how it stands to what is in force."""
        held, offered = (self.version_epoch, self.version), (new.keyset, new.version)
        require(new.keyset >= self.keys, "old_keys")
        require(offered != held or new.root == self.root, "fork")
        if (*offered, new.issued_at) == (*held, self.issued_at):
            return "same"
        require((*offered, new.issued_at) > (*held, self.issued_at), "rollback")
        require(new.expires_at > clock.now, "expired")
        check_time(new, new.issued_at, clock)
        require(new.issued_at <= max(clock.backed, self.beacon_time) + 600, "unconfirmed")
        self.agree(min(new.issued_at, self.beacon_time), new.signers, self.beacon_by)
        (self.version_epoch, self.version), self.root = offered, new.root
        self.keys, self.manifest_by = new.keyset, new.signers
        self.issued_at = self.held = new.issued_at
        self.lift_pairs(new.keyset, revoked=new.revoked_counter)
        self.lift(new.issued_at, "signed", "lived")
        return "refresh" if offered == held else "newer"

    def admit_beacon(self, new: Record, clock: Record) -> str:
        held, offered = (self.beacon_epoch, self.beacon), (new.keyset, new.number)
        require(new.keyset >= self.keys, "old_keys")
        require(offered != held or new.time == self.beacon_time, "fork")
        require(offered >= held, "rollback")
        if offered == held:
            return "same"
        check_time(new, new.time, clock)
        issued_at = self.issued_at if self.version_epoch == self.keys else 0
        self.agree(min(new.time, issued_at), self.manifest_by, new.signers)
        (self.beacon_epoch, self.beacon), self.beacon_time = offered, new.time
        self.beacon_by = new.signers
        self.lift_pairs(new.keyset, newest=new.version, revoked=new.revoked_counter)
        self.lift(min(new.time, self.agreed + 3_600), "signed", "lived")
        return "newer"

    def admit_list(self, new: Record, held: Record | None) -> str:
        """Says how a revocation list stands to the one that is held, or was and is lost."""
        require(new.keyset >= self.keys, "old_keys")
        offered, content = (new.keyset, new.counter), (new.base_version, new.tokens, new.principals)
        newest = (held.keyset, held.counter) if held else (0, 0)
        if offered == newest:
            require(content == (held.base_version, held.tokens, held.principals), "fork")
        require(offered >= max(newest, (self.list_epoch, self.list)), "rollback")
        return "same" if offered == newest else "newer"


def read(data: bytes) -> Floor:
    require(len(data) == 464 and sha256(data[:456])[:8] == data[456:], "damaged")
    floor = Floor(**vars(whole(data[:456], FLOOR)))
    require(floor.magic == b"GWDFLOR1", "damaged")
    return floor


def denied(lists: list[Record], version: tuple[int, int]) -> Record:
    """Section 6.5: whom these lists deny beside a snapshot of this version, and if it is stale."""
    found = Record(tokens=[], principals=[], stale=False)
    for one in lists:
        found.stale = version < (one.keyset, one.base_version)
        for table in ("tokens", "principals"):
            held = vars(found)[table] if found.stale else []
            vars(found)[table] = sorted({*held, *vars(one)[table]})
    return found
