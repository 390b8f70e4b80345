// A disk that fails at a chosen call, and one that loses power: the calls of base/file_calls.h are made on real files,
// and an account is kept of what is sure to be there, and what may be.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_calls.h"

namespace pellucid {

/// Stands in for the system while it exists; one at a time. Files that are there when it is made are safe on the disk.
class FaultyDisk {
 public:
  using Files = std::map<std::string, std::string>;  // contents by path

  explicit FaultyDisk(const std::string& folder) : before_(base::file_calls()) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const auto inode = std::make_shared<Inode>();
      inode->now = inode->synced = {std::istreambuf_iterator<char>(file), {}};
      now_[entry.path().string()] = synced_[entry.path().string()] = inode;
    }
    disk_ = this;
    base::file_calls() = {.open = open,
                          .write = write,
                          .fsync = fsync,
                          .close = close,
                          .rename = rename,
                          .unlink = unlink,
                          .fallocate = before_.fallocate};
  }
  ~FaultyDisk() { base::file_calls() = before_; }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// The call of this number (from 0) fails with this error, and where `from_then_on` all that follow.
  std::int64_t fails_at = -1;
  int error = ENOSPC;
  bool from_then_on = false;
  /// Calls so far.
  std::int64_t calls = 0;
  /// What failed.
  std::string failed;

  /// Called after every call, with each set of files that a loss of power may leave at that moment: what was written to
  /// a file since it was last synced is there, gone, or there in part; of the names made, moved and removed since the
  /// folder was synced any are done, in their order.
  std::function<void(const Files&)> after_power_loss;

 private:
  struct Inode {
    std::string now, synced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Change {
    std::string from, to;  // `from` empty: a new file; `to` empty: one that is removed
    std::shared_ptr<Inode> inode;
  };

  static void apply(const Change& change, Names& names) {
    if (!change.from.empty()) names.erase(change.from);
    if (!change.to.empty()) names[change.to] = change.inode;
  }

  bool fails(const char* call) {
    const std::int64_t number = calls++;
    if (fails_at < 0 || (from_then_on ? number < fails_at : number != fails_at)) return false;
    if (failed.empty()) failed = call;
    errno = error;
    return true;
  }

  void changed(Change change) {
    apply(change, now_);
    pending_.push_back(std::move(change));
  }

  void look() {
    if (!after_power_loss) return;
    const int kept_errno = errno;
    for (std::uint32_t done = 0; done < 1U << pending_.size(); ++done) {
      Names names = synced_;
      for (std::size_t i = 0; i < pending_.size(); ++i) {
        if ((done >> i & 1U) != 0) apply(pending_[i], names);
      }
      for (const int share : {0, 1, 2}) {  // halves of what was not synced
        Files files;
        for (const auto& [path, inode] : names) {
          const std::size_t lost = inode->now.size() - inode->synced.size();
          files[path] = inode->now.substr(0, inode->synced.size() + lost * static_cast<std::size_t>(share) / 2);
        }
        after_power_loss(files);
      }
    }
    errno = kept_errno;
  }

  static int open(const char* path, int flags, mode_t mode) {
    FaultyDisk& disk = *disk_;
    if (disk.fails("open")) return -1;
    const int file = disk.before_.open(path, flags, mode);
    if (file < 0) return file;
    if ((flags & O_DIRECTORY) != 0) {
      disk.open_[file] = nullptr;
    } else {
      if ((flags & O_CREAT) != 0) disk.changed({"", path, std::make_shared<Inode>()});
      disk.open_[file] = disk.now_[path];
    }
    disk.look();
    return file;
  }
  static ssize_t write(int file, const void* data, std::size_t size) {
    FaultyDisk& disk = *disk_;
    if (disk.fails("write")) return -1;
    const ssize_t written = disk.before_.write(file, data, size);
    if (written > 0) disk.open_[file]->now.append(static_cast<const char*>(data), static_cast<std::size_t>(written));
    disk.look();
    return written;
  }
  static int fsync(int file) {
    FaultyDisk& disk = *disk_;
    if (disk.fails("fsync")) return -1;
    if (const std::shared_ptr<Inode>& inode = disk.open_[file]) {
      inode->synced = inode->now;
    } else {
      disk.synced_ = disk.now_;
      disk.pending_.clear();
    }
    disk.look();
    return 0;
  }
  static int close(int file) {
    FaultyDisk& disk = *disk_;
    const bool fails = disk.fails("close");
    const int failure = errno;
    disk.open_.erase(file);
    const int result = disk.before_.close(file);
    errno = failure;
    return fails ? -1 : result;
  }
  static int rename(const char* from, const char* to) {
    FaultyDisk& disk = *disk_;
    if (disk.fails("rename")) return -1;
    const int result = disk.before_.rename(from, to);
    if (result == 0) disk.changed({from, to, disk.now_[from]});
    disk.look();
    return result;
  }
  static int unlink(const char* path) {
    FaultyDisk& disk = *disk_;
    if (disk.fails("unlink")) return -1;
    const int result = disk.before_.unlink(path);
    if (result == 0) disk.changed({path, "", nullptr});
    disk.look();
    return result;
  }

  inline static FaultyDisk* disk_ = nullptr;
  base::FileCalls before_;
  Names now_, synced_;
  std::vector<Change> pending_;
  std::map<int, std::shared_ptr<Inode>> open_;  // of folders: none
};

}  // namespace pellucid
