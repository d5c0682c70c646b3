#include "lib/probe_policy/probe_budget.h"

#include <algorithm>

#include "fmt/format.h"

namespace perigee {
namespace {

using std::chrono::nanoseconds;

absl::Status Exhausted(std::string_view whose, nanoseconds wait) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return absl::ResourceExhaustedError(fmt::format("the probe budget {} is used up for {} ms", whose, ms));
}

}  // namespace

ProbeBudget::Rate ProbeBudget::RateOf(uint32_t packets_per_second) {
  const uint32_t rate = std::max(packets_per_second, 1u);
  const nanoseconds per_packet = std::chrono::nanoseconds(std::chrono::seconds(1)) / rate;
  return {per_packet, per_packet * std::max(rate, kMinimumBurst)};
}

ProbeBudget::ProbeBudget(const ProbeBudgetOptions& options)
    : global_rate_(RateOf(options.packets_per_second)),
      unproven_rate_(RateOf(options.unproven_packets_per_second)),
      prefix_rate_(RateOf(options.packets_per_prefix_per_second)),
      max_prefixes_(std::max(options.max_prefixes, size_t{1})) {}

MonoTime& ProbeBudget::BucketOf(const IpPrefix& prefix) {
  if (const auto found = buckets_.find(prefix); found != buckets_.end()) {
    idle_.splice(idle_.end(), idle_, found->second);
    return found->second->second;
  }
  if (buckets_.size() >= max_prefixes_) {
    buckets_.erase(idle_.front().first);
    idle_.pop_front();
  }
  idle_.emplace_back(prefix, MonoTime{});
  buckets_[prefix] = std::prev(idle_.end());
  return idle_.back().second;
}

ProbeBudget::Attempt ProbeBudget::TryTake(const IpAddress& client, Presence presence, uint32_t packets,
                                          MonoTime now, BudgetUse use) {
  const std::lock_guard lock(mutex_);
  MonoTime& prefix_full_at = BucketOf(ClientPrefix(client));
  const MonoTime prefix_after = std::max(prefix_full_at, now) + prefix_rate_.per_packet * packets;
  const MonoTime global_after = std::max(global_full_at_, now) + global_rate_.per_packet * packets;
  if (prefix_after > now + prefix_rate_.burst) {
    return {BudgetVerdict::kPrefixEmpty, prefix_after - now - prefix_rate_.burst};
  }
  const auto usable = use == BudgetUse::kHalf ? global_rate_.burst / 2 : global_rate_.burst;
  if (global_after > now + usable) return {BudgetVerdict::kGlobalEmpty, global_after - now - usable};
  if (presence == Presence::kUnproven) {
    const MonoTime after = std::max(unproven_full_at_, now) + unproven_rate_.per_packet * packets;
    if (after > now + unproven_rate_.burst) {
      return {BudgetVerdict::kUnprovenEmpty, after - now - unproven_rate_.burst};
    }
    unproven_full_at_ = after;
  }
  prefix_full_at = prefix_after;
  global_full_at_ = global_after;
  return {BudgetVerdict::kTaken};
}

absl::Status ProbeBudget::Take(const IpAddress& client, uint32_t packets, MonoTime now) {
  const Attempt attempt = TryTake(client, Presence::kProven, packets, now);
  if (attempt.verdict == BudgetVerdict::kTaken) return absl::OkStatus();
  const bool prefix = attempt.verdict == BudgetVerdict::kPrefixEmpty;
  return Exhausted(prefix ? "of " + ClientPrefix(client).ToString() : "of this host", attempt.wait);
}

void ProbeBudget::Return(const IpAddress& client, uint32_t packets) {
  const std::lock_guard lock(mutex_);
  global_full_at_ -= global_rate_.per_packet * packets;
  const auto found = buckets_.find(ClientPrefix(client));
  if (found != buckets_.end()) found->second->second -= prefix_rate_.per_packet * packets;
}

size_t ProbeBudget::prefixes() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace perigee
