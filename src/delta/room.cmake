target_link_libraries(sluice_delta PUBLIC nlohmann_json::nlohmann_json PRIVATE simdjson::simdjson roaring::roaring ZLIB::ZLIB
                                          pinned::arrow pinned::parquet)
