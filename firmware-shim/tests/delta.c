/* The file as it arrives, and from one bank to the other. */
#include "world.h"

/* A bank that a snapshot is written to, and how often it was. */
struct bank {
    unsigned char *bytes;
    size_t len;
    size_t written;
    unsigned calls;
    unsigned no_from;
};

static uint32_t put(void *context, uint32_t offset, const uint8_t *bytes, size_t len) {
    struct bank *bank = context;
    if (++bank->calls >= bank->no_from) {
        return 1;
    }
    CHECK(offset <= bank->len && len <= bank->len - offset);
    memcpy(bank->bytes + offset, bytes, len);
    bank->written += len;

    return 0;
}

static struct bank *bank_of(size_t len) {
    struct bank *bank = memory(sizeof(*bank));
    bank->bytes = memory(len);
    bank->len = len;
    bank->no_from = UINT32_MAX;

    return bank;
}

static size_t chunk_len(uint32_t index) {
    size_t start = (size_t)index * 4096;

    return LENGTH(file) - start < 4096 ? LENGTH(file) - start : 4096;
}

static gateward_hash_list *listed(struct machine *machine) {
    gateward_hash_list *list = memory(sizeof(*list));
    OK(verified(machine, FIXTURE(manifest)));
    OK(gateward_hash_list_check(&machine->manifest, FIXTURE(list), list));

    return list;
}

static void a_hash_list_is_the_one_of_its_manifest(void) {
    struct machine *machine = enrolled();
    gateward_hash_list list = {{0}};
    unsigned char *bytes = at_the_edge(FIXTURE(list));
    OK(verified(machine, FIXTURE(manifest)));

#define TAKE(bytes, len) gateward_hash_list_check(&machine->manifest, bytes, len, &list)
    LEAVES(list, GIVES(GATEWARD_REFUSED_HASH_LIST, TAKE(BYTES(list2), LENGTH(list2))));
    LEAVES(list, GIVES(GATEWARD_REFUSED_HASH_LIST, TAKE(bytes, 0)));
    LEAVES(list, GIVES(GATEWARD_REFUSED_HASH_LIST, TAKE(bytes, LENGTH(list) - 1)));
    for (size_t bit = 0; bit < 8 * (size_t)LENGTH(list); bit += 5) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        LEAVES(list, GIVES(GATEWARD_REFUSED_HASH_LIST, TAKE(bytes, LENGTH(list))));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(TAKE(bytes, LENGTH(list)));
#undef TAKE
}

static void chunks_are_written_in_any_order_and_make_the_file(void) {
    struct machine *machine = enrolled();
    gateward_hash_list *list = listed(machine);
    struct bank *bank = bank_of(LENGTH(file));
    uint32_t chunks = (LENGTH(file) + 4095) / 4096;

    for (uint32_t turn = 0; turn < chunks; turn++) {
        uint32_t index = turn * 2 % chunks + (chunks % 2 == 0 && turn >= chunks / 2);
        unsigned char *chunk = at_the_edge(BYTES(file) + 4096 * index, chunk_len(index));
        OK(gateward_chunk_write(list, index, chunk, chunk_len(index), put, bank));
        EQUAL(bank->calls, turn + 1);
    }
    EQUAL(bank->written, LENGTH(file));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              bank->bytes, bank->len, &machine->snapshot));
}

static void a_wrong_chunk_is_not_written(void) {
    struct machine *machine = enrolled();
    gateward_hash_list *list = listed(machine);
    struct bank *bank = bank_of(LENGTH(file));
    unsigned char *chunk = at_the_edge(BYTES(file), 4096);

#define WRITE(index, len) gateward_chunk_write(list, index, chunk, len, put, bank)
    LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE(1, 4096)));
    LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE(0, 4095)));
    LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE(0, 0)));
    LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE((LENGTH(file) + 4095) / 4096, 4096)));
    LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE(UINT32_MAX, 4096)));
    for (size_t bit = 0; bit < 8 * 4096; bit += 101) {
        chunk[bit / 8] ^= (unsigned char)(1 << bit % 8);
        LEAVES(*bank, GIVES(GATEWARD_SNAPSHOT_ROOT, WRITE(0, 4096)));
        chunk[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OK(WRITE(0, 4096));
    EQUAL(bank->calls, 1);
    bank->no_from = 2;
    GIVES(GATEWARD_BROKEN, WRITE(0, 4096));
#undef WRITE
}

/* The first version in force, and the manifest of the second. */
static struct machine *between(void) {
    struct machine *machine = in_force();
    OK(verified(machine, FIXTURE(manifest2)));

    return machine;
}

static size_t delta_room(void) {
    size_t bytes = 0;
    OK(gateward_delta_room(FIXTURE(delta), &bytes));

    return bytes;
}

static uint32_t applied(const struct machine *machine, unsigned char *room, size_t len,
                        struct bank *bank) {
    return gateward_delta_apply(&machine->snapshot, &machine->manifest, FIXTURE(delta), room, len,
                                put, bank);
}

static void a_delta_makes_the_second_bank_bit_by_bit(void) {
    struct machine *machine = between();
    struct bank *bank = bank_of(LENGTH(file2));
    OK(applied(machine, memory(delta_room()), delta_room(), bank));

    EQUAL(bank->written, LENGTH(file2));
    CHECK(memcmp(bank->bytes, BYTES(file2), LENGTH(file2)) == 0);
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              bank->bytes, bank->len, &machine->snapshot));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));
    EQUAL(asked(machine, (const char *)BYTES(token_new), LENGTH(token_new)), 1000);
}

