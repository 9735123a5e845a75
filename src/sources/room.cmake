target_link_libraries(sluice_sources PUBLIC nlohmann_json::nlohmann_json)
target_include_directories(sluice_sources SYSTEM PRIVATE ${LIBPQ_INCLUDE_DIRS})
