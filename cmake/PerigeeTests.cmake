# How tests are compiled, and the function that declares one.

# A test runs once after its build, so the optimiser's time is better saved. -pthread for all: precompiled headers ask
# for the same macros everywhere.
function(perigee_test_common target)
  perigee_target_common(${target})
  target_compile_options(${target} PRIVATE -pthread $<$<CONFIG:Release>:-O1>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 at -O1 sees these in std::string where they are not.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  endif()
endfunction()

# What nearly every test includes, parsed once. The dev preset does without, and so shows who relies on it.
add_library(perigee_test_headers OBJECT ${CMAKE_SOURCE_DIR}/cmake/test_headers.cc)
target_link_libraries(perigee_test_headers PRIVATE GTest::gmock_main absl::statusor)
target_precompile_headers(perigee_test_headers PRIVATE
  <algorithm> <chrono> <functional> <memory> <optional> <string> <string_view> <thread> <vector>
  <gmock/gmock.h> <gtest/gtest.h> <absl/status/statusor.h>)
perigee_test_common(perigee_test_headers)

# perigee_test(NAME SOURCES x_test.cc… [DEPS targets…])  A GoogleTest binary run by ctest as a whole.
function(perigee_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main)
  target_precompile_headers(${name} REUSE_FROM perigee_test_headers)
  perigee_test_common(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()
