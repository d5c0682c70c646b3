#include "services/dns/telemetry/decision_log.h"

#include <cstring>

namespace perigee::dns {

absl::StatusOr<std::unique_ptr<DecisionLog>> DecisionLog::Open(const std::string& path) {
  auto file = LogFile::Open({.what = "decision log",
                             .path = path,
                             .format =
                                 [](std::string_view octets, std::string* out) {
                                   DecisionRecord record;
                                   std::memcpy(&record, octets.data(), sizeof(record));
                                   *out += FormatDecision(record);
                                 },
                             .ring_size = kRingSize * LogRing::SpaceFor(sizeof(DecisionRecord))});
  if (!file.ok()) return file.status();
  return std::unique_ptr<DecisionLog>(new DecisionLog(*std::move(file)));
}

}  // namespace perigee::dns
