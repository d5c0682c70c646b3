// The origin's addresses, by c-ares on a Worker's io_context. One thread.
//
// An IP literal is its own answer. A name's addresses are kept for their TTL, at least kMinTtl and at most
// kMaxTtl. Callers that come while a lookup is under way share it. When a lookup fails, the addresses of the
// last one that did not are used on, and the next attempt waits for kRetryAfter: a broken resolver must not
// take a working origin down.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/replica/io/asio.h"

namespace perigee::replica {

struct ResolverOptions {
  std::chrono::milliseconds timeout{5'000};  // of a whole lookup
  // Name servers as c-ares takes them ("127.0.0.1:5353"); empty means those of /etc/resolv.conf.
  std::string servers;
};

class Resolver {
 public:
  static constexpr std::chrono::seconds kMinTtl{1};
  static constexpr std::chrono::seconds kMaxTtl{3'600};
  static constexpr std::chrono::seconds kRetryAfter{1};
  static constexpr size_t kMaxAddresses = 8;

  Resolver(const Executor& executor, std::string host, ResolverOptions options);
  // No Addresses call may be under way.
  ~Resolver();

  // At least one address, best first (RFC 6724). NotFound or Unavailable when there is none.
  Task<absl::StatusOr<std::vector<IpAddress>>> Addresses();

  // Ends a lookup under way and makes later ones fail.
  void Stop();

 private:
  class Lookup;
  Executor executor_;
  std::string host_;
  ResolverOptions options_;
  std::unique_ptr<Lookup> lookup_;
  std::vector<IpAddress> addresses_;
  MonoTime good_until_ = MonoTime::min();
  absl::Status last_error_;
  bool stopped_ = false;
};

}  // namespace perigee::replica
