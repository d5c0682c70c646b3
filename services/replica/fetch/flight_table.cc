#include "services/replica/fetch/flight_table.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace perigee::replica {
namespace {

size_t Hash(std::string_view key) { return std::hash<std::string_view>()(key); }

bool IsPart(const FlightHead& head) { return head.head.status == 206; }

}  // namespace

void FlightTable::Remove(const std::string& key, const std::shared_ptr<Flight>& flight) {
  if (IsJoinable(key, flight)) flights_.erase(key);
  const auto [begin, end] = solos_.equal_range(key);
  const auto solo = std::find_if(begin, end, [&](const auto& pair) { return pair.second == flight; });
  if (solo != end) solos_.erase(solo);
}

void FlightTable::LetGo(MonoTime now, size_t most) {
  while (!held_.empty() && (held_.front().until <= now || held_.size() > most)) {
    Remove(held_.front().key, held_.front().flight);
    held_.pop_front();
  }
}

FlightTable::Seat FlightTable::Join(std::string_view key, MonoTime now) {
  const std::lock_guard lock(mutex_);
  LetGo(now, kMaxHeldFailures);
  Seat seat;
  if (IsKnownAlone(key, now)) {
    seat.lease.emplace(SoloLocked(key));
    return seat;
  }
  auto& flight = flights_[std::string(key)];
  if (flight) return {.joined = flight};
  flight = std::make_shared<Flight>(window_, memory_);
  seat.lease.emplace(this, std::string(key), flight);
  return seat;
}

FlightTable::Lease FlightTable::Solo(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return SoloLocked(key);
}

bool FlightTable::IsJoinable(const std::string& key, const std::shared_ptr<Flight>& flight) const {
  const auto it = flights_.find(key);
  return it != flights_.end() && it->second == flight;
}

bool FlightTable::IsKnownAlone(std::string_view key, MonoTime now) {
  const size_t hash = Hash(key);
  return AloneSlot(hash).hash == hash && now < AloneSlot(hash).until;
}

void FlightTable::ForgetAlone(std::string_view key) {
  const size_t hash = Hash(key);
  if (AloneSlot(hash).hash == hash) AloneSlot(hash) = {};
}

FlightTable::Lease FlightTable::SoloLocked(std::string_view key) {
  auto flight = std::make_shared<Flight>(window_, memory_);
  solos_.emplace(key, flight);
  return Lease(this, std::string(key), std::move(flight));
}

void FlightTable::Retire(std::string_view key, const std::shared_ptr<Flight>& flight) {
  const std::lock_guard lock(mutex_);
  if (!IsJoinable(std::string(key), flight)) return;
  solos_.emplace(key, flight);
  flights_.erase(std::string(key));
}

template <typename Use>
void FlightTable::ForEach(const std::string& key, Use use) {
  const auto [begin, end] = solos_.equal_range(key);
  std::for_each(begin, end, [&](const auto& pair) { use(*pair.second); });
  const auto it = flights_.find(key);
  if (it != flights_.end()) use(*it->second);
}

void FlightTable::Supersede(std::string_view key, const Flight& newer) {
  const FlightHead* head = newer.known_head();
  if (head == nullptr || IsPart(*head)) return;
  const std::lock_guard lock(mutex_);
  ForgetAlone(key);
  ForEach(std::string(key), [&](Flight& flight) {
    const FlightHead* other = flight.known_head();
    if (&flight == &newer || other == nullptr || IsPart(*other)) return;
    const bool same = other->vary_names == head->vary_names && other->variant_key == head->variant_key;
    if (same) flight.Invalidate();
  });
}

void FlightTable::Invalidate(std::string_view key) {
  const std::lock_guard lock(mutex_);
  ForEach(std::string(key), [](Flight& flight) { flight.Invalidate(); });
  flights_.erase(std::string(key));
}

void FlightTable::Detach(const PurgeSelection& selection) {
  const std::lock_guard lock(mutex_);
  std::erase_if(flights_, [&](const auto& pair) {
    const auto& [key, flight] = pair;
    const std::optional<std::string> tags = flight->Tags();
    return (!tags && !selection.tags.empty()) || selection.Matches(key, tags.value_or(""));
  });
}

size_t FlightTable::size() const {
  const std::lock_guard lock(mutex_);
  return flights_.size();
}

void FlightTable::Lease::Close() {
  if (!flight_ || table_ == nullptr) return;
  const std::lock_guard lock(table_->mutex_);
  table_->Remove(key_, flight_);
}

void FlightTable::Lease::GoAlone(bool lasting, MonoTime now) {
  flight_->GoAlone();
  if (table_ == nullptr) return;
  const std::lock_guard lock(table_->mutex_);
  const bool joinable = table_->IsJoinable(key_, flight_);
  table_->Remove(key_, flight_);
  if (!joinable || !lasting) return;
  const size_t hash = Hash(key_);
  table_->AloneSlot(hash) = {.hash = hash, .until = now + kAloneHold};
}

void FlightTable::Lease::Fail(FetchError error, MonoTime now) {
  flight_->Fail(error);
  if (table_ == nullptr) return;
  FlightTable& table = *std::exchange(table_, nullptr);
  const std::lock_guard lock(table.mutex_);
  table.ForgetAlone(key_);  // an origin in trouble is asked once
  const bool joinable = table.IsJoinable(key_, flight_);
  const bool held = !WasNotAsked(error) && table.failure_hold_ != std::chrono::milliseconds::zero();
  if (!joinable || !held) return table.Remove(key_, flight_);
  table.held_.push_back({.key = key_, .flight = flight_, .until = now + table.failure_hold_});
  table.LetGo(now, kMaxHeldFailures);
}

void FlightTable::Lease::End() {
  if (!flight_) return;
  Close();
  flight_->Abandon();
  flight_.reset();
}

}  // namespace perigee::replica
