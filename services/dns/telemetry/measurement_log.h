// The measurement log: what each measurement learned and when, so that another policy can be judged by it
// later (`scripts/dev sim --replay`). docs/measurement-log.md tells it to operators.
//
//   1732948800123 198.18.7.0/24 query washington=icmp-echo:23012@25000 tokyo=silent@1523000
//   1732948800456 washington distances portland=60123 tokyo=149870
//
// Unix time of the end in milliseconds; whom; why; then of each replica asked how, the RTT and when its
// answer came, counted from the beginning, in microseconds. Between two replicas only the RTT.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/log_file/log_file.h"
#include "services/dns/steering/choose.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

struct MeasurementRecord {
  struct Answer {
    std::string replica;
    Sample sample;  // kUnknown: it failed, or said what cannot be
    Rtt after{};    // from the start of the measurement
  };
  WallTime time;  // of its end
  IpPrefix client;
  FlightCause cause{};
  std::vector<Answer> answers;
};

struct DistancesRecord {
  struct Distance {
    std::string to;
    Rtt rtt{};
  };
  WallTime time;
  std::string from;
  std::vector<Distance> distances;
};

using LoggedMeasurement = std::variant<MeasurementRecord, DistancesRecord>;

// One line, with its newline.
std::string FormatMeasurement(const LoggedMeasurement& measurement);
// A line without its newline. InvalidArgument says which word is wrong.
absl::StatusOr<LoggedMeasurement> ParseMeasurement(std::string_view line);

// As LogFile has it; one thread writes.
class MeasurementLog {
 public:
  static absl::StatusOr<std::unique_ptr<MeasurementLog>> Open(const std::string& path);

  void Write(const LoggedMeasurement& measurement);
  absl::Status Reopen() { return file_->Reopen(); }
  uint64_t written() const { return file_->written(); }
  uint64_t lost() const { return file_->lost(); }

 private:
  explicit MeasurementLog(std::unique_ptr<LogFile> file) : file_(std::move(file)), ring_(file_->NewRing()) {}
  std::unique_ptr<LogFile> file_;
  LogRing& ring_;
};

}  // namespace perigee::dns
