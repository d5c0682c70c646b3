#include "services/dns/zone/answer_plan.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "lib/dns_wire/cursor.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns {
namespace {

using std::chrono::seconds;

static_assert(std::is_trivially_destructible_v<PlannedSet>, "AnswerPlan destroys nothing");

// RFC 8482 §4.2: an answer to ANY that is small and true.
constexpr uint8_t kMinimalHinfo[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
constexpr Rdata kMinimalRdatas[] = {kMinimalHinfo};
constexpr RecordSet kMinimalAny{RrType::kHinfo, seconds(3600), kMinimalRdatas};

constexpr RrType kReservedType{0};
constexpr RrType kNxName{128};  // RFC 9824

bool IsAddress(RrType type) { return type == RrType::kA || type == RrType::kAaaa; }

// The rcode of types that no zone can hold (RFC 6895 §3.1), or kNoError.
Rcode RcodeOfMeta(RrType type) {
  if (type == kReservedType || type == kNxName) return Rcode::kFormErr;
  switch (type) {
    case RrType::kAxfr:
    case RrType::kIxfr:
      return Rcode::kRefused;
    case RrType::kMaila:
    case RrType::kMailb:
      return Rcode::kNotImp;
    case RrType::kOpt:
    case RrType::kTkey:
    case RrType::kTsig:
      return Rcode::kFormErr;
    default:
      return Rcode::kNoError;
  }
}

NameView NameOf(Rdata rdata) {
  Reader reader(rdata);
  NameView name;
  NameView::Read(reader, &name);
  return name;
}

}  // namespace

class Planner {
 public:
  Planner(const ZoneSet& zones, RrType qtype, AnswerPlan& plan) : zones_(zones), qtype_(qtype), plan_(plan) {
    plan_.authoritative_ = false;
    plan_.size_ = plan_.synthesized_ = 0;
  }

  void Refuse(Rcode rcode) {
    plan_.kind_ = PlanKind::kRefused;
    plan_.rcode_ = rcode;
  }

  void Chaos(NameView qname) {
    const RecordSet* text = qtype_ == RrType::kTxt ? zones_.FindChaos(qname) : nullptr;
    if (text == nullptr) return Refuse(Rcode::kRefused);
    Add(Section::kAnswer, qname, *text, text->ttl);
    End(PlanKind::kAnswer);
  }

  void Run(NameView qname) {
    for (next_ = qname;; ++links_) {
      const Zone* zone = ZoneFor(next_);
      if (zone == nullptr) return links_ == 0 ? Refuse(Rcode::kRefused) : End(PlanKind::kAnswer);
      zone_ = zone;
      plan_.authoritative_ = true;
      if (!Step(next_)) return;
    }
  }

  void Steer(NameView owner, const Zone& zone) {
    plan_.steered_owner_ = owner;
    plan_.steered_zone_ = &zone;
    plan_.authoritative_ = true;
    End(PlanKind::kSteered);
  }

 private:
  // DS belongs to the parent's side of a cut (RFC 4035 §3.1.4.1), when that side is ours and delegates.
  const Zone* ZoneFor(NameView name) const {
    const Zone* zone = zones_.Find(name);
    if (qtype_ != RrType::kDs || zone == nullptr || name.is_root() || zone->apex() != name) return zone;
    const Zone* parent = zones_.Find(name.Parent());
    const Node* node = parent == nullptr ? nullptr : parent->ClosestEncloser(name).cut;
    return node == nullptr ? zone : parent;
  }

  // One name of the chain. True when it leads on, to next_.
  bool Step(NameView name) {
    const Node& encloser = zone_->ClosestEncloser(name);
    const bool exact = encloser.name.size() == name.size();
    if (encloser.cut != nullptr && !(exact && encloser.cut == &encloser && qtype_ == RrType::kDs)) {
      Refer(*encloser.cut);
      return false;
    }
    if (exact) return AtNode(name, encloser);
    if (const RecordSet* dname = encloser.Find(RrType::kDname)) return Redirect(name, encloser.name, *dname);
    if (encloser.wildcard != nullptr) return AtNode(name, *encloser.wildcard);
    Negative(PlanKind::kNameError);
    return false;
  }

  // `node` is the name's own, or the wildcard that stands for it.
  bool AtNode(NameView name, const Node& node) {
    if (node.steered && IsAddress(qtype_)) {
      Steer(name, *zone_);
      return false;
    }
    const RecordSet* cname = node.Find(RrType::kCname);
    if (cname != nullptr && (qtype_ == RrType::kCname || qtype_ == RrType::kAny)) {
      Answer(name, *cname);
      return false;
    }
    if (cname != nullptr) {
      Add(Section::kAnswer, name, *cname, cname->ttl);
      return Follow(NameOf(cname->rdatas[0]));
    }
    if (qtype_ == RrType::kAny && !node.empty()) {
      Answer(name, kMinimalAny);
    } else if (const RecordSet* set = node.Find(qtype_)) {
      Answer(name, *set);
    } else {
      Negative(PlanKind::kNoData);
    }
    return false;
  }

  // To a name that the chain has not met. A loop ends where it closes.
  bool Follow(NameView target) {
    next_ = target;
    const auto sets = plan_.sets();
    const bool met = std::any_of(sets.begin(), sets.end(), [&](const PlannedSet& planned) {
      return planned.set->type == RrType::kCname && planned.owner == target;
    });
    if (!met && links_ + 1 < kMaxChain) return true;
    End(PlanKind::kAnswer);
    return false;
  }

