// Compares the codec with ldns on random messages. The seeds are fixed: every run sees the same messages.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "ldns/ldns.h"
#include "lib/dns_wire/query.h"
#include "lib/dns_wire/response.h"

namespace perigee::dns {
namespace {

using Bytes = std::vector<uint8_t>;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

struct FreeOctets {
  void operator()(uint8_t* octets) const { LDNS_FREE(octets); }
};
using Octets = std::unique_ptr<uint8_t, FreeOctets>;

// Null when ldns refuses the message.
Packet LdnsRead(std::span<const uint8_t> message) {
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, message.data(), message.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  size_t Below(size_t bound) { return engine_() % bound; }
  bool OneIn(size_t n) { return Below(n) == 0; }
  uint8_t U8() { return static_cast<uint8_t>(engine_()); }
  uint16_t U16() { return static_cast<uint16_t>(engine_()); }
  Bytes Any(size_t size) {
    Bytes bytes(size);
    for (uint8_t& octet : bytes) octet = U8();
    return bytes;
  }

 private:
  std::mt19937 engine_;
};

void Append(std::span<const uint8_t> octets, Bytes* out) {
  out->insert(out->end(), octets.begin(), octets.end());
}

void AppendU16(size_t value, Bytes* out) {
  out->push_back(static_cast<uint8_t>(value >> 8));
  out->push_back(static_cast<uint8_t>(value));
}

// On the wire. Of few labels, so that names share suffixes, in either case; now and then any octets, or long.
Bytes RandomName(Random& random) {
  static constexpr std::string_view kLabels[] = {"a", "B", "ns1", "NS2", "example", "Example", "org", "net"};
  Bytes name;
  for (size_t labels = random.Below(random.OneIn(50) ? 100 : 5); labels > 0 && name.size() < 180; --labels) {
    if (random.OneIn(8)) {
      const Bytes label = random.Any(1 + random.Below(random.OneIn(10) ? 63 : 6));
      name.push_back(static_cast<uint8_t>(label.size()));
      Append(label, &name);
    } else {
      const std::string_view label = kLabels[random.Below(std::size(kLabels))];
      name.push_back(static_cast<uint8_t>(label.size()));
      name.insert(name.end(), label.begin(), label.end());
    }
  }
  name.push_back(0);
  return name;
}

void AppendOption(OptionCode code, const Bytes& value, Bytes* options) {
  AppendU16(static_cast<size_t>(code), options);
  AppendU16(value.size(), options);
  Append(value, options);
}

Bytes RandomOptions(Random& random) {
  Bytes options;
  if (random.OneIn(3)) AppendOption(OptionCode::kClientSubnet, {0, 1, 24, 0, 198, 18, random.U8()}, &options);
  if (random.OneIn(3)) AppendOption(OptionCode::kCookie, random.Any(random.OneIn(2) ? 8 : 24), &options);
  if (random.OneIn(4)) AppendOption(OptionCode::kNsid, {}, &options);
  if (random.OneIn(4)) AppendOption(OptionCode::kPadding, Bytes(random.Below(40)), &options);
  if (random.OneIn(8)) AppendOption(OptionCode{0xfde9}, random.Any(random.Below(9)), &options);
  return options;
}

void AddEdns(Random& random, ldns_pkt* packet) {
  ldns_pkt_set_edns_udp_size(packet, std::max<uint16_t>(1, random.U16()));
  ldns_pkt_set_edns_do(packet, random.OneIn(2));
  if (random.OneIn(20)) ldns_pkt_set_edns_version(packet, random.U8());
  const Bytes options = RandomOptions(random);
  if (options.empty()) return;
  ldns_pkt_set_edns_data(packet, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_NONE, options.size(), options.data()));
}

Bytes LdnsQuery(Random& random) {
  const Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), random.U16());
  ldns_pkt_set_rd(packet.get(), random.OneIn(2));
  ldns_pkt_set_cd(packet.get(), random.OneIn(2));
  ldns_pkt_set_ad(packet.get(), random.OneIn(2));
  const Bytes name = RandomName(random);
  ldns_rr* question = ldns_rr_new();
  ldns_rr_set_question(question, true);
  ldns_rr_set_owner(question, ldns_dname_new_frm_data(static_cast<uint16_t>(name.size()), name.data()));
  ldns_rr_set_type(question, static_cast<ldns_rr_type>(random.OneIn(2) ? random.Below(64) : random.U16()));
  ldns_rr_set_class(question, random.OneIn(9) ? static_cast<ldns_rr_class>(random.U16()) : LDNS_RR_CLASS_IN);
  ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question);
  if (random.OneIn(2)) AddEdns(random, packet.get());
  uint8_t* wire = nullptr;
  size_t size = 0;
  if (ldns_pkt2wire(&wire, packet.get(), &size) != LDNS_STATUS_OK) return {};
  const Octets owned(wire);
  return Bytes(wire, wire + size);
}

