// Cursors over a message: no read past the end and no write past the end, ever. Big-endian throughout.
#pragma once

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace perigee::dns {

// Reads forward. A read that does not fit returns false, sets nothing and moves nothing.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> data) : data_(data) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return data_.size() - offset_; }
  // All of the data, read or not: what compression pointers point into.
  std::span<const uint8_t> data() const { return data_; }

  bool ReadU8(uint8_t* value) {
    if (remaining() < 1) return false;
    *value = data_[offset_++];
    return true;
  }

  bool ReadU16(uint16_t* value) {
    if (remaining() < sizeof(*value)) return false;
    *value = boost::endian::load_big_u16(Take(sizeof(*value)));
    return true;
  }

  bool ReadU32(uint32_t* value) {
    if (remaining() < sizeof(*value)) return false;
    *value = boost::endian::load_big_u32(Take(sizeof(*value)));
    return true;
  }

  bool ReadU64(uint64_t* value) {
    if (remaining() < sizeof(*value)) return false;
    *value = boost::endian::load_big_u64(Take(sizeof(*value)));
    return true;
  }

  // A view of the next `size` octets.
  bool ReadBytes(size_t size, std::span<const uint8_t>* bytes) {
    if (remaining() < size) return false;
    *bytes = data_.subspan(offset_, size);
    offset_ += size;
    return true;
  }

  bool Skip(size_t size) {
    if (remaining() < size) return false;
    offset_ += size;
    return true;
  }

 private:
  const uint8_t* Take(size_t size) {
    offset_ += size;
    return data_.data() + offset_ - size;
  }

  std::span<const uint8_t> data_;
  size_t offset_ = 0;
};

// Writes forward. The first write that does not fit makes ok() false, and then nothing more is written until
// RewindTo() goes back to a size that was good.
class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}

  bool ok() const { return ok_; }
  size_t size() const { return size_; }

  void U8(uint8_t value) {
    if (Fits(1)) *Take(1) = value;
  }

  void U16(uint16_t value) {
    if (Fits(sizeof(value))) boost::endian::store_big_u16(Take(sizeof(value)), value);
  }

  void U32(uint32_t value) {
    if (Fits(sizeof(value))) boost::endian::store_big_u32(Take(sizeof(value)), value);
  }

  void U64(uint64_t value) {
    if (Fits(sizeof(value))) boost::endian::store_big_u64(Take(sizeof(value)), value);
  }

  void Bytes(std::span<const uint8_t> bytes) {
    if (Fits(bytes.size())) std::copy(bytes.begin(), bytes.end(), Take(bytes.size()));
  }

  // Overwrites what stands at `offset`, which lies at least two octets before the end of the buffer.
  void SetU16At(size_t offset, uint16_t value) { boost::endian::store_big_u16(out_.data() + offset, value); }

  void RewindTo(size_t size) {
    size_ = size;
    ok_ = true;
  }

 private:
  bool Fits(size_t size) {
    ok_ = ok_ && out_.size() - size_ >= size;
    return ok_;
  }

  uint8_t* Take(size_t size) {
    size_ += size;
    return out_.data() + size_ - size;
  }

  std::span<uint8_t> out_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace perigee::dns
