#include "services/dns/telemetry/dns_metrics.h"

#include <limits>
#include <string_view>
#include <utility>

#include "services/dns/steering/choose.h"
#include "services/dns/telemetry/families.h"
#include "services/dns/telemetry/server_metrics.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

template <size_t kSize>
void AddTo(std::array<Counter, kSize>& sum, const std::array<Counter, kSize>& counters) {
  for (size_t i = 0; i < kSize; ++i) sum[i].Add(counters[i].value());
}

template <typename Reason>
void AddTo(CountersBy<Reason>& sum, const CountersBy<Reason>& counters) {
  for (size_t i = 0; i < counters.size(); ++i) {
    sum[static_cast<Reason>(i)].Add(counters[static_cast<Reason>(i)].value());
  }
}

void AddTo(Counter& sum, const Counter& counter) { sum.Add(counter.value()); }

void AddTo(QueryCounters& sum, const QueryCounters& block) {
  AddTo(sum.by_protocol, block.by_protocol);
  AddTo(sum.by_type, block.by_type);
  AddTo(sum.by_rcode, block.by_rcode);
  AddTo(sum.by_reason, block.by_reason);
  AddTo(sum.by_drop, block.by_drop);
  AddTo(sum.by_subnet, block.by_subnet);
  AddTo(sum.truncated, block.truncated);
  AddTo(sum.cookies_valid, block.cookies_valid);
  AddTo(sum.cookies_invalid, block.cookies_invalid);
  AddTo(sum.latency, block.latency);
  AddTo(sum.latency_sum_us, block.latency_sum_us);
}

// By number, the last counter for all other numbers. Numbers without a word are left out until they are seen.
template <typename Number, size_t kSize>
void AddByNumber(const std::array<Counter, kSize>& counters, std::string_view label,
                 std::string_view wordless, Family& family) {
  for (size_t i = 0; i + 1 < kSize; ++i) {
    const std::string word = Word(static_cast<Number>(i));
    if (counters[i].value() > 0 || !word.starts_with(wordless)) family.Add({{label, word}}, counters[i]);
  }
  family.Add({{label, "other"}}, counters.back());
}

MetricFamily Queries(const QueryCounters& sum) {
  Family family(MetricType::Counter, "queries_total", "Queries read, by transport.");
  for (const Transport protocol : {Transport::kUdp, Transport::kTcp}) {
    family.Add({{"protocol", Word(protocol)}}, sum.by_protocol[static_cast<size_t>(protocol)]);
  }
  return std::move(family).Take();
}

MetricFamily QueriesByType(const QueryCounters& sum) {
  Family family(MetricType::Counter, "queries_by_type_total", "Queries read, by the type asked for.");
  AddByNumber<RrType>(sum.by_type, "type", "TYPE", family);
  return std::move(family).Take();
}

MetricFamily Responses(const QueryCounters& sum) {
  Family family(MetricType::Counter, "responses_total", "Responses sent, by response code.");
  AddByNumber<Rcode>(sum.by_rcode, "rcode", "RCODE", family);
  return std::move(family).Take();
}

MetricFamily Steered(const QueryCounters& sum) {
  Family family(MetricType::Counter, "steered_total", "Steered answers, by why that replica.");
  for (size_t i = 1; i < QueryCounters::kReasons; ++i) {
    const std::string_view word = Word(static_cast<Reason>(i));
    if (word != "invalid") family.Add({{"reason", word}}, sum.by_reason[i]);
  }
  return std::move(family).Take();
}

MetricFamily Cookies(const QueryCounters& sum) {
  Family family(MetricType::Counter, "cookies_total", "Queries with a server cookie (RFC 7873).");
  family.Add({{"valid", "true"}}, sum.cookies_valid);
  family.Add({{"valid", "false"}}, sum.cookies_invalid);
  return std::move(family).Take();
}

MetricFamily Latency(const QueryCounters& sum) {
  ClientMetric metric;
  auto& histogram = metric.histogram;
  for (size_t i = 0; i < QueryCounters::kLatencies; ++i) {
    histogram.sample_count += sum.latency[i].value();
    const bool last = i + 1 == QueryCounters::kLatencies;
    const double bound = last ? std::numeric_limits<double>::infinity() : static_cast<double>(1u << i) / 1e6;
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = static_cast<double>(sum.latency_sum_us.value()) / 1e6;
  return {"perigee_dns_latency_seconds",
          "From reading a query to sending its answer.",
          MetricType::Histogram,
          {std::move(metric)}};
}

std::vector<MetricFamily> QueryFamilies(const QueryCounters& sum) {
  return {Queries(sum),
          QueriesByType(sum),
          Responses(sum),
          Steered(sum),
          CounterByWord("dropped_total", "reason",
                        "Queries that got no answer, or not the one they asked for.", sum.by_drop),
          OneCounter("truncated_total", "Responses sent with TC=1.", sum.truncated.value()),
          CounterByWord("client_subnet_total", "use",
                        "Queries with a client subnet (RFC 7871), by what became of it.", sum.by_subnet,
                        SubnetUse::kUsed),
          Cookies(sum),
          Latency(sum)};
}

}  // namespace

std::vector<MetricFamily> DnsMetrics(const QueryCounterRegistry& queries, const ServerCounters& server,
                                     const DnsGauges& gauges) {
  QueryCounters sum;
  queries.ForEach([&sum](const QueryCounters& block) { AddTo(sum, block); });
  std::vector<MetricFamily> families = QueryFamilies(sum);
  AppendServerMetrics(server, gauges, &families);
  return families;
}

}  // namespace perigee::dns