void Mutate(Random& random, Bytes* message) {
  for (size_t n = 1 + random.Below(3); n > 0 && !message->empty(); --n) {
    const auto at = message->begin() + static_cast<long>(random.Below(message->size()));
    switch (random.Below(5)) {
      case 0:
        message->erase(at, message->end());
        break;
      case 1:
        message->insert(at, random.U8());
        break;
      case 2:
        *at = random.U8();
        break;
      default:
        *at = static_cast<uint8_t>(*at ^ 1u << random.Below(8));
    }
  }
}

uint16_t FlagsOf(const ldns_pkt* packet) {
  const std::pair<bool, uint16_t> flags[] = {{ldns_pkt_qr(packet), kFlagQr}, {ldns_pkt_aa(packet), kFlagAa},
                                             {ldns_pkt_tc(packet), kFlagTc}, {ldns_pkt_rd(packet), kFlagRd},
                                             {ldns_pkt_ra(packet), kFlagRa}, {ldns_pkt_ad(packet), kFlagAd},
                                             {ldns_pkt_cd(packet), kFlagCd}};
  int word = ldns_pkt_get_opcode(packet) << kOpcodeShift | ldns_pkt_get_rcode(packet);
  for (const auto& [set, flag] : flags) word |= set ? flag : 0;
  return static_cast<uint16_t>(word);
}

Bytes NameOf(const ldns_rr* record) {
  const ldns_rdf* owner = ldns_rr_owner(record);
  return Bytes(ldns_rdf_data(owner), ldns_rdf_data(owner) + ldns_rdf_size(owner));
}

void ExpectSameQuestion(const ldns_pkt* packet, const ParsedQuery& query) {
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  ASSERT_EQ(ldns_rr_list_rr_count(questions), 1u);
  const ldns_rr* question = ldns_rr_list_rr(questions, 0);
  EXPECT_EQ(NameOf(question), Bytes(query.qname.bytes().begin(), query.qname.bytes().end()));
  EXPECT_EQ(static_cast<RrType>(ldns_rr_get_type(question)), query.qtype);
  EXPECT_EQ(static_cast<RrClass>(ldns_rr_get_class(question)), query.qclass);
}

void ExpectSameQuery(const ldns_pkt* packet, const ParsedQuery& query) {
  EXPECT_EQ(ldns_pkt_id(packet), query.id);
  EXPECT_EQ(FlagsOf(packet), query.flags & ~kFlagZ);
  ExpectSameQuestion(packet, query);
  ASSERT_TRUE(query.edns || !ldns_pkt_edns(packet));
  if (!query.edns) return;
  EXPECT_EQ(ldns_pkt_edns_udp_size(packet), query.edns->udp_payload);
  EXPECT_EQ(ldns_pkt_edns_version(packet), query.edns->version);
  EXPECT_EQ(ldns_pkt_edns_do(packet), query.edns->dnssec_ok);
}

// Other records than OPT: ldns reads their RDATA too, and may refuse it.
bool HoldsOtherRecords(const Bytes& message, const ParsedQuery& query) {
  const size_t records =
      message[7] + message[9] + message[11] + 256u * (message[6] + message[8] + message[10]);
  return records != (query.edns ? 1u : 0u);
}

