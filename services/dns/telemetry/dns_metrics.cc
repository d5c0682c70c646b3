#include "services/dns/telemetry/dns_metrics.h"

#include <limits>
#include <string_view>
#include <utility>

#include "services/dns/steering/choose.h"
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

void AddTo(Counter& sum, const Counter& counter) { sum.Add(counter.value()); }

void AddTo(QueryCounters& sum, const QueryCounters& block) {
  AddTo(sum.by_protocol, block.by_protocol);
  AddTo(sum.by_type, block.by_type);
  AddTo(sum.by_rcode, block.by_rcode);
  AddTo(sum.by_reason, block.by_reason);
  AddTo(sum.by_drop, block.by_drop);
  AddTo(sum.truncated, block.truncated);
  AddTo(sum.client_subnet, block.client_subnet);
  AddTo(sum.cookies_valid, block.cookies_valid);
  AddTo(sum.cookies_invalid, block.cookies_invalid);
  AddTo(sum.latency, block.latency);
  AddTo(sum.latency_sum_us, block.latency_sum_us);
}

ClientMetric Labelled(std::string_view label, std::string_view value) {
  ClientMetric metric;
  metric.label.push_back({std::string(label), std::string(value)});
  return metric;
}

// A family of which each series differs by the value of one label.
class ByLabel {
 public:
  ByLabel(MetricType type, std::string_view name, std::string_view label, std::string_view help)
      : label_(label), family_{"perigee_dns_" + std::string(name), std::string(help), type, {}} {}

  void Add(std::string_view label_value, double value) {
    ClientMetric& metric = family_.metric.emplace_back(Labelled(label_, label_value));
    (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }
  void Add(std::string_view label_value, const Counter& counter) {
    Add(label_value, static_cast<double>(counter.value()));
  }

  MetricFamily Take() && { return std::move(family_); }

 private:
  std::string_view label_;
  MetricFamily family_;
};

MetricFamily One(MetricType type, std::string_view name, std::string_view help, double value) {
  ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return {"perigee_dns_" + std::string(name), std::string(help), type, {std::move(metric)}};
}

MetricFamily OneCounter(std::string_view name, std::string_view help, uint64_t value) {
  return One(MetricType::Counter, name, help, static_cast<double>(value));
}

MetricFamily OneGauge(std::string_view name, std::string_view help, uint64_t value) {
  return One(MetricType::Gauge, name, help, static_cast<double>(value));
}

// By number, the last counter for all other numbers. Numbers without a word are left out until they are seen.
template <typename Number, size_t kSize>
void AddByNumber(const std::array<Counter, kSize>& counters, std::string_view wordless, ByLabel& family) {
  for (size_t i = 0; i + 1 < kSize; ++i) {
    const std::string word = Word(static_cast<Number>(i));
    if (counters[i].value() > 0 || !word.starts_with(wordless)) family.Add(word, counters[i]);
  }
  family.Add("other", counters.back());
}

MetricFamily Queries(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "queries_total", "protocol", "Queries read, by transport.");
  for (const Transport protocol : {Transport::kUdp, Transport::kTcp}) {
    family.Add(Word(protocol), sum.by_protocol[static_cast<size_t>(protocol)]);
  }
  return std::move(family).Take();
}

MetricFamily QueriesByType(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "queries_by_type_total", "type",
                 "Queries read, by the type asked for.");
  AddByNumber<RrType>(sum.by_type, "TYPE", family);
  return std::move(family).Take();
}

MetricFamily Responses(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "responses_total", "rcode", "Responses sent, by response code.");
  AddByNumber<Rcode>(sum.by_rcode, "RCODE", family);
  return std::move(family).Take();
}

MetricFamily Steered(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "steered_total", "reason", "Steered answers, by why that replica.");
  for (size_t i = 1; i < QueryCounters::kReasons; ++i) {
    const std::string_view word = Word(static_cast<Reason>(i));
    if (word != "invalid") family.Add(word, sum.by_reason[i]);
  }
  return std::move(family).Take();
}

MetricFamily Dropped(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "dropped_total", "reason",
                 "Queries that got no answer, or not the one they asked for.");
  for (size_t i = 0; i < sum.by_drop.size(); ++i) {
    family.Add(Word(static_cast<DropReason>(i)), sum.by_drop[i]);
  }
  return std::move(family).Take();
}

MetricFamily Cookies(const QueryCounters& sum) {
  ByLabel family(MetricType::Counter, "cookies_total", "valid", "Queries with a server cookie (RFC 7873).");
  family.Add("true", sum.cookies_valid);
  family.Add("false", sum.cookies_invalid);
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

template <typename Read>
MetricFamily ByReplica(const DnsGauges& gauges, std::string_view name, std::string_view help, Read read) {
  ByLabel family(MetricType::Gauge, name, "replica", help);
  for (const ReplicaGauges& replica : gauges.replicas)
    family.Add(replica.name, static_cast<double>(read(replica)));
  return std::move(family).Take();
}

std::vector<MetricFamily> CounterFamilies(const QueryCounters& sum) {
  return {Queries(sum),
          QueriesByType(sum),
          Responses(sum),
          Steered(sum),
          Dropped(sum),
          OneCounter("truncated_total", "Responses sent with TC=1.", sum.truncated.value()),
          OneCounter("client_subnet_total", "Queries with a client subnet (RFC 7871).",
                     sum.client_subnet.value()),
          Cookies(sum),
          Latency(sum)};
}

std::vector<MetricFamily> GaugeFamilies(const DnsGauges& gauges) {
  return {OneGauge("map_rows", "Client prefixes remembered.", gauges.map_rows),
          OneGauge("map_capacity", "Client prefixes that can be remembered.", gauges.map_capacity),
          OneGauge("zones", "Zones served.", gauges.zones),
          OneGauge("generation", "Generation of the configuration in force.", gauges.generation),
          OneGauge("uptime_seconds", "Time since the start.", static_cast<uint64_t>(gauges.uptime.count())),
          OneCounter("decisions_logged_total", "Lines of the decision log.", gauges.decisions_written),
          OneCounter("decisions_lost_total", "Decisions that a full ring or disk kept from the log.",
                     gauges.decisions_lost),
          ByReplica(gauges, "replica_up", "1 when the replica is healthy.",
                    [](const auto& r) { return r.healthy; }),
          ByReplica(gauges, "replica_overloaded", "1 when the replica says that it has too much to do.",
                    [](const auto& r) { return r.overloaded; }),
          ByReplica(gauges, "replica_drained", "1 when the operator took the replica out.",
                    [](const auto& r) { return r.drained; }),
          ByReplica(gauges, "replica_load", "The replica's load as its heartbeat told.",
                    [](const auto& r) { return r.load; })};
}

}  // namespace

std::vector<MetricFamily> DnsMetrics(const QueryCounterRegistry& counters, const DnsGauges& gauges) {
  QueryCounters sum;
  counters.ForEach([&sum](const QueryCounters& block) { AddTo(sum, block); });
  std::vector<MetricFamily> families = CounterFamilies(sum);
  for (MetricFamily& family : GaugeFamilies(gauges)) families.push_back(std::move(family));
  return families;
}

}  // namespace perigee::dns
