target_link_libraries(sluice_cli PUBLIC ZLIB::ZLIB PkgConfig::ZSTD sluice_archives)
target_compile_definitions(sluice_cli PRIVATE SLUICE_EXAMPLES_DIR="${CMAKE_SOURCE_DIR}/examples")
