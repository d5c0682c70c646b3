#include "services/replica/telemetry/access_log.h"

#include <array>
#include <cstring>
#include <type_traits>

namespace perigee::replica {
namespace {

constexpr size_t kTexts = 6;

// The texts of an entry; in the ring they follow it in this order.
std::array<std::string_view*, kTexts> TextsOf(AccessEntry& entry) {
  return {&entry.method, &entry.target, &entry.host, &entry.referer, &entry.user_agent, &entry.cache.detail};
}

}  // namespace

bool AccessLog::Push(AccessEntry entry, LogRing& ring) {
  static_assert(std::is_trivially_copyable_v<AccessEntry> && alignof(AccessEntry) <= 8);
  size_t size = sizeof(entry);
  for (std::string_view* text : TextsOf(entry)) {
    *text = text->substr(0, kMaxLoggedText);
    size += text->size();
  }
  std::byte* place = ring.Reserve(size);
  if (place == nullptr) return false;
  std::memcpy(place, &entry, sizeof(entry));
  place += sizeof(entry);
  for (const std::string_view* text : TextsOf(entry)) {
    if (text->empty()) continue;
    std::memcpy(place, text->data(), text->size());
    place += text->size();
  }
  ring.Commit();
  return true;
}

AccessEntry AccessLog::Unpack(std::string_view record) {
  AccessEntry entry;
  std::memcpy(&entry, record.data(), sizeof(entry));
  record.remove_prefix(sizeof(entry));
  for (std::string_view* text : TextsOf(entry)) {
    *text = record.substr(0, text->size());
    record.remove_prefix(text->size());
  }
  return entry;
}

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& path, AccessLogFormat format) {
  const auto append = format == AccessLogFormat::kJson ? AppendJson : AppendCombined;
  auto file = LogFile::Open(
      {.what = "access log",
       .path = path,
       .format = [append](std::string_view record, std::string* out) { append(Unpack(record), out); },
       .ring_size = kRingSize,
       .flush_interval = kFlushInterval});
  if (!file.ok()) return file.status();
  return std::unique_ptr<AccessLog>(new AccessLog(*std::move(file)));
}

}  // namespace perigee::replica
