target_link_libraries(sluice_contract PUBLIC pinned::arrow PkgConfig::RE2)
target_compile_options(sluice_contract PRIVATE $<$<CONFIG:Release>:-O3>)   # the ingest path's inner loops
