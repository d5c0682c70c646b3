// Any sets of records are written so that they read back: each set whole or not at all, in order, within the
// limit.
//
// The input is a query (two octets of size before it), the limit and the options, then sets until it ends.
#include <algorithm>
#include <array>
#include <vector>

#include "fuzz/check.h"
#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"

namespace perigee::dns {
namespace {

using fuzz::Check;
using Rdata = ResponseWriter::Rdata;

constexpr RrType kTypes[] = {RrType::kA,    RrType::kNs,    RrType::kCname, RrType::kSoa,  RrType::kPtr,
                             RrType::kMx,   RrType::kTxt,   RrType::kAaaa,  RrType::kSrv,  RrType::kDname,
                             RrType::kSvcb, RrType::kHttps, RrType::kCaa,   RrType{0xff00}};

constexpr size_t kMaxNames = 256;
constexpr size_t kMaxSets = 64;
constexpr size_t kMaxSetRecords = 16;
constexpr size_t kMaxSetOctets = kMaxSetRecords * (2 + 3 * kMaxNameSize + 0xffff);
constexpr size_t kMaxOctets = 2 * kMaxSetOctets;

// Zeros when the input is at its end.
class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : reader_(bytes) {}

  bool empty() const { return reader_.remaining() == 0; }
  uint8_t U8() {
    uint8_t value = 0;
    reader_.ReadU8(&value);
    return value;
  }
  size_t U16() { return size_t{U8()} << 8 | U8(); }
  std::span<const uint8_t> Octets(size_t size) {
    std::span<const uint8_t> octets;
    reader_.ReadBytes(std::min(size, reader_.remaining()), &octets);
    return octets;
  }
  NameView Name() {
    Reader at = reader_;
    NameView name;
    if (NameView::Read(at, &name)) reader_ = at;
    return name;
  }

 private:
  Reader reader_;
};

struct Set {
  Section section{};
  NameView owner;
  RrType type{};
  uint32_t ttl = 0;            // the set's number, so that sets are told apart
  size_t first = 0, size = 0;  // of the rdatas
};

// What one input asks for. Kept from run to run, for its memory only: allocation is most of a run's time.
struct Plan {
  std::vector<Name> names;  // never grows beyond its first room, so that views into it live on
  std::vector<Set> sets;
  std::vector<Rdata> rdatas;
  std::vector<uint8_t> octets;  // of the rdatas; as the names

