#include "lib/dns_wire/response.h"

#include <algorithm>
#include <cassert>

#include "lib/dns_wire/fold.h"

namespace perigee::dns {
namespace {

constexpr uint16_t kCopiedFlags = 0xf << kOpcodeShift | kFlagRd | kFlagCd;
constexpr int64_t kMaxTtl = 0x7fffffff;
constexpr size_t kSubnetFixedSize = 4;  // family, source, scope
constexpr size_t kKeepaliveSize = 2;
constexpr auto kKeepaliveUnit = std::chrono::milliseconds(100);

static_assert(kHeaderSize + kMaxQuestionSize + kOptSize + (kOptionHeaderSize + kMaxNsidSize) +
                      (kOptionHeaderSize + kFullCookieSize) + (kOptionHeaderSize + kSubnetFixedSize + 16) +
                      (kOptionHeaderSize + kKeepaliveSize) <=
                  kPlainUdpLimit,
              "a refusal fits whatever options it has");

// The names in an RDATA that may be compressed: how many, and behind how many octets they start.
struct CompressibleNames {
  size_t skip = 0;
  int names = 0;
};

CompressibleNames NamesOf(RrType type) {
  switch (type) {
    case RrType::kNs:
    case RrType::kCname:
    case RrType::kPtr:
      return {0, 1};
    case RrType::kMx:
      return {2, 1};
    case RrType::kSoa:
      return {0, 2};
    default:
      return {};
  }
}

uint32_t ClampTtl(std::chrono::seconds ttl) {
  return static_cast<uint32_t>(std::clamp<int64_t>(ttl.count(), 0, kMaxTtl));
}

size_t SubnetSize(const ClientSubnet& subnet) { return (subnet.source_prefix + 7u) / 8; }

// What of `reply` this query gets.
EdnsReply Applicable(const ParsedQuery& query, EdnsReply reply) {
  reply.nsid = reply.nsid.first(std::min(reply.nsid.size(), kMaxNsidSize));
  if (!query.edns->client_subnet) reply.client_subnet_scope.reset();
  return reply;
}

size_t OptionsSize(const ParsedQuery& query, const EdnsReply& reply) {
  size_t size = 0;
  if (!reply.nsid.empty()) size += kOptionHeaderSize + reply.nsid.size();
  if (reply.cookie) size += kOptionHeaderSize + reply.cookie->size();
  if (reply.client_subnet_scope) {
    size += kOptionHeaderSize + kSubnetFixedSize + SubnetSize(*query.edns->client_subnet);
  }
  if (reply.keepalive) size += kOptionHeaderSize + kKeepaliveSize;
  return size;
}

void WriteOptionHeader(OptionCode code, size_t size, Writer& writer) {
  writer.U16(static_cast<uint16_t>(code));
  writer.U16(static_cast<uint16_t>(size));
}

void WriteSubnet(const ClientSubnet& subnet, uint8_t scope, Writer& writer) {
  WriteOptionHeader(OptionCode::kClientSubnet, kSubnetFixedSize + SubnetSize(subnet), writer);
  writer.U16(static_cast<uint16_t>(subnet.family));
  writer.U8(subnet.source_prefix);
  writer.U8(subnet.source_prefix == 0 ? uint8_t{0} : scope);
  writer.Bytes(subnet.address.bytes().first(SubnetSize(subnet)));
}

void WriteOptions(const Edns& query, const EdnsReply& reply, Writer& writer) {
  if (!reply.nsid.empty()) {
    WriteOptionHeader(OptionCode::kNsid, reply.nsid.size(), writer);
    writer.Bytes(reply.nsid);
  }
  if (reply.client_subnet_scope) WriteSubnet(*query.client_subnet, *reply.client_subnet_scope, writer);
  if (reply.cookie) {
    WriteOptionHeader(OptionCode::kCookie, reply.cookie->size(), writer);
    writer.Bytes(*reply.cookie);
  }
  if (reply.keepalive) {
    WriteOptionHeader(OptionCode::kTcpKeepalive, kKeepaliveSize, writer);
    writer.U16(static_cast<uint16_t>(std::clamp<int64_t>(*reply.keepalive / kKeepaliveUnit, 0, 0xffff)));
  }
}

}  // namespace

size_t UdpLimit(const ParsedQuery& query) {
  if (!query.edns) return kPlainUdpLimit;
  return std::clamp<size_t>(query.edns->udp_payload, kPlainUdpLimit, kEdnsUdpLimit);
}

ResponseWriter::ResponseWriter(const ParsedQuery& query, std::span<uint8_t> out, const EdnsReply& edns)
    : query_(query),
      out_(out),
      edns_(query.edns ? Applicable(query, edns) : EdnsReply()),
      options_size_(query.edns ? OptionsSize(query, edns_) : 0),
      writer_(out.first(out.size() - (query.edns ? kOptSize + options_size_ : 0))),
      suffixes_(out),
      flags_(static_cast<uint16_t>(kFlagQr | (query.flags & kCopiedFlags))) {
  assert(out.size() >= kPlainUdpLimit);
  writer_.RewindTo(kHeaderSize);
  writer_.Bytes(query.question);
}

void ResponseWriter::set_truncated() {
  flags_ |= kFlagTc;
  full_ = true;
}

void ResponseWriter::AddSet(Section section, NameView owner, RrType type, std::chrono::seconds ttl,
                            std::span<const Rdata> rdatas, Need need) {
  if (full_) return;
  const Mark mark = Begin();
  size_t owner_at = 0;
  for (const Rdata rdata : rdatas) WriteRecord(owner, type, ClampTtl(ttl), rdata, &owner_at);
  End(section, need, rdatas.size(), mark);
}

void ResponseWriter::AddAddresses(Section section, NameView owner, std::chrono::seconds ttl,
                                  std::span<const IpAddress> addresses, Need need) {
  if (full_) return;
  const Mark mark = Begin();
  size_t owner_at = 0;
  for (const IpAddress& address : addresses) {
    assert(address.is_v4() == addresses.front().is_v4());
    WriteAddress(owner, ClampTtl(ttl), address, &owner_at);
  }
  End(section, need, addresses.size(), mark);
}

void ResponseWriter::End(Section section, Need need, size_t records, const Mark& mark) {
  assert(section >= section_);
  section_ = section;
  if (writer_.ok()) {
    counts_[static_cast<size_t>(section)] += static_cast<uint16_t>(records);
    return;
  }
  writer_.RewindTo(mark.size);
  suffixes_.RewindTo(mark.suffixes);
  if (section != Section::kAdditional || need == Need::kRequired) set_truncated();
}

void ResponseWriter::BeginRecord(NameView owner, RrType type, uint32_t ttl, size_t* owner_at) {
  if (*owner_at != 0) {
    WritePointer(*owner_at);
  } else {
    *owner_at = WriteOwner(owner);
  }
  writer_.U64(static_cast<uint64_t>(type) << 48 | static_cast<uint64_t>(query_.qclass) << 32 | ttl);
}

void ResponseWriter::WriteAddress(NameView owner, uint32_t ttl, const IpAddress& address, size_t* owner_at) {
  BeginRecord(owner, address.is_v4() ? RrType::kA : RrType::kAaaa, ttl, owner_at);
  const Rdata octets = address.bytes();
  writer_.U16(static_cast<uint16_t>(octets.size()));
  // With a size that the compiler knows, no call is made.
  address.is_v4() ? writer_.Bytes(octets.first<4>()) : writer_.Bytes(octets.first<16>());
}

void ResponseWriter::WriteRecord(NameView owner, RrType type, uint32_t ttl, Rdata rdata, size_t* owner_at) {
  BeginRecord(owner, type, ttl, owner_at);
  const size_t size_at = writer_.size();
  writer_.U16(0);
  WriteRdata(type, rdata);
  if (writer_.ok()) writer_.SetU16At(size_at, static_cast<uint16_t>(writer_.size() - size_at - 2));
}

// Returns where the next record's pointer to the owner may lead; 0 when the owner is better written again.
size_t ResponseWriter::WriteOwner(NameView owner) {
  const size_t start = writer_.size();
  const size_t known = FindName(owner);
  if (known != 0) {
    WritePointer(known);
    return known;
  }
  WriteName(owner);
  return owner.is_root() || start >= kPointerLimit ? 0 : start;
}

void ResponseWriter::WriteRdata(RrType type, Rdata rdata) {
  const CompressibleNames compressible = NamesOf(type);
  size_t written = 0;
  if (compressible.names > 0 && rdata.size() >= compressible.skip) {
    Reader reader(rdata);
    reader.Skip(compressible.skip);
    writer_.Bytes(rdata.first(compressible.skip));
    written = compressible.skip;
    NameView name;
    for (int names = compressible.names; names > 0 && NameView::Read(reader, &name); --names) {
      WriteName(name);
      written = reader.offset();
    }
  }
  writer_.Bytes(rdata.subspan(written));
}

// Labels until the rest of the name stands somewhere already, then a pointer to that.
void ResponseWriter::WriteName(NameView name) {
  for (; !name.is_root(); name = name.Parent()) {
    const size_t known = FindName(name);
    if (known != 0) return WritePointer(known);
    const size_t start = writer_.size();
    writer_.Bytes(name.bytes().first(size_t{name.bytes()[0]} + 1));
    if (!writer_.ok()) return;
    suffixes_.Add(start, name.size());
  }
  writer_.U8(0);
}

// Most names are the question's, often the very same octets.
size_t ResponseWriter::FindName(NameView name) const {
  if (name.is_root()) return 0;
  if (!query_.question.empty() && name.size() <= query_.qname.size()) {
    const size_t skipped = query_.qname.size() - name.size();
    const auto suffix = query_.qname.bytes().subspan(skipped);
    if (name.bytes().data() == suffix.data() || query_.qname.IsWithin(name)) return kHeaderSize + skipped;
  }
  return suffixes_.Find(name);
}

void ResponseWriter::WritePointer(size_t offset) {
  writer_.U16(static_cast<uint16_t>(kPointerBits << 8 | offset));
}

void ResponseWriter::WriteOpt(const Edns& edns) {
  writer_.U8(0);
  writer_.U16(static_cast<uint16_t>(RrType::kOpt));
  writer_.U16(kEdnsUdpLimit);
  writer_.U8(static_cast<uint8_t>(static_cast<uint16_t>(rcode_) >> 4));
  writer_.U8(0);  // our version
  writer_.U16(edns.dnssec_ok ? 0x8000 : 0);
  writer_.U16(static_cast<uint16_t>(options_size_));
  WriteOptions(edns, edns_, writer_);
}

size_t ResponseWriter::Finish() {
  const size_t body = writer_.size();
  writer_ = Writer(out_);
  writer_.RewindTo(body);
  if (query_.edns) WriteOpt(*query_.edns);
  const size_t size = writer_.size();
  writer_.RewindTo(0);
  const uint64_t flags = flags_ | (static_cast<uint16_t>(rcode_) & 0xf);
  const uint64_t questions = query_.question.empty() ? 0 : 1;
  const uint32_t additional = counts_[2] + (query_.edns ? 1u : 0u);
  writer_.U64(uint64_t{query_.id} << 48 | flags << 32 | questions << 16 | counts_[0]);
  writer_.U32(uint32_t{counts_[1]} << 16 | additional);
  return size;
}

}  // namespace perigee::dns
