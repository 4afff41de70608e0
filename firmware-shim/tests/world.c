/* See world.h. */
#include "world.h"

#include "cases.h"

gateward_now synced(uint64_t at) {
    gateward_now now = {.at = at, .backed = at, .quality = GATEWARD_TIME_SYNCED, .zero = 0};

    return now;
}

struct machine *enrolled(void) {
    struct machine *machine = memory(sizeof(*machine));
    OK(gateward_floor_start(&machine->floor));
    OK(gateward_keys_anchor(FIXTURE(keyset1), BYTES(account), &machine->keys));
    machine->now = synced(NOW);

    return machine;
}

uint32_t verified(struct machine *machine, const unsigned char *envelope, size_t len) {
    return gateward_manifest_verify(&machine->keys, BYTES(audience), envelope, len,
                                    &machine->manifest);
}

struct machine *in_force(void) {
    struct machine *machine = enrolled();
    OK(verified(machine, FIXTURE(manifest)));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              FIXTURE(file), &machine->snapshot));
    OK(gateward_snapshot_commit(&machine->snapshot, &machine->floor));

    return machine;
}

size_t room(const struct machine *machine) {
    size_t bytes = 0;
    OK(gateward_revoked_room(&machine->snapshot, &bytes));

    return bytes;
}

uint32_t taken(struct machine *machine, const unsigned char *list, size_t len, uint64_t kept,
               unsigned char *bits) {
    return taken_with(&machine->snapshot, &machine->keys, &machine->keys, BYTES(audience),
                      &machine->floor, list, len, kept, bits, room(machine));
}

uint32_t taken_with(gateward_snapshot *snapshot, const gateward_keys *list_keys,
                    const gateward_keys *keys, const unsigned char *audience, gateward_floor *floor,
                    const unsigned char *list, size_t len, uint64_t kept, unsigned char *bits,
                    size_t bits_len) {
    gateward_list given = {list, len, bits, bits_len, kept, kept == 0 ? 0 : 1, 0};

    return gateward_revoked_take(snapshot, list_keys, keys, audience, floor, &given);
}

void restarted(struct machine *machine, const unsigned char *manifest, size_t len,
               const unsigned char *file, size_t file_len) {
    memset(&machine->manifest, 0, sizeof(machine->manifest));
    memset(&machine->snapshot, 0, sizeof(machine->snapshot));
    OK(verified(machine, manifest, len));
    OK(gateward_snapshot_open(&machine->manifest, &machine->keys, &machine->floor, &machine->now,
                              file, file_len, &machine->snapshot));
}

static const struct gateward_case *found(const char *name) {
    for (size_t at = 0; at < sizeof(gateward_cases) / sizeof(gateward_cases[0]); at++) {
        if (strcmp(gateward_cases[at].name, name) == 0) {
            return &gateward_cases[at];
        }
    }
    CHECK(!"a case of this name");

    return &gateward_cases[0];
}

const char *token_of(const char *name) {
    return found(name)->token;
}

uint32_t asked(const struct machine *machine, const char *token, size_t len) {
    const struct gateward_case *usual = found("allowed first row");
    gateward_request request = {.permissions = usual->permissions,
                                .division = (const uint8_t *)usual->division,
                                .division_len = strlen(usual->division),
                                .operation = usual->operation};
    gateward_decision decision;
    uint32_t status = gateward_check_text(&machine->snapshot, &request, (const uint8_t *)token, len,
                                          &machine->now, &decision);

    return status == GATEWARD_OK ? decision.reason + 1000 : status;
}

gateward_request request_of(const struct gateward_case *one) {
    gateward_request request = {.permissions = one->permissions,
                                .division = (const uint8_t *)one->division,
                                .division_len = one->division == NULL ? 0 : strlen(one->division),
                                .operation = one->operation};

    return request;
}
