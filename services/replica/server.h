// The HTTP server of one replica: Workers around one cache and one table of flights.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/health/life_signs.h"
#include "services/replica/cache/cache.h"
#include "services/replica/fetch/circuit_breaker.h"
#include "services/replica/fetch/origin_address.h"
#include "services/replica/fetch/resolver.h"
#include "services/replica/limits.h"
#include "services/replica/served_names.h"
#include "services/replica/session/listener.h"

namespace perigee::replica {

class AccessLog;
class Beacons;
class ClientRtts;
class TlsClient;
class Worker;
struct Counters;
struct Shared;

struct ServerOptions {
  // One port for all of them when it is 0: the kernel chooses.
  std::vector<IpEndpoint> listen;
  OriginAddress origin;
  TlsClient* tls = nullptr;  // of an https origin; must outlive the server
  int threads = 1;
  Limits limits;
  http::CachePolicy policy;
  ResolverOptions resolver;
  ServedNames served_names;
  bool share_port = false;          // with a server that is about to stop
  AccessLog* access_log = nullptr;  // must outlive the server; null: none is kept
};

// The sums over all Workers; replica.proto tells what each means.
struct ServerStats {
  uint64_t connections = 0;
  uint64_t requests = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t revalidated = 0;
  uint64_t stale = 0;
  uint64_t origin_errors = 0;
  uint64_t collapsed = 0;
};

class Server {
 public:
  // Listens and serves from the moment it returns. `cache` and `clock` must outlive the server. Errors:
  // Unavailable or PermissionDenied, naming the address that cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options, Cache& cache,
                                                       const Clock& clock);

  // The same in two steps, with time between them to give up root: opens the ports, then serves them.
  // InvalidArgument when `options` has an https origin without TLS, which would go out in clear.
  static absl::StatusOr<Listening> Listen(const ServerOptions& options);
  // On sockets that listen already, and are another's to keep, in place of options.listen's. At least one.
  static absl::StatusOr<Listening> ListenOnPassed(const ServerOptions& options, const std::vector<int>& fds);
  static std::unique_ptr<Server> Serve(ServerOptions options, Listening listening, Cache& cache,
                                       const Clock& clock);

  // Cuts off what is still under way.
  ~Server();

  uint16_t port() const { return port_; }
  const OriginAddress& origin() const { return options_.origin; }
  // The names that it answers for, from the next requests on. Thread-safe.
  void SetServedNames(ServedNames names);
  // A name that it answers for.
  std::string own_name() const;
  // Where a client on this host reaches it.
  IpEndpoint OwnEndpoint() const;
  ServerStats Stats() const;
  // Adds what all Workers have counted. Thread-safe.
  void AddUp(Counters* sum) const;
  // Of the connections that have ended. As long as the server.
  const ClientRtts& client_rtts() const;
  const Beacons& beacons() const;
  // Of its Workers. As long as the server.
  const LifeSigns& life() const;
  // Whether the origin is asked at present. As long as the server.
  const CircuitBreaker& circuit() const;

  // When it returns, no request that comes later is answered with what the purge means, neither from the
  // cache nor from a fetch that was under way (kSoft: not without the origin's word, unless it may be served
  // stale), and that holds beyond a crash. Returns how many stored objects there were. Unavailable when the
  // disk is out: the purge holds, but until a restart only. Waits for the disk.
  absl::StatusOr<uint64_t> Purge(const PurgeSelection& selection, PurgeKind kind);

  // Sends clients away, or no longer: answers end their connections. Everybody is still served, for clients
  // come back for as long as they remember the address. Thread-safe.
  void SendAway(bool on);

  // Takes no new connections but those that the kernel has accepted already, and lets requests under way, and
  // those that come within drain_idle_timeout on connections that are kept, finish, for at most `grace`.
  // WebSockets, which would keep whoever takes its place waiting, are ended after drain_idle_timeout. Where
  // another process shares the port, that gets the new connections, and what shakes hands with this one is
  // waited for, for drain_handshake_timeout.
  void Drain(std::chrono::milliseconds grace);

 private:
  Server(ServerOptions options, Cache& cache, const Clock& clock);

  // Whether there is another process to yield to.
  bool YieldPorts();

  ServerOptions options_;
  Limits worker_limits_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  uint16_t port_ = 0;
  std::vector<int> yieldable_;  // one listening socket of each address, until it is closed; none if passed
};

}  // namespace perigee::replica
