#include "lib/http_semantics/parts.h"

#include <algorithm>

namespace perigee::http {
namespace {

// Whether `next` and the last but one of `kept` have every byte of the last.
bool HaveAllOf(const std::vector<ByteRange>& parts, const std::vector<size_t>& kept, ByteRange next) {
  const ByteRange last = parts[kept.back()];
  const uint64_t from = kept.size() > 1 ? parts[kept[kept.size() - 2]].last + 1 : last.first;
  return next.first <= from && last.last <= next.last;
}

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
  std::vector<size_t> kept;
  for (size_t i = 0; i < parts.size(); ++i) {
    while (!kept.empty() && kept.back() != added && HaveAllOf(parts, kept, parts[i])) {
      needless.push_back(kept.back());
      kept.pop_back();
    }
    if (kept.empty() || parts[i].last > parts[kept.back()].last) {
      kept.push_back(i);
    } else if (i != added) {
      needless.push_back(i);
    }
  }
  return needless;
}

}  // namespace perigee::http
