/* A gate: the snapshot in force, and all that a decision needs, in memory that this program owns. */
#ifndef GATEWARD_EXAMPLE_GATE_H
#define GATEWARD_EXAMPLE_GATE_H

#include "gateward.h"

/* Bits of what is revoked: enough for some 16,000 tokens and principals. */
#define GATE_BITS 2048

/* Bytes, wherever they are. */
struct bytes {
    const uint8_t *at;
    size_t len;
};

/* What is embedded in flash, or was fetched. */
struct gate_files {
    const uint8_t *account, *audience; /* 16 bytes each */
    struct bytes keys, manifest, snapshot;
};

struct gate {
    gateward_floor floor;
    gateward_keys keys;
    gateward_manifest manifest;
    gateward_snapshot snapshot;
    uint8_t bits[GATE_BITS];
};

/* Opens everything in the order in which one thing vouches for the next. The files stay where they are.
   Whatever is refused leaves the gate closed, and says why. */
gateward_status gate_open(struct gate *gate, const struct gate_files *files, const gateward_now *now);

/* Takes a revocation list: from then on what it revokes is denied. */
gateward_status gate_revoke(struct gate *gate, const uint8_t *audience, struct bytes list);

/* Decides whether whoever presents `token` may do what is asked. A text that cannot be a token is a
   status; whoever asked gets the same answer as to any other denial. */
gateward_status gate_decide(const struct gate *gate, const gateward_request *request,
                            struct bytes token, const gateward_now *now,
                            gateward_decision *decision);

#endif