TEST(LdnsComparison, ReadsWhatWeAcceptAlike) {
  constexpr int kMessages = 60000;
  Random random(20240611);
  int compared = 0, refused = 0;
  for (int i = 0; i < kMessages && !::testing::Test::HasFailure(); ++i) {
    Bytes message = LdnsQuery(random);
    ASSERT_FALSE(message.empty());
    const bool mutated = i % 2 == 1;
    if (mutated) Mutate(random, &message);
    ParsedQuery query;
    const ParseVerdict verdict = ParseQuery(message, &query);
    const bool accepted = verdict == ParseVerdict::kOk || verdict == ParseVerdict::kBadVers;
    ASSERT_TRUE(accepted || mutated) << i;
    if (!accepted || query.question.empty()) {
      ++refused;
      continue;
    }
    const Packet packet = LdnsRead(message);
    if (packet == nullptr && HoldsOtherRecords(message, query)) continue;
    ASSERT_NE(packet, nullptr) << i;
    ExpectSameQuery(packet.get(), query);
    ++compared;
  }
  EXPECT_GT(compared, kMessages / 2);
  EXPECT_GT(refused, kMessages / 10);
}

struct Set {
  Section section{};
  Bytes owner;
  RrType type{};
  std::vector<Bytes> rdatas;
};

Bytes RandomText(Random& random) {
  Bytes rdata;
  for (size_t strings = 1 + random.Below(2); strings > 0; --strings) {
    const Bytes text = random.Any(random.Below(40));
    rdata.push_back(static_cast<uint8_t>(text.size()));
    Append(text, &rdata);
  }
  return rdata;
}

Bytes RandomRdata(Random& random, RrType type) {
  Bytes rdata;
  switch (type) {
    case RrType::kA:
      return random.Any(4);
    case RrType::kAaaa:
      return random.Any(16);
    case RrType::kTxt:
      return RandomText(random);
    case RrType::kSoa:
      rdata = RandomName(random);
      Append(RandomName(random), &rdata);
      Append(random.Any(20), &rdata);
      return rdata;
    case RrType::kMx:
    case RrType::kSrv:
      rdata = random.Any(type == RrType::kMx ? 2 : 6);
      break;
    case RrType::kNs:
    case RrType::kCname:
    case RrType::kPtr:
    case RrType::kDname:
      break;
    default:
      return random.Any(random.Below(30));
  }
  Append(RandomName(random), &rdata);
  return rdata;
}

std::vector<Set> RandomSets(Random& random, const ParsedQuery& query) {
  static constexpr RrType kTypes[] = {RrType::kA,   RrType::kAaaa,  RrType::kNs,    RrType::kCname,
                                      RrType::kMx,  RrType::kSoa,   RrType::kTxt,   RrType::kSrv,
                                      RrType::kPtr, RrType::kDname, RrType{0xff00}, RrType{0xff01}};
  std::vector<Set> sets(random.Below(8));
  for (size_t i = 0; i < sets.size(); ++i) {
    Set& set = sets[i];
    set.section = static_cast<Section>(i * 3 / sets.size());
    set.owner = RandomName(random);
    if (random.OneIn(2)) set.owner.assign(query.qname.bytes().begin(), query.qname.bytes().end());
    set.type = kTypes[random.Below(std::size(kTypes))];
    for (size_t n = 1 + random.Below(3); n > 0; --n) set.rdatas.push_back(RandomRdata(random, set.type));
  }
  return sets;
}

NameView ViewOf(const Bytes& name) {
  Reader reader(name);
  NameView view;
  EXPECT_TRUE(NameView::Read(reader, &view));
  return view;
}

// Compression may give a name the case of another. Length octets do not change.
Bytes Folded(Bytes bytes) {
  for (uint8_t& octet : bytes) octet = static_cast<uint8_t>(std::tolower(octet));
  return bytes;
}

