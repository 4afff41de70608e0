/* How a program goes from bytes in flash to decisions. A floor that starts anew is right for a first
   start only: a product reads the one that it wrote down, and writes it down again before anything
   is decided. */
#include "gate.h"

#define TRY(call)                         \
    do {                                  \
        gateward_status status_ = (call); \
        if (status_ != GATEWARD_OK)       \
            return status_;               \
    } while (0)

gateward_status gate_open(struct gate *gate, const struct gate_files *files, const gateward_now *now)
{
    const struct bytes *keys = &files->keys, *manifest = &files->manifest;
    const struct bytes *file = &files->snapshot;

    TRY(gateward_floor_start(&gate->floor));
    TRY(gateward_keys_anchor(keys->at, keys->len, files->account, &gate->keys));
    TRY(gateward_manifest_verify(&gate->keys, files->audience, manifest->at, manifest->len,
                                 &gate->manifest));
    TRY(gateward_snapshot_open(&gate->manifest, &gate->keys, &gate->floor, now, file->at, file->len,
                               &gate->snapshot));

    return gateward_snapshot_commit(&gate->snapshot, &gate->floor);
}

gateward_status gate_revoke(struct gate *gate, const uint8_t *audience, struct bytes list)
{
    size_t room;

    TRY(gateward_revoked_room(&gate->snapshot, &room));
    if (room > sizeof gate->bits)
        return GATEWARD_NO_ROOM;

    const gateward_list given = {
        .envelope = list.at, .envelope_len = list.len, .bits = gate->bits, .bits_len = room};

    return gateward_revoked_take(&gate->snapshot, &gate->keys, &gate->keys, audience, &gate->floor,
                                 &given);
}

gateward_status gate_decide(const struct gate *gate, const gateward_request *request,
                            struct bytes token, const gateward_now *now,
                            gateward_decision *decision)
{
    return gateward_check_text(&gate->snapshot, request, token.at, token.len, now, decision);
}
