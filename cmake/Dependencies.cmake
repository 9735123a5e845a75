# Third-party libraries: the pinned ones from .deps (scripts/setup), the rest from Debian.
set(SLUICE_DEPS ${CMAKE_SOURCE_DIR}/.deps)
if(NOT EXISTS ${SLUICE_DEPS}/lib/libduckdb.so)
  message(FATAL_ERROR ".deps is not set up: run scripts/setup (make build does)")
endif()

function(sluice_pinned name file)
  add_library(pinned::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(pinned::${name} PROPERTIES IMPORTED_LOCATION ${SLUICE_DEPS}/lib/${file})
  target_include_directories(pinned::${name} SYSTEM INTERFACE ${SLUICE_DEPS}/include)
endfunction()
sluice_pinned(duckdb libduckdb.so)
sluice_pinned(arrow libarrow.so.2600)
sluice_pinned(arrow_compute libarrow_compute.so.2600)
sluice_pinned(parquet libparquet.so.2600)
target_link_libraries(pinned::arrow_compute INTERFACE pinned::arrow)
target_link_libraries(pinned::parquet INTERFACE pinned::arrow)

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(TBB REQUIRED)
find_package(roaring REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RE2_MODULE REQUIRED re2)
# Static, hidden and whole: libarrow_compute exports another version of RE2, which would take our calls, and, were the linker to
# take only the members that are still missing when it comes to the archive, those from one half of RE2 to the other.
find_library(RE2_STATIC libre2.a REQUIRED)
add_library(RE2 INTERFACE)
target_link_libraries(RE2 INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${RE2_STATIC}>" Threads::Threads)
target_link_options(RE2 INTERFACE -Wl,--exclude-libs,libre2.a)
add_library(PkgConfig::RE2 ALIAS RE2)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)

# Arrow's libraries export a simdjson of their own, of another version, and the dynamic linker would bind one to the other's
# symbols. Ours is built from source under another namespace: whoever includes <simdjson.h> links this target and so gets the name.
add_library(sluice_simdjson STATIC ${SLUICE_DEPS}/src/simdjson.cpp)
target_include_directories(sluice_simdjson SYSTEM PUBLIC ${SLUICE_DEPS}/include)
target_compile_definitions(sluice_simdjson PUBLIC simdjson=sluice_simdjson)
target_compile_options(sluice_simdjson PRIVATE -O2 -w)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # It has templates that nobody uses and that do not hold: they are looked at where they are used, as by GCC.
  target_compile_options(sluice_simdjson PUBLIC -fdelayed-template-parsing -Wno-delayed-template-parsing-in-cxx20)
endif()
add_library(simdjson::simdjson ALIAS sluice_simdjson)

# Headers of what src/net loads when it is first needed.
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
# Headers of what src/sources/postgres loads when it is first needed.
pkg_check_modules(LIBPQ REQUIRED libpq)
# Static, so that it costs nothing at start-up.
find_library(EXPAT_STATIC libexpat.a REQUIRED)
add_library(sluice_expat INTERFACE)
target_link_libraries(sluice_expat INTERFACE ${EXPAT_STATIC})
target_link_options(sluice_expat INTERFACE -Wl,--exclude-libs,libexpat.a)

# Static too: few files need them.
find_library(BZIP2_STATIC libbz2.a REQUIRED)
find_library(LZMA_STATIC liblzma.a REQUIRED)
find_library(MINIZIP_STATIC libminizip.a REQUIRED)
add_library(sluice_archives INTERFACE)
target_link_libraries(sluice_archives INTERFACE ${MINIZIP_STATIC} ${BZIP2_STATIC} ${LZMA_STATIC} ZLIB::ZLIB)
target_link_options(sluice_archives INTERFACE -Wl,--exclude-libs,libminizip.a -Wl,--exclude-libs,libbz2.a -Wl,--exclude-libs,liblzma.a)

if(SLUICE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# Every target of ours compiles with this.
add_library(sluice_flags INTERFACE)
# -Wrestrict misfires on std::string concatenation in GCC 12 (GCC bug 105651).
target_compile_options(sluice_flags INTERFACE -Wall -Wextra -Werror -Wno-restrict -Wno-missing-field-initializers -fdiagnostics-color=auto)
target_include_directories(sluice_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_options(sluice_flags INTERFACE -fuse-ld=mold)
if(SLUICE_SANITIZE)
  target_compile_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_FUZZ)
  # -Werror is for the compiler of the product.
  target_compile_options(sluice_flags INTERFACE -fsanitize=fuzzer-no-link -Wno-error -Wno-unknown-warning-option -Wno-deprecated-declarations)
endif()
if(SLUICE_COVERAGE)
  target_compile_options(sluice_flags INTERFACE --coverage -fprofile-update=atomic -O0)
  target_link_options(sluice_flags INTERFACE --coverage)
endif()
target_link_libraries(sluice_flags INTERFACE fmt::fmt Threads::Threads)
