#include "lib/log_file/log_ring.h"

namespace perigee {

// Not make_unique, which would touch every page.
LogRing::LogRing(size_t capacity) : capacity_(capacity / 8 * 8), octets_(new std::byte[capacity_]) {}

std::byte* LogRing::Reserve(size_t size) {
  uint64_t at = written_.load(std::memory_order_relaxed);
  const size_t space = SpaceFor(size), offset = at % capacity_, left = capacity_ - offset;
  const size_t skipped = space <= left ? 0 : left;
  if (at + skipped + space - read_.load(std::memory_order_acquire) > capacity_) {
    lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return nullptr;
  }
  if (skipped > 0) std::memcpy(octets_.get() + offset, &kNoRecord, kHeader);
  at += skipped;
  std::byte* const record = octets_.get() + at % capacity_;
  const uint64_t stated = size;
  std::memcpy(record, &stated, kHeader);
  reserved_ = at + space;
  return record + kHeader;
}

}  // namespace perigee
