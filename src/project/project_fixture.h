#pragma once
// Projects in a temporary folder, for tests.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "project/project.h"

namespace sluice::project {

struct TestFile {
  std::string path, text;
};

class ProjectFolder {
 public:
  ProjectFolder(std::initializer_list<TestFile> files) : ProjectFolder(std::vector<TestFile>(files)) {}
  explicit ProjectFolder(const std::vector<TestFile>& files) {
    static std::atomic<int> next = 0;
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    const std::string name = std::string(info->test_suite_name()) + "." + info->name() + "." + std::to_string(next++);
    root_ = std::filesystem::weakly_canonical(testing::TempDir() + "sluice-project-" + std::to_string(getpid()) + "/" + name).string();
    for (const auto& [path, text] : files) {
      const std::filesystem::path full = root_ + "/" + path;
      std::filesystem::create_directories(full.parent_path());
      std::ofstream(full, std::ios::binary) << text;
    }
  }
  ~ProjectFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
    std::filesystem::remove(std::filesystem::path(root_).parent_path(), ignored);  // with the last one
  }
  ProjectFolder(const ProjectFolder&) = delete;

  const std::string& root() const { return root_; }
  Result<Project> Load(const std::string& environment = "", const std::map<std::string, std::string>& vars = {}) const {
    return LoadProject({root_, environment, vars});
  }

 private:
  std::string root_;
};

// "file:line:col code|file:line:col code", "ok" if it loads.
inline std::string CodesOf(const Result<Project>& project) {
  if (project) return "ok";
  std::string out = project.error().where.ToString() + " " + project.error().code;
  for (const Error& error : project.error().more) out += "|" + error.where.ToString() + " " + error.code;
  return out;
}

}  // namespace sluice::project
