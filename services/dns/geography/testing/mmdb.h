// Writes tiny databases in MaxMind's format (maxmind.github.io/MaxMind-DB), for tests.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/address.h"
#include "services/dns/steering/geography.h"

namespace perigee::dns {

class MmdbWriter {
 public:
  void Add(const IpPrefix& prefix, const Location& location) {
    Put(prefix, "\xe1" + String("location") + "\xe2" + String("latitude") + Double(location.latitude) +
                    String("longitude") + Double(location.longitude));
  }
  // A network of which the database knows something, but not where it is.
  void AddWithoutLocation(const IpPrefix& prefix) { Put(prefix, "\xe1" + String("name") + String("x")); }

  std::string Take() const {
    std::string tree;
    for (const Node& node : nodes_) {
      for (const Record& record : node) tree += Number(ValueOf(record), 3);
    }
    return tree + std::string(kSeparator, '\0') + data_ + "\xab\xcd\xefMaxMind.com" + Metadata();
  }
  void WriteTo(const std::string& path) const { std::ofstream(path, std::ios::binary) << Take(); }

 private:
  static constexpr size_t kSeparator = 16;
  enum class Kind : uint8_t { kNothing, kNode, kData };
  struct Record {
    Kind kind = Kind::kNothing;
    size_t at = 0;
  };
  using Node = std::array<Record, 2>;

  static std::string Number(uint64_t value, size_t octets) {
    std::string out;
    for (size_t i = octets; i-- > 0;) out += static_cast<char>(value >> (8 * i));
    return out;
  }
  static std::string Control(int type, size_t size) {
    return std::string(1, static_cast<char>(static_cast<size_t>(type) << 5 | size));
  }
  static std::string String(std::string_view text) { return Control(2, text.size()) + std::string(text); }
  static std::string Double(double value) {
    return Control(3, 8) + Number(std::bit_cast<uint64_t>(value), 8);
  }
  static std::string Uint16(uint64_t value) { return Control(5, 2) + Number(value, 2); }
  static std::string Uint32(uint64_t value) { return Control(6, 4) + Number(value, 4); }

  // An IPv6 tree, with IPv4 in its first 32 bits of ::/96.
  void Put(const IpPrefix& prefix, const std::string& value) {
    std::vector<bool> bits(prefix.address().is_v4() ? 96 : 0, false);
    for (int i = 0; i < prefix.length(); ++i) {
      bits.push_back(prefix.address().bytes()[static_cast<size_t>(i / 8)] >> (7 - i % 8) & 1);
    }
    size_t node = 0;
    for (size_t i = 0; i + 1 < bits.size(); ++i) {
      const Record record = nodes_[node][bits[i]];
      if (record.kind != Kind::kNode) {
        nodes_[node][bits[i]] = {Kind::kNode, nodes_.size()};
        nodes_.emplace_back();
      }
      node = nodes_[node][bits[i]].at;
    }
    nodes_[node][bits.back()] = {Kind::kData, data_.size()};
    data_ += value;
  }

  uint64_t ValueOf(const Record& record) const {
    switch (record.kind) {
      case Kind::kNode:
        return record.at;
      case Kind::kData:
        return nodes_.size() + kSeparator + record.at;
      case Kind::kNothing:
        break;
    }
    return nodes_.size();
  }

  std::string Metadata() const {
    return Control(7, 9) + String("node_count") + Uint32(nodes_.size()) + String("record_size") + Uint16(24) +
           String("ip_version") + Uint16(6) + String("database_type") + String("Perigee-Test") +
           String("languages") + std::string("\x00\x04", 2) + String("binary_format_major_version") +
           Uint16(2) + String("binary_format_minor_version") + Uint16(0) + String("build_epoch") +
           std::string("\x08\x02", 2) + Number(1'700'000'000, 8) + String("description") + Control(7, 0);
  }

  std::vector<Node> nodes_{Node{}};
  std::string data_;
};

}  // namespace perigee::dns
