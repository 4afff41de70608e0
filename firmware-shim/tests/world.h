/* A machine in C: what it keeps, and how far it has come. */
#ifndef GATEWARD_WORLD_H
#define GATEWARD_WORLD_H

#include "testing.h"

/* When the first manifest was signed, and an hour later. */
#define T0 UINT64_C(1790000000)
#define NOW (T0 + 3600)
#define DAY UINT64_C(86400)

struct machine {
    gateward_floor floor;
    gateward_keys keys;
    gateward_manifest manifest;
    gateward_snapshot snapshot;
    gateward_now now;
};

/* The time of a synchronised clock. */
gateward_now synced(uint64_t at);
/* A machine that has accepted nothing but its key set; it is an hour after the first manifest. */
struct machine *enrolled(void);
/* The first version is in force. */
struct machine *in_force(void);
/* Reads a manifest of the first group into `machine->manifest`. */
uint32_t verified(struct machine *machine, const unsigned char *envelope, size_t len);
/* Takes a revocation list into new memory of the right size. */
uint32_t taken(struct machine *machine, const unsigned char *list, size_t len, uint64_t kept,
               unsigned char *bits);
/* The same with everything said; `kept` is of the first epoch. */
uint32_t taken_with(gateward_snapshot *snapshot, const gateward_keys *list_keys,
                    const gateward_keys *keys, const unsigned char *audience, gateward_floor *floor,
                    const unsigned char *list, size_t len, uint64_t kept, unsigned char *bits,
                    size_t bits_len);
/* How many bytes the bits of the snapshot take. */
size_t room(const struct machine *machine);
/* Starts anew with nothing but what outlives a restart. */
void restarted(struct machine *machine, const unsigned char *manifest, size_t len,
               const unsigned char *file, size_t file_len);
/* Asks for what most cases ask, with the token of a case; returns the status, or the reason + 1000. */
uint32_t asked(const struct machine *machine, const char *token, size_t len);
struct gateward_case;
/* What a case asks. */
gateward_request request_of(const struct gateward_case *one);
/* The token of the case with this name. */
const char *token_of(const char *name);

#endif
