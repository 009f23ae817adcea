//! Finds the processes that hold the write lock of a SQLite file, as far as the kernel tells. Ends no process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Offset of the byte in the shared-memory file that a process locks to hold the write lock (sqlite.org/walformat.html,
/// 2.3).
const WRITE_LOCK: u64 = 120;

/// Describes the processes that hold the write lock of the file; an empty list if the kernel does not tell.
pub(super) fn of(path: &Path) -> Vec<String> {
    let mut shared_memory = path.as_os_str().to_owned();
    shared_memory.push("-shm");
    let Ok(file) = fs::metadata(Path::new(&shared_memory)) else { return Vec::new() };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    holders(&locks, file.ino()).into_iter().map(described).collect()
}

fn described(process: u32) -> String {
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("process {process} ({})", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}

/// Returns the processes that `/proc/locks` names as holders of the write lock in the file with this inode.
fn holders(locks: &str, inode: u64) -> Vec<u32> {
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, "WRITE", process, file, first, last] = fields[..] else { return None };
        let is_file = file.rsplit(':').next()?.parse() == Ok(inode);
        let number = |text: &str| if text == "EOF" { Some(u64::MAX) } else { text.parse::<u64>().ok() };
        let covers = (number(first)?..=number(last)?).contains(&WRITE_LOCK);
        (is_file && covers).then(|| process.parse().ok()).flatten()
    };
    let mut holders: Vec<u32> = locks.lines().filter_map(holder).collect();
    holders.dedup();
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_write_lock_is_named() {
        let locks = "1: POSIX  ADVISORY  WRITE 4711 fd:00:77 120 120\n2: POSIX  ADVISORY  READ 4712 fd:00:77 123 123\n\
                     3: FLOCK  ADVISORY  WRITE 4713 fd:00:78 0 EOF\n4: -> POSIX ADVISORY WRITE 4714 fd:00:77 120 120\n";
        assert_eq!(holders(locks, 77), [4711]);
        assert_eq!(holders(locks, 78), [4713]);
        assert!(holders(locks, 79).is_empty());
    }
}
