target_link_libraries(sluice_project PUBLIC PkgConfig::RE2)
