//! Log files of processes. Processes append to them while no provider runs, so the provider rotates
//! them at each start and each refresh.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::super::RuntimeError;
use super::file_error::failed;
use super::files::OwnFiles;
use crate::terminal;

const LARGEST: u64 = 8 << 20;
const KEPT: usize = 3;
/// How many bytes at the end of a log are read for its last lines.
const TAIL: u64 = 64 << 10;

/// Opens a log for appending; also returns its current length.
pub(super) fn open(files: OwnFiles<'_>, path: &Path) -> Result<(File, u64), RuntimeError> {
    rotate(path);
    let file = files.open_log(path)?;
    let length = file.metadata().map_err(failed("read", path))?.len();
    Ok((file, length))
}

/// Copies a log that is too long and empties it: the process that writes it appends, and continues.
pub(super) fn rotate(path: &Path) {
    let numbered = |number: usize| PathBuf::from(format!("{}.{number}", path.display()));
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() > LARGEST) {
        for number in (1..KEPT).rev() {
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        if fs::copy(path, numbered(1)).is_ok() {
            let _ = OpenOptions::new().write(true).truncate(true).open(path);
        }
    }
}

/// The bytes from `position` on, and the position after them.
pub(super) fn read_from(path: &Path, position: u64) -> (Vec<u8>, u64) {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let mut file = open_to_read(path)?;
        let length = file.metadata()?.len();
        // A shorter log was rotated: its whole content is new.
        let position = if length < position { 0 } else { position };
        file.seek(SeekFrom::Start(position))?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        let end = position + u64::try_from(bytes.len()).unwrap_or(0);
        Ok((bytes, end))
    };
    read().unwrap_or((Vec::new(), position))
}

/// Opens a log only if it is a regular file: apps may write in its folder, and a read from a pipe
/// there would wait without end.
fn open_to_read(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(std::io::ErrorKind::InvalidInput.into())
    }
}

/// The last lines since `from`, without colours.
pub(super) fn tail(path: &Path, from: u64, lines: usize) -> Vec<String> {
    let length = fs::metadata(path).map_or(0, |found| found.len());
    // A shorter log was rotated: its whole content is new.
    let from = if length < from { 0 } else { from };
    let (text, _) = read_from(path, length.saturating_sub(TAIL).max(from));
    let mut all = terminal::lines(&String::from_utf8_lossy(&text));
    all.retain(|line| !line.trim().is_empty());
    let surplus = all.len().saturating_sub(lines);
    all.drain(..surplus);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Lines;

    #[test]
    fn a_pipe_or_a_link_in_the_place_of_a_log_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RWXU).unwrap();
        assert_eq!(tail(&pipe, 0, 10), Vec::<String>::new());
        let secret = dir.path().join("secret");
        fs::write(&secret, "key\n").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        assert_eq!(tail(&link, 0, 10), Vec::<String>::new());
    }

    #[test]
    fn neither_a_long_log_nor_a_line_without_end_takes_long() {
        let begun = std::time::Instant::now();
        let found = |line: &str| line.contains("ID").then(|| line.len().to_string());
        let mut lines = Lines::default();
        let log = "x\n".repeat(4 << 20);
        assert_eq!(lines.add(log.as_bytes(), found), None);
        for _ in 0..100 {
            assert_eq!(lines.add("é".repeat(1 << 16).as_bytes(), found), None);
        }
        let answer = lines.add(b"\nID\n", found);
        assert_eq!(answer.as_deref(), Some("2"));
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_long_log_is_cut_and_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let files = OwnFiles::below(dir.path(), |_| true);
        let (mut writer, from) = open(files, &path).unwrap();
        assert_eq!(from, 0);
        std::io::Write::write_all(&mut writer, &vec![b'x'; 9 << 20]).unwrap();
        rotate(&path);
        std::io::Write::write_all(&mut writer, b"\x1b[92mINFO\x1b[0m: on\nlast\n").unwrap();
        assert_eq!(tail(&path, 0, 5), ["INFO: on", "last"]);
        assert_eq!(tail(&path, 0, 1), ["last"]);
        // Lines of an earlier start do not belong to this one.
        let earlier = fs::metadata(&path).unwrap().len() - 5;
        assert_eq!(tail(&path, earlier, 5), ["last"]);
        assert_eq!(tail(&path, 9 << 20, 1), ["last"]);
        let old = dir.path().join("a.log.1");
        assert_eq!(fs::metadata(old).unwrap().len(), 9 << 20);
        assert_eq!(
            read_from(&path, 9 << 20)
                .0
                .split(|byte| *byte == b'\n')
                .count(),
            3
        );
    }
}
