/* Texts for display. */
#include "world.h"

static int is(gateward_text text, const char *expected) {
    return text.len == strlen(expected) && memcmp(text.bytes, expected, text.len) == 0;
}

static void every_status_has_a_sentence_and_so_has_what_is_none(void) {
    for (uint32_t status = 0; status < 200; status++) {
        const char *text = gateward_strerror(status);
        CHECK(text != NULL && strlen(text) > 0 && strlen(text) < 100);
    }
    CHECK(strcmp(gateward_strerror(GATEWARD_OK), "done") == 0);
    CHECK(strcmp(gateward_strerror(UINT32_MAX), gateward_strerror(11)) == 0);
    CHECK(strcmp(gateward_strerror(GATEWARD_NULL), gateward_strerror(11)) != 0);
}

static void the_library_is_the_one_of_its_header(void) {
    EQUAL(gateward_abi_version(), GATEWARD_ABI_VERSION);
}

static void a_reason_has_a_name(void) {
    gateward_text name = {NULL, 0};

    OK(gateward_reason_name(0, &name));
    CHECK(is(name, "ok"));
    OK(gateward_reason_name(33, &name));
    CHECK(is(name, "internal"));
    LEAVES(name, GIVES(GATEWARD_UNKNOWN, gateward_reason_name(34, &name)));
    LEAVES(name, GIVES(GATEWARD_UNKNOWN, gateward_reason_name(256, &name)));
    LEAVES(name, GIVES(GATEWARD_UNKNOWN, gateward_reason_name(UINT32_MAX, &name)));
}

static void principals_and_divisions_have_names_and_ids(void) {
    struct machine *machine = in_force();
    gateward_text name = {NULL, 0};
    uint8_t id[GATEWARD_ID_SIZE] = {0}, one[GATEWARD_ID_SIZE];
    memset(one, 1, sizeof(one));

    OK(gateward_division_name(&machine->snapshot, 0, &name, id));
    CHECK(is(name, "division 1"));
    CHECK(memcmp(id, one, sizeof(id)) == 0);
    OK(gateward_division_name(&machine->snapshot, 11, &name, id));
    CHECK(is(name, "division 12"));
    LEAVES(id, LEAVES(name, GIVES(GATEWARD_UNKNOWN,
                                  gateward_division_name(&machine->snapshot, 12, &name, id))));
    LEAVES(id, LEAVES(name, GIVES(GATEWARD_UNKNOWN, gateward_division_name(
                                                        &machine->snapshot, UINT32_MAX, &name, id))));
    OK(gateward_principal_name(&machine->snapshot, 0, &name, id));
    CHECK(is(name, "principal 0"));
    EQUAL(id[0], 0);
    EQUAL(id[15], 0x70);
    LEAVES(id, LEAVES(name, GIVES(GATEWARD_UNKNOWN, gateward_principal_name(
                                                        &machine->snapshot, 100000, &name, id))));
    LEAVES(id, LEAVES(name, GIVES(GATEWARD_UNKNOWN,
                                  gateward_principal_name(&machine->snapshot, GATEWARD_NONE, &name,
                                                          id))));
}

static void permissions_are_found_by_name_and_named_by_bit(void) {
    struct machine *machine = in_force();
    gateward_text name = {NULL, 0};
    uint64_t set = 0;

#define FIND(id, len) \
    gateward_permission_find(&machine->snapshot, (const uint8_t *)(id), len, &set)
    OK(FIND("manage_iot_ca", 13));
    EQUAL(set, 1 << 15);
    OK(gateward_permission_name(&machine->snapshot, 15, &name));
    CHECK(is(name, "manage_iot_ca"));
    LEAVES(set, GIVES(GATEWARD_UNKNOWN, FIND("manage_iot_ca", 12)));
    LEAVES(set, GIVES(GATEWARD_UNKNOWN, FIND("", 0)));
    LEAVES(set, GIVES(GATEWARD_TEXT, FIND("\xff", 1)));
    LEAVES(name,
           GIVES(GATEWARD_UNKNOWN, gateward_permission_name(&machine->snapshot, 63, &name)));
    LEAVES(name,
           GIVES(GATEWARD_UNKNOWN, gateward_permission_name(&machine->snapshot, 64, &name)));
    LEAVES(name, GIVES(GATEWARD_UNKNOWN,
                       gateward_permission_name(&machine->snapshot, GATEWARD_NONE, &name)));
#undef FIND
}

const struct test names_tests[] = {
    TEST(every_status_has_a_sentence_and_so_has_what_is_none),
    TEST(the_library_is_the_one_of_its_header),
    TEST(a_reason_has_a_name),
    TEST(principals_and_divisions_have_names_and_ids),
    TEST(permissions_are_found_by_name_and_named_by_bit),
    NO_MORE,
};
