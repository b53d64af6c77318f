# onnx2mcu_add_op(FOLDER [NAME name] [KERNELS file...]) makes one plugin, op_<name>, out of one folder.
#
#   <name>.cc, or <name>.c    the plugin; <name> is the folder's name unless NAME is given
#   other *.cc                compiled in too, except *_test.cc
#   other *.c                 kernels: compiled in, and embedded as text so that emit() can ship them
#   *_<isa>.c                 kernels for one instruction set: embedded only (onnx2mcu_isas; kIsas in ops/isa.hpp)
#   *.h                       embedded as text as well, after the o2m_*.h that all kernels share
#   ../o2m_*_<isa>.c          what the kernels for one instruction set share: embedded only
# KERNELS adds sources from elsewhere (another op's kernel). The texts arrive through #include "o2m_sources.h".
# The only symbol the plugin exports is onnx2mcu_plugin. Works from this tree and from the installed package.

# onnx2mcu_include_dir and onnx2mcu_cmake_dir are where the public headers and this file lie.
set(onnx2mcu_cmake_dir "${CMAKE_CURRENT_LIST_DIR}")
if(NOT onnx2mcu_include_dir)
  set(onnx2mcu_include_dir "${CMAKE_CURRENT_LIST_DIR}/../ops")
endif()

set(onnx2mcu_isas "mve|dsp|rv32|armv7m|armv6m")

# Sets `sources`, `kernels` (both compiled) and `texts` (embedded) in the caller.
macro(onnx2mcu_op_files folder name extra)
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cc")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  file(GLOB kernels CONFIGURE_DEPENDS "${folder}/*.c")
  file(GLOB texts CONFIGURE_DEPENDS "${folder}/*.h")
  if(NOT EXISTS "${folder}/${name}.cc")
    if(NOT EXISTS "${folder}/${name}.c")
      message(FATAL_ERROR "${folder}: no plugin source; add ${name}.cc or ${name}.c, or state NAME")
    endif()
    list(REMOVE_ITEM kernels "${folder}/${name}.c")
    list(APPEND sources "${folder}/${name}.c")
  endif()
  # the code generator writes o2m_sym.h itself, one per model
  file(GLOB shared CONFIGURE_DEPENDS "${onnx2mcu_include_dir}/o2m_*.h" "${onnx2mcu_include_dir}/o2m_*.c")
  list(FILTER shared EXCLUDE REGEX "/o2m_sym\\.h$")
  list(PREPEND texts ${shared})
  list(APPEND texts ${kernels})
  foreach(file ${extra})
    get_filename_component(file "${file}" ABSOLUTE BASE_DIR "${folder}")
    list(APPEND texts "${file}")
    if(file MATCHES "\\.c$")
      list(APPEND kernels "${file}")
    endif()
  endforeach()
  list(FILTER kernels EXCLUDE REGEX "_(${onnx2mcu_isas})\\.c$")
endmacro()

function(onnx2mcu_add_op folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NAME" "KERNELS")
  get_filename_component(folder "${folder}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  get_filename_component(name "${folder}" NAME)
  if(arg_NAME)
    set(name "${arg_NAME}")
  endif()
  onnx2mcu_op_files("${folder}" "${name}" "${arg_KERNELS}")

  set(generated "${CMAKE_CURRENT_BINARY_DIR}/op_${name}.generated")
  set(header "${generated}/o2m_sources.h")
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${CMAKE_COMMAND}" "-Dfiles=${texts}" "-Doutput=${header}" -P "${onnx2mcu_cmake_dir}/EmbedSources.cmake"
    DEPENDS ${texts} "${onnx2mcu_cmake_dir}/EmbedSources.cmake"
    COMMENT "Embedding the kernels of ${name}" VERBATIM)

  add_library(op_${name} MODULE ${sources} ${kernels} "${header}")
  target_include_directories(op_${name} PRIVATE "${folder}" "${generated}" "${onnx2mcu_include_dir}")
  foreach(file ${arg_KERNELS})
    get_filename_component(file "${file}" ABSOLUTE BASE_DIR "${folder}")
    get_filename_component(file "${file}" DIRECTORY)
    target_include_directories(op_${name} PRIVATE "${file}")
  endforeach()
  # The compiler spends its time validating in the kernels: host speed matters there.
  target_compile_options(op_${name} PRIVATE $<$<AND:$<COMPILE_LANGUAGE:C>,$<NOT:$<CONFIG:Debug>>>:-O3>)
  target_link_options(op_${name} PRIVATE "-Wl,--version-script=${onnx2mcu_cmake_dir}/onnx2mcu_plugin.map")
  set_target_properties(op_${name} PROPERTIES
    PREFIX "" SUFFIX ".so" OUTPUT_NAME "${name}" LINK_DEPENDS "${onnx2mcu_cmake_dir}/onnx2mcu_plugin.map"
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON UNITY_BUILD OFF O2M_FOLDER "${folder}" O2M_GENERATED "${generated}")
endfunction()
