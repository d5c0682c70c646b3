#include "lib/dns_wire/compression.h"

#include "lib/dns_wire/fold.h"

namespace perigee::dns {

size_t SuffixTable::Find(NameView name) const {
  for (size_t i = 0; i < size_; ++i) {
    if (suffixes_[i].size == name.size() && IsAt(suffixes_[i].offset, name)) return suffixes_[i].offset;
  }
  return 0;
}

void SuffixTable::Add(size_t offset, size_t size) {
  if (size_ == kMaxSuffixes || offset >= kPointerLimit) return;
  suffixes_[size_++] = {static_cast<uint16_t>(offset), static_cast<uint8_t>(size)};
}

// Both names are as long, so that a difference shows at the latest where one of them ends. Labels are
// compared from their ends, where those of one server's names differ: "ns1", "ns2".
bool SuffixTable::IsAt(size_t offset, NameView name) const {
  const uint8_t* theirs = name.bytes().data();
  for (;;) {
    const uint8_t* ours = &message_[offset];
    if (*ours >= kPointerBits) {
      offset = (*ours & ~size_t{kPointerBits}) << 8 | ours[1];
      continue;
    }
    const size_t length = *theirs;
    if (*ours != length) return false;
    if (length == 0) return true;
    for (size_t i = length; i > 0; --i) {
      if (theirs[i] != ours[i] && Fold(theirs[i]) != Fold(ours[i])) return false;
    }
    theirs += length + 1;
    offset += length + 1;
  }
}

}  // namespace perigee::dns
