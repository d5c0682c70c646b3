// Steering for tests: knows the clients it was told of, and keeps parked queries until it is told to answer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "services/dns/responder/steering_seam.h"

namespace perigee::dns::testing {

inline SteeredAnswer AnswerV4(std::string_view v4) {
  SteeredAnswer answer{.ttl = std::chrono::seconds(60), .scope_length = 24, .replica = "fake"};
  answer.v4.Add(IpAddress::Parse(v4).value());
  return answer;
}

class FakeSteering final : public Steering {
 public:
  // Everybody not told of otherwise; nothing means that such clients are unknown.
  explicit FakeSteering(std::optional<SteeredAnswer> everybody = std::nullopt) : everybody_(everybody) {}

  // Before any query comes.
  void Know(std::string_view client, const SteeredAnswer& answer) {
    known_[IpAddress::Parse(client).value()] = answer;
  }

  bool Find(const ClientKey& client, MonoTime, SteeredAnswer* answer) override {
    const auto it = known_.find(client.address);
    if (it == known_.end() && !everybody_) return false;
    *answer = it == known_.end() ? *everybody_ : it->second;
    return true;
  }

  void Park(const ClientKey& client, Done done) override {
    const std::lock_guard lock(mutex_);
    last_parked_ = client;
    parked_.push_back(std::move(done));
    more_parked_.notify_all();
  }

  // A stranger's answer has no address.
  void FindUnmeasured(const ClientKey& client, MonoTime now, SteeredAnswer* answer) override {
    if (!Find(client, now, answer)) *answer = {};
  }
  void NoteBeacon(const BeaconToken& token, const IpPrefix& resolver) override {
    beacons.emplace_back(token.text(), resolver);
  }
  std::vector<std::pair<std::string, IpPrefix>> beacons;

  ClientKey last_parked() {
    const std::lock_guard lock(mutex_);
    return last_parked_;
  }

  // Waits until `count` queries are parked and hands them over, in the order in which they came.
  std::vector<Done> TakeParked(size_t count) {
    std::unique_lock lock(mutex_);
    const auto enough = [&] { return parked_.size() >= count; };
    if (!more_parked_.wait_for(lock, std::chrono::seconds(5), enough)) return {};
    return std::exchange(parked_, {});
  }

 private:
  const std::optional<SteeredAnswer> everybody_;
  std::map<IpAddress, SteeredAnswer> known_;
  std::mutex mutex_;
  std::condition_variable more_parked_;
  std::vector<Done> parked_;
  ClientKey last_parked_;
};

}  // namespace perigee::dns::testing
