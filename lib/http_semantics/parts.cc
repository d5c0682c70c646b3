#include "lib/http_semantics/parts.h"

#include <algorithm>

namespace perigee::http {
namespace {

bool Touch(ByteRange a, ByteRange b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

std::optional<std::vector<Slice>> Cover(const std::vector<ByteRange>& parts, ByteRange wanted) {
  std::vector<Slice> slices;
  uint64_t at = wanted.first;
  for (size_t next = 0;;) {
    const ByteRange* best = nullptr;
    for (; next < parts.size() && parts[next].first <= at; ++next) {
      if (parts[next].last >= at && (!best || parts[next].last > best->last)) best = &parts[next];
    }
    if (!best) return std::nullopt;
    slices.push_back({static_cast<size_t>(best - parts.data()), {at, std::min(best->last, wanted.last)}});
    if (best->last >= wanted.last) return slices;
    at = best->last + 1;
  }
}

std::vector<size_t> Needless(const std::vector<ByteRange>& parts, size_t added) {
  std::vector<size_t> needless;
  std::vector<ByteRange> kept = parts;
  for (size_t number = 0, at = 0; number < parts.size(); ++number, ++at) {
    if (number == added || !Touch(parts[number], parts[added])) continue;
    const auto candidate = kept.begin() + static_cast<ptrdiff_t>(at);
    std::vector<ByteRange> others = kept;
    others.erase(others.begin() + static_cast<ptrdiff_t>(at));
    if (!Cover(others, *candidate)) continue;
    needless.push_back(number);
    kept = std::move(others);
    --at;
  }
  return needless;
}

}  // namespace perigee::http
