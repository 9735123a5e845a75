target_link_libraries(sluice_formats PUBLIC pinned::arrow pinned::parquet simdjson::simdjson PkgConfig::ZSTD ZLIB::ZLIB
                      PRIVATE PkgConfig::HWY)
target_compile_options(sluice_formats PRIVATE $<$<CONFIG:Release>:-O3>)   # the ingest path's inner loops
