#include "services/replica/fetch/origin_pool.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <functional>

#include "lib/log/log.h"

namespace perigee::replica {
namespace {

MonoTime Now() { return std::chrono::steady_clock::now(); }

// Method and path; what a query makes slow is one thing.
uint64_t ResourceOf(std::string_view request) {
  return std::hash<std::string_view>()(request.substr(0, request.find_first_of("?\r")));
}

}  // namespace

OriginPool::OriginPool(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits,
                       const Clock& clock, Origin& origin, ResolverOptions resolver_options)
    : executor_(executor),
      sweeper_(sweeper),
      limits_(limits),
      clock_(clock),
      origin_(origin),
      resolver_(executor, origin.address.host, std::move(resolver_options)) {}

void OriginPool::Stop() {
  stopped_ = true;
  idle_.clear();
  for (const auto& wakeup : waiting_) wakeup->Wake();
  waiting_.clear();
  resolver_.Stop();
}

void OriginPool::OnConnectionClosed() {
  --open_;
  WakeOne();
}

void OriginPool::WakeOne() {
  if (waiting_.empty()) return;
  waiting_.front()->Wake();
  waiting_.pop_front();
}

std::unique_ptr<OriginConnection> OriginPool::TakeIdle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->StillGood()) return connection;
  }
  return nullptr;
}

void OriginPool::Release(std::unique_ptr<OriginConnection> connection) {
  if (connection->body_done()) return Keep(std::move(connection));
  if (!connection->reusable_after_body() || connection->content_length() > kMaxUnwantedBytes) return;
  asio::co_spawn(executor_, ReadRest(std::move(connection)), asio::detached);
}

Task<> OriginPool::ReadRest(std::unique_ptr<OriginConnection> connection) {
  std::string rest;
  while (!connection->body_done() && rest.size() <= kMaxUnwantedBytes) {
    const FetchError error = co_await connection->ReadBody(&rest);
    if (error != FetchError::kNone) co_return;
  }
  Keep(std::move(connection));
}

void OriginPool::Keep(std::unique_ptr<OriginConnection> connection) {
  if (!connection->reusable() || stopped_ || idle_.size() >= limits_.max_idle_origin_connections) return;
  connection->Park(Now() + limits_.origin_keep_alive);
  idle_.push_back(std::move(connection));
  WakeOne();
}

Task<FetchError> OriginPool::WaitForSlot() {
  const MonoTime deadline = Now() + limits_.connect_timeout;
  while (open_ >= limits_.max_origin_connections && !stopped_) {
    if (!idle_.empty()) {
      idle_.erase(idle_.begin());  // the one that has been idle longest makes room
      continue;
    }
    const auto wakeup = Wakeup::Create(executor_);
    waiting_.push_back(wakeup);
    const bool woken = co_await wakeup->Sleep(deadline);
    if (woken) continue;
    // Woken and timed out at once: the slot that it was woken for is another's.
    if (std::erase(waiting_, wakeup) == 0) WakeOne();
    co_return FetchError::kTooManyOrigin;
  }
  // Once stopped nobody sweeps deadlines: a connection begun now could hang.
  co_return stopped_ ? FetchError::kClosed : FetchError::kNone;
}

// What the attempts at one connection share, until the last of them has ended.
struct OriginPool::Race {
  struct Runner {
    OriginConnection* connection;
    IpAddress address;
  };
  std::vector<Runner> running;  // in the order of their start
  std::unique_ptr<OriginConnection> winner;
  FetchError error = FetchError::kConnect;  // of the last that failed
  bool over = false;
  std::shared_ptr<Wakeup> wakeup;

  // Until an attempt has come to its end.
  Task<> Await(Executor executor, MonoTime until) {
    wakeup = Wakeup::Create(executor);
    co_await wakeup->Sleep(until);
  }
};

std::unique_ptr<OriginConnection> OriginPool::NewConnection() {
  ++open_;
  return std::make_unique<OriginConnection>(executor_, sweeper_, limits_, clock_,
                                            [this] { OnConnectionClosed(); });
}

