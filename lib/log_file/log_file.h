// A log of lines in a file, for threads that must not wait for a disk: they put records into rings of their
// own, and one thread makes lines of them and writes. What does not fit into a ring or onto the disk is lost
// and counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/log_file/log_ring.h"

namespace perigee {

struct LogFileOptions {
  std::string what;  // in errors and complaints: "decision log"
  std::string path;
  // Pure: appends a record's line to `out`, with its newline and no other.
  std::function<void(std::string_view record, std::string* out)> format;
  size_t ring_size = 1 << 20;  // octets for each thread that logs
  std::chrono::milliseconds flush_interval{100};
};

// Thread-safe; each ring has one writer.
class LogFile {
 public:
  static constexpr auto kComplaintInterval = std::chrono::minutes(1);  // between log lines on a failing disk
  static constexpr int kFileMode = 0640;

  // Appends to the file, which is made if need be. Errors name it. A pipe without a reader is an error, and
  // what a full one does not take is lost.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(LogFileOptions options);
  // Writes what is in the rings.
  ~LogFile();

  // For one thread to write to; valid as long as the log.
  LogRing& NewRing();

  // Opens the file anew by its name, after it was moved away; what was pushed before goes to the old one. On
  // error the old one is written on.
  absl::Status Reopen();

  uint64_t written() const;  // lines
  // Lost to a full ring or a full disk.
  uint64_t lost() const;

 private:
  class Writer;
  explicit LogFile(std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

}  // namespace perigee
