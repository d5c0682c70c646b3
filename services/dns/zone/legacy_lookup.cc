#include "services/dns/zone/zone.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

const RecordSet& MinimalAny() {
  static constexpr uint8_t kHinfo[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
  static constexpr Rdata kRdatas[] = {kHinfo};
  static constexpr RecordSet kSet{RrType::kHinfo, seconds(3600), kRdatas};
  return kSet;
}

}  // namespace

Zone::LookupResult Zone::Lookup(NameView name, RrType type, RrClass rr_class) const {
  if (rr_class == RrClass::kChaos) {
    thread_local Rdata rdata;
    thread_local RecordSet set;
    for (const auto& [owner, text] : chaos_) {
      if (type != RrType::kTxt || owner.view() != name) continue;
      rdata = text;
      set = {RrType::kTxt, seconds(0), std::span(&rdata, 1)};
      return {LookupKind::kRecords, &set};
    }
    return {};
  }
  if (rr_class != RrClass::kIn || type == RrType::kAxfr || type == RrType::kIxfr) return {};
  const Node* node = Find(name);
  if (node == nullptr) return {name.IsWithin(apex()) ? LookupKind::kNameError : LookupKind::kRefused};
  if (node->steered && (type == RrType::kA || type == RrType::kAaaa)) return {LookupKind::kSteered};
  if (type == RrType::kAny && !node->empty()) return {LookupKind::kRecords, &MinimalAny()};
  const RecordSet* set = node->Find(type);
  return set != nullptr ? LookupResult{LookupKind::kRecords, set} : LookupResult{LookupKind::kNoData};
}

}  // namespace perigee::dns
