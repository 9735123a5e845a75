#include "delta/sort_files.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "delta/file_list.h"
#include "delta/path.h"

namespace sluice::delta {
namespace {

// Eight bytes of a key, so that keys are compared without going to their text.
struct Item {
  uint64_t word;
  uint32_t place;
};

uint64_t WordAt(std::string_view key, size_t depth) {
  unsigned char bytes[8] = {};
  if (depth < key.size()) std::memcpy(bytes, key.data() + depth, std::min<size_t>(8, key.size() - depth));
  uint64_t word = 0;
  for (const unsigned char byte : bytes) word = word << 8 | byte;
  return word;
}

constexpr ptrdiff_t kFewItems = 12;
// Keys and files lie all over memory: what comes next is fetched while the present one is worked on.
constexpr ptrdiff_t kAhead = 8;

// The items have equal keys up to `depth`. Paths of one table share long prefixes, which cost one pass each.
void SortItems(Item* begin, Item* end, size_t depth, const std::vector<std::string_view>& keys) {
  if (end - begin < 2) return;
  if (end - begin <= kFewItems) {
    std::sort(begin, end, [&](const Item& a, const Item& b) { return keys[a.place] < keys[b.place]; });
    return;
  }
  bool sorted = true, ended = true;
  for (Item* item = begin; item != end; ++item) {
    if (end - item > 2 * kAhead) __builtin_prefetch(&keys[item[2 * kAhead].place]);
    if (end - item > kAhead) __builtin_prefetch(keys[item[kAhead].place].data() + depth);
    item->word = WordAt(keys[item->place], depth);
    sorted = sorted && (item == begin || (item - 1)->word <= item->word);
    ended = ended && keys[item->place].size() <= depth + 8;
  }
  if (!sorted) std::sort(begin, end, [](const Item& a, const Item& b) { return a.word < b.word; });
  if (ended) return;
  for (Item* run = begin; run != end;) {
    Item* stop = run + 1;
    while (stop != end && stop->word == run->word) ++stop;
    SortItems(run, stop, depth + 8, keys);
    run = stop;
  }
}

// Moves each file to its place, along the cycles of the permutation: place i gets the file at order[i].
template <typename File>
void Permute(std::vector<File>* files, std::vector<uint32_t> order) {
  for (uint32_t start = 0; start < order.size(); ++start) {
    if (order[start] == start) continue;
    File kept = std::move((*files)[start]);
    uint32_t place = start, ahead = start;
    for (ptrdiff_t i = 0; i < kAhead; ++i) ahead = order[ahead];
    while (order[place] != start) {
      ahead = order[ahead];
      for (size_t byte = 0; byte < sizeof(File); byte += 64) __builtin_prefetch(reinterpret_cast<const char*>(&(*files)[ahead]) + byte);
      (*files)[place] = std::move((*files)[order[place]]);
      place = std::exchange(order[place], place);
    }
    (*files)[place] = std::move(kept);
    order[place] = place;
  }
}

template <typename File>
void Sort(std::vector<File>* files) {
  std::deque<std::string> made;  // keys that are not the path itself
  std::vector<std::string_view> keys;
  keys.reserve(files->size());
  for (const File& file : *files)
    keys.push_back(!file.deletion_vector && IsPlainPath(file.path) ? std::string_view(file.path)
                                                                   : made.emplace_back(LogicalKey(file.path, file.deletion_vector)));
  if (std::is_sorted(keys.begin(), keys.end())) return;
  std::vector<Item> items(files->size());
  for (uint32_t i = 0; i < items.size(); ++i) items[i].place = i;
  SortItems(items.data(), items.data() + items.size(), 0, keys);
  std::vector<uint32_t> order(items.size());
  for (size_t i = 0; i < items.size(); ++i) order[i] = items[i].place;
  items = {};
  Permute(files, std::move(order));
}

}  // namespace

void SortByLogicalKey(std::vector<Add>* files) { Sort(files); }
void SortByLogicalKey(std::vector<Remove>* files) { Sort(files); }

std::string LogicalKey(const std::string& path, const Boxed<DeletionVector>& dv) {
  std::string key = PathKey(path);
  if (dv) {
    key += '\0';  // in no path
    key += UniqueId(*dv);
  }
  return key;
}

}  // namespace sluice::delta
