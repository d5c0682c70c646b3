#include "services/dns/measurement/distance_survey.h"

#include <boost/asio/post.hpp>

namespace perigee::dns {
namespace {

constexpr uint32_t kProbes = 3;
constexpr auto kDeadline = std::chrono::milliseconds(3000);

std::vector<size_t> TargetsIn(const FleetState& fleet) {
  std::vector<size_t> targets;
  for (const ReplicaId id : fleet.landmarks()) targets.push_back(Index(id));
  return targets;
}

IpAddress AddressOf(const ReplicaInfo& info) { return info.ipv4 ? *info.ipv4 : *info.ipv6; }

}  // namespace

DistanceSurvey::DistanceSurvey(boost::asio::io_context& loop, FleetState& fleet, ProberClient& probers,
                               const Clock& clock, MeasurementLog* log, const SurveyPauses& pauses)
    : loop_(loop),
      fleet_(fleet),
      probers_(probers),
      clock_(clock),
      log_(log),
      pauses_(pauses),
      timer_(loop),
      targets_(TargetsIn(fleet)) {
  boost::asio::post(loop_, life_.Guard([this] { StartRound(); }));
}

void DistanceSurvey::StartRound() {
  rows_under_way_ = fleet_.size();
  rows_.assign(fleet_.size(), {});
  for (size_t from = 0; from < fleet_.size(); ++from) Measure(from, 0);
}

void DistanceSurvey::Measure(size_t from, size_t nth) {
  if (stopped_.load(std::memory_order_relaxed)) return;
  if (nth < targets_.size() && targets_[nth] == from) ++nth;
  if (nth == targets_.size()) return EndRow(from);
  const ReplicaInfo& target = fleet_.info(ToReplicaId(targets_[nth]));
  const ProberClient::Request request{
      .address = AddressOf(target), .probes = kProbes, .tcp_ports = {target.http_port}};
  auto on_answer = life_.Guard([this, from, nth](const Sample& sample) { OnAnswer(from, nth, sample); });
  probers_.Measure(ToReplicaId(from), request, kDeadline, [&loop = loop_, on_answer](const Sample& sample) {
    boost::asio::post(loop, [on_answer, sample]() mutable { on_answer(sample); });
  });
}

void DistanceSurvey::OnAnswer(size_t from, size_t nth, const Sample& sample) {
  const size_t to = targets_[nth];
  if (sample.measured()) {
    fleet_.SetDistance(ToReplicaId(from), ToReplicaId(to), sample.rtt);
    rows_[from].distances.push_back({fleet_.info(ToReplicaId(to)).name, sample.rtt});
  }
  Measure(from, nth + 1);
}

void DistanceSurvey::EndRow(size_t from) {
  if (log_ != nullptr && !rows_[from].distances.empty()) {
    rows_[from].time = clock_.WallNow();
    rows_[from].from = fleet_.info(ToReplicaId(from)).name;
    log_->Write(std::move(rows_[from]));
  }
  if (--rows_under_way_ > 0) return;
  timer_.expires_after(complete() ? pauses_.complete : pauses_.incomplete);
  timer_.async_wait(life_.Guard([this](boost::system::error_code error) {
    if (!error) StartRound();
  }));
}

bool DistanceSurvey::complete() const {
  const ReplicaDistances distances = fleet_.distances();
  for (size_t a = 0; a < fleet_.size(); ++a) {
    for (const size_t b : targets_) {
      if (a == b) continue;
      if (distances.Between(ToReplicaId(a), ToReplicaId(b)) == Rtt::zero()) return false;
    }
  }
  return true;
}

}  // namespace perigee::dns
