#include "lib/dns_wire/testing/message.h"

#include <algorithm>
#include <cctype>

#include "lib/base/address.h"
#include "lib/base/parse.h"
#include "lib/dns_wire/cursor.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns::testing {
namespace {

void AppendU16(uint16_t value, Bytes* out) {
  out->push_back(static_cast<uint8_t>(value >> 8));
  out->push_back(static_cast<uint8_t>(value));
}

void AppendName(const std::string& text, Bytes* out) {
  const Name name = Name::Parse(text).value();
  out->insert(out->end(), name.view().bytes().begin(), name.view().bytes().end());
}

void AppendOpt(const OptSpec& opt, Bytes* out) {
  out->push_back(0);
  AppendU16(static_cast<uint16_t>(RrType::kOpt), out);
  AppendU16(opt.payload, out);
  AppendU16(opt.version, out);
  AppendU16(opt.dnssec_ok ? 0x8000 : 0, out);
  AppendU16(static_cast<uint16_t>(opt.options.size()), out);
  out->insert(out->end(), opt.options.begin(), opt.options.end());
}

std::string RdataText(Reader reader, const Record& record) {  // `reader` stands at the RDATA
  Name name;
  if (record.type == RrType::kA && record.rdata.size() == 4) {
    return IpAddress::V4(std::span<const uint8_t, 4>(record.rdata.data(), 4)).ToString();
  }
  if (record.type == RrType::kAaaa && record.rdata.size() == 16) {
    return IpAddress::V6(std::span<const uint8_t, 16>(record.rdata.data(), 16)).ToString();
  }
  const bool named = record.type == RrType::kNs || record.type == RrType::kSoa;
  return named && Name::Read(reader, &name) ? name.view().ToText() : "";
}

bool ReadRecord(Reader& reader, Record* record) {
  Name owner;
  uint16_t type = 0, rr_class = 0, size = 0;
  if (!Name::Read(reader, &owner) || !reader.ReadU16(&type) || !reader.ReadU16(&rr_class) ||
      !reader.ReadU32(&record->ttl) || !reader.ReadU16(&size)) {
    return false;
  }
  record->owner = owner.view().ToText();
  record->type = static_cast<RrType>(type);
  record->rr_class = static_cast<RrClass>(rr_class);
  const Reader at_rdata = reader;
  std::span<const uint8_t> rdata;
  if (!reader.ReadBytes(size, &rdata)) return false;
  record->rdata.assign(rdata.begin(), rdata.end());
  record->text = RdataText(at_rdata, *record);
  return true;
}

bool ReadSection(Reader& reader, int count, std::vector<Record>* records) {
  for (; count > 0; --count) {
    if (!ReadRecord(reader, &records->emplace_back())) return false;
  }
  return true;
}

bool TakeOpt(Message* message) {
  auto& records = message->additional;
  const auto is_opt = [](const Record& r) { return r.type == RrType::kOpt; };
  const auto it = std::find_if(records.begin(), records.end(), is_opt);
  if (it == records.end()) return true;
  message->opt = OptSpec{static_cast<uint16_t>(it->rr_class), static_cast<uint8_t>(it->ttl >> 16),
                         (it->ttl & 0x8000) != 0, it->rdata};
  message->rcode =
      static_cast<Rcode>((it->ttl >> 24 << 4) | static_cast<unsigned>(static_cast<uint16_t>(message->rcode)));
  records.erase(it);
  return std::none_of(records.begin(), records.end(), is_opt);
}

}  // namespace

Bytes Hex(std::string_view text) {
  Bytes bytes;
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#') i = std::min(text.find('\n', i), text.size() - 1);
    if (std::isxdigit(static_cast<unsigned char>(text[i])) != 0) digits += text[i];
    if (digits.size() == 2) {
      bytes.push_back(ParseNumber<uint8_t>(digits, 16).value());
      digits.clear();
    }
  }
  return bytes;
}

Bytes MakeQuery(const QuerySpec& spec) {
  Bytes bytes;
  for (const int word : {int{spec.id}, int{spec.flags}, 1, 0, 0, spec.opt ? 1 : 0}) {
    AppendU16(static_cast<uint16_t>(word), &bytes);
  }
  AppendName(spec.name, &bytes);
  AppendU16(static_cast<uint16_t>(spec.type), &bytes);
  AppendU16(static_cast<uint16_t>(spec.rr_class), &bytes);
  if (spec.opt) AppendOpt(*spec.opt, &bytes);
  return bytes;
}

std::optional<Message> Decode(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  Message m;
  uint16_t questions = 0, answers = 0, authorities = 0, additionals = 0;
  if (!reader.ReadU16(&m.id) || !reader.ReadU16(&m.flags) || !reader.ReadU16(&questions) ||
      !reader.ReadU16(&answers) || !reader.ReadU16(&authorities) || !reader.ReadU16(&additionals)) {
    return std::nullopt;
  }
  m.rcode = static_cast<Rcode>(m.flags & 0xf);
  m.questions = questions;
  for (int i = 0; i < questions; ++i) {
    Name name;
    uint16_t type = 0, rr_class = 0;
    if (!Name::Read(reader, &name) || !reader.ReadU16(&type) || !reader.ReadU16(&rr_class))
      return std::nullopt;
    m.qname = name.view().ToText();
    m.qtype = static_cast<RrType>(type);
  }
  if (!ReadSection(reader, answers, &m.answer) || !ReadSection(reader, authorities, &m.authority) ||
      !ReadSection(reader, additionals, &m.additional) || !TakeOpt(&m) || reader.remaining() != 0) {
    return std::nullopt;
  }
  return m;
}

}  // namespace perigee::dns::testing
