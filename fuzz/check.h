// What a fuzz target does with a finding.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace perigee::fuzz {

// Ends the program when `holds` is false, in every build. The line is the caller's: clang 14 has no
// std::source_location.
inline void Check(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: does not hold\n", file, line);
  std::abort();
}

}  // namespace perigee::fuzz
