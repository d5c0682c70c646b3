// Purges, one after the other, on a thread of their own: a purge waits for the disk, and gRPC's threads
// answer health checks meanwhile.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "services/replica/cache/purge.h"

namespace perigee::replica {

// Purges that wait, with the one under way.
inline constexpr size_t kMaxWaitingPurges = 64;

// Thread-safe.
class PurgeQueue {
 public:
  using Result = absl::StatusOr<uint64_t>;
  using Purge = std::function<Result(const PurgeSelection&, PurgeKind)>;

  explicit PurgeQueue(Purge purge) : purge_(std::move(purge)) {}
  // Does what waits first.
  ~PurgeQueue() { thread_.join(); }

  // `done` is called on the queue's thread. False, and nothing is done, when kMaxWaitingPurges wait already.
  bool Add(PurgeSelection what, PurgeKind kind, std::function<void(const Result&)> done) {
    if (waiting_.fetch_add(1) >= kMaxWaitingPurges) {
      waiting_.fetch_sub(1);
      return false;
    }
    boost::asio::post(thread_, [this, kind, what = std::move(what), done = std::move(done)] {
      const Result result = purge_(what, kind);
      waiting_.fetch_sub(1);
      done(result);
    });
    return true;
  }

 private:
  const Purge purge_;
  std::atomic<size_t> waiting_{0};
  boost::asio::thread_pool thread_{1};
};

}  // namespace perigee::replica
