#include "lib/dns_wire/name.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "fmt/format.h"
#include "lib/dns_wire/fold.h"

namespace perigee::dns {
namespace {

constexpr uint8_t kRoot[] = {0};
constexpr uint64_t kEach = 0x0101010101010101;
constexpr std::string_view kEscaped = ".\\\"();@$";

// ASCII to lower case, eight octets at once. Harmless to length octets too: at most 63, they lie below 'A'.
// So whole names fold without a look at labels.
constexpr uint64_t Fold8(uint64_t octets) {
  const uint64_t low = octets & 0x7f * kEach;
  const uint64_t from_a = low + (0x80 - 'A') * kEach;
  const uint64_t past_z = low + (0x7f - 'Z') * kEach;
  return octets | (((from_a ^ past_z) & ~octets & 0x80 * kEach) >> 2);
}

template <typename Word>
uint64_t Load(const uint8_t* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// All octets of a name shorter than a word; the two loads may overlap.
uint64_t LoadShort(const uint8_t* at, size_t size) {
  if (size >= 4) return Load<uint32_t>(at) | Load<uint32_t>(at + size - 4) << 32;
  return size == 1 ? at[0] : Load<uint16_t>(at) | uint64_t{at[size - 1]} << 16;
}

// Takes the case from all octets, be they letters or not: different names may well have one hash.
uint64_t Mix(uint64_t hash, uint64_t octets) {
  const auto product = static_cast<unsigned __int128>(hash ^ (octets | 0x20 * kEach)) * 0x9e3779b97f4a7c15;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Most names that are equal are so octet for octet.
bool SameFolded(uint64_t a, uint64_t b) { return a == b || Fold8(a) == Fold8(b); }

void AppendEscaped(uint8_t c, std::string* text) {
  const char ch = static_cast<char>(c);
  if (c <= ' ' || c >= 0x7f) {
    *text += fmt::format("\\{:03}", c);
  } else {
    if (kEscaped.find(ch) != std::string_view::npos) *text += '\\';
    *text += ch;
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// One octet of a label from text, escaped or not; removes it from `text`.
std::optional<uint8_t> TakeOctet(std::string_view* text) {
  if (text->front() != '\\') {
    const uint8_t octet = static_cast<uint8_t>(text->front());
    text->remove_prefix(1);
    return octet;
  }
  if (text->size() >= 4 && IsDigit((*text)[1]) && IsDigit((*text)[2]) && IsDigit((*text)[3])) {
    const int value = ((*text)[1] - '0') * 100 + ((*text)[2] - '0') * 10 + ((*text)[3] - '0');
    text->remove_prefix(4);
    return value <= 255 ? std::optional(static_cast<uint8_t>(value)) : std::nullopt;
  }
  if (text->size() < 2 || IsDigit((*text)[1])) return std::nullopt;
  const uint8_t octet = static_cast<uint8_t>((*text)[1]);
  text->remove_prefix(2);
  return octet;
}

absl::Status BadName(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("not a domain name: \"{}\": {}", text, why));
}

}  // namespace

NameView::NameView() : bytes_(kRoot) {}

bool NameView::Read(Reader& reader, NameView* name) {
  const size_t start = reader.offset();
  for (uint8_t length = 0; reader.ReadU8(&length) && length <= kMaxLabelSize && reader.Skip(length);) {
    const size_t size = reader.offset() - start;
    if (size > kMaxNameSize) return false;
    if (length == 0) {
      name->bytes_ = reader.data().subspan(start, size);
      return true;
    }
  }
  return false;
}

NameView NameView::Parent() const { return NameView(bytes_.subspan(size_t{bytes_[0]} + 1)); }

bool NameView::IsWithin(NameView ancestor) const {
  NameView name = *this;
  while (name.size() > ancestor.size()) name = name.Parent();
  return name == ancestor;
}

// Not proof against chosen keys: tables hold the operator's names, and clients only look into them.
size_t NameView::Hash() const {
  const uint8_t* const octets = bytes_.data();
  const size_t size = bytes_.size();
  uint64_t hash = 0xcbf29ce484222325 ^ size;
  if (size < sizeof(uint64_t)) return Mix(hash, LoadShort(octets, size));
  const size_t last = size - sizeof(uint64_t);
  for (size_t at = 0; at < last; at += sizeof(uint64_t)) hash = Mix(hash, Load<uint64_t>(octets + at));
  return Mix(hash, Load<uint64_t>(octets + last));
}

std::string NameView::ToText() const {
  if (is_root()) return ".";
  std::string text;
  for (NameView name = *this; !name.is_root(); name = name.Parent()) {
    for (const uint8_t c : name.bytes_.subspan(1, name.bytes_[0])) AppendEscaped(c, &text);
    text += '.';
  }
  return text;
}

bool operator==(NameView a, NameView b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  const uint8_t *x = a.bytes_.data(), *y = b.bytes_.data();
  if (size < sizeof(uint64_t)) return SameFolded(LoadShort(x, size), LoadShort(y, size));
  const size_t last = size - sizeof(uint64_t);
  for (size_t at = 0; at < last; at += sizeof(uint64_t)) {
    if (!SameFolded(Load<uint64_t>(x + at), Load<uint64_t>(y + at))) return false;
  }
  return SameFolded(Load<uint64_t>(x + last), Load<uint64_t>(y + last));
}

Name::Name(NameView view) : size_(static_cast<uint8_t>(view.size())) {
  std::copy(view.bytes().begin(), view.bytes().end(), octets_.begin());
}

bool Name::Append(std::span<const uint8_t> label) {
  if (label.size() > kMaxLabelSize || size_ + label.size() + 1 > kMaxNameSize) return false;
  octets_[size_ - 1u] = static_cast<uint8_t>(label.size());
  std::copy(label.begin(), label.end(), octets_.begin() + size_);
  size_ = static_cast<uint8_t>(size_ + label.size() + 1);
  octets_[size_ - 1u] = 0;
  return true;
}

absl::StatusOr<Name> Name::Parse(std::string_view text) {
  if (text.empty()) return BadName(text, "it is empty; the root is \".\"");
  Name name;
  if (text == ".") return name;
  for (std::string_view rest = text; !rest.empty();) {
    std::array<uint8_t, kMaxLabelSize> label;
    size_t size = 0;
    while (!rest.empty() && rest.front() != '.') {
      const auto octet = TakeOctet(&rest);
      if (!octet)
        return BadName(text, "an escape is \\DDD, up to 255, or \\ and a character that is not a digit");
      if (size == label.size()) return BadName(text, "a label is longer than 63 octets");
      label[size++] = *octet;
    }
    if (size == 0) return BadName(text, "a label is empty");
    if (!name.Append({label.data(), size})) return BadName(text, "it is longer than 255 octets");
    if (!rest.empty()) rest.remove_prefix(1);
  }
  return name;
}

bool Name::Read(Reader& reader, Name* name) {
  *name = Name();
  Reader jumped = reader;  // follows the pointers, while `reader` stops behind the first
  Reader* in = &reader;
  size_t barrier = reader.offset();
  for (uint8_t length = 0; in->ReadU8(&length);) {
    if ((length & kPointerBits) == kPointerBits) {
      uint8_t low = 0;
      if (!in->ReadU8(&low)) return false;
      const size_t target = size_t{length & 0x3fu} << 8 | low;
      if (target >= barrier) return false;
      barrier = target;
      jumped = Reader(reader.data());
      jumped.Skip(target);
      in = &jumped;
      continue;
    }
    if (length == 0) return true;
    std::span<const uint8_t> label;
    if (length > kMaxLabelSize || !in->ReadBytes(length, &label) || !name->Append(label)) return false;
  }
  return false;
}

}  // namespace perigee::dns
