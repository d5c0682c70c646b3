// Replicas as the director's core knows them: numbers in the order of the fleet file, and sets of them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace perigee::dns {

// The fleet file's limit.
inline constexpr size_t kMaxReplicas = 1024;
// Fleets up to it are held whole: every distance between two replicas is measured, and a client's row has a
// place for every replica. Of larger ones a part is: see rtt_map.h and distance_survey.h.
inline constexpr size_t kWholeFleet = 64;

enum class ReplicaId : uint16_t {};

inline size_t Index(ReplicaId id) { return static_cast<size_t>(id); }
inline ReplicaId ToReplicaId(size_t index) { return static_cast<ReplicaId>(index); }

class ReplicaSet {
  static constexpr size_t kWordBits = 64;

 public:
  static constexpr size_t kWords = kMaxReplicas / kWordBits;
  static constexpr size_t WordOf(ReplicaId id) { return static_cast<size_t>(id) / kWordBits; }
  static constexpr uint64_t BitOf(ReplicaId id) {
    return uint64_t{1} << (static_cast<size_t>(id) % kWordBits);
  }

  constexpr ReplicaSet() = default;
  // The first `count` replicas.
  static constexpr ReplicaSet All(size_t count) {
    ReplicaSet all;
    for (size_t i = 0; i < kWords && count > i * kWordBits; ++i) {
      const size_t rest = count - i * kWordBits;
      all.words_[i] = rest >= kWordBits ? ~uint64_t{0} : (uint64_t{1} << rest) - 1;
    }
    return all;
  }

  // In ascending order.
  class Iterator {
   public:
    ReplicaId operator*() const {
      return static_cast<ReplicaId>(word_ * kWordBits + static_cast<size_t>(std::countr_zero(rest_)));
    }
    Iterator& operator++() {
      rest_ &= rest_ - 1;
      Settle();
      return *this;
    }
    bool operator==(const Iterator& other) const { return word_ == other.word_ && rest_ == other.rest_; }

   private:
    friend class ReplicaSet;
    Iterator(const ReplicaSet& set, size_t word)
        : set_(&set), word_(word), rest_(word < kWords ? set.words_[word] : 0) {
      Settle();
    }
    void Settle() {
      while (rest_ == 0 && word_ < kWords) rest_ = ++word_ < kWords ? set_->words_[word_] : 0;
    }
    const ReplicaSet* set_;
    size_t word_;
    uint64_t rest_;
  };
  // A set must outlive its iterators.
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, kWords}; }

  bool Contains(ReplicaId id) const { return words_[WordOf(id)] & BitOf(id); }
  void Add(ReplicaId id) { words_[WordOf(id)] |= BitOf(id); }
  void Remove(ReplicaId id) { words_[WordOf(id)] &= ~BitOf(id); }
  ReplicaSet Without(const ReplicaSet& others) const {
    ReplicaSet rest = *this;
    for (size_t i = 0; i < kWords; ++i) rest.words_[i] &= ~others.words_[i];
    return rest;
  }
  ReplicaSet And(const ReplicaSet& others) const {
    ReplicaSet both = *this;
    for (size_t i = 0; i < kWords; ++i) both.words_[i] &= others.words_[i];
    return both;
  }
  ReplicaSet Or(const ReplicaSet& others) const {
    ReplicaSet either = *this;
    for (size_t i = 0; i < kWords; ++i) either.words_[i] |= others.words_[i];
    return either;
  }
  bool empty() const { return *this == ReplicaSet(); }
  int size() const {
    int count = 0;
    for (const uint64_t word : words_) count += std::popcount(word);
    return count;
  }
  bool operator==(const ReplicaSet&) const = default;

  // Replicas 64 i to 64 i + 63, as bits.
  uint64_t word(size_t i) const { return words_[i]; }
  void SetWord(size_t i, uint64_t bits) { words_[i] = bits; }

 private:
  std::array<uint64_t, kWords> words_{};
};

}  // namespace perigee::dns
