target_link_libraries(sluice_formats PUBLIC pinned::arrow pinned::parquet simdjson::simdjson PkgConfig::ZSTD ZLIB::ZLIB)
