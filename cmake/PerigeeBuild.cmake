# How every Perigee target is compiled, and the functions that declare libraries and programs.

set(PERIGEE_SANITIZE "" CACHE STRING "Comma-separated -fsanitize= list (see CMakePresets.json)")

set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

# Our own code compiles without a warning; generated code is not ours to mend.
add_library(perigee_warnings INTERFACE)
target_compile_options(perigee_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wvla
  -Wno-missing-field-initializers  # designated initialisers leave the rest at its default on purpose
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>  # g++ 12 sees it in std::variant and std::optional where it is not
  -Werror)
if(PERIGEE_SANITIZE MATCHES "thread")
  target_compile_options(perigee_warnings INTERFACE -Wno-tsan)  # Asio's atomic_thread_fence
endif()

if(PERIGEE_SANITIZE)
  add_compile_options(-fsanitize=${PERIGEE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PERIGEE_SANITIZE})
  if(PERIGEE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# Faster links and rebuilds where the machine has the tools; never required.
find_program(PERIGEE_MOLD mold)
if(PERIGEE_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()
find_program(PERIGEE_CCACHE ccache)
if(PERIGEE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache asks for where there are precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${PERIGEE_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
# The same object whatever folder the tree stands in: reproducible, and one ccache for all checkouts.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

function(perigee_target_common target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE perigee_warnings)
endfunction()

# perigee_library(NAME SOURCES a.cc… [DEPS targets…])  A header-only library has no SOURCES.
function(perigee_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS})
    perigee_target_common(${name})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# perigee_program(NAME SOURCES main.cc… [DEPS targets…])  Lands in build/<preset>/bin.
function(perigee_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  perigee_target_common(${name})
endfunction()
