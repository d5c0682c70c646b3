#include "services/prober/measure_engine.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "fmt/format.h"

namespace perigee {
namespace {

namespace asio = boost::asio;

MonoTime Now() { return std::chrono::steady_clock::now(); }

absl::Status Stopping() { return absl::UnavailableError("the prober is stopping"); }

MeasureEnd EndOf(const absl::StatusOr<Measurement>& result) {
  if (!result.ok()) return MeasureEnd::kFailed;
  switch (result->method) {
    case ProbeMethod::kIcmpEcho:
      return MeasureEnd::kIcmpEcho;
    case ProbeMethod::kTcpSyn:
      return MeasureEnd::kTcpSyn;
    case ProbeMethod::kUdpPort:
      return MeasureEnd::kUdpPort;
    case ProbeMethod::kLastHop:
      return MeasureEnd::kLastHop;
    case ProbeMethod::kSilent:
      return MeasureEnd::kSilent;
  }
  return MeasureEnd::kFailed;
}

}  // namespace

MeasureEngine::MeasureEngine(const MeasureOptions& options, AddressPolicy policy,
                             const ProbeBudgetOptions& budget, RunFolder folder)
    : options_(options),
      policy_(std::move(policy)),
      budget_(budget),
      io_(1),
      loop_sign_(io_, life_.Add("the measuring loop", Now())),
      work_(io_.get_executor()),
      scamper_(io_, options.scamper, std::move(folder), [this](bool up) { OnScamper(up); }) {}

// NOLINTNEXTLINE(bugprone-exception-escape): what Asio and std::thread throw here means that memory ran out
MeasureEngine::~MeasureEngine() { Stop(); }

void MeasureEngine::Start(OnServing on_serving) {
  on_serving_ = std::move(on_serving);
  loop_sign_.Start();
  asio::post(io_, [this] { scamper_.Start(); });
  thread_ = std::thread([this] { io_.run(); });
}

void MeasureEngine::OnScamper(bool up) {
  scamper_up_ = up;
  if (up) counters_.scamper_starts.Add();
  on_serving_(up);
}

void MeasureEngine::Stop() {
  {
    const std::lock_guard lock(stop_mutex_);
    if (std::exchange(stopped_, true)) return;
    asio::post(io_, [this] { Shutdown(); });
  }
  if (thread_.joinable()) {
    thread_.join();
  } else {
    io_.run();  // never started: ends the calls that came all the same
  }
}

void MeasureEngine::Shutdown() {
  loop_sign_.Stop();
  scamper_.Stop();
  while (!calls_.empty()) Leave(calls_.begin()->first, Stopping());
  work_.reset();
}

MeasureEngine::CallId MeasureEngine::Measure(MeasureTarget target, MonoTime deadline, Done done) {
  const CallId id = ++last_call_;
  std::unique_lock lock(stop_mutex_);
  if (stopped_) {
    lock.unlock();
    done(Stopping());
    return id;
  }
  asio::post(io_, [this, id, target = std::move(target), deadline, done = std::move(done)]() mutable {
    Begin(id, std::move(target), deadline, std::move(done));
  });
  return id;
}

void MeasureEngine::Cancel(CallId call) {
  const std::lock_guard lock(stop_mutex_);
  if (stopped_) return;
  asio::post(io_, [this, call] { Leave(call, absl::CancelledError("the caller cancelled")); });
}

MonoTime MeasureEngine::SilentAt(const MeasureTarget& target, MonoTime deadline) const {
  const MonoTime patient = Now() + options_.silent_after + kEchoSpacing * (target.probes - 1);
  return std::min(patient, deadline - kAnswerMargin - kHaltGrace);
}

void MeasureEngine::Begin(CallId id, MeasureTarget target, MonoTime deadline, Done done) {
  if (absl::Status status = Join(id, target, deadline); !status.ok()) return done(std::move(status));
  auto timer = std::make_unique<asio::steady_timer>(io_, deadline - kAnswerMargin);
  timer->async_wait([this, id](const boost::system::error_code& error) {
    if (!error) OnDeadline(id);
  });
  calls_.emplace(id, Call{std::move(target), std::move(done), std::move(timer)});
}

absl::Status MeasureEngine::Refuse(MeasureRefusal why, absl::Status status) {
  counters_.refused[why].Add();
  return status;
}

absl::Status MeasureEngine::Join(CallId id, const MeasureTarget& target, MonoTime deadline) {
  if (absl::Status status = policy_.Check(target.address); !status.ok())
    return Refuse(MeasureRefusal::kPolicy, std::move(status));
  const MonoTime silent_at = SilentAt(target, deadline);
  auto flight = flights_.find(target);
  if (flight == flights_.end()) {
    const auto launched = Launch(target, silent_at);
    if (!launched.ok()) return launched.status();
    flight = *launched;
  } else if (flight->second.calls.size() >= options_.max_callers_per_flight) {
    return Refuse(
        MeasureRefusal::kCallerLimit,
        absl::ResourceExhaustedError(fmt::format(
            "{} calls wait for {} already", options_.max_callers_per_flight, target.address.ToString())));
  } else {
    flight->second.flight->Extend(silent_at);
  }
  flight->second.calls.push_back(id);
  return absl::OkStatus();
}

absl::StatusOr<MeasureEngine::Flights::iterator> MeasureEngine::Launch(const MeasureTarget& target,
                                                                       MonoTime silent_at) {
  if (flights_.size() >= options_.max_flights) {
    return Refuse(MeasureRefusal::kFlightLimit,
                  absl::ResourceExhaustedError(
                      fmt::format("{} measurements are under way already", options_.max_flights)));
  }
  if (absl::Status status = budget_.Take(target.address, target.packets(), Now()); !status.ok())
    return Refuse(MeasureRefusal::kBudget, std::move(status));
  const LadderPlan usual{.tcp_stagger = options_.tcp_stagger, .hop_stagger = options_.hop_stagger};
  auto flight = std::make_unique<Flight>(
      io_, scamper_, target, memory_.PlanFor(target.address, usual), silent_at,
      [this, client = target.address](uint32_t packets) { return MayTrace(client, packets); },
      [this, target](const absl::StatusOr<Measurement>& result) { OnFlightOver(target, result); });
  if (absl::Status status = flight->Start(); !status.ok()) {
    budget_.Return(target.address, target.packets());
    return Refuse(MeasureRefusal::kNotStarted, std::move(status));
  }
  counters_.started.Add();
  return flights_.emplace(target, SharedFlight{std::move(flight), {}}).first;
}

// Half of what is left to all is for clients that may answer by one or four packets.
bool MeasureEngine::MayTrace(const IpAddress& client, uint32_t packets) {
  const auto verdict = budget_.TryTake(client, Presence::kProven, packets, Now(), BudgetUse::kHalf).verdict;
  if (verdict != BudgetVerdict::kTaken) counters_.traces_refused.Add();
  return verdict == BudgetVerdict::kTaken;
}

// The flight is dropped in a turn of the loop of its own, for it may be what called us.
MeasureEngine::SharedFlight MeasureEngine::TakeFlight(Flights::iterator found, MeasureEnd end) {
  counters_.ended[end].Add();
  SharedFlight shared = std::move(found->second);
  flights_.erase(found);
  shared.flight->Stop();
  const uint32_t sent = shared.flight->ladder().packets_sent();
  counters_.packets.Add(sent);
  budget_.Return(shared.flight->target().address, shared.flight->packets_granted() - sent);
  asio::post(io_, [flight = std::move(shared.flight)] {});
  return shared;
}

void MeasureEngine::OnFlightOver(const MeasureTarget& target, const absl::StatusOr<Measurement>& result) {
  const auto found = flights_.find(target);
  if (found == flights_.end()) return;
  if (result.ok()) memory_.Learn(target.address, *result);
  const SharedFlight ended = TakeFlight(found, EndOf(result));
  for (const CallId id : ended.calls) Finish(id, result);
}

void MeasureEngine::OnDeadline(CallId id) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const auto flight = flights_.find(call->second.target);
  if (flight != flights_.end()) Leave(id, flight->second.flight->ladder().SoFar());
}

void MeasureEngine::Leave(CallId id, absl::StatusOr<Measurement> result) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  const auto flight = flights_.find(call->second.target);
  if (flight != flights_.end()) {
    std::erase(flight->second.calls, id);
    if (flight->second.calls.empty()) TakeFlight(flight, MeasureEnd::kAbandoned);
  }
  Finish(id, std::move(result));
}

void MeasureEngine::Finish(CallId id, absl::StatusOr<Measurement> result) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const Done done = std::move(found->second.done);
  calls_.erase(found);
  done(std::move(result));
}

}  // namespace perigee
