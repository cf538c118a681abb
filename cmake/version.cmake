# ICA_VERSION: the version of the build. From the tag v<x.y.z> that HEAD stands on or behind, unless it is given.
if(NOT ICA_VERSION)
  find_package(Git QUIET)
  if(Git_FOUND)
    execute_process(
      COMMAND ${GIT_EXECUTABLE} describe --tags --match "v[0-9]*" --dirty=-dirty
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      string(REGEX REPLACE "^v" "" ICA_VERSION "${described}")
    endif()
  endif()
  if(NOT ICA_VERSION)
    set(ICA_VERSION "0.0.0-dev")
  endif()
endif()
