#pragma once
// Paths of data files as a log names them: URIs, relative to the table's root or absolute (PROTOCOL.md, "Add File and Remove File").
#include <string>
#include <string_view>

#include "store/object_store.h"

namespace sluice::delta {

// Absolute: has a scheme ("s3://…", "file:/…") or starts with '/'.
bool IsAbsolutePath(std::string_view log_path);
// The same file has the same key, however its path is written: decoded once, "file:" in each of its spellings taken off.
std::string PathKey(std::string_view log_path);
// Is the path its own key, as nearly all are?
bool IsPlainPath(std::string_view log_path);
// The key in `store` of a relative path. Requires !IsAbsolutePath.
std::string StoreKey(std::string_view table_root, std::string_view log_path);
// What a reader opens: an absolute local path, or a URL of another store.
std::string FileLocation(const store::ObjectStore& store, std::string_view table_root, std::string_view log_path);
// The path to write into the log for a file with this key below the table's root: percent-encoded as java.net.URI does it, to the
// letter. Spark's VACUUM compares paths as texts: it would delete a live file whose path is encoded in another, equally valid way.
std::string LogPath(std::string_view relative_key);

}  // namespace sluice::delta
