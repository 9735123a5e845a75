#pragma once
// The files of a snapshot: sorted by logical file, cheap to copy, and cheap to change a little. Copies share what neither of them
// has changed, so that a held snapshot of a large table is brought up to date by touching only what a commit touched.
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"

namespace sluice::delta {

// What tells logical files apart (PROTOCOL.md, "Add File and Remove File"): the path, however it is written, and the deletion vector.
std::string LogicalKey(const std::string& path, const Boxed<DeletionVector>& dv);

template <typename File>
class FileList {
  // A part of the list. Never empty.
  struct Run {
    std::shared_ptr<const std::vector<File>> owner;
    const File *begin = nullptr, *end = nullptr;
    size_t size() const { return static_cast<size_t>(end - begin); }
  };

 public:
  using value_type = File;
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = File;
    using difference_type = std::ptrdiff_t;
    using pointer = const File*;
    using reference = const File&;
    const_iterator() = default;
    const_iterator(const Run* run, const Run* last) : run_(run), last_(last) { Enter(); }
    reference operator*() const { return *at_; }
    pointer operator->() const { return at_; }
    const_iterator& operator++() {
      if (++at_ == run_->end) ++run_, Enter();
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const const_iterator& other) const { return at_ == other.at_; }

   private:
    void Enter() { at_ = run_ == last_ ? nullptr : run_->begin; }
    const Run *run_ = nullptr, *last_ = nullptr;
    const File* at_ = nullptr;
  };
  using iterator = const_iterator;

  FileList() = default;
  // `files` in the order that the list shall have: sorted by LogicalKey, where Apply is to be used.
  FileList(std::vector<File> files) { Append(std::make_shared<const std::vector<File>>(std::move(files))); }
  FileList(std::initializer_list<File> files) : FileList(std::vector<File>(files)) {}

  const_iterator begin() const { return {runs_.data(), runs_.data() + runs_.size()}; }
  const_iterator end() const { return {}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::vector<File> ToVector() const { return std::vector<File>(begin(), end()); }
  const File& front() const { return *runs_.front().begin; }
  // Walks the parts: for a few look-ups, not for loops.
  const File& operator[](size_t i) const {
    const Run* run = runs_.data();
    for (; i >= run->size(); ++run) i -= run->size();
    return run->begin[i];
  }
  bool operator==(const FileList& other) const { return size_ == other.size_ && std::equal(begin(), end(), other.begin()); }

  // The logical file `key` becomes `file`, or is there no more.
  struct Edit {
    std::string key;
    std::optional<File> file;
  };
  // Each key at most once, in any order.
  void Apply(std::vector<Edit> edits) {
    std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.key < b.key; });
    std::vector<Run> before = std::move(runs_);
    runs_.clear();
    size_ = 0;
    auto edit = edits.begin();
    for (size_t r = 0; r < before.size(); ++r) {
      const auto stop = r + 1 == before.size()
                            ? edits.end()
                            : std::partition_point(edit, edits.end(), [&](const Edit& e) { return e.key < KeyOf(*before[r + 1].begin); });
      if (edit == stop)
        Append(std::move(before[r]));
      else
        Append(Merged(before[r], edit, stop));
      edit = stop;
    }
    if (edit != edits.end()) Append(Merged({}, edit, edits.end()));  // into an empty list
    // Many small parts are as slow as many files: as a last resort all is laid together again.
    if (runs_.size() > 16 + 8 * size_ / kRunFiles) *this = FileList(ToVector());
  }

 private:
  static constexpr size_t kRunFiles = 128;  // what a change of one file copies

  static std::string KeyOf(const File& file) { return LogicalKey(file.path, file.deletion_vector); }

  template <typename It>
  static std::shared_ptr<const std::vector<File>> Merged(const Run& run, It edit, It stop) {
    auto files = std::make_shared<std::vector<File>>();
    files->reserve(run.size() + static_cast<size_t>(stop - edit));
    const File* at = run.begin;
    for (; edit != stop; ++edit) {
      const File* place = std::partition_point(at, run.end, [&](const File& file) { return KeyOf(file) < edit->key; });
      files->insert(files->end(), at, place);
      at = place;
      if (at != run.end && KeyOf(*at) == edit->key) ++at;
      if (edit->file) files->push_back(std::move(*edit->file));
    }
    files->insert(files->end(), at, run.end);
    return files;
  }

  void Append(Run run) {
    size_ += run.size();
    runs_.push_back(std::move(run));
  }
  void Append(const std::shared_ptr<const std::vector<File>>& files) {
    const File *at = files->data(), *end = at + files->size();
    // Up to half as long again, so that a part that grows is not cut into a long and a tiny one.
    while (at != end) {
      const auto left = static_cast<size_t>(end - at);
      const size_t take = left < kRunFiles + kRunFiles / 2 ? left : kRunFiles;
      Append(Run{files, at, at + take});
      at += take;
    }
  }

  std::vector<Run> runs_;
  size_t size_ = 0;
};

}  // namespace sluice::delta
