target_link_libraries(sluice_contract PUBLIC pinned::arrow PkgConfig::RE2)
