# Headers only: libcurl and libcrypto are loaded when the first request is made (src/net/shared_library.h).
target_include_directories(sluice_net SYSTEM PRIVATE ${CURL_INCLUDE_DIRS} ${OPENSSL_INCLUDE_DIR})
target_link_libraries(sluice_net PUBLIC ${CMAKE_DL_LIBS} PRIVATE sluice_expat nlohmann_json::nlohmann_json)
