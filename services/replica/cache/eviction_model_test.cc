// Every policy beside a model that looks through a plain list, over random operations.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "services/replica/cache/eviction.h"
#include "services/replica/cache/eviction_by_hits.h"

namespace perigee::replica {
namespace {

// The last fingerprints that left, with their hits, oldest first. What was taken leaves a hole, which counts.
class ModelMemory {
 public:
  void Put(uint64_t fingerprint, uint64_t hits, size_t objects) {
    for (auto& entry : entries_) {
      if (entry && entry->first == fingerprint) entry.reset();
    }
    entries_.emplace_back(std::pair(fingerprint, hits));
    while (entries_.size() > std::max(objects, kLeastRemembered)) entries_.pop_front();
  }
  std::optional<uint64_t> Take(uint64_t fingerprint) {
    for (auto& entry : entries_) {
      if (entry && entry->first == fingerprint) return std::exchange(entry, std::nullopt)->second;
    }
    return std::nullopt;
  }

 private:
  std::deque<std::optional<std::pair<uint64_t, uint64_t>>> entries_;
};

// Objects in the order that matters to the model; what has no order of its own keeps that of storing.
class Model {
 public:
  virtual ~Model() = default;
  virtual uint64_t Add(const EvictionObject& object) = 0;
  virtual void Hit(ObjectId id) = 0;
  virtual ObjectId Evict() = 0;

  EvictionObject Remove(ObjectId id) {
    const auto it = Find(id);
    const EvictionObject removed = it->about;
    objects_.erase(it);
    return removed;
  }

 protected:
  struct Object {
    EvictionObject about;
    bool young = true;  // on probation, in the small queue
    int turns = 0;
  };
  std::vector<Object>::iterator Find(ObjectId id) {
    return std::find_if(objects_.begin(), objects_.end(), [&](const Object& o) { return o.about.id == id; });
  }
  std::vector<Object>::iterator First(bool young) {
    return std::find_if(objects_.begin(), objects_.end(), [&](const Object& o) { return o.young == young; });
  }
  uint64_t BytesOf(bool young) const {
    uint64_t bytes = 0;
    for (const Object& object : objects_) bytes += object.young == young ? object.about.bytes : 0;
    return bytes;
  }
  bool YoungHaveMoreThanATenth() const { return BytesOf(true) > (BytesOf(true) + BytesOf(false)) / 10; }
  void ToTheEnd(std::vector<Object>::iterator it) { std::rotate(it, it + 1, objects_.end()); }

  std::vector<Object> objects_;
  ModelMemory memory_;
};

class HitsModel : public Model {
 public:
  explicit HitsModel(const HitsRule& rule) : rule_(rule) {}
  uint64_t Add(const EvictionObject& object) override {
    objects_.push_back({object});
    EvictionObject& about = objects_.back().about;
    const auto before = rule_.remembers ? memory_.Take(object.fingerprint) : std::nullopt;
    if (before) about.hits = std::max(about.hits, *before + 1);
    about.age = about.age.value_or(age_);
    return about.hits;
  }
  void Hit(ObjectId id) override {
    EvictionObject& about = Find(id)->about;
    ++about.hits;
    about.age = age_;
  }
  ObjectId Evict() override {
    const auto least = std::min_element(objects_.begin(), objects_.end(), [&](const auto& a, const auto& b) {
      return std::pair(Rank(a), a.about.id) < std::pair(Rank(b), b.about.id);
    });
    if (rule_.aged) age_ = std::max(age_, Rank(*least));
    const EvictionObject gone = Remove(least->about.id);
    if (rule_.remembers) memory_.Put(gone.fingerprint, gone.hits, objects_.size());
    return gone.id;
  }

 private:
  double Rank(const Object& object) const {
    const double worth = static_cast<double>(object.about.hits) + rule_.fetch_counts;
    const double bytes = static_cast<double>(std::max<uint64_t>(1, object.about.bytes));
    return *object.about.age + (rule_.per_byte ? worth / bytes : worth);
  }
  const HitsRule rule_;
  double age_ = 0;
};

class AdmissionModel : public Model {
 public:
  uint64_t Add(const EvictionObject& object) override {
    objects_.push_back({object});
    EvictionObject& about = objects_.back().about;
    if (const auto before = memory_.Take(object.fingerprint)) about.hits = std::max(about.hits, *before + 1);
    return about.hits;
  }
  void Hit(ObjectId id) override { ++Find(id)->about.hits; }
  ObjectId Evict() override {
    if (First(false) == objects_.end()) {
      for (size_t i = 0; i + 1 < objects_.size() && YoungHaveMoreThanATenth(); ++i) objects_[i].young = false;
    }
    const EvictionObject gone = Remove(Choose());
    memory_.Put(gone.fingerprint, gone.hits, objects_.size());
    return gone.id;
  }

