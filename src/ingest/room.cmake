target_link_libraries(sluice_ingest PUBLIC pinned::arrow pinned::parquet nlohmann_json::nlohmann_json)
