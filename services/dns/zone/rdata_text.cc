#include "services/dns/zone/rdata_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "lib/base/address.h"
#include "lib/base/parse.h"
#include "lib/dns_wire/cursor.h"
#include "services/dns/zone/ldns.h"

namespace perigee::dns {
namespace {

constexpr size_t kMaxRdataSize = 65535;
constexpr std::string_view kGeneric = "\\#";
constexpr size_t kMaxTypeText = 32;  // longer than any mnemonic
constexpr auto kIpseckey = static_cast<RrType>(45);

struct RrDeleter {
  void operator()(ldns_rr* rr) const { ldns_rr_free(rr); }
};
struct RdfDeleter {
  void operator()(ldns_rdf* rdf) const { ldns_rdf_deep_free(rdf); }
};

absl::Status Bad(std::string_view why) { return absl::InvalidArgumentError(std::string(why)); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Every escape becomes \DDD, and so does every octet beyond ASCII: one form, which all of ldns' readers know.
bool AppendPlain(std::string_view token, std::string* text) {
  for (size_t i = 0; i < token.size(); ++i) {
    auto c = static_cast<unsigned char>(token[i]);
    bool escaped = c >= 0x7f;
    if (c == '\\') {
      if (++i == token.size()) return false;
      c = static_cast<unsigned char>(token[i]);
      escaped = true;
      if (IsDigit(token[i])) {
        if (i + 2 >= token.size() || !IsDigit(token[i + 1]) || !IsDigit(token[i + 2])) return false;
        const int value = (token[i] - '0') * 100 + (token[i + 1] - '0') * 10 + (token[i + 2] - '0');
        if (value > 255) return false;
        c = static_cast<unsigned char>(value);
        i += 2;
      }
    }
    if (escaped) {
      *text += fmt::format("\\{:03}", c);
    } else {
      *text += static_cast<char>(c);
    }
  }
  return true;
}

// A final dot that no "\\" escapes.
bool EndsAbsolute(std::string_view text) {
  if (!text.ends_with('.')) return false;
  const size_t last = text.find_last_not_of('\\', text.size() - 2);
  const size_t slashes = text.size() - 2 - (last == std::string_view::npos ? size_t(-1) : last);
  return text.size() == 1 || slashes % 2 == 0;
}

std::optional<int> HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// RFC 3597 §5, without the "\#".
absl::StatusOr<RdataBuffer> ParseGeneric(std::span<const ZoneToken> tokens) {
  size_t size = 0;
  if (tokens.empty()) return Bad("\"\\#\" needs a length after it");
  const std::string_view length = tokens[0].text;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), size);
  if (error != std::errc() || end != length.data() + length.size() || size > kMaxRdataSize) {
    return Bad(fmt::format("\"\\# {}\": the length is a number up to 65535", length));
  }
  std::string hex;
  for (const ZoneToken& token : tokens.subspan(1)) hex += token.text;
  if (hex.size() != 2 * size) {
    return Bad(
        fmt::format("\"\\# {}\" needs {} hexadecimal digits after it, not {}", size, 2 * size, hex.size()));
  }
  RdataBuffer rdata;
  rdata.reserve(size);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const auto high = HexDigit(hex[i]), low = HexDigit(hex[i + 1]);
    if (!high || !low) return Bad(fmt::format("\"{}\" is not hexadecimal", hex.substr(i, 2)));
    rdata.push_back(static_cast<uint8_t>(*high << 4 | *low));
  }
  return rdata;
}

// RFC 4025 §2.3 and §2.5: the gateway's form is its type's.
absl::StatusOr<RdataBuffer> ParseGateway(uint8_t type, std::string_view text, NameView origin) {
  if (type == 0 && text == ".") return RdataBuffer();
  if (type == 1 || type == 2) {
    const auto address = IpAddress::Parse(text);
    if (address.ok() && address->is_v4() == (type == 1)) {
      return RdataBuffer(address->bytes().begin(), address->bytes().end());
    }
  }
  if (type == 3) {
    const auto name = ParseRelativeName(text, origin);
    if (!name.ok()) return name.status();
    return RdataBuffer(name->view().bytes().begin(), name->view().bytes().end());
  }
  return Bad(
      fmt::format("\"{}\" is no gateway of type {}: 0 is \".\", 1 IPv4, 2 IPv6, 3 a name", text, type));
}

