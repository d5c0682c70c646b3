#include "lib/dns_wire/query.h"

#include <algorithm>
#include <array>
#include <memory>

namespace perigee::dns {
namespace {

constexpr uint32_t kOptDnssecOk = 0x8000;

struct Counts {
  uint16_t question = 0, answer = 0, authority = 0, additional = 0;
};

// Six fields of 16 bits.
bool ReadHeader(Reader& reader, ParsedQuery* query, Counts* counts) {
  uint64_t first = 0;
  uint32_t last = 0;
  if (!reader.ReadU64(&first) || !reader.ReadU32(&last)) return false;
  query->id = static_cast<uint16_t>(first >> 48);
  query->flags = static_cast<uint16_t>(first >> 32);
  counts->question = static_cast<uint16_t>(first >> 16);
  counts->answer = static_cast<uint16_t>(first);
  counts->authority = static_cast<uint16_t>(last >> 16);
  counts->additional = static_cast<uint16_t>(last);
  query->opcode = static_cast<Opcode>(query->flags >> kOpcodeShift & 0xf);
  return true;
}

// The first name of a message has nothing before it to point to, so it is never compressed.
bool ReadQuestion(Reader& reader, ParsedQuery* query) {
  const size_t start = reader.offset();
  uint16_t type = 0, rr_class = 0;
  if (!NameView::Read(reader, &query->qname) || !reader.ReadU16(&type) || !reader.ReadU16(&rr_class)) {
    return false;
  }
  query->qtype = static_cast<RrType>(type);
  query->qclass = static_cast<RrClass>(rr_class);
  query->question = reader.data().subspan(start, reader.offset() - start);
  return true;
}

bool TrailingBitsAreZero(std::span<const uint8_t> address, int prefix) {
  return prefix % 8 == 0 || (address.back() & (0xff >> prefix % 8)) == 0;
}

// The address, its host bits zero already, when the family is one that we know and the prefix fits it.
std::optional<IpAddress> SubnetAddress(AddressFamily family, int prefix, std::span<const uint8_t> octets) {
  std::array<uint8_t, 16> padded{};
  if (octets.size() > padded.size()) return std::nullopt;
  std::copy(octets.begin(), octets.end(), padded.begin());
  const bool fits = (family == AddressFamily::kNone && prefix == 0) ||
                    (family == AddressFamily::kV4 && prefix <= 32) ||
                    (family == AddressFamily::kV6 && prefix <= 128);
  if (!fits) return std::nullopt;
  if (family == AddressFamily::kV6) return IpAddress::V6(padded);
  return IpAddress::V4(std::span<const uint8_t, 4>(padded.data(), 4));
}

// RFC 7871 §6: as many octets as the prefix needs, host bits zero, scope zero in a query.
bool ReadClientSubnet(std::span<const uint8_t> option, std::optional<ClientSubnet>* subnet) {
  Reader reader(option);
  uint16_t family = 0;
  uint8_t source = 0, scope = 0;
  if (subnet->has_value() || !reader.ReadU16(&family) || !reader.ReadU8(&source) || !reader.ReadU8(&scope)) {
    return false;
  }
  const auto octets = option.subspan(reader.offset());
  if (scope != 0 || octets.size() != (source + 7u) / 8 || !TrailingBitsAreZero(octets, source)) return false;
  const auto address = SubnetAddress(static_cast<AddressFamily>(family), source, octets);
  if (address) *subnet = ClientSubnet{*address, source, static_cast<AddressFamily>(family)};
  return address.has_value();
}

bool ReadCookie(std::span<const uint8_t> option, std::optional<Cookie>* cookie) {
  const bool has_server_part = option.size() >= kClientCookieSize + kMinServerCookieSize &&
                               option.size() <= kClientCookieSize + kMaxServerCookieSize;
  if (cookie->has_value() || (option.size() != kClientCookieSize && !has_server_part)) return false;
  const auto client = option.first(kClientCookieSize);
  const auto server = option.subspan(kClientCookieSize);
  Cookie& read = cookie->emplace();
  std::copy(client.begin(), client.end(), read.client.begin());
  std::copy(server.begin(), server.end(), read.server.begin());
  read.server_size = static_cast<uint8_t>(server.size());
  return true;
}

bool ReadKeepalive(std::span<const uint8_t> option, Transport transport, bool* keepalive) {
  if (transport == Transport::kUdp) return true;
  if (*keepalive || !option.empty()) return false;
  *keepalive = true;
  return true;
}

bool ReadOption(OptionCode code, std::span<const uint8_t> value, Transport transport, Edns* edns) {
  switch (code) {
    case OptionCode::kNsid:
      edns->nsid = true;
      return true;
    case OptionCode::kClientSubnet:
      return ReadClientSubnet(value, &edns->client_subnet);
    case OptionCode::kCookie:
      return ReadCookie(value, &edns->cookie);
    case OptionCode::kTcpKeepalive:
      return ReadKeepalive(value, transport, &edns->keepalive);
    case OptionCode::kPadding:
      break;
  }
  return true;
}

bool ReadOptions(std::span<const uint8_t> rdata, Transport transport, Edns* edns) {
  Reader reader(rdata);
  while (reader.remaining() > 0) {
    uint16_t code = 0, length = 0;
    std::span<const uint8_t> value;
    if (!reader.ReadU16(&code) || !reader.ReadU16(&length) || !reader.ReadBytes(length, &value)) return false;
    if (!ReadOption(static_cast<OptionCode>(code), value, transport, edns)) return false;
  }
  return true;
}

struct Record {
  RrType type{};
  uint16_t rr_class = 0;
  uint32_t ttl = 0;
  std::span<const uint8_t> rdata;
  bool owner_is_root = false;
};

// The root, OPT's owner, is read without the room that other names need.
bool ReadOwner(Reader& reader, bool* is_root) {
  *is_root = reader.remaining() > 0 && reader.data()[reader.offset()] == 0;
  if (*is_root) return reader.Skip(1);
  Name owner;
  if (!Name::Read(reader, &owner)) return false;
  *is_root = owner.view().is_root();
  return true;
}

bool ReadRecord(Reader& reader, Record* record) {
  uint16_t type = 0, size = 0;
  if (!ReadOwner(reader, &record->owner_is_root) || !reader.ReadU16(&type) ||
      !reader.ReadU16(&record->rr_class) || !reader.ReadU32(&record->ttl) || !reader.ReadU16(&size) ||
      !reader.ReadBytes(size, &record->rdata)) {
    return false;
  }
  record->type = static_cast<RrType>(type);
  return true;
}

// Options of a version that we do not know are left unread.
bool ReadOpt(const Record& record, Transport transport, ParsedQuery* query) {
  if (query->edns || !record.owner_is_root) return false;
  Edns& edns = query->edns.emplace();
  edns.udp_payload = record.rr_class;
  edns.version = static_cast<uint8_t>(record.ttl >> 16);
  edns.dnssec_ok = (record.ttl & kOptDnssecOk) != 0;
  return edns.version != 0 || ReadOptions(record.rdata, transport, &edns);
}

// Everything behind the header. Every turn of these loops takes at least 11 octets from the message.
bool ReadBody(Reader& reader, const Counts& counts, Transport transport, ParsedQuery* query) {
  if (counts.question > 1 || (counts.question == 1 && !ReadQuestion(reader, query))) return false;
  Record record;
  for (int n = counts.answer + counts.authority; n > 0; --n) {
    if (!ReadRecord(reader, &record) || record.type == RrType::kOpt) return false;
  }
  for (int n = counts.additional; n > 0; --n) {
    if (!ReadRecord(reader, &record)) return false;
    if (record.type == RrType::kOpt && !ReadOpt(record, transport, query)) return false;
  }
  return reader.remaining() == 0;
}

}  // namespace

ParseVerdict ParseQuery(std::span<const uint8_t> message, ParsedQuery* query, Transport transport) {
  std::construct_at(query);  // in place: to copy an empty one costs more than to fill it
  Reader reader(message);
  Counts counts;
  if (!ReadHeader(reader, query, &counts) || (query->flags & kFlagQr) != 0) return ParseVerdict::kDrop;
  const bool well_formed = ReadBody(reader, counts, transport, query);
  if (well_formed && query->edns && query->edns->version != 0) return ParseVerdict::kBadVers;
  if (query->opcode != Opcode::kQuery) return ParseVerdict::kNotImp;
  if (!well_formed) return ParseVerdict::kFormErr;
  if (counts.question == 1) return ParseVerdict::kOk;
  return query->edns && query->edns->cookie ? ParseVerdict::kCookieOnly : ParseVerdict::kFormErr;
}

}  // namespace perigee::dns
