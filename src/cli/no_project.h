#pragma once
// A folder that stands for a project where there is none: tables are read by their places. Gone with its owner.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "project/project.h"

namespace sluice::cli {

class NoProject {
 public:
  NoProject() : root_(std::filesystem::temp_directory_path() / fmt::format("sluice-{}", getpid())) {}
  ~NoProject() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  NoProject(const NoProject&) = delete;
  NoProject& operator=(const NoProject&) = delete;

  project::Project project() const {
    project::Project project;
    project.root = root_.string();
    project.lake = (root_ / "lake").string();
    return project;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace sluice::cli
