#include "services/replica/fetch/circuit_breaker.h"

#include <algorithm>
#include <utility>

namespace perigee::replica {
namespace {

using std::chrono::milliseconds;

enum class Blame { kNobody, kOrigin, kResource };

Blame BlameFor(FetchError error) {
  switch (error) {
    case FetchError::kResolve:
    case FetchError::kConnect:
    case FetchError::kConnectTimeout:
    case FetchError::kTls:
    case FetchError::kCertificateTime:
    case FetchError::kCertificateName:
    case FetchError::kCertificateIssuer:
      return Blame::kOrigin;
    case FetchError::kClosed:
    case FetchError::kFirstByteTimeout:
      return Blame::kResource;
    default:
      return Blame::kNobody;
  }
}

}  // namespace

CircuitBreaker::Permit::Permit(Permit&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)), resource_(other.resource_), trial_(other.trial_) {}

CircuitBreaker::Permit& CircuitBreaker::Permit::operator=(Permit&& other) noexcept {
  GiveUp();
  breaker_ = std::exchange(other.breaker_, nullptr);
  resource_ = other.resource_;
  trial_ = other.trial_;
  return *this;
}

void CircuitBreaker::Permit::GiveUp() {
  CircuitBreaker* const breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr || !trial_) return;
  const std::lock_guard lock(breaker->mutex_);
  breaker->trial_ = false;  // the next request is one
}

void CircuitBreaker::Permit::Report(FetchError outcome, MonoTime now) {
  if (outcome != FetchError::kNone && BlameFor(outcome) == Blame::kNobody) return GiveUp();
  CircuitBreaker* const breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr) return;
  const std::lock_guard lock(breaker->mutex_);
  if (outcome == FetchError::kNone) return breaker->Succeed();
  breaker->Fail(outcome, resource_, trial_, now);
}

CircuitBreaker::CircuitBreaker(const Options& options, uint32_t seed,
                               std::function<void(const Change&)> on_change)
    : options_(options), on_change_(std::move(on_change)), random_(seed), next_hold_off_(options.hold_off) {}

std::optional<CircuitBreaker::Permit> CircuitBreaker::Admit(uint64_t resource, MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (!open_) return Permit(this, resource, false);
  if (trial_ || now < open_until_) return std::nullopt;
  trial_ = true;
  return Permit(this, resource, true);
}

void CircuitBreaker::Succeed() {
  failures_ = 0;
  resources_.clear();
  next_hold_off_ = options_.hold_off;
  trial_ = false;
  if (std::exchange(open_, false)) on_change_({});
}

void CircuitBreaker::Fail(FetchError why, uint64_t resource, bool trial, MonoTime now) {
  if (open_) {
    // Requests from before it opened have nothing new to tell.
    if (trial) Open(why, now);
    return;
  }
  if (options_.max_failures == 0 || !Counts(why, resource) || ++failures_ < options_.max_failures) return;
  ++openings_;
  Open(why, now);
}

bool CircuitBreaker::Counts(FetchError why, uint64_t resource) {
  if (BlameFor(why) == Blame::kOrigin) return true;
  if (std::find(resources_.begin(), resources_.end(), resource) != resources_.end()) return false;
  resources_.push_back(resource);
  return true;
}

void CircuitBreaker::Open(FetchError why, MonoTime now) {
  open_ = true;
  trial_ = false;
  std::uniform_real_distribution<double> share(1 - kJitter, 1 + kJitter);
  const auto hold_off = std::chrono::duration_cast<milliseconds>(next_hold_off_ * share(random_));
  open_until_ = now + hold_off;
  if (BlameFor(why) == Blame::kOrigin) {
    next_hold_off_ = std::min(next_hold_off_ * 2, options_.max_hold_off);
  }
  on_change_({.open = true, .why = why, .hold_off = hold_off});
}

CircuitState CircuitBreaker::state() const {
  const std::lock_guard lock(mutex_);
  if (!open_) return CircuitState::kClosed;
  return trial_ ? CircuitState::kHalfOpen : CircuitState::kOpen;
}

uint64_t CircuitBreaker::openings() const {
  const std::lock_guard lock(mutex_);
  return openings_;
}

}  // namespace perigee::replica
