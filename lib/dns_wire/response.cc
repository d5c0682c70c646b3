#include "lib/dns_wire/response.h"

#include <algorithm>
#include <cassert>

namespace perigee::dns {
namespace {

constexpr uint16_t kCopiedFlags = 0xf << kOpcodeShift | kFlagRd | kFlagCd;
constexpr uint16_t kPointer = 0xc000;
constexpr int64_t kMaxTtl = 0x7fffffff;

// How many names the RDATA of a type starts with that may be compressed.
int CompressibleNames(RrType type) {
  switch (type) {
    case RrType::kNs:
    case RrType::kCname:
    case RrType::kPtr:
      return 1;
    case RrType::kSoa:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

size_t UdpLimit(const ParsedQuery& query) {
  if (!query.edns) return kPlainUdpLimit;
  return std::clamp<size_t>(query.edns->udp_payload, kPlainUdpLimit, kEdnsUdpLimit);
}

ResponseWriter::ResponseWriter(const ParsedQuery& query, std::span<uint8_t> out)
    : query_(query),
      out_(out),
      writer_(out.first(out.size() - (query.edns ? kOptSize : 0))),
      flags_(static_cast<uint16_t>(kFlagQr | (query.flags & kCopiedFlags))) {
  assert(out.size() >= kPlainUdpLimit);
  writer_.RewindTo(kHeaderSize);
  writer_.Bytes(query.question);
}

void ResponseWriter::AddAddress(Section section, NameView owner, std::chrono::seconds ttl,
                                const IpAddress& address) {
  AddRecord(section, owner, address.is_v4() ? RrType::kA : RrType::kAaaa, ttl, address.bytes());
}

void ResponseWriter::AddRecord(Section section, NameView owner, RrType type, std::chrono::seconds ttl,
                               std::span<const uint8_t> rdata) {
  if (full_) return;
  const size_t start = writer_.size();
  WriteName(owner);
  writer_.U16(static_cast<uint16_t>(type));
  writer_.U16(static_cast<uint16_t>(query_.qclass));
  writer_.U32(static_cast<uint32_t>(std::clamp<int64_t>(ttl.count(), 0, kMaxTtl)));
  const size_t size_at = writer_.size();
  writer_.U16(0);
  WriteRdata(type, rdata);
  if (!writer_.ok()) {
    full_ = true;
    writer_.RewindTo(start);
    if (section != Section::kAdditional) flags_ |= kFlagTc;
    return;
  }
  writer_.SetU16At(size_at, static_cast<uint16_t>(writer_.size() - size_at - 2));
  ++counts_[static_cast<size_t>(section)];
}

void ResponseWriter::WriteRdata(RrType type, std::span<const uint8_t> rdata) {
  Reader reader(rdata);
  NameView name;
  for (int names = CompressibleNames(type); names > 0 && NameView::Read(reader, &name); --names)
    WriteName(name);
  writer_.Bytes(rdata.subspan(reader.offset()));
}

// Labels until the rest of the name is a rest of the question's name, then a pointer to that.
void ResponseWriter::WriteName(NameView name) {
  NameView rest = query_.question.empty() ? NameView() : query_.qname;
  for (; !name.is_root(); name = name.Parent()) {
    while (rest.size() > name.size()) rest = rest.Parent();
    if (rest == name) {
      writer_.U16(static_cast<uint16_t>(kPointer | (kHeaderSize + query_.qname.size() - rest.size())));
      return;
    }
    writer_.Bytes(name.bytes().first(size_t{name.bytes()[0]} + 1));
  }
  writer_.U8(0);
}

void ResponseWriter::WriteOpt(const Edns& edns) {
  writer_.U8(0);
  writer_.U16(static_cast<uint16_t>(RrType::kOpt));
  writer_.U16(kEdnsUdpLimit);
  writer_.U8(static_cast<uint8_t>(static_cast<uint16_t>(rcode_) >> 4));
  writer_.U8(0);  // our version
  writer_.U16(edns.dnssec_ok ? 0x8000 : 0);
  writer_.U16(0);
}

size_t ResponseWriter::Finish() {
  const size_t body = writer_.size();
  writer_ = Writer(out_);
  writer_.RewindTo(body);
  if (query_.edns) WriteOpt(*query_.edns);
  const size_t size = writer_.size();
  writer_.RewindTo(0);
  writer_.U16(query_.id);
  writer_.U16(static_cast<uint16_t>(flags_ | (static_cast<uint16_t>(rcode_) & 0xf)));
  writer_.U16(query_.question.empty() ? 0 : 1);
  writer_.U16(counts_[0]);
  writer_.U16(counts_[1]);
  writer_.U16(static_cast<uint16_t>(counts_[2] + (query_.edns ? 1 : 0)));
  return size;
}

}  // namespace perigee::dns
