# A self-contained prefix: bin/sluice, lib/ with every library but libc's family, lib/extensions for DuckDB, share/ with examples and schemas.
install(TARGETS sluice RUNTIME DESTINATION bin)
set_target_properties(sluice PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
# RPATH, not RUNPATH: it holds also for what the libraries need that are loaded late (src/net/shared_library.h).
target_link_options(sluice PRIVATE -Wl,--disable-new-dtags)
find_library(CURL_RUNTIME libcurl.so.4 REQUIRED)
find_library(CRYPTO_RUNTIME libcrypto.so.3 REQUIRED)
find_library(PQ_RUNTIME libpq.so.5 REQUIRED)
install(DIRECTORY ${SLUICE_DEPS}/extensions/ DESTINATION lib/extensions FILES_MATCHING PATTERN "*.duckdb_extension")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/ DESTINATION share/sluice/examples
        PATTERN "lake" EXCLUDE PATTERN "landing" EXCLUDE PATTERN ".sluice" EXCLUDE)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/schemas/ DESTINATION share/sluice/schemas)
install(CODE "
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES \"$<TARGET_FILE:sluice>\" LIBRARIES \"${CURL_RUNTIME}\" \"${CRYPTO_RUNTIME}\" \"${PQ_RUNTIME}\" RESOLVED_DEPENDENCIES_VAR found
       DIRECTORIES \"${SLUICE_DEPS}/lib\"
       PRE_EXCLUDE_REGEXES \"^ld-linux\" \"^libc\\\\.so\" \"^libm\\\\.so\" \"^libdl\\\\.so\" \"^libpthread\" \"^librt\\\\.so\"
         \"^libstdc\\\\+\\\\+\" \"^libgcc_s\" \"^libresolv\")
  foreach(library IN LISTS found ITEMS \"${CURL_RUNTIME}\" \"${CRYPTO_RUNTIME}\" \"${PQ_RUNTIME}\")
    file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib\" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN FILES \"\${library}\")
  endforeach()
")
