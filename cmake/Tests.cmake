# The folder of a test is its ctest label:
#   tests/FOLDER/**/*_test.cc with tests/FOLDER/*.cc as helpers   one gtest executable per folder, label unit
#   ops/OP/*_test.cc                                              one gtest executable per op, label op
#   tests/FOLDER/*.sh (but lib.sh), tests/FOLDER/*_test.py        one test each, label FOLDER; exit code 77 skips
#   tests/FOLDER/CMakeLists.txt                                   added, for what is special
# `scripts/test` leaves out the label sweep, `scripts/test --all` runs it. So do instances of parameterised tests that are
# called More: tests/sweep/more.sh runs them.
find_package(GTest REQUIRED)
include(GoogleTest)

set(test_environment "ONNX2MCU=${CMAKE_BINARY_DIR}/bin/onnx2mcu" "O2M_SOURCE=${CMAKE_SOURCE_DIR}"
    "O2M_BUILD=${CMAKE_BINARY_DIR}" "ASAN_OPTIONS=detect_leaks=1" "UBSAN_OPTIONS=print_stacktrace=1" "LC_ALL=C.UTF-8")
set(python "${CMAKE_SOURCE_DIR}/.venv/bin/python")

# o2m_gtest(TARGET LABEL [FILTER]): FILTER as --gtest_filter has it; all tests of the executable.
function(o2m_gtest target label)
  target_link_libraries(${target} PRIVATE GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE "O2M_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\""
    "O2M_BUILD_DIR=\"${CMAKE_BINARY_DIR}\"" "O2M_PLUGIN_DIR=\"${CMAKE_BINARY_DIR}/bin/plugins\"")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(NOT O2M_SANITIZE)  # a quarter less to compile than with -O2; what they test has it
    target_compile_options(${target} PRIVATE $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:RelWithDebInfo>>:-O1>)
  endif()
  if(op_targets)
    add_dependencies(${target} ${op_targets})
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${label}/" TEST_FILTER "${ARGN}"
                       PROPERTIES LABELS ${label} TIMEOUT 600 ENVIRONMENT "${test_environment}")
endfunction()

# The library a folder's tests link: its own layer; the top one where the folder is not a layer.
function(o2m_layer_of folder result)
  set(${result} onnx2mcu_codegen PARENT_SCOPE)
  if(folder MATCHES "^(plugins|importer|planner)$")
    set(${result} onnx2mcu_${folder} PARENT_SCOPE)
  elseif(folder STREQUAL "nas")  # prices are compared with what compilation comes to
    set(${result} onnx2mcu_nas onnx2mcu_codegen PARENT_SCOPE)
  elseif(folder STREQUAL "train")
    set(${result} onnx2mcu_train PARENT_SCOPE)
  endif()
endfunction()

function(o2m_script_test folder script)
  get_filename_component(name "${script}" NAME_WE)
  if(script MATCHES "\\.py$")
    add_test(NAME "${folder}/${name}" COMMAND "${python}" "${script}")
  else()
    add_test(NAME "${folder}/${name}" COMMAND bash "${script}")
  endif()
  set(timeout 900)
  if(folder STREQUAL "sweep")
    set(timeout 5400)
  endif()
  # COST: a machine that has run nothing yet begins with what takes longest, so that no core is idle in the end
  set_tests_properties("${folder}/${name}" PROPERTIES LABELS ${folder} TIMEOUT ${timeout} SKIP_RETURN_CODE 77 COST 20
                       ENVIRONMENT "${test_environment}")
endfunction()

file(GLOB test_folders CONFIGURE_DEPENDS LIST_DIRECTORIES true "${CMAKE_SOURCE_DIR}/tests/*")
foreach(path ${test_folders})
  get_filename_component(folder "${path}" NAME)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${path}/*_test.cc")
  file(GLOB helpers CONFIGURE_DEPENDS "${path}/*.cc")
  list(APPEND tests ${helpers})
  list(REMOVE_DUPLICATES tests)
  if(folder STREQUAL "train" AND NOT TARGET onnx2mcu_train)
    set(tests "")
  endif()
  if(tests)
    o2m_layer_of(${folder} layer)
    add_executable(test_${folder} ${tests})
    target_link_libraries(test_${folder} PRIVATE ${layer})
    o2m_gtest(test_${folder} unit "-More/*")
  endif()
  file(GLOB scripts CONFIGURE_DEPENDS "${path}/*.sh" "${path}/*_test.py")
  list(FILTER scripts EXCLUDE REGEX "/lib\\.sh$")
  foreach(script ${scripts})
    o2m_script_test(${folder} "${script}")
  endforeach()
  if(EXISTS "${path}/CMakeLists.txt")
    add_subdirectory("${path}" "${CMAKE_BINARY_DIR}/tests/${folder}")
  endif()
endforeach()

# An op's test may call its kernels directly and load its plugin from O2M_PLUGIN.
foreach(target ${op_targets})
  get_target_property(folder ${target} O2M_FOLDER)
  get_target_property(generated ${target} O2M_GENERATED)
  string(REGEX REPLACE "^op_" "" op ${target})
  file(GLOB tests CONFIGURE_DEPENDS "${folder}/*_test.cc")
  if(tests)
    # the kernels as the plugin has them
    add_executable(${target}_test ${tests} "$<FILTER:$<TARGET_OBJECTS:${target}>,INCLUDE,[.]c[.]o$>")
    set_target_properties(${target}_test PROPERTIES UNITY_BUILD OFF)
    target_include_directories(${target}_test PRIVATE $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
    target_link_libraries(${target}_test PRIVATE onnx2mcu_planner)
    target_compile_definitions(${target}_test PRIVATE "O2M_PLUGIN=\"$<TARGET_FILE:${target}>\"")
    o2m_gtest(${target}_test op)
  endif()
endforeach()