static void with_more_room_a_delta_makes_the_same(void) {
    struct machine *machine = between();
    struct bank *bank = bank_of(LENGTH(file2));
    OK(applied(machine, memory(65536 + 3), 65536 + 3, bank));

    CHECK(memcmp(bank->bytes, BYTES(file2), LENGTH(file2)) == 0);
}

static void a_delta_without_room_writes_nothing(void) {
    struct machine *machine = between();
    struct bank *bank = bank_of(LENGTH(file2));
    unsigned char *room = memory(delta_room() + 4);

    /* What is said is surely enough; a place for nothing or for one mark is not. */
    for (size_t len = 0; len < 8; len++) {
        LEAVES(*bank, GIVES(GATEWARD_NO_ROOM, applied(machine, room, len, bank)));
    }
    for (unsigned off = 1; off < 4; off++) {
        LEAVES(*bank, GIVES(GATEWARD_MISALIGNED,
                            applied(machine, room + off, delta_room(), bank)));
    }
}

static void a_delta_that_the_manifest_does_not_name_writes_nothing(void) {
    struct machine *machine = between();
    struct bank *bank = bank_of(LENGTH(file2));
    unsigned char *room = memory(delta_room()), *delta = at_the_edge(FIXTURE(delta));

#define APPLY(len)                                                                           \
    gateward_delta_apply(&machine->snapshot, &machine->manifest, delta, len, room, delta_room(), \
                         put, bank)
    for (size_t at = 0; at < LENGTH(delta); at += 3) {
        delta[at] ^= 1;
        LEAVES(*bank, GIVES(GATEWARD_DELTA_MALFORMED, APPLY(LENGTH(delta))));
        delta[at] ^= 1;
    }
    LEAVES(*bank, GIVES(GATEWARD_DELTA_MALFORMED, APPLY(0)));
    LEAVES(*bank, GIVES(GATEWARD_DELTA_MALFORMED, APPLY(LENGTH(delta) - 1)));
    /* The manifest of the base names no way from itself. */
    OK(verified(machine, FIXTURE(manifest)));
    LEAVES(*bank, GIVES(GATEWARD_DELTA_MALFORMED, APPLY(LENGTH(delta))));
#undef APPLY
}

static void a_delta_stops_where_the_writer_says_no(void) {
    struct machine *machine = between();
    struct bank *all = bank_of(LENGTH(file2));
    unsigned char *room = memory(delta_room());
    OK(applied(machine, room, delta_room(), all));

    for (unsigned piece = 1; piece <= all->calls; piece += 1 + all->calls / 50) {
        struct bank *bank = bank_of(LENGTH(file2));
        bank->no_from = piece;
        GIVES(GATEWARD_BROKEN, applied(machine, room, delta_room(), bank));
        EQUAL(bank->calls, piece);
    }
}

static void the_room_of_what_is_no_delta_is_not_said(void) {
    size_t bytes = 7;
    unsigned char *delta = at_the_edge(FIXTURE(delta));

    LEAVES(bytes, GIVES(GATEWARD_DELTA_MALFORMED, gateward_delta_room(delta, 0, &bytes)));
    LEAVES(bytes,
           GIVES(GATEWARD_DELTA_MALFORMED, gateward_delta_room(delta, LENGTH(delta) - 1, &bytes)));
    delta[0] ^= 2;
    LEAVES(bytes, GIVES(GATEWARD_DELTA_FORMAT, gateward_delta_room(delta, LENGTH(delta), &bytes)));
}

const struct test delta_tests[] = {
    TEST(a_hash_list_is_the_one_of_its_manifest),
    TEST(chunks_are_written_in_any_order_and_make_the_file),
    TEST(a_wrong_chunk_is_not_written),
    TEST(a_delta_makes_the_second_bank_bit_by_bit),
    TEST(with_more_room_a_delta_makes_the_same),
    TEST(a_delta_without_room_writes_nothing),
    TEST(a_delta_that_the_manifest_does_not_name_writes_nothing),
    TEST(a_delta_stops_where_the_writer_says_no),
    TEST(the_room_of_what_is_no_delta_is_not_said),
    NO_MORE,
};
