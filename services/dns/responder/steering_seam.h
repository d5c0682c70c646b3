// What the DNS front end needs to know of steering: everything behind this interface (map, measurement,
// choice) is none of its business.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "lib/base/address.h"
#include "lib/base/beacon_token.h"
#include "lib/base/clock.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/client_key.h"

namespace perigee::dns {

inline constexpr size_t kMaxAnswerAddresses = 8;

// Up to kMaxAnswerAddresses addresses, in place.
class AddressList {
 public:
  // What does not fit is left out.
  void Add(const IpAddress& address) {
    if (size_ < kMaxAnswerAddresses) items_[size_++] = address;
  }
  void Clear() { size_ = 0; }
  std::span<const IpAddress> items() const { return {items_.data(), size_}; }
  bool empty() const { return size_ == 0; }

 private:
  std::array<IpAddress, kMaxAnswerAddresses> items_;
  uint8_t size_ = 0;
};

// What a steered name resolves to for one client. Without any address the client gets SERVFAIL.
struct SteeredAnswer {
  AddressList v4, v6;  // the best first
  std::chrono::seconds ttl{};
  int scope_length = 0;  // how long a prefix of the client's the answer is good for (RFC 7871 §7.2.1)
  // For logs and metrics: the first address's replica, why it, and what was measured of it.
  std::string_view replica;  // lives as long as the Steering
  Reason reason{};
  Sample sample;
};

// Thread-safe.
class Steering {
 public:
  using Done = absl::AnyInvocable<void(const SteeredAnswer*)>;

  virtual ~Steering() = default;

  // True, with *answer filled, when the client is known at `now`. Called for every query: no lock, no
  // allocation, no look at the clock.
  virtual bool Find(const ClientKey& client, MonoTime now, SteeredAnswer* answer) = 0;

  // Hints that Find(client) comes soon: kFirst some hundred nanoseconds before kSecond, and that as long
  // before Find. They change nothing but how fast it is.
  enum class Approach { kFirst, kSecond };
  virtual void Expect(const ClientKey&, Approach) {}

  // Starts a measurement, or joins the one under way. `done` is called exactly once, from any thread,
  // possibly before Park returns, at the latest when the hold expires. Its answer lives for that call only;
  // null means that the query is to be dropped, for a limit is reached and the resolver will ask again.
  virtual void Park(const ClientKey& client, Done done) = 0;

  // What is known of a client, or what anybody is given; nothing is measured for it.
  virtual void FindUnmeasured(const ClientKey& client, MonoTime now, SteeredAnswer* answer) = 0;
  // That a resolver asks for a beacon.
  virtual void NoteBeacon(const BeaconToken& token, const IpPrefix& resolver) = 0;
};

}  // namespace perigee::dns
