// Which stored parts of one representation answer a request (RFC 9111 §3.4, RFC 9110 §15.3.7.3).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lib/http_semantics/range.h"

namespace perigee::http {

// Bytes of the whole, which the part of that number has.
struct Slice {
  size_t part = 0;
  ByteRange range;
  friend bool operator==(const Slice&, const Slice&) = default;
};

// The fewest slices of `parts` that make up `wanted`, in their order; nothing when bytes of it are missing.
// `parts` come in the order of their first bytes, and may overlap.
std::optional<std::vector<Slice>> Cover(const std::vector<ByteRange>& parts, ByteRange wanted);

// Those of `parts` that nobody misses: the others together have every byte of them. Never the one of number
// `added`. Numbers of `parts`, which come as above.
std::vector<size_t> Needless(const std::vector<ByteRange>& parts, size_t added);

}  // namespace perigee::http
