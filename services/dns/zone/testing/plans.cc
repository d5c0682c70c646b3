#include "services/dns/zone/testing/plans.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fmt/format.h"
#include "lib/base/address.h"
#include "lib/dns_wire/cursor.h"
#include "services/dns/zone/zone_file.h"

namespace perigee::dns::testing {
namespace {

std::string NameText(Rdata rdata, size_t from) {
  Reader reader(rdata);
  NameView name;
  if (!reader.Skip(from) || !NameView::Read(reader, &name)) return "?";
  return name.ToText();
}

std::string RecordText(RrType type, Rdata rdata) {
  switch (type) {
    case RrType::kA:
      return "A " + IpAddress::V4(rdata.first<4>()).ToString();
    case RrType::kAaaa:
      return "AAAA " + IpAddress::V6(rdata.first<16>()).ToString();
    case RrType::kNs:
      return "NS " + NameText(rdata, 0);
    case RrType::kCname:
      return "CNAME " + NameText(rdata, 0);
    case RrType::kDname:
      return "DNAME " + NameText(rdata, 0);
    case RrType::kMx:
      return "MX " + NameText(rdata, 2);
    case RrType::kSrv:
      return "SRV " + NameText(rdata, 6);
    case RrType::kSoa:
      return "SOA";
    case RrType::kTxt:
      return "TXT " + std::string(rdata.begin() + 1, rdata.end());
    default:
      return fmt::format("TYPE{}", static_cast<int>(type));
  }
}

std::string RcodeText(Rcode rcode) {
  switch (rcode) {
    case Rcode::kNoError:
      return "NOERROR";
    case Rcode::kNxDomain:
      return "NXDOMAIN";
    case Rcode::kRefused:
      return "REFUSED";
    case Rcode::kYxDomain:
      return "YXDOMAIN";
    case Rcode::kNotImp:
      return "NOTIMP";
    case Rcode::kFormErr:
      return "FORMERR";
    default:
      return "?";
  }
}

std::string KindText(PlanKind kind) {
  switch (kind) {
    case PlanKind::kNoData:
      return " nodata";
    case PlanKind::kReferral:
      return " referral";
    default:
      return "";
  }
}

std::string_view SectionText(const PlannedSet& planned) {
  if (planned.section == Section::kAnswer) return " an: ";
  if (planned.section == Section::kAuthority) return " au: ";
  return planned.glue ? " gl: " : " ad: ";
}

}  // namespace

Name N(std::string_view text) { return Name::Parse(text).value(); }

Zone ZoneOf(std::string_view apex, std::string_view text, std::initializer_list<const char*> steered) {
  std::vector<Name> names;
  for (const char* name : steered) names.push_back(N(name));
  auto zone = ReadZone(text, "zone", N(apex), names,
                       [](const std::string&) { return absl::NotFoundError("no files here"); });
  if (!zone.ok()) {
    std::fprintf(stderr, "%s\n", std::string(zone.status().message()).c_str());
    std::abort();
  }
  return *std::move(zone);
}

std::string Ask(const ZoneSet& zones, std::string_view name, RrType type, RrClass rr_class) {
  const Name qname = N(name);
  AnswerPlan plan;
  PlanAnswer(zones, qname, type, rr_class, &plan);
  std::string text = RcodeText(plan.rcode()) + KindText(plan.kind()) + (plan.authoritative() ? " aa" : "");
  for (const PlannedSet& planned : plan.sets()) {
    for (const Rdata rdata : planned.set->rdatas) {
      text += fmt::format("{}{} {}", SectionText(planned), planned.owner.ToText(),
                          RecordText(planned.set->type, rdata));
      if (planned.ttl.count() != 3600) text += fmt::format("/{}", planned.ttl.count());
    }
  }
  if (plan.kind() == PlanKind::kSteered) text += " steered: " + plan.steered_owner().ToText();
  return text;
}

}  // namespace perigee::dns::testing
