#include "services/dns/telemetry/dns_metrics.h"

#include <string_view>
#include <utility>

#include "lib/metrics/families.h"
#include "services/dns/steering/choose.h"
#include "services/dns/telemetry/server_metrics.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

template <size_t kSize>
void AddTo(std::array<Counter, kSize>& sum, const std::array<Counter, kSize>& counters) {
  for (size_t i = 0; i < kSize; ++i) sum[i].Add(counters[i].value());
}

void AddTo(Counter& sum, const Counter& counter) { sum.Add(counter.value()); }

void AddTo(QueryCounters& sum, const QueryCounters& block) {
  AddTo(sum.by_protocol, block.by_protocol);
  AddTo(sum.by_type, block.by_type);
  AddTo(sum.by_rcode, block.by_rcode);
  AddTo(sum.by_reason, block.by_reason);
  sum.by_drop.AddAll(block.by_drop);
  sum.by_subnet.AddAll(block.by_subnet);
  AddTo(sum.truncated, block.truncated);
  AddTo(sum.cookies_valid, block.cookies_valid);
  AddTo(sum.cookies_invalid, block.cookies_invalid);
  sum.latency.AddAll(block.latency);
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
  Family family(MetricType::Counter, "perigee_dns_queries_total", "Queries read, by transport.");
  for (const Transport protocol : {Transport::kUdp, Transport::kTcp}) {
    family.Add({{"protocol", Word(protocol)}}, sum.by_protocol[static_cast<size_t>(protocol)]);
  }
  return std::move(family).Take();
}

MetricFamily QueriesByType(const QueryCounters& sum) {
  Family family(MetricType::Counter, "perigee_dns_queries_by_type_total",
                "Queries read, by the type asked for.");
  AddByNumber<RrType>(sum.by_type, "type", "TYPE", family);
  return std::move(family).Take();
}

MetricFamily Responses(const QueryCounters& sum) {
  Family family(MetricType::Counter, "perigee_dns_responses_total", "Responses sent, by response code.");
  AddByNumber<Rcode>(sum.by_rcode, "rcode", "RCODE", family);
  return std::move(family).Take();
}

MetricFamily Steered(const QueryCounters& sum) {
  Family family(MetricType::Counter, "perigee_dns_steered_total", "Steered answers, by why that replica.");
  for (size_t i = 1; i < QueryCounters::kReasons; ++i) {
    const std::string_view word = Word(static_cast<Reason>(i));
    if (word != "invalid") family.Add({{"reason", word}}, sum.by_reason[i]);
  }
  return std::move(family).Take();
}

MetricFamily Cookies(const QueryCounters& sum) {
  Family family(MetricType::Counter, "perigee_dns_cookies_total", "Queries with a server cookie (RFC 7873).");
  family.Add({{"valid", "true"}}, sum.cookies_valid);
  family.Add({{"valid", "false"}}, sum.cookies_invalid);
  return std::move(family).Take();
}

MetricFamily Latency(const QueryCounters& sum) {
  Family family(MetricType::Histogram, "perigee_dns_latency_seconds",
                "From reading a query to sending its answer.");
  family.Add({}, sum.latency);
  return std::move(family).Take();
}

std::vector<MetricFamily> QueryFamilies(const QueryCounters& sum) {
  return {Queries(sum),
          QueriesByType(sum),
          Responses(sum),
          Steered(sum),
          CounterByWord("perigee_dns_dropped_total", "reason",
                        "Queries that got no answer, or not the one they asked for.", sum.by_drop),
          OneCounter("perigee_dns_truncated_total", "Responses sent with TC=1.", sum.truncated.value()),
          CounterByWord("perigee_dns_client_subnet_total", "use",
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
