// The decision log: why each steered answer was what it was, as JSON lines.
//
//   {"time":"2026-11-24T18:00:00.123Z","client":"198.18.7.7","prefix":"198.18.7.0/24","name":"cdn.example.org.",
//    "type":"A","protocol":"udp","replica":"dublin","reason":"measured-best","method":"icmp-echo","rtt_us":12345,
//    "ttl":60,"scope":24}
//
// Workers put fixed-size records into rings of their own, without a lock or an allocation; one thread formats
// and writes them. When a ring is full the record is lost and counted: answers never wait for a disk.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/dns_wire/name.h"
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

// Thread-safe; each ring has one writer.
class DecisionLog {
 public:
  static constexpr size_t kRingSize = 8192;  // records per worker
  static constexpr auto kFlushInterval = std::chrono::milliseconds(100);
  static constexpr auto kComplaintInterval = std::chrono::minutes(1);  // between log lines on a failing disk
  static constexpr int kFileMode = 0640;

  class Ring;

  // Appends to the file, which is made if need be. Errors name it. A pipe without a reader is an error, and
  // what a full one does not take is lost.
  static absl::StatusOr<std::unique_ptr<DecisionLog>> Open(const std::string& path);
  // Writes what is in the rings.
  ~DecisionLog();

  // For one thread to write to; valid as long as the log.
  Ring& NewRing();

  // Opens the file anew by its name, after it was moved away; what was pushed before goes to the old one. On
  // error the old one is written on.
  absl::Status Reopen();

  uint64_t written() const;
  // Lost to a full ring or a full disk.
  uint64_t lost() const;

 private:
  class Writer;
  explicit DecisionLog(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

// A single-producer, single-consumer ring.
class DecisionLog::Ring {
 public:
  // False when it is full.
  bool Push(const DecisionRecord& record);

 private:
  friend class DecisionLog::Writer;
  using Slots = std::array<DecisionRecord, kRingSize>;
  std::unique_ptr<Slots> slots_ = std::make_unique<Slots>();
  // The worker's, and apart from them the log's.
  alignas(64) std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> lost_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
};

}  // namespace perigee::dns
