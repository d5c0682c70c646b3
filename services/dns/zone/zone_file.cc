#include "services/dns/zone/zone_file.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "fmt/format.h"
#include "lib/base/read_file.h"
#include "services/dns/zone/rdata_text.h"
#include "services/dns/zone/zone_builder.h"
#include "services/dns/zone/zone_scanner.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

constexpr uint64_t kMaxTtlSeconds = 0x7fffffff;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool Is(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

uint64_t SecondsOf(char unit) {
  switch (unit | 0x20) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    case 'w':
      return 604800;
    default:
      return 0;
  }
}

// "3600", "1h30m". Nothing when it is no TTL; values above 31 bits are returned as such, to be told apart.
std::optional<uint64_t> ParseTtl(std::string_view text) {
  uint64_t total = 0, number = 0;
  bool digits = false;
  for (const char c : text) {
    if (IsDigit(c)) {
      number = number * 10 + static_cast<uint64_t>(c - '0');
      digits = true;
    } else {
      if (!digits || SecondsOf(c) == 0) return std::nullopt;
      total += number * SecondsOf(c);
      number = 0;
      digits = false;
    }
    if (number > kMaxTtlSeconds || total > kMaxTtlSeconds) return kMaxTtlSeconds + 1;
  }
  if (text.empty() || !IsDigit(text[0])) return std::nullopt;
  return total + number;
}

bool IsOtherClass(std::string_view text) {
  return Is(text, "CH") || Is(text, "HS") || Is(text, "CS") || Is(text, "NONE") ||
         (text.size() > 5 && Is(text.substr(0, 5), "CLASS") && IsDigit(text[5]));
}

// Not data: for questions and for the transport only, or made by a signer whose work is not served.
std::string_view WhyNotInZone(RrType type) {
  const auto number = static_cast<uint16_t>(type);
  if (number == 46 || number == 47 || number == 50 || number == 51) {
    return "the zone is signed, and signatures are not served: load the unsigned zone";
  }
  if (type == RrType::kOpt || (number >= 128 && number <= 255))
    return "a zone cannot hold records of this type";
  return "";
}

class ZoneReader {
 public:
  ZoneReader(NameView apex, IncludeLoader load) : builder_(apex), load_(load) {}

  absl::Status Read(std::string_view text, const std::string& file_name, Name origin, size_t depth);
  absl::StatusOr<Zone> Finish(std::span<const Name> steered);

 private:
  // Of one file: an included one leaves the includer's as it was (RFC 1035 §5.1).
  struct File {
    const std::string& name;
    uint32_t number;
    size_t depth;
    Name origin;
    std::optional<Name> owner;
  };
  using Tokens = std::span<const ZoneToken>;

  static absl::Status Bad(const File& file, uint32_t line, std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", file.name, line, why));
  }
  absl::Status TakeControl(File* file, Tokens tokens);
  absl::Status TakeTtl(const File& file, Tokens tokens);
  absl::Status TakeOrigin(File* file, Tokens tokens);
  absl::Status TakeInclude(const File& file, Tokens tokens);
  absl::Status TakeRecord(File* file, const ZoneEntry& entry);
  absl::Status TakeTtlAndClass(const File& file, Tokens* tokens, std::optional<seconds>* ttl);
  absl::Status AddRecord(const File& file, uint32_t line, std::optional<seconds> ttl, Tokens tokens);
  absl::StatusOr<Name> NameOf(const File& file, const ZoneToken& token) const;
  absl::StatusOr<seconds> TtlOf(const File& file, const ZoneToken& token) const;

  ZoneBuilder builder_;
  IncludeLoader load_;
  std::optional<seconds> default_ttl_;
  std::optional<seconds> last_ttl_;
  size_t text_size_ = 0;
  size_t records_ = 0;
  size_t includes_ = 0;
};

