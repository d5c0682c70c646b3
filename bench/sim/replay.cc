#include "bench/sim/replay.h"

#include <algorithm>
#include <fstream>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

namespace perigee::sim {
namespace {

using dns::FlightCause;
using dns::MeasurementRecord;
using Answers = std::vector<std::optional<MeasurementRecord::Answer>>;  // by replica

// The clock begins so long before the first query.
constexpr auto kHeadStart = std::chrono::seconds(1);
constexpr auto kAfterwards = std::chrono::seconds(10);

void AddName(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

WallTime BeginningOf(const MeasurementRecord& record) {
  Rtt longest{};
  for (const auto& answer : record.answers) longest = std::max(longest, answer.after);
  return record.time - longest;
}

// One client's measurements, in order.
struct History {
  struct Moment {
    MonoTime begin;
    FlightCause cause{};
    Answers answers;
  };
  std::vector<Moment> moments;

  // What that replica said to a flight of so many probes that begins now: in the measurement of that kind
  // nearest in time, or else of any.
  const MeasurementRecord::Answer* At(MonoTime now, size_t replica, bool refinement) const {
    const MeasurementRecord::Answer* found = nullptr;
    bool found_kind = false;
    MonoTime::duration found_distance{};
    for (const Moment& moment : moments) {
      if (!moment.answers[replica]) continue;
      const bool kind = (moment.cause == FlightCause::kRefinement) == refinement;
      const auto distance = std::chrono::abs(moment.begin - now);
      if (found != nullptr && (kind < found_kind || (kind == found_kind && distance >= found_distance)))
        continue;
      found = &*moment.answers[replica];
      found_kind = kind;
      found_distance = distance;
    }
    return found;
  }
};

// By the first address of the client's network, which is what its probers are told.
using Histories = absl::flat_hash_map<IpAddress, History>;

class RecordedProbers final : public Probers {
 public:
  RecordedProbers(const Histories& clients, const Clock& clock) : clients_(clients), clock_(clock) {}

  void Measure(uint64_t flight, dns::ReplicaId replica, const IpAddress& client, uint32_t probes,
               std::chrono::milliseconds deadline) override {
    packets_ += probes;
    const auto found = clients_.find(client);
    const auto* answer =
        found == clients_.end() ? nullptr : found->second.At(clock_.Now(), Index(replica), probes > 1);
    const Rtt after = answer == nullptr ? deadline : answer->after;
    Arrive(clock_.Now() + after, {flight, replica, answer == nullptr ? dns::Sample{} : answer->sample});
  }

  uint64_t packets() const { return packets_; }

 private:
  const Histories& clients_;
  const Clock& clock_;
  uint64_t packets_ = 0;
};

std::vector<dns::ReplicaInfo> InfosOf(const Recording& recording) {
  std::vector<dns::ReplicaInfo> infos;
  for (const std::string& name : recording.replicas) infos.push_back({.name = name});
  return infos;
}

class Replaying {
 public:
  Replaying(const Recording& recording, const dns::FlightOptions& flights)
      : recording_(recording),
        fleet_(InfosOf(recording)),
        begin_(clock_.Now() + kHeadStart),
        control_(fleet_.size()),
        probers_(clients_, clock_),
        director_(flights, fleet_, probers_, clock_, 2 * recording.measurements.size() + 1024) {
    for (const MeasurementRecord& record : recording.measurements) Remember(record);
    for (size_t i = 0; i < fleet_.size(); ++i) fleet_.SetControlRtt(dns::ToReplicaId(i), control_[i]);
    for (const auto& [time, from, distances] : recording.distances) {
      for (const auto& [to, rtt] : distances) fleet_.SetDistance(*fleet_.Find(from), *fleet_.Find(to), rtt);
    }
  }

  Report Run() {
    Report report;
    absl::flat_hash_map<IpPrefix, size_t> numbers;
    for (const MeasurementRecord& record : recording_.measurements) {
      if (record.cause == FlightCause::kQuery && numbers.emplace(record.client, numbers.size()).second) {
        report.clients.push_back(ReportOf(record));
      }
    }
    for (const MeasurementRecord& record : recording_.measurements) {
      const auto client = numbers.find(record.client);
      if (record.cause == FlightCause::kRefinement || client == numbers.end()) continue;
      director_.RunUntil(std::max(clock_.Now(), When(record)));
      ClientReport& to = report.clients[client->second];
      director_.Ask({.address = record.client.address(), .prefix = record.client},
                    to.first ? &to.again : &to.first);
    }
    director_.RunUntil(clock_.Now() + kAfterwards);
    // Everybody asks once more: what is known now.
    for (const auto& [prefix, number] : numbers) {
      director_.Ask({.address = prefix.address(), .prefix = prefix}, &report.clients[number].again);
    }
    director_.RunUntil(clock_.Now() + kAfterwards);
    report.packets = probers_.packets();
    report.map_rows = director_.map_rows();
    return report;
  }

 private:
  MonoTime When(const MeasurementRecord& record) const {
    return begin_ + (record.time - recording_.measurements.front().time);
  }

  void Remember(const MeasurementRecord& record) {
    Answers answers(recording_.replicas.size());
    for (const auto& answer : record.answers) {
      const size_t replica = Index(*fleet_.Find(answer.replica));
      answers[replica] = answer;
      if (!answer.sample.measured() || record.cause == FlightCause::kRefinement) continue;
      // The least that a call took beyond its measurement is the way to the prober.
      Rtt& control = control_[replica];
      const Rtt way = answer.after - answer.sample.rtt;
      if (way > Rtt{}) control = control == Rtt{} ? way : std::min(control, way);
    }
    clients_[record.client.address()].moments.push_back({When(record), record.cause, std::move(answers)});
  }

  ClientReport ReportOf(const MeasurementRecord& first) const {
    const size_t n = recording_.replicas.size();
    ClientReport report{.name = first.client.ToString(), .answers = "nothing", .truth = std::vector<Rtt>(n)};
    report.samples.resize(n);
    for (const History::Moment& moment : clients_.at(first.client.address()).moments) {
      for (size_t i = 0; i < n; ++i) {
        if (!moment.answers[i] || !moment.answers[i]->sample.measured()) continue;
        const dns::Sample& sample = moment.answers[i]->sample;
        report.answers = sample.method == dns::Method::kIcmpEcho ? "icmp" : "tcp";
        report.truth[i] = report.truth[i] == Rtt{} ? sample.rtt : std::min(report.truth[i], sample.rtt);
      }
    }
    for (const auto& [replica, sample, after] : first.answers) {
      report.samples[Index(*fleet_.Find(replica))] = sample;
      report.last_answer = std::max(report.last_answer, after);
      if (!sample.measured()) continue;
      report.first_answer = report.first_answer == Rtt{} ? after : std::min(report.first_answer, after);
    }
    return report;
  }

  const Recording& recording_;
  FakeClock clock_;
  dns::FleetState fleet_;
  const MonoTime begin_;
  std::vector<Rtt> control_;
  Histories clients_;
  RecordedProbers probers_;
  Director director_;
};

}  // namespace

absl::StatusOr<Recording> Recording::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be read", path));
  Recording recording;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    auto logged = dns::ParseMeasurement(line);
    if (!logged.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: {}", path, number, std::string(logged.status().message())));
    }
    if (auto* record = std::get_if<MeasurementRecord>(&*logged)) {
      for (const auto& answer : record->answers) AddName(recording.replicas, answer.replica);
      record->time = BeginningOf(*record);
      recording.measurements.push_back(std::move(*record));
    } else {
      auto& distances = std::get<dns::DistancesRecord>(*logged);
      AddName(recording.replicas, distances.from);
      for (const auto& distance : distances.distances) AddName(recording.replicas, distance.to);
      recording.distances.push_back(std::move(distances));
    }
    if (recording.replicas.size() > dns::kMaxReplicas) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: more than {} replicas", path, number, dns::kMaxReplicas));
    }
  }
  if (recording.measurements.empty())
    return absl::InvalidArgumentError(fmt::format("{}: no measurement", path));
  std::stable_sort(recording.measurements.begin(), recording.measurements.end(),
                   [](const auto& a, const auto& b) { return a.time < b.time; });
  return recording;
}

Report Replay(const Recording& recording, const dns::FlightOptions& flights) {
  return Replaying(recording, flights).Run();
}

}  // namespace perigee::sim
