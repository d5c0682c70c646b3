#include "tests/world/world_description.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "tests/world/quantities.h"
#include "tests/world/text.h"

namespace perigee::world {
namespace {

constexpr std::array<std::pair<std::string_view, Role>, 4> kRoles = {{{"replica", Role::kReplica},
                                                                      {"origin", Role::kOrigin},
                                                                      {"director", Role::kDirector},
                                                                      {"client", Role::kClient}}};

std::optional<Role> ParseRole(std::string_view text) {
  for (const auto& [name, role] : kRoles) {
    if (name == text) return role;
  }
  return std::nullopt;
}

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// Names become file names (/run/netns/pg-NAME) and words of the control protocol.
bool IsName(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kMaxNameLength && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

// Without a value.
bool ParseSwitch(std::string_view word, HostKnobs& knobs) {
  bool* knob = word == "block_icmp"       ? &knobs.block_icmp
               : word == "block_probes"   ? &knobs.block_probes
               : word == "silent_routers" ? &knobs.silent_routers
                                          : nullptr;
  if (knob != nullptr) *knob = true;
  return knob != nullptr;
}

absl::Status ParseKnob(std::string_view word, HostKnobs& knobs) {
  if (ParseSwitch(word, knobs)) return absl::OkStatus();
  const size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
  if (key == "loss") {
    const auto loss = ParsePercent(value);
    if (!loss) return Wrong(fmt::format("loss is a percentage such as loss=0.5%, not '{}'", value));
    knobs.loss = *loss;
  } else if (key == "jitter") {
    const auto jitter = ParseMilliseconds(value);
    if (!jitter)
      return Wrong(fmt::format("jitter is in milliseconds, such as jitter=0.5ms, not '{}'", value));
    knobs.jitter = *jitter;
  } else if (key == "rate") {
    const auto rate = ParseRate(value);
    if (!rate) return Wrong(fmt::format("rate is 8kbit to 100gbit, such as rate=100mbit, not '{}'", value));
    knobs.rate_bps = *rate;
  } else if (key == "routers") {
    const auto routers = ParseRouters(value);
    if (!routers) return Wrong(fmt::format("routers are 0 to {}, not '{}'", kMaxRouters, value));
    knobs.routers = *routers;
  } else if (key == "last_hop") {
    const auto last_hop = ParseMilliseconds(value);
    if (!last_hop)
      return Wrong(fmt::format("last_hop is in milliseconds, such as last_hop=3ms, not '{}'", value));
    knobs.last_hop = *last_hop;
  } else {
    return Wrong(
        fmt::format("unknown knob '{}': block_icmp, block_probes, silent_routers, loss=, jitter=, "
                    "rate=, routers= and last_hop= are known",
                    word));
  }
  return absl::OkStatus();
}

struct HostLine {
  int line = 0;
  Host host;
};

struct PairLine {
  int line = 0;
  std::string a, b;
  Rtt rtt{};
};

// Reads line by line, then puts hosts and cities together in Finish.
class Parser {
 public:
  explicit Parser(std::string_view file) : file_(file) {}

  absl::Status Line(std::string_view text) {
    ++line_;
    const std::vector<std::string_view> words = Words(text.substr(0, text.find('#')));
    if (words.empty()) return absl::OkStatus();
    const auto arguments = std::span(words).subspan(1);
    if (words[0] == "host") return At(line_, HostStatement(arguments));
    if (words[0] == "city") return At(line_, CityStatement(arguments));
    if (words[0] == "pair") return At(line_, PairStatement(arguments));
    return At(line_, Wrong(fmt::format("'{}' is neither host, city nor pair", words[0])));
  }

  absl::StatusOr<World> Finish() {
    if (hosts_.empty()) return At(line_, Wrong("a world has at least one host"));
    std::vector<size_t> city_of;
    for (const HostLine& line : hosts_) {
      const auto city = cities_.find(line.host.city);
      if (city == cities_.end()) {
        return At(line.line, Wrong(fmt::format("there is no line 'city {} …'", line.host.city)));
      }
      city_of.push_back(city->second);
    }
    return Assemble(city_of);
  }

 private:
  using Arguments = std::span<const std::string_view>;

  absl::Status At(int line, const absl::Status& status) const {
    if (status.ok()) return status;
    return Wrong(fmt::format("{}:{}: {}", file_, line,
                             std::string_view(status.message().data(), status.message().size())));
  }

  absl::Status HostStatement(Arguments words) {
    if (words.size() < 4) return Wrong("a host is: host NAME ROLE CITY IPV4 [IPV6] [knobs…]");
    if (hosts_.size() == kMaxHosts) return Wrong(fmt::format("a world has at most {} hosts", kMaxHosts));
    HostLine line;
    line.line = line_;
    Host& host = line.host;
    host.name = words[0];
    host.city = words[2];
    if (!IsName(words[0])) return Wrong(fmt::format("'{}' is no name: a-z, 0-9 and dashes", words[0]));
    if (!host_index_.emplace(host.name, hosts_.size()).second) {
      return Wrong(fmt::format("host '{}' is described twice", host.name));
    }
    const auto role = ParseRole(words[1]);
    if (!role) {
      return Wrong(fmt::format("role '{}' is none of replica, origin, director, client", words[1]));
    }
    host.role = *role;
    if (auto status = Ipv4(words[3], host); !status.ok()) return status;
    for (const std::string_view word : words.subspan(4)) {
      const bool address = word.find(':') != std::string_view::npos;
      auto status = address ? Ipv6(word, host) : ParseKnob(word, host.knobs);
      if (!status.ok()) return status;
    }
    hosts_.push_back(std::move(line));
    return absl::OkStatus();
  }

  absl::Status Ipv4(std::string_view word, Host& host) {
    static constexpr std::string_view kPlan = "198.18.0.0/15";
    const auto address = IpAddress::Parse(word);
    if (!address.ok() || !address->is_v4() || !IpPrefix::Parse(kPlan)->Contains(*address)) {
      return Wrong(fmt::format("'{}' is no IPv4 address in {}", word, kPlan));
    }
    if (word == kGatewayIpv4) return Wrong(fmt::format("{} is the gateway's address", word));
    host.ipv4 = *address;
    return Claim(*address, kRoutersIpv4);
  }

  absl::Status Ipv6(std::string_view word, Host& host) {
    static constexpr std::string_view kPlan = "fd00::/8";
    const auto address = IpAddress::Parse(word);
    if (!address.ok() || !address->is_v6() || !IpPrefix::Parse(kPlan)->Contains(*address)) {
      return Wrong(fmt::format("'{}' is no IPv6 address in {}", word, kPlan));
    }
    if (host.ipv6) return Wrong("a host has at most one IPv6 address");
    host.ipv6 = *address;
    return Claim(*address, kRoutersIpv6);
  }

  absl::Status Claim(const IpAddress& address, std::string_view routers) {
    if (IpPrefix::Parse(routers)->Contains(address)) {
      return Wrong(fmt::format("{} is kept for routers, as is all of {}", address.ToString(), routers));
    }
    if (addresses_.insert(address).second) return absl::OkStatus();
    return Wrong(fmt::format("address {} is another host's already", address.ToString()));
  }

  absl::Status CityStatement(Arguments words) {
    if (words.empty() || !IsName(words[0])) return Wrong("a city is: city NAME RTT…");
    const size_t row = cities_.size();
    if (row == kMaxCities) return Wrong(fmt::format("a world has at most {} cities", kMaxCities));
    if (!cities_.emplace(words[0], row).second) {
      return Wrong(fmt::format("city '{}' is described twice", words[0]));
    }
    if (words.size() != row + 2) {
      return Wrong(fmt::format("{} has {} RTTs: row {} needs {}, one to each city above and one within it",
                               words[0], words.size() - 1, row + 1, row + 1));
    }
    for (const std::string_view word : words.subspan(1)) {
      const auto rtt = ParseMilliseconds(word);
      if (!rtt) return Wrong(fmt::format("'{}' is no RTT: milliseconds, 0 to 10000, three decimals", word));
      triangle_.push_back(*rtt);
    }
    return absl::OkStatus();
  }

  absl::Status PairStatement(Arguments words) {
    if (words.size() != 3) return Wrong("a pair is: pair HOST HOST RTT");
    const auto rtt = ParseMilliseconds(words[2]);
    if (!rtt) return Wrong(fmt::format("'{}' is no RTT: milliseconds, 0 to 10000, three decimals", words[2]));
    PairLine pair;
    pair.line = line_;
    pair.a = words[0];
    pair.b = words[1];
    pair.rtt = *rtt;
    pairs_.push_back(std::move(pair));
    return absl::OkStatus();
  }

  Rtt CityRtt(size_t a, size_t b) const {
    const size_t high = std::max(a, b);
    return triangle_[high * (high + 1) / 2 + std::min(a, b)];
  }

  absl::StatusOr<World> Assemble(const std::vector<size_t>& city_of) {
    const size_t n = hosts_.size();
    std::vector<Rtt> rtts(n * n);
    for (size_t a = 0; a < n; ++a) {
      for (size_t b = 0; b < n; ++b) rtts[a * n + b] = a == b ? Rtt{} : CityRtt(city_of[a], city_of[b]);
    }
    for (const PairLine& pair : pairs_) {
      const auto a = host_index_.find(pair.a), b = host_index_.find(pair.b);
      if (a == host_index_.end() || b == host_index_.end() || a == b) {
        return At(pair.line, Wrong(fmt::format("'{}' and '{}' are not two hosts", pair.a, pair.b)));
      }
      rtts[a->second * n + b->second] = rtts[b->second * n + a->second] = pair.rtt;
    }
    std::vector<Host> hosts;
    for (HostLine& line : hosts_) hosts.push_back(std::move(line.host));
    return World(std::move(hosts), std::move(rtts));
  }

  std::string file_;
  int line_ = 0;
  std::vector<HostLine> hosts_;
  std::vector<PairLine> pairs_;
  std::vector<Rtt> triangle_;  // row i holds i + 1 values: the lower triangle with its diagonal
  absl::flat_hash_map<std::string, size_t> cities_;
  absl::flat_hash_map<std::string, size_t> host_index_;
  absl::flat_hash_set<IpAddress> addresses_;
};

}  // namespace

IpAddress RouterAddress(HostId host, uint8_t hop, bool v4) {
  static_assert(kMaxRouters < 32 && kMaxHosts <= 1024);
  const auto high = static_cast<uint8_t>(Index(host) >> 3),
             low = static_cast<uint8_t>(Index(host) << 5 | hop);
  if (v4) return IpAddress::V4(std::array<uint8_t, 4>{198, 19, static_cast<uint8_t>(128 | high), low});
  return IpAddress::V6(std::array<uint8_t, 16>{0xfd, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low});
}

std::string_view RoleName(Role role) { return kRoles[static_cast<size_t>(role)].first; }

World::World(std::vector<Host> hosts, std::vector<perigee::Rtt> rtts)
    : hosts_(std::move(hosts)), rtts_(std::move(rtts)) {
  for (size_t i = 0; i < hosts_.size(); ++i) by_name_.emplace(hosts_[i].name, static_cast<HostId>(i));
}

std::vector<HostId> World::WithRole(Role role) const {
  std::vector<HostId> ids;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i].role == role) ids.push_back(static_cast<HostId>(i));
  }
  return ids;
}

