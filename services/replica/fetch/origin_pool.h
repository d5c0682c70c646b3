// The connections of one Worker to the origin: kept alive, counted, bounded. One thread.
//
// A request that may be repeated (GET, HEAD) goes out on a kept connection; when that one turns out to have
// been closed before a byte of response came, it is sent once more on a new one. Every other request gets a
// new connection, for it must not be sent twice (RFC 9112 §9.3.1).
//
// Every exchange is on behalf of a client, who may have max_origin_connections_per_address at once over all
// pools; further ones fail at once.
//
// A new connection is the first that comes about of several attempts (Happy Eyeballs, RFC 8305 §5): the
// addresses are tried in the order of connect_order.h, the next one when the one before has failed or has not
// answered for kAttemptDelay. An attempt includes the TLS handshake.
#pragma once

#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "lib/http_semantics/validation.h"
#include "services/replica/address_limit.h"
#include "services/replica/fetch/circuit_breaker.h"
#include "services/replica/fetch/connect_order.h"
#include "services/replica/fetch/fetch_error.h"
#include "services/replica/fetch/origin_address.h"
#include "services/replica/fetch/origin_connection.h"
#include "services/replica/fetch/resolver.h"
#include "services/replica/io/wakeup.h"

namespace perigee::replica {

// The origin, as the pools of all Workers know it.
struct Origin {
  const OriginAddress& address;
  TlsClient* tls;  // null where it is http, and only there
  CircuitBreaker breaker;
  AddressLimit clients;  // those for whom it is being asked
};

// `connection` and its head() when `error` is kNone.
struct Fetched {
  FetchError error = FetchError::kNone;
  std::unique_ptr<OriginConnection> connection;

  // Whether the head cannot answer a request with these fields (http::IsUnasked).
  bool IsUnaskedBy(const http::HeaderList& fields) const {
    return error == FetchError::kNone && http::IsUnasked(connection->head().status, fields);
  }
};

class OriginPool {
 public:
  // RFC 8305 §5's recommendation.
  static constexpr milliseconds kAttemptDelay{250};

  // `limits` are this pool's own share of the process's. All references must outlive the pool.
  OriginPool(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits, const Clock& clock,
             Origin& origin, ResolverOptions resolver_options);

  // Sends a request without a body and reads the response's head. `request` and `interim` (see
  // OriginConnection::ReadHead) must live until it returns.
  Task<Fetched> Fetch(IpAddress client, std::string_view request, Asks asks,
                      const InterimSink* interim = nullptr);

  // Sends the head of a request on a new connection; the response's head is not read yet.
  Task<Fetched> Open(IpAddress client, std::string_view request, Asks asks);

  // A rest of a response that nobody wants costs less than another connection, up to here.
  static constexpr uint64_t kMaxUnwantedBytes = 65'536;

  // Takes back a connection, and keeps it when it can serve again. When the response has not been read to its
  // end, what is left of it is first, up to kMaxUnwantedBytes.
  void Release(std::unique_ptr<OriginConnection> connection);

  // Closes what is idle, and refuses new connections from now on.
  void Stop();

 private:
  struct Race;
  Task<FetchError> WaitForSlot();
  void OnConnectionClosed();
  void WakeOne();
  std::unique_ptr<OriginConnection> TakeIdle();
  void Keep(std::unique_ptr<OriginConnection> connection);
  Task<> ReadRest(std::unique_ptr<OriginConnection> connection);
  std::unique_ptr<OriginConnection> NewConnection();
  // A new one to whichever address answers first.
  Task<Fetched> Connect();
  Task<> Attempt(std::shared_ptr<Race> race, std::unique_ptr<OriginConnection> connection, IpAddress address);
  // Begins an exchange and sends the request's head, on a kept connection if it may, else on a new one.
  Task<Fetched> Start(IpAddress client, std::string_view request, Asks asks, bool may_be_kept);

  Executor executor_;
  DeadlineSweeper& sweeper_;
  const Limits& limits_;
  const Clock& clock_;
  Origin& origin_;
  Resolver resolver_;
  ConnectOrder order_;
  size_t open_ = 0;
  bool stopped_ = false;
  std::deque<std::shared_ptr<Wakeup>> waiting_;
  std::vector<std::unique_ptr<OriginConnection>> idle_;
};

}  // namespace perigee::replica
