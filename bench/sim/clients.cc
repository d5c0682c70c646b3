#include "bench/sim/clients.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "fmt/format.h"

namespace perigee::sim {

absl::StatusOr<LastMiles> LastMiles::Read(const std::string& path, const std::vector<std::string>& accesses) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("cannot read {}", path));
  LastMiles last_miles;
  for (const std::string& name : accesses) last_miles.accesses_.push_back({name, {}});
  size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name.starts_with('#')) continue;
    double ms[3];
    if (!(words >> ms[0] >> ms[1] >> ms[2])) {
      return absl::InvalidArgumentError(fmt::format("{}:{}: not 'ACCESS MS MS MS'", path, number));
    }
    auto access = std::find_if(last_miles.accesses_.begin(), last_miles.accesses_.end(),
                               [&](const Access& a) { return a.name == name; });
    if (access == last_miles.accesses_.end()) continue;
    Excess& excess = access->excess.emplace_back();
    std::transform(ms, ms + 3, excess.begin(), [](double each) { return Rtt(std::lround(each * 1000)); });
  }
  for (const Access& access : last_miles.accesses_) {
    if (access.excess.empty())
      return absl::InvalidArgumentError(fmt::format("{}: no '{}'", path, access.name));
  }
  return last_miles;
}

namespace {

// What answers in place of a client that doesn't, by a number from 0 to 1.
Answers Hidden(const Population& population, double lot) {
  if (lot < population.edge_answers) return Answers::kEdge;
  return lot < population.edge_answers + population.some_hop_answers ? Answers::kSomeHop : Answers::kNothing;
}

}  // namespace

std::vector<Client> Populate(const Geography& geography, const std::vector<size_t>& places,
                             const LastMiles& last_miles, const Population& population, Random& random) {
  std::uniform_real_distribution<double> share(0, 1);
  std::vector<size_t> networks(geography.places().size(), 0);  // /24s given away of each place's /16
  std::vector<Client> clients;
  for (const size_t place : places) {
    for (size_t i = 0; i < population.per_place; ++i) {
      const size_t home = share(random) < population.strays ? places[random() % places.size()] : place;
      const size_t network = networks[home]++;
      const size_t sixteen = home + geography.places().size() * (network >> 8);
      const std::array<uint8_t, 4> bytes = {static_cast<uint8_t>(20 + (sixteen >> 8)),
                                            static_cast<uint8_t>(sixteen), static_cast<uint8_t>(network), 1};
      Client client{.place = place, .address = IpAddress::V4(bytes)};
      client.access = random() % last_miles.accesses().size();
      if (share(random) < population.icmp_silent) {
        client.answers =
            share(random) < population.all_silent ? Hidden(population, share(random)) : Answers::kTcp;
      }
      clients.push_back(client);
    }
  }
  std::shuffle(clients.begin(), clients.end(), random);
  return clients;
}

}  // namespace perigee::sim