absl::Status ZoneReader::Read(std::string_view text, const std::string& file_name, Name origin,
                              size_t depth) {
  File file{file_name, builder_.AddFile(file_name), depth, origin, std::nullopt};
  text_size_ += text.size();
  if (text_size_ > kMaxZoneText) return Bad(file, 1, "the zone's files are larger than 64 MiB together");
  ZoneScanner scanner(text);
  ZoneEntry entry;
  for (;;) {
    const ZoneScanner::Result result = scanner.Next(&entry);
    if (result == ZoneScanner::Result::kEnd) return absl::OkStatus();
    if (result == ZoneScanner::Result::kError) return Bad(file, scanner.error_line(), scanner.error());
    const bool control = !entry.tokens[0].quoted && entry.tokens[0].text.starts_with('$');
    absl::Status status = control ? TakeControl(&file, entry.tokens) : TakeRecord(&file, entry);
    if (!status.ok()) return status;
  }
}

absl::StatusOr<Zone> ZoneReader::Finish(std::span<const Name> steered) {
  for (const Name& name : steered) {
    const absl::Status status = builder_.AddSteered(name);
    if (!status.ok()) return status;
  }
  return std::move(builder_).Build();
}

absl::Status ZoneReader::TakeControl(File* file, Tokens tokens) {
  const std::string_view word = tokens[0].text;
  if (Is(word, "$TTL")) return TakeTtl(*file, tokens);
  if (Is(word, "$ORIGIN")) return TakeOrigin(file, tokens);
  if (Is(word, "$INCLUDE")) return TakeInclude(*file, tokens);
  return Bad(*file, tokens[0].line,
             fmt::format("\"{}\" is not supported: $ORIGIN, $TTL and $INCLUDE are", word));
}

absl::Status ZoneReader::TakeTtl(const File& file, Tokens tokens) {
  if (tokens.size() != 2) return Bad(file, tokens[0].line, "$TTL takes one value, such as \"$TTL 3600\"");
  const auto ttl = TtlOf(file, tokens[1]);
  if (!ttl.ok()) return ttl.status();
  default_ttl_ = *ttl;
  return absl::OkStatus();
}

absl::Status ZoneReader::TakeOrigin(File* file, Tokens tokens) {
  if (tokens.size() != 2) return Bad(*file, tokens[0].line, "$ORIGIN takes one name");
  const auto origin = NameOf(*file, tokens[1]);
  if (!origin.ok()) return origin.status();
  file->origin = *origin;
  return absl::OkStatus();
}

absl::Status ZoneReader::TakeInclude(const File& file, Tokens tokens) {
  const uint32_t line = tokens[0].line;
  if (tokens.size() != 2 && tokens.size() != 3)
    return Bad(file, line, "$INCLUDE takes a file, and may take an origin");
  if (file.depth == kMaxIncludeDepth) {
    return Bad(file, line, fmt::format("$INCLUDE is nested more than {} deep", kMaxIncludeDepth));
  }
  if (++includes_ > kMaxIncludes) return Bad(file, line, fmt::format("more than {} $INCLUDEs", kMaxIncludes));
  absl::StatusOr<Name> origin = file.origin;
  if (tokens.size() == 3) origin = NameOf(file, tokens[2]);
  if (!origin.ok()) return origin.status();
  const std::string path = (std::filesystem::path(file.name).parent_path() / tokens[1].text).string();
  const auto text = load_(path);
  if (!text.ok()) return Bad(file, line, std::string(text.status().message()));
  return Read(*text, path, *origin, file.depth + 1);
}

absl::Status ZoneReader::TakeRecord(File* file, const ZoneEntry& entry) {
  Tokens tokens = entry.tokens;
  if (!entry.starts_blank) {
    const auto owner = NameOf(*file, tokens[0]);
    if (!owner.ok()) return owner.status();
    file->owner = *owner;
    tokens = tokens.subspan(1);
  }
  if (!file->owner)
    return Bad(*file, entry.line(), "the first record of a file needs an owner: start its line with one");
  std::optional<seconds> ttl;
  absl::Status status = TakeTtlAndClass(*file, &tokens, &ttl);
  if (!status.ok()) return status;
  if (tokens.empty()) return Bad(*file, entry.line(), "the record has no type");
  return AddRecord(*file, entry.line(), ttl, tokens);
}

