// Prometheus' families, as metrics pages are made of them.
#pragma once

#include <prometheus/metric_family.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "lib/metrics/counter.h"

namespace perigee {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// A family whose series differ by the values of their labels.
class Family {
 public:
  Family(prometheus::MetricType type, std::string_view name, std::string_view help)
      : family_{std::string(name), std::string(help), type, {}} {}

  void Add(Labels labels, double value) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    for (const auto& [label, text] : labels) metric.label.push_back({std::string(label), std::string(text)});
    const bool counter = family_.type == prometheus::MetricType::Counter;
    (counter ? metric.counter.value : metric.gauge.value) = value;
  }
  void Add(Labels labels, const Counter& counter) { Add(labels, static_cast<double>(counter.value())); }

  void Add(Labels labels, const LatencyCounters& latency) {
    Add(labels, 0.0);
    auto& histogram = family_.metric.back().histogram;
    for (size_t i = 0; i < LatencyCounters::kBuckets; ++i) {
      histogram.sample_count += latency.bucket(i);
      const bool last = i + 1 == LatencyCounters::kBuckets;
      const double bound = static_cast<double>(1u << i) / 1e6;
      histogram.bucket.push_back(
          {histogram.sample_count, last ? std::numeric_limits<double>::infinity() : bound});
    }
    histogram.sample_sum = static_cast<double>(latency.sum_us()) / 1e6;
  }

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

// How many there are now. What ended is read first, for what began is counted first: no gauge that could
// drift.
template <typename Began, typename Ended>
prometheus::MetricFamily UnderWay(std::string_view name, std::string_view help, Began began, Ended ended) {
  const uint64_t gone = ended();
  const uint64_t come = began();
  return OneGauge(name, help, static_cast<double>(std::max(come, gone) - gone));
}

// A series for each value of the enumeration from `first` on, called by Word(Reason).
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

// The same of counters that any thread may write.
template <typename Reason, size_t kCount>
prometheus::MetricFamily CounterByWord(std::string_view name, std::string_view label, std::string_view help,
                                       const std::array<SharedCounter, kCount>& counters) {
  static_assert(kCount == static_cast<size_t>(Reason::kCount));
  Family family(prometheus::MetricType::Counter, name, help);
  for (size_t i = 0; i < kCount; ++i)
    family.Add({{label, Word(static_cast<Reason>(i))}}, static_cast<double>(counters[i].value()));
  return std::move(family).Take();
}

}  // namespace perigee
