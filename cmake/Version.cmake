# cmake -Dsource=DIR -Doutput=o2m_version.h -Dversion=... -Donnx=... -P Version.cmake: rewritten only when it changes.
execute_process(COMMAND git -C "${source}" rev-parse --short=12 HEAD OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(revision "unknown")
endif()
set(text "#pragma once
#define O2M_VERSION \"${version}\"
#define O2M_ONNX_VERSION \"${onnx}\"
#define O2M_GIT_REVISION \"${revision}\"
")
set(old "")
if(EXISTS "${output}")
  file(READ "${output}" old)
endif()
if(NOT old STREQUAL text)
  file(WRITE "${output}" "${text}")
endif()
