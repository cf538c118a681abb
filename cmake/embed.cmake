# ica_embed(<target> <file> <header> <name>): builds <header>, which defines
#   inline constexpr std::string_view ica::<name>  with the bytes of <file>.
# Run by itself (cmake -D IN=... -D OUT=... -D NAME=... -P embed.cmake) it writes that header.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${IN}" hex HEX)
  string(REPEAT "." 40 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n    \"" text "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" text "${text}")
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  # Longer than the standard promises for a literal; gcc and clang take any length.
  file(WRITE "${OUT}" "#pragma once\n\n#include <string_view>\n\n"
    "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\nnamespace ica {\n\n"
    "inline constexpr char ${NAME}Bytes[] =\n    \"${text}\";\n"
    "inline constexpr std::string_view ${NAME}(${NAME}Bytes, ${size});\n\n}  // namespace ica\n\n#pragma GCC diagnostic pop\n")
  return()
endif()

function(ica_embed target file header name)
  set(out ${PROJECT_BINARY_DIR}/embedded/${header})
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -D IN=${file} -D OUT=${out} -D NAME=${name}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
  # All of them, for who reads the sources without building (scripts/lint).
  if(NOT TARGET embedded)
    add_custom_target(embedded)
  endif()
  add_custom_target(embedded_${name} DEPENDS ${out})
  add_dependencies(embedded embedded_${name})
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/embedded)
endfunction()
