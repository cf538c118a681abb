# ica_library(<part> [SOURCES a.cc ...] [PUBLIC lib ...] [PRIVATE lib ...] [PCH base|asio|none])
# One static library a folder. The target is ica_<part>, its alias ica::<part>.
# ica_test(<part> SOURCES x_test.cc ... [LIBS lib ...]) builds bin/test_<part> and registers it.

set(ICA_PCH_BASE <algorithm> <array> <atomic> <chrono> <cstdint> <functional> <map> <memory>
    <mutex> <optional> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>
    <fmt/format.h>)
set(ICA_PCH_ASIO ${ICA_PCH_BASE} <boost/asio.hpp>)

function(ica_pch_target name)
  if(NOT ICA_PCH OR TARGET ica_pch_${name})
    return()
  endif()
  file(WRITE ${PROJECT_BINARY_DIR}/pch_${name}.cc "")
  add_library(ica_pch_${name} OBJECT ${PROJECT_BINARY_DIR}/pch_${name}.cc)
  target_link_libraries(ica_pch_${name} PRIVATE ica_asio fmt::fmt)
  string(TOUPPER ${name} upper)
  target_precompile_headers(ica_pch_${name} PRIVATE ${ICA_PCH_${upper}})
endfunction()

function(ica_use_pch target name)
  if(ICA_PCH AND NOT name STREQUAL "none")
    ica_pch_target(${name})
    target_link_libraries(${target} PRIVATE ica_asio fmt::fmt)
    target_precompile_headers(${target} REUSE_FROM ica_pch_${name})
  endif()
endfunction()

function(ica_library part)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(NOT ARG_PCH)
    set(ARG_PCH base)
  endif()
  add_library(ica_${part} STATIC ${ARG_SOURCES})
  add_library(ica::${part} ALIAS ica_${part})
  target_include_directories(ica_${part} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(ica_${part} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  ica_use_pch(ica_${part} ${ARG_PCH})
endfunction()

function(ica_test part)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_PCH)
    set(ARG_PCH base)
  endif()
  add_executable(test_${part} ${ARG_SOURCES})
  target_include_directories(test_${part} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(test_${part} PRIVATE
    ICA_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/vectors")
  target_link_libraries(test_${part} PRIVATE ica_test_main ${ARG_LIBS})
  ica_use_pch(test_${part} ${ARG_PCH})
  add_test(NAME ${part} COMMAND test_${part})
  set_tests_properties(${part} PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endfunction()
