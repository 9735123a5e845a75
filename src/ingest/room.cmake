target_link_libraries(sluice_ingest PUBLIC pinned::arrow pinned::parquet nlohmann_json::nlohmann_json)
# GCC 12 sees an uninitialised string in an inlined copy of an empty struct (GCC bug 105562).
target_compile_options(sluice_ingest PRIVATE -Wno-maybe-uninitialized)
target_compile_options(sluice_ingest PRIVATE $<$<CONFIG:Release>:-O3>)   # the ingest path's inner loops
