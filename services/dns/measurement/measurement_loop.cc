#include "services/dns/measurement/measurement_loop.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace perigee::dns {

MeasurementLoop::MeasurementLoop(boost::asio::io_context& loop, const FlightOptions& options,
                                 FleetState& fleet, RttMap& map, ProberClient& probers, const Clock& clock,
                                 Permit& permit, MeasurementCounters* counters, MeasurementLog* log)
    : loop_(loop),
      probers_(probers),
      board_(options, fleet, map, *this, clock, permit, counters, log),
      backlog_full_(counters == nullptr ? nullptr : &counters->backlog_full),
      timer_(loop) {}

bool MeasurementLoop::Admit(int most) {
  if (backlog_.fetch_add(1, std::memory_order_relaxed) < most) return true;
  backlog_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool MeasurementLoop::AdmitQuery() {
  const bool admitted = Admit(kMaxBacklog);
  if (!admitted && backlog_full_ != nullptr) backlog_full_->Add();
  return admitted;
}

void MeasurementLoop::Park(const ClientKey& client, FlightBoard::Done done) {
  if (!AdmitQuery()) return done(nullptr);
  boost::asio::post(loop_, life_.Guard([this, client, done = std::move(done)]() mutable {
    backlog_.fetch_sub(1, std::memory_order_relaxed);
    board_.Park(client, std::move(done));
    ArmTimer();
  }));
}

void MeasurementLoop::Refresh(const ClientKey& client) {
  if (!AdmitQuery()) return;
  boost::asio::post(loop_, life_.Guard([this, client] {
    backlog_.fetch_sub(1, std::memory_order_relaxed);
    board_.Refresh(client);
    ArmTimer();
  }));
}

void MeasurementLoop::LearnPassive(ReplicaId replica, std::vector<PassiveRtt> rtts) {
  if (passive_queued_[Index(replica)].exchange(true, std::memory_order_relaxed)) return;
  boost::asio::post(loop_, life_.Guard([this, replica, rtts = std::move(rtts)] {
    passive_queued_[Index(replica)].store(false, std::memory_order_relaxed);
    board_.OnPassive(replica, rtts);
  }));
}

void MeasurementLoop::NoteBeacon(const BeaconToken& token, const IpPrefix& resolver) {
  if (!Admit(kMaxBacklogForBeacons)) return;
  boost::asio::post(loop_, life_.Guard([this, token, resolver] {
    backlog_.fetch_sub(1, std::memory_order_relaxed);
    board_.OnBeaconQuery(token, resolver);
  }));
}

void MeasurementLoop::LearnBeacons(ReplicaId replica, std::vector<SeenBeacon> beacons) {
  if (beacons_queued_[Index(replica)].exchange(true, std::memory_order_relaxed)) return;
  boost::asio::post(loop_, life_.Guard([this, replica, beacons = std::move(beacons)] {
    beacons_queued_[Index(replica)].store(false, std::memory_order_relaxed);
    board_.OnBeacons(beacons);
    ArmTimer();
  }));
}

void MeasurementLoop::Stop() {
  boost::asio::post(loop_, life_.Guard([this] {
    board_.Stop();
    ArmTimer();
  }));
}

void MeasurementLoop::Measure(uint64_t flight, ReplicaId replica, const IpAddress& client, uint32_t probes,
                              std::chrono::milliseconds deadline) {
  auto on_answer = life_.Guard([this, flight, replica](const Sample& sample) {
    board_.OnAnswer(flight, replica, sample);
    ArmTimer();
  });
  // Not counted as backlog: an answer is never dropped, and flights bound their number.
  probers_.Measure(replica, {.address = client, .probes = probes}, deadline,
                   [&loop = loop_, on_answer](const Sample& sample) {
                     boost::asio::post(loop, [on_answer, sample]() mutable { on_answer(sample); });
                   });
}

void MeasurementLoop::ArmTimer() {
  const auto due = board_.next_due();
  if (due == armed_for_) return;
  armed_for_ = due;
  if (!due) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*due);
  timer_.async_wait(life_.Guard([this](boost::system::error_code error) {
    if (error) return;
    armed_for_.reset();
    board_.OnTime();
    ArmTimer();
  }));
}

}  // namespace perigee::dns
