target_link_libraries(sluice_formats PUBLIC pinned::arrow pinned::parquet simdjson::simdjson PkgConfig::ZSTD ZLIB::ZLIB
                      PRIVATE PkgConfig::HWY nlohmann_json::nlohmann_json sluice_archives sluice_expat)
target_compile_options(sluice_formats PRIVATE $<$<CONFIG:Release>:-O3>)   # the ingest path's inner loops
