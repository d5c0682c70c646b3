// The access log: one line for each request that was read, when its answer has been sent.
//
// kCombined is the "combined" format of Apache and nginx, with three fields more: what Cache-Status says,
// seconds until the origin's response began ("-" when it was not asked), seconds in all:
//
//   198.18.7.7 - - [25/Nov/2026:01:12:00 +0000] "GET /a HTTP/1.1" 200 5120 "-" "curl/8" "hit; ttl=30" -
//   0.000041
//
// An octet that could forge a line or end a field (quotes, backslashes, all that is no printable ASCII) is
// written as \xHH there, as \u00hh in JSON. kJson:
//
//   {"time":"2026-11-25T01:12:00.123Z","client":"198.18.7.7","method":"GET","target":"/a","version":"HTTP/1.1",
//    "host":"cdn.example.org","status":200,"bytes":5120,"referer":"","user_agent":"curl/8","cache":"hit",
//    "cache_status":"hit; ttl=30","upstream_us":null,"total_us":41}
//
// `time` is when the request's head was read; `bytes` are those of the body, as sent; status 499 is a client
// that left before the answer began; "cache" is "hit", or why the request was forwarded (RFC 9211 §2.2).
//
// Lines of different threads may change places within kFlushInterval.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/http_semantics/cache_status.h"
#include "lib/log_file/log_file.h"

namespace perigee::replica {

enum class AccessLogFormat { kCombined, kJson };

// "combined" or "json".
std::optional<AccessLogFormat> ParseAccessLogFormat(std::string_view word);

struct AccessEntry {
  WallTime time;
  IpAddress client;
  std::string_view method, target;  // empty when the request could not be read so far
  int minor_version = 1;            // of HTTP/1.x
  int status = 0;                   // 0: there was no answer
  uint64_t bytes = 0;
  std::string_view host, referer, user_agent;
  http::CacheStatus cache;
  std::optional<std::chrono::microseconds> upstream;
  std::chrono::microseconds total{};
};

// Longer texts of a request are cut to this many octets in the log.
inline constexpr size_t kMaxLoggedText = 2'048;

// Pure: appends the line, with its newline.
void AppendCombined(const AccessEntry& entry, std::string* out);
void AppendJson(const AccessEntry& entry, std::string* out);

// As LogFile has it; each Worker has a ring.
class AccessLog {
 public:
  static constexpr size_t kRingSize = 1 << 20;  // octets; a request takes some 400
  static constexpr auto kFlushInterval = std::chrono::milliseconds(20);

  // False when it is full: the line is lost, and counted.
  static bool Push(AccessEntry entry, LogRing& ring);
  // Back from what Push put there; the views are into `record`.
  static AccessEntry Unpack(std::string_view record);

  static absl::StatusOr<std::unique_ptr<AccessLog>> Open(const std::string& path, AccessLogFormat format);

  LogRing& NewRing() { return file_->NewRing(); }
  absl::Status Reopen() { return file_->Reopen(); }
  uint64_t written() const { return file_->written(); }
  uint64_t lost() const { return file_->lost(); }

 private:
  explicit AccessLog(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}
  std::unique_ptr<LogFile> file_;
};

}  // namespace perigee::replica
