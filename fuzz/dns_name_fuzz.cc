// Names: text and wire format lead to each other and back, and relations between names hold.
#include <algorithm>
#include <string_view>

#include "fuzz/check.h"
#include "lib/dns_wire/name.h"

namespace perigee::dns {
namespace {

using fuzz::Check;

bool SameOctets(NameView a, NameView b) {
  return std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

void CheckName(NameView name) {
  const auto again = Name::Parse(name.ToText());
  Check(again.ok());
  Check(SameOctets(*again, name));
  Check(again->view().Hash() == name.Hash());
  Check(name.IsWithin(name) && name.IsWithin(NameView()));
  if (!name.is_root()) Check(name.IsWithin(name.Parent()) && !name.Parent().IsWithin(name));
}

void CheckText(std::string_view text) {
  const auto name = Name::Parse(text);
  if (name.ok()) CheckName(*name);
}

void CheckWire(std::span<const uint8_t> bytes) {
  Reader plain(bytes), compressed(bytes);
  NameView view;
  Name name;
  const bool is_plain = NameView::Read(plain, &view);
  const bool is_name = Name::Read(compressed, &name);
  Check(is_name || !is_plain);
  if (is_plain) Check(SameOctets(name, view) && plain.offset() == compressed.offset());
  if (is_name) CheckName(name);
}

// With something before it that pointers can lead to.
void CheckTail(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  Name name;
  reader.Skip(bytes.size() / 2);
  if (Name::Read(reader, &name)) CheckName(name);
}

}  // namespace
}  // namespace perigee::dns

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  perigee::dns::CheckText({reinterpret_cast<const char*>(data), size});
  perigee::dns::CheckWire({data, size});
  perigee::dns::CheckTail({data, size});
  return 0;
}
