// Domain names in wire format (RFC 1035 §3.1): labels with a length octet each, ended by the root's zero.
//
// Names compare without regard to ASCII case and keep the case in which they were written (RFC 4343).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/dns_wire/constants.h"
#include "lib/dns_wire/cursor.h"

namespace perigee::dns {

// A view of a whole, uncompressed, valid name that lives elsewhere. Cheap to copy; nothing here allocates
// except ToText.
class NameView {
 public:
  // The root.
  NameView();

  // Reads an uncompressed name. False, with the reader anywhere, when it is cut short, longer than 255
  // octets, or holds a compression pointer or another label type.
  static bool Read(Reader& reader, NameView* name);

  // 1 to 255 octets, the last of which is the root's zero.
  std::span<const uint8_t> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool is_root() const { return bytes_.size() == 1; }

  // The name without its first label; not for the root.
  NameView Parent() const;

  // Whether this is `ancestor` or lies below it.
  bool IsWithin(NameView ancestor) const;

  // Equal for equal names, whatever their case.
  size_t Hash() const;

  // Master-file text with a final dot: "www.example.org.", with escapes where RFC 1035 §5.1 needs them.
  std::string ToText() const;

  friend bool operator==(NameView a, NameView b);

 private:
  friend class Name;
  explicit NameView(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  std::span<const uint8_t> bytes_;
};

// A name that owns its octets, in place.
class Name {
 public:
  // The root.
  Name() = default;
  explicit Name(NameView view);

  // From master-file text, with or without the final dot; relative names are taken as absolute.
  // InvalidArgument names the text and says what is wrong.
  static absl::StatusOr<Name> Parse(std::string_view text);

  // Reads a name that may be compressed (RFC 1035 §4.1.4). Pointers lead only backwards, each to before where
  // the last one led, so that every message is read in bounded time. False on anything else.
  static bool Read(Reader& reader, Name* name);

  NameView view() const { return NameView({octets_.data(), size_}); }
  operator NameView() const { return view(); }

  friend bool operator==(const Name& a, const Name& b) { return a.view() == b.view(); }

 private:
  // Adds a label's octets, without the root that ends the name. False when the name would be too long.
  bool Append(std::span<const uint8_t> label);

  std::array<uint8_t, kMaxNameSize> octets_{};
  uint8_t size_ = 1;
};

}  // namespace perigee::dns
