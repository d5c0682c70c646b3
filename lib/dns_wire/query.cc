#include "lib/dns_wire/query.h"

#include <algorithm>
#include <array>

namespace perigee::dns {
namespace {

constexpr uint16_t kOptionClientSubnet = 8;
constexpr uint32_t kOptDnssecOk = 0x8000;
enum class AddressFamily : uint16_t { kNone = 0, kV4 = 1, kV6 = 2 };

struct Counts {
  uint16_t question = 0, answer = 0, authority = 0, additional = 0;
};

bool ReadHeader(Reader& reader, ParsedQuery* query, Counts* counts) {
  if (!reader.ReadU16(&query->id) || !reader.ReadU16(&query->flags) || !reader.ReadU16(&counts->question) ||
      !reader.ReadU16(&counts->answer) || !reader.ReadU16(&counts->authority) ||
      !reader.ReadU16(&counts->additional)) {
    return false;
  }
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

// RFC 7871 §6: as many octets as the prefix needs, host bits zero, scope zero in a query.
bool ReadClientSubnet(std::span<const uint8_t> option, std::optional<ClientSubnet>* subnet) {
  Reader reader(option);
  uint16_t family = 0;
  uint8_t source = 0, scope = 0;
  if (subnet->has_value() || !reader.ReadU16(&family) || !reader.ReadU8(&source) || !reader.ReadU8(&scope)) {
    return false;
  }
  const auto address = option.subspan(reader.offset());
  if (scope != 0 || address.size() != (source + 7u) / 8 || !TrailingBitsAreZero(address, source))
    return false;
  std::array<uint8_t, 16> padded{};
  if (address.size() > padded.size()) return false;
  std::copy(address.begin(), address.end(), padded.begin());
  switch (static_cast<AddressFamily>(family)) {
    case AddressFamily::kNone:
      return source == 0;
    case AddressFamily::kV4:
      *subnet = ClientSubnet{IpAddress::V4(std::span<const uint8_t, 4>(padded.data(), 4)), source};
      return source <= 32;
    case AddressFamily::kV6:
      *subnet = ClientSubnet{IpAddress::V6(padded), source};
      return source <= 128;
  }
  return false;
}

bool ReadOptions(std::span<const uint8_t> rdata, Edns* edns) {
  Reader reader(rdata);
  while (reader.remaining() > 0) {
    uint16_t code = 0, length = 0;
    std::span<const uint8_t> value;
    if (!reader.ReadU16(&code) || !reader.ReadU16(&length) || !reader.ReadBytes(length, &value)) return false;
    if (code == kOptionClientSubnet && !ReadClientSubnet(value, &edns->client_subnet)) return false;
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

bool ReadRecord(Reader& reader, Record* record) {
  Name owner;
  uint16_t type = 0, size = 0;
  if (!Name::Read(reader, &owner) || !reader.ReadU16(&type) || !reader.ReadU16(&record->rr_class) ||
      !reader.ReadU32(&record->ttl) || !reader.ReadU16(&size) || !reader.ReadBytes(size, &record->rdata)) {
    return false;
  }
  record->type = static_cast<RrType>(type);
  record->owner_is_root = owner.view().is_root();
  return true;
}

// Options of a version that we do not know are left unread.
bool ReadOpt(const Record& record, ParsedQuery* query) {
  if (query->edns || !record.owner_is_root) return false;
  Edns& edns = query->edns.emplace();
  edns.udp_payload = record.rr_class;
  edns.version = static_cast<uint8_t>(record.ttl >> 16);
  edns.dnssec_ok = (record.ttl & kOptDnssecOk) != 0;
  return edns.version != 0 || ReadOptions(record.rdata, &edns);
}

// Everything behind the header. Every turn of these loops takes at least 11 octets from the message.
bool ReadBody(Reader& reader, const Counts& counts, ParsedQuery* query) {
  if (counts.question != 1 || !ReadQuestion(reader, query)) return false;
  Record record;
  for (int n = counts.answer + counts.authority; n > 0; --n) {
    if (!ReadRecord(reader, &record) || record.type == RrType::kOpt) return false;
  }
  for (int n = counts.additional; n > 0; --n) {
    if (!ReadRecord(reader, &record)) return false;
    if (record.type == RrType::kOpt && !ReadOpt(record, query)) return false;
  }
  return reader.remaining() == 0;
}

}  // namespace

ParseVerdict ParseQuery(std::span<const uint8_t> message, ParsedQuery* query) {
  *query = ParsedQuery();
  Reader reader(message);
  Counts counts;
  if (!ReadHeader(reader, query, &counts) || (query->flags & kFlagQr) != 0) return ParseVerdict::kDrop;
  const bool well_formed = ReadBody(reader, counts, query);
  if (query->opcode != Opcode::kQuery) return ParseVerdict::kNotImp;
  if (!well_formed) return ParseVerdict::kFormErr;
  if (query->edns && query->edns->version != 0) return ParseVerdict::kBadVers;
  return ParseVerdict::kOk;
}

}  // namespace perigee::dns