 private:
  ObjectId Choose() {
    auto fewest = objects_.end();
    for (auto it = objects_.begin(); it != objects_.end(); ++it) {
      const bool less = fewest == objects_.end() || std::pair(it->about.hits, it->about.id) <
                                                        std::pair(fewest->about.hits, fewest->about.id);
      if (!it->young && less) fewest = it;
    }
    const auto newcomer = First(true);
    if (fewest == objects_.end()) return newcomer->about.id;
    if (newcomer == objects_.end() || !YoungHaveMoreThanATenth()) return fewest->about.id;
    if (newcomer->about.hits <= fewest->about.hits) return newcomer->about.id;
    newcomer->young = false;
    return fewest->about.id;
  }
};

class LruModel : public Model {
 public:
  uint64_t Add(const EvictionObject& object) override {
    objects_.push_back({object});
    return object.hits;
  }
  void Hit(ObjectId id) override {
    const auto it = Find(id);
    ++it->about.hits;
    ToTheEnd(it);
  }
  ObjectId Evict() override { return Remove(objects_.front().about.id).id; }
};

class S3FifoModel : public Model {
 public:
  uint64_t Add(const EvictionObject& object) override {
    const bool was_here = memory_.Take(object.fingerprint).has_value();
    objects_.push_back({object, !was_here && object.hits < 2});
    return object.hits;
  }
  void Hit(ObjectId id) override {
    const auto it = Find(id);
    ++it->about.hits;
    it->turns = std::min(3, it->turns + 1);
  }
  ObjectId Evict() override {
    for (;;) {
      const auto small = First(true), main = First(false);
      if (main != objects_.end() && (small == objects_.end() || !YoungHaveMoreThanATenth())) {
        if (main->turns == 0) return Remove(main->about.id).id;
        --main->turns;
        ToTheEnd(main);
      } else if (small->turns < 2) {
        const EvictionObject gone = Remove(small->about.id);
        memory_.Put(gone.fingerprint, gone.hits, objects_.size());
        return gone.id;
      } else {
        small->young = false;
        small->turns = 0;
        ToTheEnd(small);
      }
    }
  }
};

std::unique_ptr<Model> MakeModel(Eviction eviction) {
  switch (eviction) {
    case Eviction::kLfuPerByte:
      return std::make_unique<HitsModel>(kLfuPerByteRule);
    case Eviction::kLfu:
      return std::make_unique<HitsModel>(kLfuRule);
    case Eviction::kLfuAged:
      return std::make_unique<HitsModel>(kLfuAgedRule);
    case Eviction::kLfuAdmission:
      return std::make_unique<AdmissionModel>();
    case Eviction::kGdsf:
      return std::make_unique<HitsModel>(kGdsfRule);
    case Eviction::kS3Fifo:
      return std::make_unique<S3FifoModel>();
    case Eviction::kLru:
      return std::make_unique<LruModel>();
  }
  return nullptr;
}

class EvictionModel : public testing::TestWithParam<std::pair<Eviction, uint64_t>> {};

// As a cache does it: few keys many times, many keys a few times; sizes over six orders of magnitude; room is
// made in runs; objects are removed for good, or put back with another size.
TEST_P(EvictionModel, AgreesOverRandomOperations) {
  const auto [eviction, seed] = GetParam();
  const auto policy = MakeEvictionPolicy(eviction);
  const auto model = MakeModel(eviction);
  std::mt19937_64 rng(seed);
  std::vector<ObjectId> known;
  const auto take = [&] {
    std::swap(known[rng() % known.size()], known.back());
    return std::exchange(known.back(), 0);
  };
  ObjectId next = 1;
  for (int step = 0; step < 30'000; ++step) {
    SCOPED_TRACE(step);
    const unsigned kind = rng() % 100;
    if (known.empty() || kind < 30) {
      const EvictionObject object{next++, rng() % 3'000, uint64_t{1} << (rng() % 20),
                                  kind == 0 ? rng() % 4 : 0};
      known.push_back(object.id);
      ASSERT_EQ(policy->Add(object), model->Add(object));
    } else if (kind < 75) {
      const ObjectId id = known[std::min(rng() % known.size(), rng() % known.size())];
      policy->Hit(id);
      model->Hit(id);
    } else if (kind < 80) {
      const ObjectId id = take();
      known.pop_back();
      EvictionObject object = policy->Remove(id);
      const EvictionObject expected = model->Remove(id);
      ASSERT_EQ(object.hits, expected.hits);
      ASSERT_EQ(object.age, expected.age);
      if (kind < 78) continue;
      object.bytes = rng() % 1'000;
      known.push_back(id);
      ASSERT_EQ(policy->Add(object), model->Add(object));
    } else if (kind < 82 || known.size() > 150) {
      for (size_t count = std::min<size_t>(known.size(), 1 + rng() % 40); count > 0; --count) {
        const auto gone = policy->Evict();
        ASSERT_EQ(gone, model->Evict());
        known.erase(std::find(known.begin(), known.end(), *gone));
      }
    }
  }
}

std::vector<std::pair<Eviction, uint64_t>> Runs() {
  std::vector<std::pair<Eviction, uint64_t>> runs;
  for (const Eviction eviction : kEveryEviction) {
    for (uint64_t seed = 1; seed <= 3; ++seed) runs.emplace_back(eviction, seed);
  }
  return runs;
}

std::string TestName(const testing::TestParamInfo<std::pair<Eviction, uint64_t>>& run) {
  return absl::StrReplaceAll(std::string(Name(run.param.first)), {{"-", ""}}) +
         std::to_string(run.param.second);
}
INSTANTIATE_TEST_SUITE_P(, EvictionModel, testing::ValuesIn(Runs()), TestName);

}  // namespace
}  // namespace perigee::replica
