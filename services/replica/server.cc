#include "services/replica/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "lib/log/log.h"
#include "services/replica/session/port_handover.h"
#include "services/replica/session/worker.h"

namespace perigee::replica {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{20};

Limits ShareOf(Limits limits, size_t workers) {
  const auto share = [workers](size_t all) { return (all + workers - 1) / workers; };
  limits.max_connections = share(limits.max_connections);
  limits.max_origin_connections = share(limits.max_origin_connections);
  limits.max_idle_origin_connections = share(limits.max_idle_origin_connections);
  limits.max_tunnels = share(limits.max_tunnels);
  return limits;
}

void LogCircuit(const CircuitBreaker::Change& change) {
  if (change.open) {
    LogWarning(LogModule::kReplicaFetch,
               {{"error", Name(change.why)}, {"hold_off_ms", change.hold_off.count()}},
               "the origin fails ({}): it is not asked for {} ms", Name(change.why), change.hold_off.count());
  } else {
    LogInfo(LogModule::kReplicaFetch, {}, "the origin answers again");
  }
}

CircuitBreaker MakeBreaker(const Limits& limits) {
  return CircuitBreaker({.max_failures = limits.max_origin_failures,
                         .hold_off = limits.origin_hold_off,
                         .max_hold_off = limits.max_origin_hold_off},
                        std::random_device()(), LogCircuit);
}

absl::Status CheckOrigin(const ServerOptions& options) {
  if (options.origin.https == (options.tls != nullptr)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("origin {}: TLS is for https, and only there", options.origin.base));
}

}  // namespace

Server::Server(ServerOptions options, Cache& cache, const Clock& clock)
    : options_(std::move(options)),
      worker_limits_(ShareOf(options_.limits, static_cast<size_t>(options_.threads))),
      shared_(new Shared{
          .cache = cache,
          .flights = FlightTable(options_.limits.max_object_bytes, options_.limits.max_flight_bytes,
                                 options_.limits.failure_hold),
          .policy = options_.policy,
          .origin = {.address = options_.origin,
                     .tls = options_.tls,
                     .breaker = MakeBreaker(options_.limits),
                     .clients = AddressLimit(options_.limits.max_origin_connections_per_address)},
          .worker_limits = worker_limits_,
          .clock = clock,
          .resolver = options_.resolver,
          .served_names = Published<ServedNames>(std::make_shared<const ServedNames>(options_.served_names)),
          .access_log = options_.access_log,
          .addresses = AddressLimit(options_.limits.max_connections_per_address)}) {}

absl::StatusOr<Listening> Server::Listen(const ServerOptions& options) {
  if (absl::Status status = CheckOrigin(options); !status.ok()) return status;
  return ListenOnAll(options.listen, std::max(1, options.threads), options.share_port);
}

absl::StatusOr<Listening> Server::ListenOnPassed(const ServerOptions& options, const std::vector<int>& fds) {
  if (absl::Status status = CheckOrigin(options); !status.ok()) return status;
  return ShareOut(fds, std::max(1, options.threads));
}

std::unique_ptr<Server> Server::Serve(ServerOptions options, Listening listening, Cache& cache,
                                      const Clock& clock) {
  options.threads = static_cast<int>(listening.of_workers.size());
  std::unique_ptr<Server> server(new Server(std::move(options), cache, clock));
  server->port_ = listening.port;
  for (auto& sockets : listening.of_workers) {
    std::vector<int> taken;
    for (perigee::Socket& socket : sockets) taken.push_back(socket.Release());
    if (!listening.passed) server->yieldable_ = taken;
    std::string name = fmt::format("worker {}", server->workers_.size() + 1);
    server->workers_.push_back(std::make_unique<Worker>(*server->shared_, taken, std::move(name)));
  }
  for (const auto& worker : server->workers_) worker->Start();
  return server;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options, Cache& cache,
                                                      const Clock& clock) {
  auto listening = Listen(options);
  if (!listening.ok()) return listening.status();
  return Serve(std::move(options), *std::move(listening), cache, clock);
}

Server::~Server() {
  for (const auto& worker : workers_) worker->Stop();
  for (const auto& worker : workers_) worker->Join();
}

void Server::AddUp(Counters* sum) const {
  for (const auto& worker : workers_) sum->AddAll(worker->counters());
}

const ClientRtts& Server::client_rtts() const { return shared_->client_rtts; }

const Beacons& Server::beacons() const { return shared_->beacons; }

const LifeSigns& Server::life() const { return shared_->life; }

const CircuitBreaker& Server::circuit() const { return shared_->origin.breaker; }

ServerStats Server::Stats() const {
  Counters sum;
  AddUp(&sum);
  return {.connections = sum.connections(),
          .requests = sum.requests.value(),
          .hits = sum.hits.value(),
          .misses = sum.misses.value(),
          .revalidated = sum.revalidated.value(),
          .stale = sum.stale.value(),
          .origin_errors = sum.origin_errors.value(),
          .collapsed = sum.collapsed.value()};
}

std::string Server::own_name() const {
  Published<ServedNames>::Reader served(shared_->served_names);
  return served.Last()->empty() ? options_.origin.authority : served.Last()->Any();
}

void Server::SetServedNames(ServedNames names) {
  shared_->served_names.Publish(std::make_shared<const ServedNames>(std::move(names)));
}

IpEndpoint Server::OwnEndpoint() const {
  const IpAddress& first = options_.listen.front().address;
  const char* loopback = first.is_v6() ? "::1" : "127.0.0.1";
  const bool any = first.ToString() == "0.0.0.0" || first.ToString() == "::";
  return {.address = any ? *IpAddress::Parse(loopback) : first, .port = port_};
}

absl::StatusOr<uint64_t> Server::Purge(const PurgeSelection& selection, PurgeKind kind) {
  Cache& cache = shared_->cache;
  const size_t purged = cache.Purge(selection, kind);
  shared_->flights.Detach(selection);
  const absl::Status flushed = cache.Flush();
  if (flushed.ok()) return purged;
  return absl::UnavailableError(fmt::format(
      "{} object(s) purged until a restart only, for the disk is out ({}): mend it and purge again", purged,
      flushed.ToString()));
}

void Server::SendAway(bool on) {
  for (const auto& worker : workers_) worker->SendAway(on);
}

bool Server::YieldPorts() {
  bool any = false;
  for (const int fd : std::exchange(yieldable_, {})) {
    if (YieldNewConnections(fd, static_cast<int>(workers_.size()))) any = true;
  }
  return any;
}

void Server::Drain(std::chrono::milliseconds grace) {
  const MonoTime deadline = std::chrono::steady_clock::now() + grace;
  if (YieldPorts()) {
    SendAway(true);
    std::this_thread::sleep_for(std::min(grace, options_.limits.drain_handshake_timeout));
  }
  for (const auto& worker : workers_) worker->Drain();
  while (Stats().connections > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kDrainPoll);
  }
}

}  // namespace perigee::replica
