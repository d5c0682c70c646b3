// What the DNS front end needs to know of steering: everything behind this interface (map, measurement,
// choice) is none of its business.
#pragma once

#include <chrono>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "lib/base/address.h"

namespace perigee::dns {

// What a steered name resolves to for one client. Without any address the client gets SERVFAIL.
struct SteeredAnswer {
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;
  std::chrono::seconds ttl{};
  int scope_length = 0;  // of the client's prefix, for RFC 7871; unused while ECS is not trusted
};

// Thread-safe.
class Steering {
 public:
  using Done = absl::AnyInvocable<void(const SteeredAnswer*)>;

  virtual ~Steering() = default;

  // True, with *answer filled, when the client is known. Called for every query: no lock, no allocation.
  virtual bool Find(const IpAddress& client, SteeredAnswer* answer) = 0;

  // Starts a measurement, or joins the one under way. `done` is called exactly once, from any thread,
  // possibly before Park returns, at the latest when the hold expires. Its answer lives for that call only;
  // null means that the query is to be dropped, for a limit is reached and the resolver will ask again.
  virtual void Park(const IpAddress& client, Done done) = 0;
};

}  // namespace perigee::dns