  void Clear() {
    names.clear();
    names.reserve(kMaxNames);
    sets.clear();
    rdatas.clear();
    octets.clear();
    octets.reserve(kMaxOctets);
  }
  bool full() const { return sets.size() == kMaxSets || octets.size() > kMaxOctets - kMaxSetOctets; }
  std::span<const Rdata> RdatasOf(const Set& set) const {
    return std::span(rdatas).subspan(set.first, set.size);
  }
};

// One of the names before it, a suffix of one, or a new one.
NameView TakeName(Input& in, std::vector<Name>& names) {
  const uint8_t choice = in.U8();
  if (choice % 3 == 0 && names.size() < kMaxNames) return names.emplace_back(in.Name());
  NameView name = names[choice % names.size()];
  for (int up = choice % 3 == 1 ? 0 : in.U8() % 4; up > 0 && !name.is_root(); --up) name = name.Parent();
  return name;
}

void Append(std::span<const uint8_t> octets, Plan& plan) {
  plan.octets.insert(plan.octets.end(), octets.begin(), octets.end());
}

void TakeRdata(Input& in, Plan& plan) {
  const size_t start = plan.octets.size();
  const uint8_t shape = in.U8();
  if ((shape & 1) != 0) plan.octets.insert(plan.octets.end(), 2, shape);  // MX, or two labels that are none
  for (int n = shape >> 1 & 3; n > 0; --n) Append(TakeName(in, plan.names).bytes(), plan);
  Append(in.Octets((shape & 8) != 0 ? in.U16() : shape >> 4), plan);
  plan.rdatas.push_back(std::span(plan.octets).subspan(start));
}

const Set& TakeSet(Input& in, Plan& plan) {
  const Section section = plan.sets.empty() ? Section::kAnswer : plan.sets.back().section;
  Set& set = plan.sets.emplace_back();
  const uint8_t counts = in.U8();
  set.section = std::max(section, static_cast<Section>(counts % 3));
  set.type = kTypes[in.U8() % std::size(kTypes)];
  set.owner = TakeName(in, plan.names);
  set.ttl = static_cast<uint32_t>(plan.sets.size());
  set.first = plan.rdatas.size();
  set.size = 1u + (counts >> 4);
  for (size_t n = 0; n < set.size; ++n) TakeRdata(in, plan);
  return set;
}

bool SameName(NameView expected, Reader& reader) {
  Name name;
  return Name::Read(reader, &name) && name.view() == expected;
}

int CompressibleNames(RrType type) {
  if (type == RrType::kSoa) return 2;
  return type == RrType::kNs || type == RrType::kCname || type == RrType::kPtr || type == RrType::kMx ? 1 : 0;
}

// `reader` stands at the RDATA.
bool SameRdata(RrType type, Rdata expected, Reader reader, size_t size) {
  const size_t end = reader.offset() + size;
  Reader in(expected);
  uint16_t a = 0, b = 0;
  if (type == RrType::kMx && in.ReadU16(&a) && (!reader.ReadU16(&b) || a != b)) return false;
  for (int n = CompressibleNames(type); n > 0; --n) {
    Reader at = in;
    NameView name;
    if (!NameView::Read(at, &name)) break;
    if (!SameName(name, reader)) return false;
    in = at;
  }
  std::span<const uint8_t> left, right;
  if (reader.offset() > end || !reader.ReadBytes(end - reader.offset(), &right)) return false;
  in.ReadBytes(in.remaining(), &left);
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

bool SameRecord(const Set& set, Rdata rdata, RrClass rr_class, Reader& reader) {
  uint16_t type = 0, read_class = 0, size = 0;
  uint32_t ttl = 0;
  return SameName(set.owner, reader) && reader.ReadU16(&type) && reader.ReadU16(&read_class) &&
         reader.ReadU32(&ttl) && reader.ReadU16(&size) && static_cast<RrType>(type) == set.type &&
         static_cast<RrClass>(read_class) == rr_class && ttl == set.ttl &&
         SameRdata(set.type, rdata, reader, size) && reader.Skip(size);
}

bool SameSet(const Set& set, std::span<const Rdata> rdatas, RrClass rr_class, Reader& reader) {
  return std::all_of(rdatas.begin(), rdatas.end(),
                     [&](Rdata rdata) { return SameRecord(set, rdata, rr_class, reader); });
}

// Every record of the message belongs to a set that stands there whole, in the order in which they were
// added.
void CheckSets(const Plan& plan, RrClass rr_class, bool truncated, Reader& reader,
               std::array<size_t, 3> counts) {
  for (const Set& set : plan.sets) {
    size_t& count = counts[static_cast<size_t>(set.section)];
    Reader at = reader;
    const bool whole = count >= set.size && SameSet(set, plan.RdatasOf(set), rr_class, at);
    Check(whole || truncated || set.section == Section::kAdditional);
    if (!whole) continue;
    reader = at;
    count -= set.size;
  }
  Check(counts == std::array<size_t, 3>{});
}

void CheckMessage(std::span<const uint8_t> message, const ParsedQuery& query, const Plan& plan) {
  Reader reader(message);
  uint16_t id = 0, flags = 0, questions = 0, answers = 0, authorities = 0, additionals = 0;
  Check(reader.ReadU16(&id) && reader.ReadU16(&flags) && reader.ReadU16(&questions) &&
        reader.ReadU16(&answers) && reader.ReadU16(&authorities) && reader.ReadU16(&additionals));
  Check(id == query.id && (flags & kFlagQr) != 0 && questions == (query.question.empty() ? 0 : 1));
  Check(reader.Skip(query.question.size()));
  const size_t opts = query.edns ? 1 : 0;
  Check(additionals >= opts);
  CheckSets(plan, query.qclass, (flags & kFlagTc) != 0, reader, {answers, authorities, additionals - opts});
  if (query.edns) {
    std::span<const uint8_t> options;
    uint16_t size = 0;
    Check(reader.Skip(kOptSize - 2) && reader.ReadU16(&size) && reader.ReadBytes(size, &options));
  }
  Check(reader.remaining() == 0);
}

EdnsReply TakeReply(Input& in) {
  EdnsReply reply;
  const uint8_t wanted = in.U8();
  if ((wanted & 1) != 0) reply.nsid = in.Octets(in.U8());
  if ((wanted & 2) != 0) reply.cookie.emplace();
  if ((wanted & 4) != 0) reply.client_subnet_scope = in.U8();
  if ((wanted & 8) != 0) reply.keepalive = std::chrono::milliseconds(in.U16());
  return reply;
}

void CheckResponse(Input in) {
  static std::array<uint8_t, kTcpLimit> out;
  ParsedQuery query;
  if (ParseQuery(in.Octets(in.U16()), &query) == ParseVerdict::kDrop) return;
  const size_t limit = kPlainUdpLimit + in.U16() % (kTcpLimit - kPlainUdpLimit + 1);
  ResponseWriter writer(query, std::span(out).first(limit), TakeReply(in));
  static Plan plan;
  plan.Clear();
  plan.names.emplace_back(query.qname);
  while (!in.empty() && !plan.full()) {
    const Set& set = TakeSet(in, plan);
    // The question's own octets, as most answers have it, or a copy.
    const bool own = set.ttl % 2 == 0 && set.owner.bytes().data() == plan.names.front().view().bytes().data();
    writer.AddSet(set.section, own ? query.qname : set.owner, set.type, std::chrono::seconds(set.ttl),
                  plan.RdatasOf(set));
  }
  const size_t size = writer.Finish();
  Check(size <= limit);
  CheckMessage(std::span(out).first(size), query, plan);
}

}  // namespace
}  // namespace perigee::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::dns::CheckResponse(perigee::dns::Input({data, size}));
  return 0;
}
