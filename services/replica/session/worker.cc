#include "services/replica/session/worker.h"

#include <netinet/in.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "lib/log/log.h"
#include "lib/urgency/urgency.h"
#include "services/replica/session/answer.h"
#include "services/replica/session/listener.h"

namespace perigee::replica {
namespace {

// How long an accept waits after one that failed for want of descriptors or memory.
constexpr milliseconds kAcceptBackoff{100};
// More than the kernel queues.
constexpr int kMaxQueued = 65'536;

}  // namespace

Worker::Worker(Shared& shared, const std::vector<int>& listening, std::string name)
    : limits_(shared.worker_limits),
      addresses_(shared.addresses),
      loop_sign_(io_, shared.life.Add(std::move(name), std::chrono::steady_clock::now())),
      sweeper_(io_.get_executor()),
      pool_(io_.get_executor(), sweeper_, shared.worker_limits, shared.clock, shared.origin, shared.resolver),
      context_{.executor = io_.get_executor(),
               .sweeper = sweeper_,
               .pool = pool_,
               .counters = counters_,
               .telemetry = {.counters = counters_,
                             .access_log = shared.access_log ? &shared.access_log->NewRing() : nullptr,
                             .clock = shared.clock},
               .served_names = Published<ServedNames>::Reader(shared.served_names),
               .cache = shared.cache,
               .flights = shared.flights,
               .policy = shared.policy,
               .origin = shared.origin.address,
               .limits = shared.worker_limits,
               .client_rtts = shared.client_rtts,
               .beacons = shared.beacons,
               .clock = shared.clock} {
  for (const int fd : listening) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    acceptors_.emplace_back(io_.get_executor(), address.ss_family == AF_INET6 ? Tcp::v6() : Tcp::v4(), fd);
  }
}

Worker::~Worker() = default;

void Worker::Start() {
  loop_sign_.Start();
  sweeper_.Start();
  for (Acceptor& acceptor : acceptors_) asio::co_spawn(io_, Accept(acceptor), asio::detached);
  thread_ = std::thread([this] {
    RunPromptly();
    io_.run();
  });
}

Task<> Worker::Accept(Acceptor& acceptor) {
  Timer pause(io_.get_executor());
  bool failing = false;  // told of once
  while (acceptor.is_open()) {
    Socket socket(io_.get_executor());
    Tcp::endpoint from;
    auto [error] = co_await acceptor.async_accept(socket, from, kAwait);
    if (!error) {
      failing = false;
      Admit(std::move(socket), from);
    } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
      counters_.accept_failures.Add();
      if (!std::exchange(failing, true))
        LogWarning(LogModule::kReplicaSession, {}, "connections cannot be accepted: {}", error.message());
      pause.expires_after(kAcceptBackoff);
      co_await pause.async_wait(kAwait);
    }
  }
}

void Worker::AcceptQueued(Acceptor& acceptor) {
  error_code error;
  acceptor.non_blocking(true, error);
  for (int i = 0; i < kMaxQueued && !error; ++i) {
    Socket socket(io_.get_executor());
    Tcp::endpoint from;
    acceptor.accept(socket, from, error);
    if (!error) Admit(std::move(socket), from);
  }
}

void Worker::Admit(Socket socket, const Tcp::endpoint& from) {
  const IpAddress client = IpAddress::FromSockaddr(from.data()).value_or(IpAddress());
  if (counters_.connections() >= limits_.max_connections)
    return Refuse(std::move(socket), Refusal::kConnections);
  std::optional<AddressLimit::Place> place = addresses_.Enter(client);
  if (!place) return Refuse(std::move(socket), Refusal::kClientConnections);
  asio::co_spawn(io_, Serve(std::move(socket), client, *std::move(place)), asio::detached);
}

Task<> Worker::Serve(Socket socket, IpAddress client, [[maybe_unused]] AddressLimit::Place place) {
  // Not in the frame, which would be too large for Asio to keep and use again.
  const auto connection = std::make_unique<Connection>(std::move(socket), client, context_);
  connections_.push_back(*connection);
  co_await connection->Run();
}

void Worker::Refuse(Socket socket, Refusal why) {
  counters_.refused[why].Add();
  std::string answer;
  AppendOwnAnswer(503, "too many connections", false,
                  {.forward = http::Forward::kBypass, .detail = "overload"}, {.keep_alive = false},
                  context_.clock.WallNow(), &answer);
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(answer), ignored);
}

void Worker::SendAway(bool on) {
  asio::post(io_, [this, on] { context_.draining = on || stopping_; });
}

void Worker::Drain() {
  asio::post(io_, [this] {
    stopping_ = true;
    context_.draining = true;
    for (Acceptor& acceptor : acceptors_) {
      AcceptQueued(acceptor);
      acceptor.close();
    }
    // Once those that were just accepted have begun.
    asio::post(io_, [this] {
      for (Connection& connection : connections_) connection.Drain();
    });
  });
}

void Worker::Stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    context_.draining = true;
    for (Acceptor& acceptor : acceptors_) acceptor.close();
    for (Connection& connection : connections_) connection.Close();
    pool_.Stop();
    loop_sign_.Stop();
    sweeper_.Stop();
    sweeper_.Sweep(MonoTime::max());  // ends what still waits for the origin
  });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace perigee::replica
