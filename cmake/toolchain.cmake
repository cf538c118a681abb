# Language level, warnings, linker, sanitizers, compiler cache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# One setting for libraries and programs, so that they share precompiled headers; no shared libraries are built.
add_compile_options(-fPIE)
add_link_options(-pie)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CCACHE ccache)
  if(CCACHE)
    # Precompiled headers are only cached when ccache may look past their time stamps; BASEDIR lets
    # several work trees share one cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  endif()
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -fno-omit-frame-pointer -fdata-sections -ffunction-sections
                    -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety)
else()
  # GCC 12 reports members of coroutine frames as maybe uninitialised, and the two halves of Asio's
  # operators new and delete for such frames as a mismatch when it has inlined one of them.
  add_compile_options(-Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-psabi -fpch-preprocess)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # It takes the move of a long std::string for one out of the short one's buffer.
    add_compile_options(-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endif()
if(ICA_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_compile_options(-fcf-protection=full)
endif()
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--gc-sections)

if(ICA_SANITIZE)
  add_compile_options(-fsanitize=${ICA_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ICA_SANITIZE})
  if(ICA_SANITIZE MATCHES "thread")
    # tsan does not model atomic_thread_fence, which Asio uses; GCC warns at each use.
    add_compile_options(-Wno-tsan)
  endif()
endif()
if(ICA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
