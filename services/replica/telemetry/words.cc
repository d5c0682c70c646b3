#include "services/replica/telemetry/words.h"

#include <array>
#include <cstddef>

namespace perigee::replica {
namespace {

template <typename Enum>
using Words = std::array<std::string_view, static_cast<size_t>(Enum::kCount)>;

constexpr Words<MethodClass> kMethods = {"GET", "HEAD", "POST", "other"};
constexpr Words<StatusClass> kStatuses = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr Words<HitTier> kTiers = {"memory", "disk"};
constexpr Words<Refusal> kRefusals = {"connections",
                                      "client-connections",
                                      "slow-reader",
                                      "malformed",
                                      "method",
                                      "timeout",
                                      "body-too-large",
                                      "target-too-long",
                                      "foreign-host",
                                      "head-too-large",
                                      "not-implemented",
                                      "version",
                                      "loop",
                                      "other"};

struct RefusalStatus {
  int status;
  Refusal refusal;
};
constexpr std::array<RefusalStatus, 11> kRefusalStatuses = {{{503, Refusal::kConnections},
                                                             {400, Refusal::kMalformed},
                                                             {405, Refusal::kMethod},
                                                             {408, Refusal::kTimeout},
                                                             {413, Refusal::kBodyTooLarge},
                                                             {414, Refusal::kTargetTooLong},
                                                             {421, Refusal::kForeignHost},
                                                             {431, Refusal::kHeadTooLarge},
                                                             {501, Refusal::kNotImplemented},
                                                             {505, Refusal::kVersion},
                                                             {508, Refusal::kLoop}}};

}  // namespace

MethodClass ClassOfMethod(std::string_view method) {
  if (method == "GET") return MethodClass::kGet;
  if (method == "HEAD") return MethodClass::kHead;
  return method == "POST" ? MethodClass::kPost : MethodClass::kOther;
}

StatusClass ClassOfStatus(int status) {
  const int first = status / 100;
  return first >= 1 && first <= 5 ? static_cast<StatusClass>(first) : StatusClass::kNone;
}

Refusal RefusalOf(int status) {
  for (const RefusalStatus& known : kRefusalStatuses) {
    if (known.status == status) return known.refusal;
  }
  return Refusal::kOther;
}

std::string_view Word(MethodClass method) { return kMethods[static_cast<size_t>(method)]; }
std::string_view Word(StatusClass status) { return kStatuses[static_cast<size_t>(status)]; }
std::string_view Word(HitTier tier) { return kTiers[static_cast<size_t>(tier)]; }
std::string_view Word(Refusal refusal) { return kRefusals[static_cast<size_t>(refusal)]; }

}  // namespace perigee::replica
