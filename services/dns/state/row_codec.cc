#include "services/dns/state/row_codec.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace perigee::dns {
namespace {

constexpr size_t kHeaderSize = 16, kSampleSize = 6;
constexpr int kMethodShift = 28;
constexpr uint32_t kRttMask = (1u << kMethodShift) - 1;
constexpr uint8_t kIsV4 = 0x80;
constexpr uint8_t kLastReason = kReasons - 1;

void PutNumber(uint64_t value, size_t octets, std::string* out) {
  for (size_t i = octets; i-- > 0;) *out += static_cast<char>(value >> (8 * i));
}

uint32_t GetNumber(std::string_view data, size_t at, size_t octets) {
  uint32_t value = 0;
  for (size_t i = 0; i < octets; ++i) value = value << 8 | static_cast<uint8_t>(data[at + i]);
  return value;
}

std::optional<IpPrefix> GetPrefix(std::string_view data) {
  const auto head = static_cast<uint8_t>(data[0]);
  const int length = head & 0x7f;
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(data[1 + i]);
  const std::span<const uint8_t, 16> all(bytes);
  const bool v4 = head & kIsV4;
  if (length > (v4 ? 32 : 64)) return std::nullopt;
  return IpPrefix(v4 ? IpAddress::V4(all.first<4>()) : IpAddress::V6(all), length);
}

std::optional<ReplicaId> IdOf(uint32_t number, std::span<const std::optional<ReplicaId>> ids) {
  return number < ids.size() ? ids[number] : std::nullopt;
}

// The nearest measured replica, as a decision.
std::optional<Decision> Redecide(const MapRow& row) {
  const auto distance = [](const Sample& s) { return s.measured() ? s.rtt : Rtt::max(); };
  const auto best = std::min_element(row.samples.begin(), row.samples.end(),
                                     [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  if (!best->measured()) return std::nullopt;
  return Decision{ToReplicaId(static_cast<size_t>(best - row.samples.begin())), Reason::kMeasuredBest};
}

bool GetSamples(std::string_view data, std::span<const std::optional<ReplicaId>> ids, MapRow* row) {
  if ((data.size() - kHeaderSize) % kSampleSize != 0) return false;
  for (size_t at = kHeaderSize; at < data.size(); at += kSampleSize) {
    const uint32_t word = GetNumber(data, at + 2, 4);
    const auto method = static_cast<Method>(word >> kMethodShift);
    if (method > kLastMethod) return false;
    if (const auto id = IdOf(GetNumber(data, at, 2), ids))
      row->samples[Index(*id)] = {Rtt(word & kRttMask), method};
  }
  return true;
}

}  // namespace

void EncodeRow(const IpPrefix& prefix, const MapRow& row, std::span<const ReplicaNumber> numbers,
               const ClockPair& now, std::string* out) {
  out->clear();
  const auto bytes = prefix.address().bytes();
  PutNumber(static_cast<uint64_t>(prefix.length()) | (prefix.address().is_v4() ? kIsV4 : 0u), 1, out);
  for (size_t i = 0; i < 8; ++i) *out += static_cast<char>(i < bytes.size() ? bytes[i] : 0);
  PutNumber(numbers[Index(row.decision.replica)], 2, out);
  PutNumber(static_cast<uint64_t>(row.decision.reason), 1, out);
  const auto measured = now.wall - std::chrono::duration_cast<WallTime::duration>(now.mono - row.measured_at);
  PutNumber(static_cast<uint64_t>(
                std::chrono::duration_cast<std::chrono::seconds>(measured.time_since_epoch()).count()),
            4, out);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const Sample& sample = row.samples[i];
    if (sample.method == Method::kUnknown) continue;
    PutNumber(numbers[i], 2, out);
    const auto us = static_cast<uint32_t>(std::clamp<int64_t>(sample.rtt.count(), 0, kRttMask));
    PutNumber(static_cast<uint32_t>(sample.method) << kMethodShift | us, 4, out);
  }
}

std::optional<StoredRow> DecodeRow(std::string_view data, size_t replicas,
                                   std::span<const std::optional<ReplicaId>> ids, const ClockPair& now) {
  if (data.size() < kHeaderSize) return std::nullopt;
  const auto prefix = GetPrefix(data);
  const auto reason = static_cast<uint8_t>(data[11]);
  if (!prefix || reason == 0 || reason > kLastReason) return std::nullopt;
  std::optional<StoredRow> stored(StoredRow{.prefix = *prefix, .row = {}});
  MapRow& row = stored->row;
  row.samples.resize(std::max(replicas, kWholeFleet));
  if (!GetSamples(data, ids, &row)) return std::nullopt;
  const WallTime measured{std::chrono::seconds(GetNumber(data, 12, 4))};
  row.measured_at = now.mono - std::max(std::chrono::duration_cast<MonoTime::duration>(now.wall - measured),
                                        MonoTime::duration::zero());
  if (const auto decided = IdOf(GetNumber(data, 9, 2), ids)) {
    row.decision = {*decided, static_cast<Reason>(reason)};
    return stored;
  }
  const auto decision = Redecide(row);
  if (!decision) return std::nullopt;
  row.decision = *decision;
  return stored;
}

}  // namespace perigee::dns
