target_link_libraries(sluice_engines PUBLIC pinned::duckdb pinned::arrow nlohmann_json::nlohmann_json)
target_compile_definitions(sluice_engines PRIVATE SLUICE_BUILD_EXTENSIONS_DIR="${SLUICE_DEPS}/extensions")