// In either order, each at most once (RFC 1035 §5.1).
absl::Status ZoneReader::TakeTtlAndClass(const File& file, Tokens* tokens, std::optional<seconds>* ttl) {
  for (bool class_seen = false; !tokens->empty(); *tokens = tokens->subspan(1)) {
    const ZoneToken& token = tokens->front();
    if (IsOtherClass(token.text)) {
      return Bad(file, token.line, fmt::format("the class \"{}\" is not served: only IN is", token.text));
    }
    if (!class_seen && Is(token.text, "IN")) {
      class_seen = true;
      continue;
    }
    if (ttl->has_value() || token.text.empty() || !IsDigit(token.text[0])) return absl::OkStatus();
    const auto value = TtlOf(file, token);
    if (!value.ok()) return value.status();
    *ttl = *value;
  }
  return absl::OkStatus();
}

absl::Status ZoneReader::AddRecord(const File& file, uint32_t line, std::optional<seconds> ttl,
                                   Tokens tokens) {
  const RrType type = ParseType(tokens[0].text);
  if (tokens[0].quoted || type == RrType{}) {
    return Bad(
        file, tokens[0].line,
        fmt::format("\"{}\" is not a record type: write unknown ones as TYPE and a number", tokens[0].text));
  }
  if (const auto why = WhyNotInZone(type); !why.empty()) return Bad(file, tokens[0].line, why);
  if (ttl) last_ttl_ = ttl;
  if (!ttl) ttl = default_ttl_ ? default_ttl_ : last_ttl_;
  if (!ttl) return Bad(file, line, "the record has no TTL: give it one, or write \"$TTL 3600\" above");
  if (++records_ > kMaxZoneRecords)
    return Bad(file, line, fmt::format("more than {} records", kMaxZoneRecords));
  const auto rdata = ParseRdata(type, tokens.subspan(1), file.origin);
  if (!rdata.ok()) {
    return Bad(file, line, fmt::format("{}: {}", tokens[0].text, std::string(rdata.status().message())));
  }
  return builder_.AddRecord(*file.owner, type, *ttl, *rdata, {file.number, line});
}

absl::StatusOr<Name> ZoneReader::NameOf(const File& file, const ZoneToken& token) const {
  if (token.quoted)
    return Bad(file, token.line, fmt::format("\"{}\": a name is written without quotes", token.text));
  const auto name = ParseRelativeName(token.text, file.origin);
  if (!name.ok()) return Bad(file, token.line, std::string(name.status().message()));
  return *name;
}

absl::StatusOr<seconds> ZoneReader::TtlOf(const File& file, const ZoneToken& token) const {
  const auto ttl = ParseTtl(token.text);
  if (token.quoted || !ttl) {
    return Bad(file, token.line, fmt::format("\"{}\" is not a TTL, such as 3600 or 1h30m", token.text));
  }
  if (*ttl > kMaxTtlSeconds) {
    return Bad(file, token.line,
               fmt::format("the TTL {} is above 2147483647 (RFC 2181 section 8)", token.text));
  }
  return seconds(*ttl);
}

absl::StatusOr<std::string> ReadZoneText(const std::string& path) { return ReadFile(path, kMaxZoneText); }

}  // namespace

absl::StatusOr<Zone> ReadZone(std::string_view text, std::string_view file_name, NameView apex,
                              std::span<const Name> steered, IncludeLoader load) {
  ZoneReader reader(apex, load);
  const std::string name(file_name);
  const absl::Status status = reader.Read(text, name, Name(apex), 0);
  if (!status.ok()) return status;
  return reader.Finish(steered);
}

absl::StatusOr<Zone> LoadZoneFile(const std::string& path, NameView apex, std::span<const Name> steered) {
  const auto text = ReadZoneText(path);
  if (!text.ok()) return text.status();
  return ReadZone(*text, path, apex, steered, ReadZoneText);
}

}  // namespace perigee::dns
