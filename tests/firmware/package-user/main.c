/* What a program of somebody else's does first with the installed library: refuses one that it was not
   built for, and sees that storage that was never filled is a status. */
#include <gateward.h>
#include <stdio.h>

int main(void) {
    gateward_floor floor;
    gateward_clock clock = {{0}};
    gateward_shown shown = {1800000000, 1, 0};
    gateward_now now;

    if (gateward_abi_version() != GATEWARD_ABI_VERSION) {
        return 1;
    }
    if (gateward_clock_now(&clock, 0, &shown, &now) != GATEWARD_EMPTY) {
        return 2;
    }
    if (gateward_floor_start(&floor) != GATEWARD_OK
        || gateward_clock_start(1700000000, &floor, 0, &clock) != GATEWARD_OK
        || gateward_clock_now(&clock, 0, &shown, &now) != GATEWARD_OK) {
        return 3;
    }
    if (now.at != shown.clock || now.quality != GATEWARD_TIME_SYNCED) {
        return 4;
    }
    printf("interface %u: %s\n", (unsigned)gateward_abi_version(), gateward_strerror(GATEWARD_OK));
    return 0;
}