Bytes RecordOf(const Set& set, size_t ttl, RrClass rr_class, const Bytes& rdata) {
  Bytes record = set.owner;
  AppendU16(static_cast<size_t>(set.type), &record);
  AppendU16(static_cast<size_t>(rr_class), &record);
  AppendU16(0, &record);
  AppendU16(ttl, &record);
  AppendU16(rdata.size(), &record);
  Append(rdata, &record);
  return Folded(std::move(record));
}

Bytes RecordOf(const ldns_rr* rr) {
  uint8_t* wire = nullptr;
  size_t size = 0;
  EXPECT_EQ(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size), LDNS_STATUS_OK);
  const Octets owned(wire);
  return Folded(Bytes(wire, wire + size));
}

// By TTL, which is a set's number.
std::map<uint32_t, std::vector<Bytes>> RecordsBySet(const ldns_rr_list* list) {
  std::map<uint32_t, std::vector<Bytes>> records;
  for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    const ldns_rr* rr = ldns_rr_list_rr(list, i);
    records[ldns_rr_ttl(rr)].push_back(RecordOf(rr));
  }
  return records;
}

// Returns how many records there are.
size_t ExpectSameSets(const ldns_pkt* packet, const ParsedQuery& query, const std::vector<Set>& sets) {
  const std::array<std::map<uint32_t, std::vector<Bytes>>, 3> sections = {
      RecordsBySet(ldns_pkt_answer(packet)), RecordsBySet(ldns_pkt_authority(packet)),
      RecordsBySet(ldns_pkt_additional(packet))};
  size_t found = 0, records = 0;
  for (uint32_t ttl = 0; ttl < sets.size(); ++ttl) {
    const Set& set = sets[ttl];
    const auto& section = sections[static_cast<size_t>(set.section)];
    const auto it = section.find(ttl);
    if (it == section.end()) {
      EXPECT_TRUE(ldns_pkt_tc(packet) || set.section == Section::kAdditional);
      continue;
    }
    std::vector<Bytes> expected;
    for (const Bytes& rdata : set.rdatas) expected.push_back(RecordOf(set, ttl, query.qclass, rdata));
    EXPECT_EQ(it->second, expected);
    ++found;
    records += expected.size();
  }
  EXPECT_EQ(found, sections[0].size() + sections[1].size() + sections[2].size());
  return records;
}

TEST(LdnsComparison, ReadsEveryAnswerThatWeWriteAlike) {
  constexpr int kMessages = 40000;
  Random random(20240612);
  std::array<uint8_t, kEdnsUdpLimit> out;
  size_t records = 0;
  for (int i = 0; i < kMessages && !::testing::Test::HasFailure(); ++i) {
    const Bytes message = LdnsQuery(random);
    ParsedQuery query;
    if (ParseQuery(message, &query) != ParseVerdict::kOk) continue;
    ResponseWriter writer(query, std::span(out).first(UdpLimit(query)), {.client_subnet_scope = 24});
    const std::vector<Set> sets = RandomSets(random, query);
    for (size_t n = 0; n < sets.size(); ++n) {
      const std::vector<ResponseWriter::Rdata> rdatas(sets[n].rdatas.begin(), sets[n].rdatas.end());
      writer.AddSet(sets[n].section, ViewOf(sets[n].owner), sets[n].type, std::chrono::seconds(n), rdatas);
    }
    const bool truncated = writer.truncated();
    const Packet packet = LdnsRead(std::span(out).first(writer.Finish()));
    ASSERT_NE(packet, nullptr) << i;
    EXPECT_EQ(ldns_pkt_id(packet.get()), query.id);
    EXPECT_EQ(ldns_pkt_tc(packet.get()), truncated);
    EXPECT_EQ(ldns_pkt_edns(packet.get()), query.edns.has_value());
    ExpectSameQuestion(packet.get(), query);
    records += ExpectSameSets(packet.get(), query, sets);
  }
  EXPECT_GT(records, size_t{2} * kMessages);
}

}  // namespace
}  // namespace perigee::dns
