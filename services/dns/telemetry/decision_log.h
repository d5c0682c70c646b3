// The decision log: why each steered answer was what it was, as JSON lines.
//
//   {"time":"2026-11-24T18:00:00.123Z","client":"198.18.7.7","prefix":"198.18.7.0/24","name":"cdn.example.org.",
//    "type":"A","protocol":"udp","replica":"dublin","reason":"measured-best","method":"icmp-echo","rtt_us":12345,
//    "ttl":60,"scope":24}
//
// Answers never wait for a disk: workers put records into rings of their own (lib/log_file).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/dns_wire/name.h"
#include "lib/log_file/log_file.h"
#include "services/dns/steering/choose.h"
#include "services/dns/steering/replica.h"
#include "services/dns/telemetry/query_counters.h"

namespace perigee::dns {

struct DecisionRecord {
  WallTime time;
  IpAddress client;  // who asked, or the network that its resolver told
  IpPrefix prefix;   // under which it is remembered
  Name name;
  RrType type{};
  Transport transport{};
  // Of the fleet that decided; the name, for numbers change with a reload. At most 63 octets.
  std::array<char, 64> replica{};
  Reason reason{};
  Method method{};  // of the winner's sample
  Rtt rtt{};
  std::chrono::seconds ttl{};
  int scope_length = 0;
};

// Pure: one line, with its newline; ASCII whatever octets the names hold. An "rtt_us" that was not measured
// is null.
std::string FormatDecision(const DecisionRecord& record);

// As LogFile has it.
class DecisionLog {
 public:
  static constexpr size_t kRingSize = 8192;  // records per worker
  using Ring = LogRing;                      // of DecisionRecord

  static absl::StatusOr<std::unique_ptr<DecisionLog>> Open(const std::string& path);

  Ring& NewRing() { return file_->NewRing(); }
  absl::Status Reopen() { return file_->Reopen(); }
  uint64_t written() const { return file_->written(); }
  uint64_t lost() const { return file_->lost(); }

 private:
  explicit DecisionLog(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}
  std::unique_ptr<LogFile> file_;
};

}  // namespace perigee::dns
