/* See everything.h. */
#include "everything.h"

unsigned char bits[512], delta_room[4096];
const uint8_t *const NAME = (const uint8_t *)"manage_device";
const uint8_t *token_text;

uint32_t unwanted(void *context, uint32_t offset, const uint8_t *bytes, size_t len) {
    (void)context, (void)offset, (void)bytes, (void)len;
    CHECK(!"nothing is written here");

    return 0;
}

struct all *everything(void) {
    struct all *all = memory(sizeof(*all));
    struct machine *machine = in_force();
    all->machine = *machine;
    token_text = (const uint8_t *)token_of("allowed first row");
    all->request.permissions = 0x8000;
    all->request.operation = GATEWARD_OPERATION_ISSUE_CA;
    all->shown.clock = NOW;
    OK(gateward_hash_list_check(&machine->manifest, FIXTURE(list), &all->list));
    OK(gateward_token_read(token_text, 66, &all->token));
    OK(gateward_ask_prepare(&machine->snapshot, &all->request, &all->ask));
    OK(gateward_clock_start(T0, &machine->floor, 0, &all->clock));
    OK(gateward_check(&machine->snapshot, &all->ask, &all->token, &machine->now, &all->decision));
    OK(gateward_record_start(&machine->snapshot, &all->decision, &machine->now, &all->record));
    CHECK(room(machine) <= sizeof(bits));

    return all;
}
