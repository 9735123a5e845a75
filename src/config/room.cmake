target_link_libraries(sluice_config PUBLIC yaml-cpp nlohmann_json::nlohmann_json)
