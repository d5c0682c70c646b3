// A ring of records between one thread that serves and one that writes a log: no lock, no allocation, no
// waiting. When it is full the record is lost and counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>

namespace perigee {

class LogRing {
 public:
  // `capacity`: octets, a multiple of 8. They become resident as they are first used.
  explicit LogRing(size_t capacity);

  // The octets that a record of `size` takes.
  static constexpr size_t SpaceFor(size_t size) { return kHeader + (size + 7) / 8 * 8; }

  // The producer: `size` octets to be filled, aligned to 8, then handed over by Commit. Null when they do not
  // fit now: the record is lost.
  std::byte* Reserve(size_t size);
  void Commit() { written_.store(reserved_, std::memory_order_release); }

  // Both in one. False when it is full.
  template <typename Record>
  bool Push(const Record& record) {
    static_assert(std::is_trivially_copyable_v<Record> && alignof(Record) <= 8);
    std::byte* const place = Reserve(sizeof(record));
    if (place == nullptr) return false;
    std::memcpy(place, &record, sizeof(record));
    Commit();
    return true;
  }

  // The consumer: calls `see(std::string_view record)` for what was committed before the call, so that a busy
  // producer cannot keep it.
  template <typename See>
  void Drain(See see) {
    const uint64_t end = written_.load(std::memory_order_acquire);
    for (uint64_t next = read_.load(std::memory_order_relaxed); next < end;) {
      const size_t offset = next % capacity_;
      uint64_t size = 0;
      std::memcpy(&size, octets_.get() + offset, kHeader);
      if (size == kNoRecord) {
        next += capacity_ - offset;
        continue;
      }
      see(std::string_view(reinterpret_cast<const char*>(octets_.get()) + offset + kHeader, size));
      next += SpaceFor(size);
      read_.store(next, std::memory_order_release);
    }
  }

  // Any thread.
  uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kHeader = sizeof(uint64_t);  // a record's size
  static constexpr uint64_t kNoRecord = UINT64_MAX;    // the next record is at the start of the ring

  const size_t capacity_;
  const std::unique_ptr<std::byte[]> octets_;
  // The producer's, and apart from them the consumer's. Positions only grow.
  alignas(64) std::atomic<uint64_t> written_{0};
  uint64_t reserved_ = 0;
  std::atomic<uint64_t> lost_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
};

}  // namespace perigee
