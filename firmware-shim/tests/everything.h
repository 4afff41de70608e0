/* A machine with something good of every kind, so that one thing at a time can be bad. */
#ifndef GATEWARD_EVERYTHING_H
#define GATEWARD_EVERYTHING_H

#include "world.h"

struct all {
    struct machine machine;
    gateward_hash_list list;
    gateward_token token;
    gateward_ask ask;
    gateward_clock clock;
    gateward_request request;
    gateward_decision decision;
    gateward_record record;
    gateward_manifest_fields fields;
    gateward_bundle bundle;
    gateward_text name;
    gateward_shown shown;
    uint64_t set;
    size_t size;
    uint32_t epoch;
    uint8_t id[GATEWARD_ID_SIZE], head[GATEWARD_HEAD_SIZE], key[GATEWARD_HEAD_SIZE];
    uint8_t tag[GATEWARD_TAG_SIZE], lookup[GATEWARD_LOOKUP_SIZE];
    uint8_t buffer[GATEWARD_RECORD_SIZE];
};

/* Memory to work in, and texts. */
extern unsigned char bits[512], delta_room[4096];
extern const uint8_t *const NAME, *token_text;

struct all *everything(void);
/* A writer that must not be called. */
uint32_t unwanted(void *context, uint32_t offset, const uint8_t *bytes, size_t len);

#define M all->machine

#endif
