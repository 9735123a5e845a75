# Where scripts/setup test puts the S3 server of the tests.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/store/object_store_test.cc ${CMAKE_SOURCE_DIR}/src/store/s3/s3_store_test.cc
                            ${CMAKE_SOURCE_DIR}/src/delta/commit_processes_test.cc
                            PROPERTIES COMPILE_DEFINITIONS "SLUICE_VERSITYGW=\"${SLUICE_DEPS}/bin/versitygw\"")
