#include "services/replica/control/load_watchers.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace perigee::replica {
namespace {

// Says no, and is gone.
class Refusal final : public grpc::ServerWriteReactor<v1::WatchReport> {
 public:
  explicit Refusal(const grpc::Status& why) { Finish(why); }
  void OnDone() override { delete this; }
};

}  // namespace

uint32_t RequestRate(uint64_t before, uint64_t now, std::chrono::nanoseconds elapsed) {
  if (elapsed <= std::chrono::nanoseconds::zero() || now <= before) return 0;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const double rate = static_cast<double>(now - before) / seconds + 0.5;
  return static_cast<uint32_t>(std::min<double>(rate, UINT32_MAX));
}

// Writes, waits for its alarm, writes again. It finishes only where neither a write nor an alarm is under
// way, so that nothing of it is called after OnDone.
class LoadWatchers::Watcher final : public grpc::ServerWriteReactor<v1::WatchReport> {
 public:
  Watcher(LoadWatchers& owner, std::chrono::milliseconds interval, bool tells_clients)
      : owner_(owner),
        interval_(interval),
        tells_clients_(tells_clients),
        next_rtt_(owner.rtts_.now()),
        next_beacon_(owner.beacons_.now()) {}

  void Report() {
    const ServerStats stats = owner_.stats_();
    const MonoTime now = owner_.clock_.Now();
    report_.set_requests_per_second(first_ ? 0 : RequestRate(requests_, stats.requests, now - at_));
    report_.set_connections(static_cast<uint32_t>(std::min<uint64_t>(stats.connections, UINT32_MAX)));
    first_ = false;
    requests_ = stats.requests;
    at_ = now;
    if (tells_clients_) ReportClients();
    StartWrite(&report_);
  }

  void End(const grpc::Status& why) {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = why;
    if (alarm_) alarm_->Cancel();
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    if (!ok && !end_) end_ = grpc::Status::CANCELLED;
    if (end_) return FinishUnlocked(std::move(lock));
    alarm_ = std::make_unique<grpc::Alarm>();  // anew: the last one's call may still be on its way out
    alarm_->Set(std::chrono::system_clock::now() + interval_, [this](bool) { OnAlarm(); });
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    LoadWatchers& owner = owner_;
    const std::lock_guard lock(owner.mutex_);
    owner.watchers_.erase(this);
    delete this;
    owner.changed_.notify_all();
  }

 private:
  void ReportClients() {
    report_.clear_client_rtt();
    report_.clear_beacon();
    const ClientRtts::Report rtts = owner_.rtts_.Since(next_rtt_);
    next_rtt_ = rtts.next;
    for (const PrefixRtt& row : rtts.prefixes) {
      v1::ClientRtt& out = *report_.add_client_rtt();
      out.set_prefix(row.prefix.ToString());
      out.set_rtt_us(static_cast<uint32_t>(std::min<int64_t>(row.least.count(), UINT32_MAX)));
      out.set_connections(row.connections);
    }
    const Beacons::Report seen = owner_.beacons_.Since(next_beacon_);
    next_beacon_ = seen.next;
    for (const Beacon& beacon : seen.beacons) {
      v1::Beacon& out = *report_.add_beacon();
      out.set_client(beacon.client.ToString());
      out.set_token(beacon.token.text());
    }
  }

  void OnAlarm() {
    std::unique_lock lock(mutex_);
    if (end_) return FinishUnlocked(std::move(lock));
    lock.unlock();
    Report();
  }

  // Finish may lead to OnDone, and so to the mutex's end, before it returns.
  void FinishUnlocked(std::unique_lock<std::mutex> lock) {
    const grpc::Status status = *end_;
    lock.unlock();
    Finish(status);
  }

  LoadWatchers& owner_;
  const std::chrono::milliseconds interval_;
  const bool tells_clients_;
  uint64_t next_rtt_, next_beacon_;
  v1::WatchReport report_;
  bool first_ = true;
  uint64_t requests_ = 0;
  MonoTime at_{};

  std::mutex mutex_;
  std::optional<grpc::Status> end_;     // guarded by mutex_: how it is to end, once nothing is under way
  std::unique_ptr<grpc::Alarm> alarm_;  // guarded by mutex_
};

LoadWatchers::LoadWatchers(std::function<ServerStats()> stats, const Clock& clock, const ClientRtts& rtts,
                           const Beacons& beacons)
    : stats_(std::move(stats)), clock_(clock), rtts_(rtts), beacons_(beacons) {}

grpc::ServerWriteReactor<v1::WatchReport>* LoadWatchers::Add(const v1::WatchRequest& request) {
  const std::chrono::milliseconds interval =
      request.interval_ms() == 0 ? kDefaultWatchInterval : std::chrono::milliseconds(request.interval_ms());
  if (interval < kMinWatchInterval || interval > kMaxWatchInterval) {
    return new Refusal({grpc::StatusCode::INVALID_ARGUMENT,
                        fmt::format("interval_ms: {} is not between {} and {}", request.interval_ms(),
                                    kMinWatchInterval.count(), kMaxWatchInterval.count())});
  }
  Watcher* watcher = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return new Refusal({grpc::StatusCode::UNAVAILABLE, "the server is stopping"});
    if (watchers_.size() == kMaxWatchers) {
      return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED,
                          fmt::format("{} watchers already: end one first", kMaxWatchers)});
    }
    watcher = new Watcher(*this, interval, request.client_rtts());
    watchers_.insert(watcher);
  }
  watcher->Report();
  return watcher;
}

void LoadWatchers::End() {
  std::unique_lock lock(mutex_);
  ended_ = true;
  for (Watcher* watcher : watchers_) watcher->End({grpc::StatusCode::UNAVAILABLE, "the server is stopping"});
  changed_.wait(lock, [this] { return watchers_.empty(); });
}

}  // namespace perigee::replica
