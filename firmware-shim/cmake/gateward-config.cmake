# find_package(gateward): the imported library `gateward::gateward`, wherever the prefix was moved to.

if(NOT TARGET gateward::gateward)
    get_filename_component(gateward_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
    add_library(gateward::gateward STATIC IMPORTED)
    set_target_properties(gateward::gateward PROPERTIES
        IMPORTED_LINK_INTERFACE_LANGUAGES C
        IMPORTED_LOCATION "${gateward_prefix}/lib/libgateward.a"
        INTERFACE_INCLUDE_DIRECTORIES "${gateward_prefix}/include")
    unset(gateward_prefix)
endif()
