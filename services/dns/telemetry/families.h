// Prometheus' families, as the metrics page makes them: names begin with perigee_dns_.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "services/dns/telemetry/counter.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// A family whose series differ by the values of their labels.
class Family {
 public:
  Family(prometheus::MetricType type, std::string_view name, std::string_view help)
      : family_{"perigee_dns_" + std::string(name), std::string(help), type, {}} {}

  void Add(Labels labels, double value) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    for (const auto& [label, text] : labels) metric.label.push_back({std::string(label), std::string(text)});
    const bool counter = family_.type == prometheus::MetricType::Counter;
    (counter ? metric.counter.value : metric.gauge.value) = value;
  }
  void Add(Labels labels, const Counter& counter) { Add(labels, static_cast<double>(counter.value())); }

  prometheus::MetricFamily Take() && { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

inline prometheus::MetricFamily OneCounter(std::string_view name, std::string_view help, uint64_t value) {
  Family family(prometheus::MetricType::Counter, name, help);
  family.Add({}, static_cast<double>(value));
  return std::move(family).Take();
}

inline prometheus::MetricFamily OneGauge(std::string_view name, std::string_view help, double value) {
  Family family(prometheus::MetricType::Gauge, name, help);
  family.Add({}, value);
  return std::move(family).Take();
}

// A series for each word of the enumeration from `first` on.
template <typename Reason>
prometheus::MetricFamily CounterByWord(std::string_view name, std::string_view label, std::string_view help,
                                       const CountersBy<Reason>& counters, Reason first = {}) {
  Family family(prometheus::MetricType::Counter, name, help);
  for (size_t i = static_cast<size_t>(first); i < counters.size(); ++i) {
    const auto reason = static_cast<Reason>(i);
    family.Add({{label, Word(reason)}}, counters[reason]);
  }
  return std::move(family).Take();
}

}  // namespace perigee::dns
