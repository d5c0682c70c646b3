#include "services/prober/policy_from_fleet.h"

#include <string>
#include <utility>

namespace perigee {
namespace {

template <typename Texts>
absl::Status ParseInto(const Texts& texts, std::vector<IpPrefix>* prefixes) {
  for (const std::string& text : texts) {
    const auto prefix = IpPrefix::Parse(text);
    if (!prefix.ok()) return prefix.status();
    prefixes->push_back(*prefix);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AddressPolicy> PolicyFrom(const v1::ProbePolicyConfig& config, std::vector<IpAddress> own) {
  AddressPolicyOptions options{.allow_special = {}, .opt_out = {}, .own = std::move(own)};
  if (absl::Status s = ParseInto(config.allow_special(), &options.allow_special); !s.ok()) return s;
  if (absl::Status s = ParseInto(config.opt_out(), &options.opt_out); !s.ok()) return s;
  return AddressPolicy(options);
}

ProbeBudgetOptions BudgetFrom(const v1::ProbePolicyConfig& config) {
  return {.packets_per_second = config.max_probes_per_second(),
          .packets_per_prefix_per_second = config.max_probes_per_prefix_per_second()};
}

}  // namespace perigee
