target_link_libraries(sluice_tables PUBLIC pinned::arrow pinned::arrow_compute pinned::parquet PRIVATE nlohmann_json::nlohmann_json simdjson::simdjson)
