# cmake -Dfiles=a.h;b.c -Doutput=o2m_sources.h -P EmbedSources.cmake: the files as C string literals, in that order.
set(entries "")
set(count 0)
foreach(file ${files})
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "?" "\\?" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  string(APPEND entries "    {\"${name}\",\n     \"${text}\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${output}" "/* Generated from the op's folder: the kernel sources as text. */
#pragma GCC system_header
#ifndef O2M_SOURCES_H_
#define O2M_SOURCES_H_
typedef struct o2m_source_file {
  const char *name, *text;
} o2m_source_file;
static const o2m_source_file o2m_sources[] = {
${entries}};
enum { O2M_SOURCE_COUNT = ${count} };
#endif
")
