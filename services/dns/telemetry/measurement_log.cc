#include "services/dns/telemetry/measurement_log.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "lib/base/parse.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
namespace {

constexpr std::string_view kDistances = "distances";

int64_t UnixMs(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string Format(const MeasurementRecord& record) {
  std::string line =
      fmt::format("{} {} {}", UnixMs(record.time), record.client.ToString(), Word(record.cause));
  for (const auto& [replica, sample, after] : record.answers) {
    line += fmt::format(" {}={}", replica, Word(sample.method));
    if (sample.timed()) line += fmt::format(":{}", sample.rtt.count());
    line += fmt::format("@{}", after.count());
  }
  return line + '\n';
}

std::string Format(const DistancesRecord& record) {
  std::string line = fmt::format("{} {} {}", UnixMs(record.time), record.from, kDistances);
  for (const auto& [to, rtt] : record.distances) line += fmt::format(" {}={}", to, rtt.count());
  return line + '\n';
}

absl::Status Wrong(std::string_view what, std::string_view word) {
  return absl::InvalidArgumentError(fmt::format("'{}' is no {}", word, what));
}

// The value of an enumeration that has this word, up to `last`.
template <typename Value>
std::optional<Value> ByWord(std::string_view word, Value last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (const auto value = static_cast<Value>(i); Word(value) == word) return value;
  }
  return std::nullopt;
}

std::optional<Rtt> ParseMicroseconds(std::string_view text) {
  const auto us = ParseNumber<uint32_t>(text);
  return us ? std::optional<Rtt>(*us) : std::nullopt;
}

// "a=b" as a and b; nothing when a part is missing.
std::optional<std::pair<std::string_view, std::string_view>> Cut(std::string_view text, char at) {
  const size_t place = text.find(at);
  if (place == text.npos || place == 0 || place + 1 == text.size()) return std::nullopt;
  return std::pair(text.substr(0, place), text.substr(place + 1));
}

absl::StatusOr<MeasurementRecord::Answer> ParseAnswer(std::string_view word) {
  const auto named = Cut(word, '=');
  const auto timed = named ? Cut(named->second, '@') : std::nullopt;
  const auto after = timed ? ParseMicroseconds(timed->second) : std::nullopt;
  if (!after) return Wrong("answer of a replica", word);
  const auto [how, rtt_text] = Cut(timed->first, ':').value_or(std::pair(timed->first, std::string_view()));
  const auto method = ByWord(how, kLastMethod);
  if (!method) return Wrong("method", how);
  Sample sample{.method = *method};
  if (sample.timed() == rtt_text.empty()) return Wrong("answer of a replica", word);
  if (sample.timed()) {
    const auto rtt = ParseMicroseconds(rtt_text);
    if (!rtt) return Wrong("RTT", rtt_text);
    sample.rtt = *rtt;
  }
  return MeasurementRecord::Answer{std::string(named->first), sample, *after};
}

}  // namespace

std::string FormatMeasurement(const LoggedMeasurement& measurement) {
  return std::visit([](const auto& record) { return Format(record); }, measurement);
}

absl::StatusOr<LoggedMeasurement> ParseMeasurement(std::string_view line) {
  const std::vector<std::string> words = absl::StrSplit(absl::string_view(line.data(), line.size()), ' ');
  if (words.size() < 3) return Wrong("measurement", line);
  const auto ms = ParseNumber<uint64_t>(words[0]);
  if (!ms) return Wrong("time", words[0]);
  const WallTime time{std::chrono::milliseconds(*ms)};
  if (words[2] == kDistances) {
    DistancesRecord record{.time = time, .from = words[1]};
    for (size_t i = 3; i < words.size(); ++i) {
      const auto named = Cut(words[i], '=');
      const auto rtt = named ? ParseMicroseconds(named->second) : std::nullopt;
      if (!rtt) return Wrong("distance", words[i]);
      record.distances.push_back({std::string(named->first), *rtt});
    }
    return record;
  }
  const auto client = IpPrefix::Parse(words[1]);
  if (!client.ok()) return client.status();
  const auto cause = ByWord(words[2], FlightCause::kRefinement);
  if (!cause) return Wrong("cause", words[2]);
  MeasurementRecord record{.time = time, .client = *client, .cause = *cause};
  for (size_t i = 3; i < words.size(); ++i) {
    auto answer = ParseAnswer(words[i]);
    if (!answer.ok()) return answer.status();
    record.answers.push_back(*std::move(answer));
  }
  return record;
}

absl::StatusOr<std::unique_ptr<MeasurementLog>> MeasurementLog::Open(const std::string& path) {
  auto file = LogFile::Open({.what = "measurement log",
                             .path = path,
                             .format = [](std::string_view line, std::string* out) { *out += line; }});
  if (!file.ok()) return file.status();
  return std::unique_ptr<MeasurementLog>(new MeasurementLog(*std::move(file)));
}

void MeasurementLog::Write(const LoggedMeasurement& measurement) {
  const std::string line = FormatMeasurement(measurement);
  std::byte* const place = ring_.Reserve(line.size());
  if (place == nullptr) return;  // counted as lost
  std::memcpy(place, line.data(), line.size());
  ring_.Commit();
}

}  // namespace perigee::dns