// RFC 4025 §3.1. Not by ldns (1.8.3), which leaks and takes a relative gateway for an absolute one.
absl::StatusOr<RdataBuffer> ParseIpseckey(std::span<const ZoneToken> tokens, NameView origin) {
  if (tokens.size() < 4) return Bad("takes precedence, gateway type, algorithm, gateway and public key");
  RdataBuffer rdata;
  for (const ZoneToken& token : tokens.first(3)) {
    const auto number = ParseNumber<uint8_t>(token.text);
    if (!number) return Bad(fmt::format("\"{}\" is not a number up to 255", token.text));
    rdata.push_back(*number);
  }
  const auto gateway = ParseGateway(rdata[1], tokens[3].text, origin);
  if (!gateway.ok()) return gateway.status();
  rdata.insert(rdata.end(), gateway->begin(), gateway->end());
  std::string text, key;
  for (const ZoneToken& token : tokens.subspan(4)) text += token.text;
  if (!absl::Base64Unescape(text, &key)) return Bad(fmt::format("the key \"{}\" is not base64", text));
  rdata.insert(rdata.end(), key.begin(), key.end());
  return rdata;
}

absl::StatusOr<std::string> LineFor(RrType type, std::span<const ZoneToken> tokens) {
  std::string line = fmt::format(". 0 IN TYPE{}", static_cast<uint16_t>(type));
  for (const ZoneToken& token : tokens) {
    line += token.quoted ? " \"" : " ";
    if (!AppendPlain(token.text, &line)) {
      return Bad(fmt::format(
          "\"{}\": an escape is \\DDD, up to 255, or \\ and a character that is not a digit", token.text));
    }
    if (token.quoted) line += '"';
    if (line.size() > kMaxRdataText) {
      return Bad("the record's data is longer than 8000 octets of text: write it as \"\\# length hex\"");
    }
  }
  return line;
}

}  // namespace

RrType ParseType(std::string_view text) {
  if (text.size() > kMaxTypeText || text.find('\0') != std::string_view::npos) return {};
  return static_cast<RrType>(ldns_get_rr_type_by_name(std::string(text).c_str()));
}

absl::StatusOr<Name> ParseRelativeName(std::string_view text, NameView origin) {
  if (text == "@") return Name(origin);
  auto name = Name::Parse(text);
  if (!name.ok() || EndsAbsolute(text)) return name;
  if (name->view().size() - 1 + origin.size() > kMaxNameSize) {
    return Bad(fmt::format("not a domain name: \"{}\": with {} after it, it is longer than 255 octets", text,
                           origin.ToText()));
  }
  std::array<uint8_t, kMaxNameSize> octets;
  const size_t prefix = name->view().size() - 1;
  std::copy_n(name->view().bytes().begin(), prefix, octets.begin());
  std::copy(origin.bytes().begin(), origin.bytes().end(), octets.begin() + prefix);
  Reader reader({octets.data(), prefix + origin.size()});
  NameView whole;
  NameView::Read(reader, &whole);
  return Name(whole);
}

absl::StatusOr<RdataBuffer> ParseRdata(RrType type, std::span<const ZoneToken> tokens, NameView origin) {
  if (tokens.empty()) return Bad("the record has no data");
  if (!tokens[0].quoted && tokens[0].text == kGeneric) return ParseGeneric(tokens.subspan(1));
  if (type == kIpseckey) return ParseIpseckey(tokens, origin);
  const auto line = LineFor(type, tokens);
  if (!line.ok()) return line.status();
  const std::unique_ptr<ldns_rdf, RdfDeleter> origin_rdf(
      ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, origin.size(), origin.bytes().data()));
  ldns_rr* read = nullptr;
  const ldns_status status = ldns_rr_new_frm_str(&read, line->c_str(), 0, origin_rdf.get(), nullptr);
  const std::unique_ptr<ldns_rr, RrDeleter> rr(read);
  if (status != LDNS_STATUS_OK || rr == nullptr) return Bad(ldns_get_errorstr_by_id(status));
  RdataBuffer rdata;
  for (size_t i = 0; i < ldns_rr_rd_count(rr.get()); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(rr.get(), i);
    if (field == nullptr) continue;
    const uint8_t* octets = ldns_rdf_data(field);
    rdata.insert(rdata.end(), octets, octets + ldns_rdf_size(field));
  }
  if (rdata.size() > kMaxRdataSize) return Bad("the record's data is longer than 65535 octets");
  return rdata;
}

}  // namespace perigee::dns
