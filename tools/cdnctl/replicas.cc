#include "tools/cdnctl/replicas.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "lib/rpc/control.h"
#include "tools/cdnctl/table.h"

namespace perigee::cdnctl {
namespace {

// URLs that are listed one by one when they did not become stored; the rest are counted.
constexpr size_t kMaxListedUrls = 20;
// What one call of Warm may name, and what of it fits a message to a control port.
constexpr int kMaxUrlsPerCall = 1'000;
constexpr size_t kMaxCallBytes = 500'000;

using Row = std::vector<std::string>;

// Asks all at once, a thread for each, and waits for all.
template <typename Response, typename Ask>
std::vector<Outcome<Response>> AskAll(const std::vector<Replica>& replicas, std::chrono::seconds timeout,
                                      Ask ask) {
  const auto deadline = std::chrono::system_clock::now() + timeout;
  std::vector<Outcome<Response>> outcomes(replicas.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < replicas.size(); ++i) {
    outcomes[i].replica = replicas[i].name;
    threads.emplace_back([&, i] {
      grpc::ClientContext context;
      context.set_deadline(deadline);
      outcomes[i].status = FromGrpcStatus(ask(*replicas[i].stub, context, &outcomes[i].response));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

// A table with a row of `cells(response)` for each replica, dashes and the reason where it failed.
template <typename Response, typename Cells>
std::string TableOf(const std::vector<Outcome<Response>>& outcomes, Row header, Cells cells) {
  const size_t width = header.size();
  header.insert(header.begin(), "REPLICA");
  header.emplace_back("RESULT");
  std::vector<Row> rows = {std::move(header)};
  for (const auto& outcome : outcomes) {
    Row row = outcome.status.ok() ? cells(outcome.response) : Row(width, "-");
    row.insert(row.begin(), outcome.replica);
    row.push_back(outcome.status.ok() ? "ok" : ErrorText(outcome.status));
    rows.push_back(std::move(row));
  }
  std::vector<Align> align(width + 2, Align::kRight);
  align.front() = align.back() = Align::kLeft;
  return FormatTable(align, rows);
}

std::string_view Word(v1::WarmOutcome outcome) {
  switch (outcome) {
    case v1::WARM_OUTCOME_STORED:
      return "stored";
    case v1::WARM_OUTCOME_HIT:
      return "hit";
    case v1::WARM_OUTCOME_REVALIDATED:
      return "revalidated";
    case v1::WARM_OUTCOME_JOINED:
      return "joined";
    case v1::WARM_OUTCOME_NOT_STORED:
      return "not-stored";
    case v1::WARM_OUTCOME_FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

bool IsUnwell(const v1::WarmResult& result) {
  return result.outcome() == v1::WARM_OUTCOME_NOT_STORED || result.outcome() == v1::WARM_OUTCOME_FAILED;
}

std::string Mb(uint64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6); }

Row WarmRow(const v1::WarmResults& warmed) {
  const auto& results = warmed.results();
  Row row;
  uint64_t bytes = 0;
  for (const auto& result : results) bytes += result.bytes();
  for (const v1::WarmOutcome outcome :
       {v1::WARM_OUTCOME_STORED, v1::WARM_OUTCOME_HIT, v1::WARM_OUTCOME_REVALIDATED, v1::WARM_OUTCOME_JOINED,
        v1::WARM_OUTCOME_NOT_STORED, v1::WARM_OUTCOME_FAILED}) {
    row.push_back(fmt::to_string(std::count_if(results.begin(), results.end(),
                                               [&](const auto& r) { return r.outcome() == outcome; })));
  }
  row.push_back(Mb(bytes));
  return row;
}

// One line for each URL that did not become stored.
std::string UnwellUrls(const std::vector<Outcome<v1::WarmResults>>& outcomes) {
  std::vector<Row> rows;
  size_t more = 0;
  for (const auto& outcome : outcomes) {
    for (const v1::WarmResult& result : outcome.response.results()) {
      if (!IsUnwell(result)) continue;
      if (rows.size() == kMaxListedUrls) {
        ++more;
        continue;
      }
      const std::string status = result.status() == 0 ? "-" : fmt::to_string(result.status());
      rows.push_back(
          {outcome.replica, result.url(), std::string(Word(result.outcome())), status, result.detail()});
    }
  }
  if (rows.empty()) return "";
  rows.insert(rows.begin(), {"REPLICA", "URL", "OUTCOME", "STATUS", "DETAIL"});
  std::string text =
      "\n" + FormatTable({Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kLeft}, rows);
  if (more > 0) text += fmt::format("and {} more\n", more);
  return text;
}

int Failed(const v1::WarmResults& warmed) {
  return static_cast<int>(std::count_if(warmed.results().begin(), warmed.results().end(), [](const auto& r) {
    return r.outcome() == v1::WARM_OUTCOME_FAILED;
  }));
}

// What was done before an error counts too.
v1::ReplicasReport WarmMessage(const std::vector<Outcome<v1::WarmResults>>& outcomes) {
  v1::ReplicasReport report = ToMessage(outcomes, &v1::ReplicaOutcome::mutable_warm);
  for (size_t i = 0; i < outcomes.size(); ++i)
    *report.mutable_replicas(static_cast<int>(i))->mutable_warm() = outcomes[i].response;
  return report;
}

std::string WarmTable(std::vector<Outcome<v1::WarmResults>> outcomes, size_t urls) {
  const std::string unwell = UnwellUrls(outcomes);
  for (auto& outcome : outcomes) {
    if (outcome.status.ok()) continue;
    outcome.status =
        absl::UnknownError(fmt::format("{} of {} URLs, {} failed: {}", outcome.response.results_size(), urls,
                                       Failed(outcome.response), ErrorText(outcome.status)));
  }
  return TableOf(outcomes, {"STORED", "HIT", "REVALIDATED", "JOINED", "NOT STORED", "FAILED", "MB"},
                 WarmRow) +
         unwell;
}

std::string StatsTable(const std::vector<Outcome<v1::StatsResponse>>& outcomes) {
  return TableOf(outcomes,
                 {"UP s", "CLIENTS", "REQUESTS", "HIT %", "COLLAPSED", "STALE", "ORIGIN ERRORS", "OBJECTS",
                  "MB", "OF", "EVICTIONS", "PURGED", "DRAINED"},
                 [](const v1::StatsResponse& r) {
                   return Row{fmt::to_string(r.uptime_seconds()),
                              fmt::to_string(r.connections()),
                              fmt::to_string(r.requests()),
                              Percent(r.hits(), r.requests()),
                              fmt::to_string(r.collapsed()),
                              fmt::to_string(r.stale()),
                              fmt::to_string(r.origin_errors()),
                              fmt::to_string(r.cache_objects()),
                              Mb(r.cache_bytes()),
                              Mb(r.cache_budget_bytes()),
                              fmt::to_string(r.evictions()),
                              fmt::to_string(r.purged_objects()),
                              r.drained() ? "yes" : "no"};
                 });
}

}  // namespace

Report PurgeReport(const std::vector<Outcome<v1::PurgeResponse>>& outcomes, Format format) {
  const Obeyed obeyed = WhoObeyed(outcomes);
  if (format == Format::kJson)
    return {ToJson(ToMessage(outcomes, &v1::ReplicaOutcome::mutable_purge)), obeyed};
  return {TableOf(outcomes, {"OBJECTS"}, [](const auto& r) { return Row{fmt::to_string(r.objects())}; }),
          obeyed};
}

Report WarmReport(const std::vector<Outcome<v1::WarmResults>>& outcomes, size_t urls, Format format) {
  const auto has_all = [](const auto& o) { return o.status.ok() && Failed(o.response) == 0; };
  const Obeyed obeyed = WhoObeyed(outcomes, has_all);
  return {format == Format::kJson ? ToJson(WarmMessage(outcomes)) : WarmTable(outcomes, urls), obeyed};
}

Report StatsReport(const std::vector<Outcome<v1::StatsResponse>>& outcomes, Format format) {
  const Obeyed obeyed = WhoObeyed(outcomes);
  if (format == Format::kJson)
    return {ToJson(ToMessage(outcomes, &v1::ReplicaOutcome::mutable_stats)), obeyed};
  return {StatsTable(outcomes), obeyed};
}

Report DrainReport(const std::vector<Outcome<v1::DrainResponse>>& outcomes, bool resume, Format format) {
  const Obeyed obeyed = WhoObeyed(outcomes);
  if (format == Format::kJson)
    return {ToJson(ToMessage(outcomes, &v1::ReplicaOutcome::mutable_drain)), obeyed};
  const auto cells = [resume](const v1::DrainResponse& r) {
    return Row{resume ? "serving" : "drained", r.was_drained() ? "drained" : "serving",
               fmt::to_string(r.connections())};
  };
  return {TableOf(outcomes, {"NOW", "WAS", "CLIENTS"}, cells), obeyed};
}

Report Purge(const std::vector<Replica>& replicas, const v1::PurgeRequest& request, const Ask& ask) {
  const auto purge = [&](auto& stub, auto& context, auto* response) {
    return stub.Purge(&context, request, response);
  };
  return PurgeReport(AskAll<v1::PurgeResponse>(replicas, ask.timeout, purge), ask.format);
}

std::vector<v1::WarmRequest> CallsOf(const v1::WarmRequest& request) {
  v1::WarmRequest empty = request;
  empty.clear_urls();
  std::vector<v1::WarmRequest> calls;
  size_t bytes = 0;
  for (const std::string& url : request.urls()) {
    bytes += url.size();
    if (calls.empty() || calls.back().urls_size() == kMaxUrlsPerCall || bytes > kMaxCallBytes) {
      calls.push_back(empty);
      bytes = url.size();
    }
    calls.back().add_urls(url);
  }
  return calls;
}

Report Warm(const std::vector<Replica>& replicas, const v1::WarmRequest& request, const Ask& ask) {
  const auto warm = [calls = CallsOf(request)](auto& stub, auto& context, v1::WarmResults* warmed) {
    grpc::Status status;
    for (size_t i = 0; i < calls.size() && status.ok(); ++i) {
      grpc::ClientContext call;
      call.set_deadline(context.deadline());
      const auto reader = stub.Warm(&call, calls[i]);
      v1::WarmResult result;
      while (reader->Read(&result)) *warmed->add_results() = result;
      status = reader->Finish();
    }
    return status;
  };
  return WarmReport(AskAll<v1::WarmResults>(replicas, ask.timeout, warm),
                    static_cast<size_t>(request.urls_size()), ask.format);
}

std::vector<Outcome<v1::StatsResponse>> AskStats(const std::vector<Replica>& replicas,
                                                 std::chrono::seconds timeout) {
  return AskAll<v1::StatsResponse>(replicas, timeout, [](auto& stub, auto& context, auto* response) {
    return stub.Stats(&context, {}, response);
  });
}

Report Stats(const std::vector<Replica>& replicas, const Ask& ask) {
  return StatsReport(AskStats(replicas, ask.timeout), ask.format);
}

Report DrainDirectly(const std::vector<Replica>& replicas, bool resume, const Ask& ask) {
  v1::DrainRequest request;
  request.set_resume(resume);
  const auto drain = [&](auto& stub, auto& context, auto* response) {
    return stub.Drain(&context, request, response);
  };
  return DrainReport(AskAll<v1::DrainResponse>(replicas, ask.timeout, drain), resume, ask.format);
}

}  // namespace perigee::cdnctl