std::optional<HostId> World::Find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<perigee::Rtt> World::Rtt(std::string_view a, std::string_view b) const {
  for (const std::string_view name : {a, b}) {
    if (!Find(name)) return absl::NotFoundError(fmt::format("there is no host '{}'", name));
  }
  return Rtt(*Find(a), *Find(b));
}

absl::StatusOr<World> World::Select(const std::vector<std::string>& selectors) const {
  if (selectors.empty()) return *this;
  absl::flat_hash_set<std::string> unmatched(selectors.begin(), selectors.end());
  const absl::flat_hash_set<std::string> wanted = unmatched;
  std::vector<size_t> kept;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const std::string role(RoleName(hosts_[i].role));
    if (!wanted.contains(hosts_[i].name) && !wanted.contains(role)) continue;
    unmatched.erase(hosts_[i].name);
    unmatched.erase(role);
    kept.push_back(i);
  }
  if (!unmatched.empty()) {
    return Wrong(fmt::format("'{}' is neither a host of this world nor a role of one", *unmatched.begin()));
  }
  std::vector<Host> hosts;
  std::vector<perigee::Rtt> rtts;
  for (const size_t a : kept) {
    hosts.push_back(hosts_[a]);
    for (const size_t b : kept) rtts.push_back(rtts_[a * hosts_.size() + b]);
  }
  return World(std::move(hosts), std::move(rtts));
}

absl::StatusOr<World> ParseWorld(std::string_view text, std::string_view file) {
  Parser parser(file);
  for (const std::string_view line : Split(text, '\n')) {
    if (auto status = parser.Line(line); !status.ok()) return status;
  }
  return parser.Finish();
}

absl::StatusOr<World> LoadWorld(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  for (char buffer[1 << 16]; in && text.size() <= kMaxDescriptionBytes;) {
    in.read(buffer, sizeof buffer);
    text.append(buffer, static_cast<size_t>(in.gcount()));
  }
  if (!in.eof() && text.empty()) return absl::NotFoundError(fmt::format("cannot read '{}'", path));
  if (text.size() > kMaxDescriptionBytes) {
    return Wrong(fmt::format("{}: larger than {} bytes", path, kMaxDescriptionBytes));
  }
  return ParseWorld(text, path);
}

}  // namespace perigee::world
