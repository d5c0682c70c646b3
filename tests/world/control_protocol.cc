#include "tests/world/control_protocol.h"

#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "fmt/format.h"
#include "tests/world/quantities.h"
#include "tests/world/text.h"

namespace perigee::world {
namespace {

using Arguments = std::span<const std::string_view>;

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// One request: the world and the fabric it acts on, and each command as a function.
class Request {
 public:
  Request(const World& world, Fabric& fabric) : world_(world), links_(fabric.links()), fabric_(fabric) {}

  absl::StatusOr<std::string> Run(Arguments words) {
    if (words.empty()) return Wrong("an empty request");
    if (words[0] == "hosts" && words.size() == 1) return Hosts();
    if (words[0] == "rtts" && words.size() == 1) return Rtts();
    if (words[0] == "stats" && words.size() == 1) return Stats();
    if (words[0] == "rtt" && words.size() == 3) return RttOf(words[1], words[2]);
    if (words[0] == "set" && words.size() >= 4 && words.size() <= 5) return Set(words.subspan(1));
    return Wrong(fmt::format("unknown or incomplete request '{}'", words[0]));
  }

 private:
  std::string Hosts() const {
    std::string out;
    for (size_t i = 0; i < world_.hosts().size(); ++i) {
      const auto id = static_cast<HostId>(i);
      out += HostLine(world_.host(id), links_.knobs(id), links_.cut(id)) + "\n";
    }
    return out;
  }

  std::string Rtts() const {
    std::string out;
    const size_t n = world_.hosts().size();
    for (size_t a = 0; a < n; ++a) {
      out += world_.hosts()[a].name;
      for (size_t b = 0; b < n; ++b) {
        out += " " + FormatMilliseconds(links_.Rtt(static_cast<HostId>(a), static_cast<HostId>(b)));
      }
      out += "\n";
    }
    return out;
  }

  std::string Stats() const {
    const Counters& c = fabric_.counters();
    std::string out;
    const auto line = [&out](std::string_view name, uint64_t value) {
      out += fmt::format("{} {}\n", name, value);
    };
    line("delivered", c.delivered);
    for (size_t i = 0; i < kVerdictNames.size(); ++i) line(kVerdictNames[i], c.verdicts[i]);
    line("queue_full", c.queue_full);
    line("unknown_address", c.unknown_address);
    line("not_unicast", c.not_unicast);
    line("address_queries", c.address_queries);
    line("under_way", fabric_.frames_under_way());
    return out;
  }

  absl::StatusOr<HostId> Find(std::string_view name) const {
    if (const auto id = world_.Find(name)) return *id;
    return Wrong(fmt::format("there is no host '{}'", name));
  }

  absl::StatusOr<std::string> RttOf(std::string_view a_name, std::string_view b_name) const {
    const auto a = Find(a_name), b = Find(b_name);
    if (!a.ok()) return a.status();
    if (!b.ok()) return b.status();
    return FormatMilliseconds(links_.Rtt(*a, *b)) + "\n";
  }

  // KNOB HOST [HOST] VALUE
  absl::StatusOr<std::string> Set(Arguments words) {
    const auto a = Find(words[1]);
    if (!a.ok()) return a.status();
    std::optional<HostId> b;
    if (words.size() == 4) {
      const auto second = Find(words[2]);
      if (!second.ok()) return second.status();
      if (*second == *a) return Wrong("a pair is two different hosts");
      b = *second;
    }
    const absl::Status status = b ? SetPair(words[0], *a, *b, words[3]) : SetHost(words[0], *a, words[2]);
    if (!status.ok()) return status;
    return std::string();
  }

  absl::Status SetHost(std::string_view knob, HostId host, std::string_view value) {
    HostKnobs& knobs = links_.knobs(host);
    if (knob == "icmp" && (value == "block" || value == "allow")) {
      knobs.block_icmp = value == "block";
    } else if (knob == "probes" && (value == "block" || value == "allow")) {
      knobs.block_probes = value == "block";
    } else if (knob == "routers" && (value == "silent" || value == "answer")) {
      knobs.silent_routers = value == "silent";
    } else if (const auto routers = ParseRouters(value); knob == "routers" && routers) {
      knobs.routers = *routers;
    } else if (const auto last_hop = ParseMilliseconds(value); knob == "last_hop" && last_hop) {
      knobs.last_hop = *last_hop;
    } else if (knob == "link" && (value == "cut" || value == "restore")) {
      links_.SetCut(host, value == "cut");
    } else if (const auto loss = ParsePercent(value); knob == "loss" && loss) {
      knobs.loss = *loss;
    } else if (const auto jitter = ParseMilliseconds(value); knob == "jitter" && jitter) {
      knobs.jitter = *jitter;
    } else if (const auto rate = ParseRate(value); knob == "rate" && rate) {
      knobs.rate_bps = *rate;
    } else {
      return Wrong(fmt::format(
          "'{} {}' is none of: icmp block|allow, probes block|allow, routers 8|silent|answer, last_hop 3ms, "
          "link cut|restore, loss 5%, jitter 0.5ms, rate 100mbit",
          knob, value));
    }
    return absl::OkStatus();
  }

  absl::Status SetPair(std::string_view knob, HostId a, HostId b, std::string_view value) {
    if (knob == "link" && (value == "cut" || value == "restore")) {
      links_.SetPairCut(a, b, value == "cut");
    } else if (const auto loss = ParsePercent(value); knob == "loss" && loss) {
      links_.SetPairLoss(a, b, *loss);
    } else if (const auto rtt = ParseMilliseconds(value); knob == "rtt" && rtt) {
      links_.SetRtt(a, b, *rtt);
    } else {
      return Wrong(
          fmt::format("'{} {}' for a pair is none of: link cut|restore, loss 5%, rtt 120ms", knob, value));
    }
    return absl::OkStatus();
  }

  const World& world_;
  LinkState& links_;
  Fabric& fabric_;
};

}  // namespace

std::string HostLine(const Host& host, const HostKnobs& knobs, bool cut) {
  std::string out = fmt::format("{}\t{}\t{}\t{}\t{}\t", host.name, RoleName(host.role), host.city,
                                host.ipv4.ToString(), host.ipv6 ? host.ipv6->ToString() : "-");
  std::string set;
  const auto add = [&set](const std::string& knob) { set += (set.empty() ? "" : " ") + knob; };
  if (knobs.block_icmp) add("block_icmp");
  if (knobs.block_probes) add("block_probes");
  if (knobs.routers > 0) add(fmt::format("routers={}", knobs.routers));
  if (knobs.silent_routers) add("silent_routers");
  if (knobs.last_hop.count() > 0) add("last_hop=" + FormatMilliseconds(knobs.last_hop) + "ms");
  if (knobs.loss > 0) add("loss=" + FormatPercent(knobs.loss));
  if (knobs.jitter.count() > 0) add("jitter=" + FormatMilliseconds(knobs.jitter) + "ms");
  if (knobs.rate_bps > 0) add("rate=" + FormatRate(knobs.rate_bps));
  if (cut) add("cut");
  return out + (set.empty() ? "-" : set);
}

std::string Answer(std::string_view request, const World& world, Fabric& fabric) {
  const auto lines = Request(world, fabric).Run(Words(request));
  if (lines.ok()) return *lines + "OK\n";
  return fmt::format("ERR {}\n", std::string(lines.status().message()));
}

}  // namespace perigee::world