  // RFC 6672 §3.1, §3.2: the DNAME's owner is exchanged for its target at the end of the name.
  bool Redirect(NameView name, NameView owner, const RecordSet& dname) {
    Add(Section::kAnswer, owner, dname, dname.ttl);
    const NameView to = NameOf(dname.rdatas[0]);
    const size_t prefix = name.size() - owner.size();
    if (prefix + to.size() > kMaxNameSize) {
      End(PlanKind::kAnswer);
      plan_.rcode_ = Rcode::kYxDomain;
      return false;
    }
    auto& made = plan_.synthesized_cnames_.items[plan_.synthesized_++];
    std::copy_n(name.bytes().begin(), prefix, made.target);
    std::copy(to.bytes().begin(), to.bytes().end(), made.target + prefix);
    made.target_size = prefix + to.size();
    std::construct_at(&made.rdata, made.target, made.target_size);
    std::construct_at(&made.set, RecordSet{RrType::kCname, dname.ttl, std::span(&made.rdata, 1)});
    Add(Section::kAnswer, name, made.set, made.set.ttl);
    if (qtype_ != RrType::kCname && qtype_ != RrType::kAny) return Follow(NameOf(made.rdata));
    End(PlanKind::kAnswer);
    return false;
  }

  void Answer(NameView owner, const RecordSet& set) {
    Add(Section::kAnswer, owner, set, set.ttl);
    End(PlanKind::kAnswer);
    NameView target;
    for (const Rdata rdata : set.rdatas) {
      if (!ReadTarget(set.type, rdata, owner, &target)) continue;
      const Zone* zone = zones_.Find(target);
      if (zone != nullptr) AddAddresses(*zone, target, false);
    }
  }

  // A chain's end at a delegation stays an authoritative answer: its first name is ours (RFC 1035 §4.1.1).
  void Refer(const Node& cut) {
    End(links_ == 0 ? PlanKind::kReferral : PlanKind::kAnswer);
    if (links_ == 0) plan_.authoritative_ = false;
    const RecordSet& servers = *cut.Find(RrType::kNs);
    Add(Section::kAuthority, cut.name, servers, servers.ttl);
    for (const bool in_domain : {true, false}) {
      for (const Rdata rdata : servers.rdatas) {
        const NameView target = NameOf(rdata);
        if (target.IsWithin(cut.name) == in_domain) AddGlue(target, in_domain);
      }
    }
  }

  // From this side of the cut, or else from another zone of ours.
  void AddGlue(NameView target, bool in_domain) {
    if (target.IsWithin(zone_->apex()) && AddAddresses(*zone_, target, in_domain)) return;
    const Zone* other = zones_.Find(target);
    if (other != nullptr && other != zone_) AddAddresses(*other, target, false);
  }

  // The addresses that stand at `target` itself. False when there are none.
  bool AddAddresses(const Zone& zone, NameView target, bool glue) {
    const Node* node = zone.Find(target);
    if (node == nullptr) return false;
    bool found = false;
    for (const RrType type : {RrType::kA, RrType::kAaaa}) {
      const RecordSet* set = node->Find(type);
      if (set == nullptr) continue;
      found = true;
      if (!IsPlanned(*set)) Add(Section::kAdditional, node->name, *set, set->ttl, glue);
    }
    return found;
  }

  bool IsPlanned(const RecordSet& set) const {
    const auto sets = plan_.sets();
    return std::any_of(sets.begin(), sets.end(), [&](const PlannedSet& p) { return p.set == &set; });
  }

  void Negative(PlanKind kind) {
    Add(Section::kAuthority, zone_->apex(), zone_->soa(), zone_->negative_ttl());
    End(kind);
  }

  void Add(Section section, NameView owner, const RecordSet& set, seconds ttl, bool glue = false) {
    if (plan_.size_ == kMaxPlannedSets) return;
    std::construct_at(&plan_.sets_.items[plan_.size_++], PlannedSet{section, owner, &set, ttl, glue});
  }

  void End(PlanKind kind) {
    plan_.kind_ = kind;
    plan_.rcode_ = kind == PlanKind::kNameError ? Rcode::kNxDomain : Rcode::kNoError;
    plan_.authoritative_ = true;
  }

  const ZoneSet& zones_;
  const RrType qtype_;
  AnswerPlan& plan_;
  const Zone* zone_ = nullptr;  // of the name under way
  NameView next_;
  size_t links_ = 0;
};

void PlanAnswer(const ZoneSet& zones, NameView qname, RrType qtype, RrClass qclass, AnswerPlan* plan) {
  Planner planner(zones, qtype, *plan);
  if (qclass == RrClass::kIn && IsAddress(qtype)) {
    if (const ZoneSet::Steered* steered = zones.FindSteered(qname))
      return planner.Steer(qname, *steered->zone);
  }
  if (qclass == RrClass::kChaos) return planner.Chaos(qname);
  const Rcode meta = RcodeOfMeta(qtype);
  if (qclass != RrClass::kIn || meta != Rcode::kNoError) {
    return planner.Refuse(qclass == RrClass::kIn ? meta : Rcode::kRefused);
  }
  planner.Run(qname);
}

}  // namespace perigee::dns
