// One immutable value that is replaced as a whole while many threads read it.
//
// A reader costs one atomic load as long as nothing has changed. Whoever published a value may keep it: when
// its use_count() has fallen to one, no reader sees it any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace perigee {

template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  // Any thread. Readers see it from their next Current() on.
  void Publish(std::shared_ptr<const T> next) {
    {
      const std::lock_guard lock(mutex_);
      value_.swap(next);
      version_.fetch_add(1, std::memory_order_release);
    }
    // `next`, what was published before, goes here: outside the lock.
  }

  // One thread's view. It keeps what it saw last from going away until it looks again.
  class Reader {
   public:
    // `published` must outlive this.
    explicit Reader(const Published& published) : published_(published) { Refresh(); }

    const std::shared_ptr<const T>& Current() {
      if (published_.version_.load(std::memory_order_acquire) != version_) Refresh();
      return value_;
    }

    // What Current() returned last.
    const std::shared_ptr<const T>& Last() const { return value_; }

   private:
    void Refresh() {
      const std::lock_guard lock(published_.mutex_);
      version_ = published_.version_.load(std::memory_order_relaxed);
      value_ = published_.value_;
    }

    const Published& published_;
    uint64_t version_ = 0;
    std::shared_ptr<const T> value_;
  };

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<uint64_t> version_{0};
};

}  // namespace perigee
