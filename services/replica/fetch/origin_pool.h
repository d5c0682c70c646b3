// The connections of one Worker to the origin: kept alive, counted, bounded. One thread.
//
// A request that may be repeated (GET, HEAD) goes out on a kept connection; when that one turns out to have
// been closed before a byte of response came, it is sent once more on a new one. Every other request gets a
// new connection, for it must not be sent twice (RFC 9112 §9.3.1).
#pragma once

#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "services/replica/fetch/fetch_error.h"
#include "services/replica/fetch/origin_address.h"
#include "services/replica/fetch/origin_connection.h"
#include "services/replica/fetch/resolver.h"
#include "services/replica/io/wakeup.h"

namespace perigee::replica {

// `connection` and its head() when `error` is kNone.
struct Fetched {
  FetchError error = FetchError::kNone;
  std::unique_ptr<OriginConnection> connection;
};

class OriginPool {
 public:
  // `limits` are this pool's own share of the process's. All references must outlive the pool.
  OriginPool(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits, const Clock& clock,
             const OriginAddress& origin, ResolverOptions resolver_options);

  // Sends a request without a body and reads the response's head. `request` and `interim` (see
  // OriginConnection::ReadHead) must live until it returns.
  Task<Fetched> Fetch(std::string_view request, bool head_request, const InterimSink* interim = nullptr);

  // A new connection, with an exchange begun on it.
  Task<Fetched> Open(bool head_request);

  // Takes back a connection whose exchange is over; keeps it when it can serve again.
  void Release(std::unique_ptr<OriginConnection> connection);

  size_t open_connections() const { return open_; }

  // Closes what is idle, and refuses new connections from now on.
  void Stop();

 private:
  Task<FetchError> WaitForSlot();
  void OnConnectionClosed();
  void WakeOne();
  std::unique_ptr<OriginConnection> TakeIdle();

  Executor executor_;
  DeadlineSweeper& sweeper_;
  const Limits& limits_;
  const Clock& clock_;
  const OriginAddress& origin_;
  Resolver resolver_;
  size_t open_ = 0;
  size_t first_address_ = 0;  // which address worked last
  bool stopped_ = false;
  std::deque<std::shared_ptr<Wakeup>> waiting_;
  std::vector<std::unique_ptr<OriginConnection>> idle_;
};

}  // namespace perigee::replica
