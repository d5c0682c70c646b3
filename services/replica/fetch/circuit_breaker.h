// Keeps requests away from an origin that fails, and finds out when it is back.
//
//   closed ──max_failures in a row──▶ open ──hold-off over──▶ half-open: one request goes, as a trial
//      ▲                                ▲                          │
//      │                                └───── the trial failed ───┤
//      └──────────────────── any response ─────────────────────────┘
//
// One slow or broken URL must not take the others down. So only the lack of a response counts, never its
// status, and the head of any response sets the count back. A failure to reach the origin always counts; one
// after the connection was there may be the fault of what was asked for, and counts once for each resource.
// The hold-off doubles only while the origin cannot be reached.
//
// There is one for the process, not one a Worker: what one thread has learned spares the others its
// time-outs, and the origin sees one trial at a time. Thread-safe; time and chance come from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "lib/base/clock.h"
#include "services/replica/fetch/fetch_error.h"

namespace perigee::replica {

enum class CircuitState { kClosed, kOpen, kHalfOpen };

class CircuitBreaker {
 public:
  // A hold-off is up to this share shorter or longer, so that replicas do not come back all at once.
  static constexpr double kJitter = 0.2;

  struct Options {
    size_t max_failures = 0;  // in a row; 0: it never opens
    std::chrono::milliseconds hold_off{1'000};
    std::chrono::milliseconds max_hold_off{30'000};
  };
  struct Change {
    bool open = false;  // else closed
    FetchError why = FetchError::kNone;
    std::chrono::milliseconds hold_off{0};
  };
  // `on_change` is called by the thread that caused the change, under the lock: it must not call back.
  CircuitBreaker(const Options& options, uint32_t seed, std::function<void(const Change&)> on_change);

  // The leave to ask the origin once; a default one is for exchanges that no breaker minds. Given up without
  // a report, it is as if the origin had never been asked. The breaker must outlive it.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept;
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { GiveUp(); }

    // Ends it: kNone when the head of a response has come, else why none will.
    void Report(FetchError outcome, MonoTime now);

   private:
    friend class CircuitBreaker;
    Permit(CircuitBreaker* breaker, uint64_t resource, bool trial)
        : breaker_(breaker), resource_(resource), trial_(trial) {}
    void GiveUp();

    CircuitBreaker* breaker_ = nullptr;
    uint64_t resource_ = 0;
    bool trial_ = false;
  };

  // Nothing when the request must fail at once (kCircuitOpen). `resource`: a hash of what is asked for.
  std::optional<Permit> Admit(uint64_t resource, MonoTime now);

  CircuitState state() const;
  // How often it has opened; trials that failed are not counted.
  uint64_t openings() const;

 private:
  // All with mutex_ held.
  void Succeed();
  void Fail(FetchError why, uint64_t resource, bool trial, MonoTime now);
  bool Counts(FetchError why, uint64_t resource);
  void Open(FetchError why, MonoTime now);

  const Options options_;
  const std::function<void(const Change&)> on_change_;
  mutable std::mutex mutex_;
  std::minstd_rand random_;
  bool open_ = false;
  bool trial_ = false;  // while open: one is under way
  MonoTime open_until_;
  std::chrono::milliseconds next_hold_off_;
  size_t failures_ = 0;              // in a row
  std::vector<uint64_t> resources_;  // those of them that are counted once each
  uint64_t openings_ = 0;
};

}  // namespace perigee::replica
