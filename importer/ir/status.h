// importer/ir/status.h - two macros over absl::Status, and the shape of a message: where, what, what would work.
#pragma once
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define O2M_RETURN_IF_ERROR(expr)                                                 \
  do {                                                                            \
    if (absl::Status o2m_status_ = (expr); !o2m_status_.ok()) return o2m_status_; \
  } while (false)

#define O2M_CONCAT_(a, b) a##b
#define O2M_CONCAT(a, b) O2M_CONCAT_(a, b)
#define O2M_ASSIGN_OR_RETURN_(temp, lhs, expr) \
  auto temp = (expr);                          \
  if (!temp.ok()) return temp.status();        \
  lhs = std::move(temp).value()
#define O2M_ASSIGN_OR_RETURN(lhs, expr) O2M_ASSIGN_OR_RETURN_(O2M_CONCAT(o2m_value_, __LINE__), lhs, expr)

// Status codes and exit codes: InvalidArgument (bad input), Unimplemented (no op claims it), ResourceExhausted (over a
// budget), NotFound (no such file, target, option) exit with 1; Internal (our bug) exits with 2.