Task<> OriginPool::Attempt(std::shared_ptr<Race> race, std::unique_ptr<OriginConnection> connection,
                           IpAddress address) {
  FetchError error = FetchError::kClosed;
  std::string why;
  if (!stopped_) error = co_await connection->Connect(address, origin_.address.port, origin_.tls, &why);
  if (race->over) co_return;
  const auto self = std::find_if(race->running.begin(), race->running.end(), [&](const Race::Runner& runner) {
    return runner.connection == connection.get();
  });
  if (error == FetchError::kNone) {
    order_.Worked(address);
    // Overtaken, though they had a start.
    for (auto slow = race->running.begin(); slow != self; ++slow) order_.Failed(slow->address, Now());
    race->winner = std::move(connection);
    race->over = true;
  } else {
    const std::string at = address.ToString(origin_.address.port);
    Log(LogModule::kReplicaFetch, why.empty() ? LogLevel::kDebug : LogLevel::kWarning,
        {{"address", at}, {"error", Name(error)}}, "origin {}: {}{}", at, Name(error), why);
    order_.Failed(address, Now());
    race->error = error;
  }
  race->running.erase(self);
  race->wakeup->Wake();
}

Task<Fetched> OriginPool::Connect() {
  const auto addresses = co_await resolver_.Addresses();
  if (!addresses.ok()) {
    LogWarning(LogModule::kReplicaFetch, {}, "{}", std::string(addresses.status().message()));
    co_return Fetched{.error = FetchError::kResolve};
  }
  const std::vector<IpAddress> order = order_.Of(*addresses, Now());
  const auto race = std::make_shared<Race>();
  for (const IpAddress& address : order) {
    // Only the first one waits for a slot: those beside it are no more than a second chance.
    if (race->running.empty()) {
      const FetchError error = co_await WaitForSlot();
      if (error != FetchError::kNone) co_return Fetched{.error = error};
    } else if (open_ >= limits_.max_origin_connections) {
      break;
    }
    auto connection = NewConnection();
    race->running.push_back({.connection = connection.get(), .address = address});
    asio::co_spawn(executor_, Attempt(race, std::move(connection), address), asio::detached);
    co_await race->Await(executor_, Now() + kAttemptDelay);
    if (race->over) break;
  }
  while (!race->over && !race->running.empty()) co_await race->Await(executor_, MonoTime::max());
  race->over = true;
  for (const Race::Runner& loser : race->running) loser.connection->Close();
  if (!race->winner) co_return Fetched{.error = race->error};
  co_return Fetched{.connection = std::move(race->winner)};
}

Task<Fetched> OriginPool::Start(IpAddress client, std::string_view request, Asks asks, bool may_be_kept) {
  std::optional<AddressLimit::Place> place = origin_.clients.Enter(client);
  if (!place) co_return Fetched{.error = FetchError::kTooManyOfClient};
  auto permit = origin_.breaker.Admit(ResourceOf(request), Now());
  if (!permit) co_return Fetched{.error = FetchError::kCircuitOpen};
  Fetched fetched;
  if (may_be_kept) fetched.connection = TakeIdle();
  if (!fetched.connection) {
    fetched = co_await Connect();
    if (fetched.error != FetchError::kNone) {
      permit->Report(fetched.error, Now());
      co_return fetched;
    }
  }
  fetched.connection->Begin(asks, *std::move(permit), *std::move(place));
  fetched.error = co_await fetched.connection->Write(Gather(request));
  if (fetched.error != FetchError::kNone) fetched.connection->ReportFailure(fetched.error);
  co_return fetched;
}

Task<Fetched> OriginPool::Open(IpAddress client, std::string_view request, Asks asks) {
  co_return co_await Start(client, request, asks, /*may_be_kept=*/false);
}

Task<Fetched> OriginPool::Fetch(IpAddress client, std::string_view request, Asks asks,
                                const InterimSink* interim) {
  for (bool again = false;; again = true) {
    Fetched fetched = co_await Start(client, request, asks, /*may_be_kept=*/!again);
    if (!fetched.connection) co_return fetched;
    OriginConnection& connection = *fetched.connection;
    if (fetched.error == FetchError::kNone) {
      connection.AwaitResponse();
      fetched.error = co_await connection.ReadHead(interim);
    }
    if (fetched.error == FetchError::kNone) co_return fetched;
    const bool went_stale = connection.WentStale(fetched.error);
    fetched.connection.reset();
    if (!went_stale) co_return fetched;
  }
}

}  // namespace perigee::replica
