#include "services/dns/fleet/load_watch.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "lib/log/log.h"
#include "lib/rpc/call_group.h"
#include "perigee/v1/replica.grpc.pb.h"

namespace perigee::dns {

std::chrono::milliseconds ReconnectDelay::Next() { return std::exchange(next_, std::min(2 * next_, last_)); }

std::vector<PassiveRtt> ReadClientRtts(const v1::WatchReport& report) {
  std::vector<PassiveRtt> rtts;
  for (const v1::ClientRtt& said : report.client_rtt()) {
    if (rtts.size() == kMaxClientRtts) break;
    const auto prefix = IpPrefix::Parse(said.prefix());
    const Rtt rtt(said.rtt_us());
    if (!prefix.ok() || *prefix != ClientPrefix(prefix->address())) continue;
    if (rtt > Rtt::zero() && rtt <= kMaxClientRtt) rtts.push_back({*prefix, rtt});
  }
  return rtts;
}

std::vector<SeenBeacon> ReadBeacons(const v1::WatchReport& report) {
  std::vector<SeenBeacon> beacons;
  for (const v1::Beacon& said : report.beacon()) {
    if (beacons.size() == kMaxBeacons) break;
    const auto client = IpAddress::Parse(said.client());
    auto token = BeaconToken::Parse(said.token());
    if (client.ok() && token) beacons.push_back({*client, *std::move(token)});
  }
  return beacons;
}

// The first members belong to the loop's thread, the atomics to all.
struct LoadWatch::Peer {
  Peer(ReplicaId r, const LoadWatchOptions& options, const std::shared_ptr<grpc::Channel>& channel)
      : replica(r), delay(options.first_delay, options.last_delay), stub(v1::Replica::NewStub(channel)) {}

  const ReplicaId replica;
  ReconnectDelay delay;
  bool watching = false;
  MonoTime heard{};    // the last report
  MonoTime started{};  // the watch
  MonoTime retry_at{};

  // At most one report of a peer is queued in the loop, however fast it sends them: the latest counts.
  std::atomic<uint32_t> requests_per_second{0};
  std::atomic<bool> report_queued{false};

  std::mutex mutex;
  Watcher* watcher = nullptr;  // guarded by `mutex`; nullptr before OnDone lets go of it

  std::unique_ptr<v1::Replica::Stub> stub;
  CallGroup calls;  // destroyed first: cancels what is under way and waits for it
};

// One call of Watch. Owned by itself: gone when gRPC is done with it.
class LoadWatch::Watcher final : public grpc::ClientReadReactor<v1::WatchReport> {
 public:
  Watcher(LoadWatch& owner, Peer& peer) : member_(peer.calls), owner_(owner), peer_(peer) {
    request_.set_interval_ms(static_cast<uint32_t>(owner.options_.interval.count()));
    request_.set_client_rtts(owner.options_.on_client_rtts != nullptr);
  }

  void Start() {
    {
      const std::lock_guard lock(peer_.mutex);
      peer_.watcher = this;
    }
    peer_.stub->async()->Watch(&member_.context, &request_, this);
    StartRead(&report_);
    StartCall();
  }

  void Cancel() { member_.context.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    peer_.requests_per_second = report_.requests_per_second();
    if (!peer_.report_queued.exchange(true)) owner_.Post(&LoadWatch::OnReport, peer_);
    if (report_.client_rtt_size() > 0 && owner_.options_.on_client_rtts != nullptr) {
      owner_.options_.on_client_rtts(peer_.replica, ReadClientRtts(report_));
    }
    if (report_.beacon_size() > 0 && owner_.options_.on_beacons != nullptr) {
      owner_.options_.on_beacons(peer_.replica, ReadBeacons(report_));
    }
    StartRead(&report_);
  }

  void OnDone(const grpc::Status& status) override {
    {
      const std::lock_guard lock(peer_.mutex);
      peer_.watcher = nullptr;
    }
    LogDebug(LogModule::kDnsFleet, {{"replica_index", Index(peer_.replica)}}, "watch of replica {} ended: {}",
             Index(peer_.replica), status.error_message());
    owner_.Post(&LoadWatch::OnEnd, peer_);
    delete this;
  }

 private:
  CallGroup::Membership member_;
  LoadWatch& owner_;
  Peer& peer_;
  v1::WatchRequest request_;
  v1::WatchReport report_;
};

LoadWatch::LoadWatch(boost::asio::io_context& loop, FleetState& fleet,
                     std::span<const std::shared_ptr<grpc::Channel>> servers, const LoadWatchOptions& options)
    : loop_(loop), fleet_(fleet), options_(options), timer_(loop) {
  for (size_t i = 0; i < fleet.size(); ++i) {
    peers_.push_back(std::make_unique<Peer>(ToReplicaId(i), options_, servers[i]));
  }
  boost::asio::post(loop_, life_.Guard([this] { Look(); }));
}

LoadWatch::~LoadWatch() { Stop(); }

void LoadWatch::Stop() {
  {
    const std::lock_guard lock(starting_);
    stopped_ = true;
  }
  for (const auto& peer : peers_) peer->calls.Stop();
}

void LoadWatch::Post(void (LoadWatch::*handle)(Peer&), Peer& peer) {
  boost::asio::post(loop_, life_.Guard([this, handle, &peer] { (this->*handle)(peer); }));
}

void LoadWatch::Look() {
  if (stopped_) return;
  const MonoTime now = std::chrono::steady_clock::now();
  for (const auto& peer : peers_) {
    if (!peer->watching && now >= peer->retry_at) Watch(*peer);
    if (now - peer->heard <= options_.stale) continue;
    fleet_.SetLoad(peer->replica, 0);
    if (now - peer->started > options_.stale) Cancel(*peer);
  }
  timer_.expires_after(options_.interval);
  timer_.async_wait(life_.Guard([this](boost::system::error_code) { Look(); }));
}

void LoadWatch::Watch(Peer& peer) {
  const std::lock_guard lock(starting_);
  if (stopped_) return;
  peer.watching = true;
  peer.started = std::chrono::steady_clock::now();
  if (peer.heard == MonoTime{})
    peer.heard = peer.started;  // what was inherited holds as long as a report does
  (new Watcher(*this, peer))->Start();
}

void LoadWatch::Cancel(Peer& peer) {
  const std::lock_guard lock(peer.mutex);
  if (peer.watcher != nullptr) peer.watcher->Cancel();
}

void LoadWatch::OnReport(Peer& peer) {
  if (stopped_) return;
  peer.report_queued = false;
  peer.heard = std::chrono::steady_clock::now();
  peer.delay.Reset();
  const bool was = fleet_.overloaded().Contains(peer.replica);
  fleet_.SetLoad(peer.replica, peer.requests_per_second);
  const bool is = fleet_.overloaded().Contains(peer.replica);
  if (is == was) return;
  const ReplicaInfo& info = fleet_.info(peer.replica);
  const uint32_t load = fleet_.load(peer.replica);
  LogWarning(LogModule::kDnsFleet, {{"replica", info.name}, {"requests_per_second", load}},
             "replica {} {}: {} requests/s, its limit is {}", info.name,
             is ? "is overloaded" : "bears new clients again", load, info.max_requests_per_second);
}

void LoadWatch::OnEnd(Peer& peer) {
  peer.watching = false;
  peer.retry_at = std::chrono::steady_clock::now() + peer.delay.Next();
}

}  // namespace perigee::dns
