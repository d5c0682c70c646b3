#include "services/prober/scamper_protocol.h"

#include <algorithm>
#include <cmath>

#include "boost/json.hpp"
#include "fmt/format.h"
#include "lib/base/parse.h"

namespace perigee {
namespace {

namespace json = boost::json;

constexpr size_t kMaxResponses = 64;
constexpr double kMaxRttMs = 60'000;
constexpr int64_t kEchoReplyV4 = 0;
constexpr int64_t kEchoReplyV6 = 129;

std::optional<int64_t> IntegerAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const int64_t* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? std::nullopt : std::optional(*number);
}

// Milliseconds, written as a float or, when it is round, as an integer.
std::optional<Rtt> RttOf(const json::object& response) {
  const json::value* value = response.if_contains("rtt");
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double ms = value->to_number<double>();
  if (!(ms >= 0) || ms > kMaxRttMs) return std::nullopt;
  return Rtt(std::llround(ms * 1000));
}

bool IsEchoReply(const json::object& response) {
  const auto type = IntegerAt(response, "icmp_type");
  return type == kEchoReplyV4 || type == kEchoReplyV6;
}

// A late reply to the first request may stand behind a reply to the second.
std::vector<Rtt> RttsOf(const json::array& responses) {
  std::vector<std::pair<int64_t, Rtt>> by_sequence;
  for (const json::value& value : responses) {
    if (by_sequence.size() == kMaxResponses) break;
    const json::object* response = value.if_object();
    if (response == nullptr || !IsEchoReply(*response)) continue;
    if (const auto rtt = RttOf(*response)) {
      by_sequence.emplace_back(IntegerAt(*response, "seq").value_or(0), *rtt);
    }
  }
  std::stable_sort(by_sequence.begin(), by_sequence.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Rtt> rtts;
  for (const auto& [sequence, rtt] : by_sequence) rtts.push_back(rtt);
  return rtts;
}

std::optional<PingResult> ParseResult(std::string_view text) {
  json::error_code error;
  const json::value document = json::parse({text.data(), text.size()}, error);
  const json::object* ping = error ? nullptr : document.if_object();
  if (ping == nullptr) return std::nullopt;
  const json::value* type = ping->if_contains("type");
  const auto user_id = IntegerAt(*ping, "userid");
  const auto sent = IntegerAt(*ping, "ping_sent");
  const json::value* responses = ping->if_contains("responses");
  if (type == nullptr || *type != "ping" || responses == nullptr || !responses->is_array())
    return std::nullopt;
  if (!user_id || *user_id < 0 || *user_id > UINT32_MAX || !sent || *sent < 0 || *sent > UINT16_MAX) {
    return std::nullopt;
  }
  return PingResult{static_cast<uint32_t>(*user_id), static_cast<uint32_t>(*sent),
                    RttsOf(responses->get_array())};
}

absl::Status NotScamper(std::string_view line) {
  return absl::InternalError(fmt::format("scamper said something unknown: \"{:.60}\"", line));
}

bool TakePrefix(std::string_view* line, std::string_view prefix) {
  if (!line->starts_with(prefix)) return false;
  line->remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string FormatPing(const PingCommand& c) {
  return fmt::format("ping -U {} -c {} -o {} -i {:.1f} -W {} {}\n", c.user_id, c.count, c.count,
                     std::chrono::duration<double>(c.spacing).count(), c.patience.count(),
                     c.address.ToString());
}

std::string FormatHalt(uint32_t task_id) { return fmt::format("halt {}\n", task_id); }

absl::Status ScamperParser::TakeLine(std::string_view line, std::vector<ScamperEvent>* events) {
  if (line == "MORE") return absl::OkStatus();
  if (TakePrefix(&line, "DATA ")) {
    const auto size = ParseNumber<size_t>(line);
    if (!size || *size == 0 || *size > kMaxData) return NotScamper(line);
    data_left_ = *size;
    return absl::OkStatus();
  }
  if (TakePrefix(&line, "ERR")) {
    events->push_back(CommandRejected{std::string(line.substr(line.starts_with(' ')))});
    return absl::OkStatus();
  }
  if (TakePrefix(&line, "OK id-")) {
    const auto id = ParseNumber<uint32_t>(line);
    if (!id) return NotScamper(line);
    events->push_back(CommandAccepted{*id});
    return absl::OkStatus();
  }
  if (line != "OK" && !line.starts_with("OK ")) return NotScamper(line);
  events->push_back(CommandAccepted{});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ScamperEvent>> ScamperParser::Feed(std::string_view bytes) {
  std::vector<ScamperEvent> events;
  buffer_.append(bytes);
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    if (data_left_ > 0) {
      if (rest.size() < data_left_) break;
      if (auto result = ParseResult(rest.substr(0, data_left_))) events.push_back(*std::move(result));
      rest.remove_prefix(std::exchange(data_left_, 0));
      continue;
    }
    const size_t end = rest.find('\n');
    if (end == rest.npos && rest.size() < kMaxLine) break;
    if (end == rest.npos || end > kMaxLine) return NotScamper(rest);
    if (absl::Status status = TakeLine(rest.substr(0, end), &events); !status.ok()) return status;
    rest.remove_prefix(end + 1);
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return events;
}

}  // namespace perigee
