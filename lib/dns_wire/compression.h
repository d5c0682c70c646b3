// Where the names of a message stand, so that later ones can point to them (RFC 1035 §4.1.4). Pure; allocates
// nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {

// Pointers reach offsets below this.
inline constexpr size_t kPointerLimit = 0x4000;

// Remembers the first names that it is given, kMaxSuffixes of them, the suffixes of each counted as names.
// What comes later is still compressed against these.
class SuffixTable {
 public:
  static constexpr size_t kMaxSuffixes = 32;

  // `message` holds every name that Add is told of, and what their pointers lead to.
  explicit SuffixTable(std::span<const uint8_t> message) : message_(message) {}

  // The offset of a name equal to `name`; 0 when there is none.
  size_t Find(NameView name) const;

  // `size` is that of the name written out, and `offset` where it starts. Nothing happens when there is no
  // room left, or no pointer could lead there.
  void Add(size_t offset, size_t size);

  size_t size() const { return size_; }
  // Forgets all but the first `size`.
  void RewindTo(size_t size) { size_ = size; }

 private:
  struct Suffix {
    uint16_t offset;
    uint8_t size;
  };

  bool IsAt(size_t offset, NameView name) const;

  std::span<const uint8_t> message_;
  size_t size_ = 0;
  std::array<Suffix, kMaxSuffixes> suffixes_;
};

}  // namespace perigee::dns
