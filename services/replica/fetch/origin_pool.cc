#include "services/replica/fetch/origin_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace perigee::replica {

OriginPool::OriginPool(const Executor& executor, DeadlineSweeper& sweeper, const Limits& limits,
                       const Clock& clock, const OriginAddress& origin, ResolverOptions resolver_options)
    : executor_(executor),
      sweeper_(sweeper),
      limits_(limits),
      clock_(clock),
      origin_(origin),
      resolver_(executor, origin.host, std::move(resolver_options)) {}

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
  if (!connection->reusable() || stopped_ || idle_.size() >= limits_.max_idle_origin_connections) return;
  connection->Park(std::chrono::steady_clock::now() + limits_.origin_keep_alive);
  idle_.push_back(std::move(connection));
  WakeOne();
}

Task<FetchError> OriginPool::WaitForSlot() {
  const MonoTime deadline = std::chrono::steady_clock::now() + limits_.connect_timeout;
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

Task<Fetched> OriginPool::Open(bool head_request) {
  const auto addresses = co_await resolver_.Addresses();
  if (!addresses.ok()) {
    spdlog::warn("{}", std::string(addresses.status().message()));
    co_return Fetched{.error = FetchError::kResolve};
  }
  FetchError error = FetchError::kConnect;
  for (size_t i = 0; i < addresses->size() && !stopped_; ++i) {
    error = co_await WaitForSlot();
    if (error != FetchError::kNone) break;
    const size_t at = (first_address_ + i) % addresses->size();
    ++open_;
    auto connection = std::make_unique<OriginConnection>(executor_, sweeper_, limits_, clock_,
                                                         [this] { OnConnectionClosed(); });
    error = co_await connection->Connect((*addresses)[at], origin_.port);
    if (error == FetchError::kNone) {
      first_address_ = at;
      connection->Begin(head_request);
      co_return Fetched{.connection = std::move(connection)};
    }
    spdlog::debug("origin {}: {}", (*addresses)[at].ToString(origin_.port), Name(error));
  }
  co_return Fetched{.error = error};
}

Task<Fetched> OriginPool::Fetch(std::string_view request, bool head_request, const InterimSink* interim) {
  Fetched fetched{.connection = TakeIdle()};
  if (fetched.connection) fetched.connection->Begin(head_request);
  for (;;) {
    if (!fetched.connection) {
      fetched = co_await Open(head_request);
      if (fetched.error != FetchError::kNone) co_return fetched;
    }
    OriginConnection& connection = *fetched.connection;
    fetched.error = co_await connection.Write(Gather(request));
    if (fetched.error == FetchError::kNone) {
      connection.AwaitResponse();
      fetched.error = co_await connection.ReadHead(interim);
    }
    if (fetched.error == FetchError::kNone) co_return fetched;
    const bool went_stale =
        fetched.error == FetchError::kClosed && connection.used_before() && !connection.heard();
    fetched.connection.reset();
    if (!went_stale) co_return fetched;
  }
}

}  // namespace perigee::replica
