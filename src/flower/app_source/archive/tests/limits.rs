//! Archives that would fill the memory or never end.

use super::super::test_archives::*;
use super::*;

const SMALL: Limits = Limits {
    unpacked: 1 << 20,
    kept: 200_000,
    entries: 100,
    path: 100,
    ratio: 10,
};

fn excess(bytes: &[u8], limits: &Limits, keep: bool) -> Excess {
    match unpack(&mut Cursor::new(bytes), None, limits, &|path| {
        keep || path == "pyproject.toml"
    }) {
        Err(ArchiveError::TooLarge(excess)) => excess,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_are_limited() {
    let large = vec![1; 150_000];
    let files: Vec<(String, &[u8])> = (0..10).map(|n| (format!("{n}.py"), &large[..])).collect();
    let mut files: Vec<(&str, &[u8])> = files.iter().map(|(n, c)| (n.as_str(), *c)).collect();
    files.push(PYPROJECT);
    for bytes in all_formats(&files) {
        assert_eq!(excess(&bytes, &SMALL, true), Excess::Kept(200_000));
    }
    // Files that are not kept count only if they are unpacked, which zip does not need.
    for (index, bytes) in all_formats(&files).iter().enumerate() {
        let limits = Limits {
            ratio: u64::MAX,
            ..SMALL
        };
        if index < 2 {
            let result = unpack(&mut Cursor::new(bytes), None, &limits, &|path| {
                path == "pyproject.toml"
            });
            assert_eq!(result.unwrap().left_out, 10);
        } else {
            assert_eq!(excess(bytes, &limits, false), Excess::Unpacked(1 << 20));
        }
    }
}

#[test]
fn the_ratio_is_limited() {
    let zeros = vec![0; 5 << 20];
    let limits = Limits {
        kept: u64::MAX,
        unpacked: u64::MAX,
        ..SMALL
    };
    let archives = all_formats(&[PYPROJECT, ("a.py", &zeros)]);
    assert_eq!(excess(&archives[0], &limits, true), Excess::Ratio(10));
    assert_eq!(excess(&archives[2], &limits, true), Excess::Ratio(10));
    assert_eq!(excess(&archives[2], &limits, false), Excess::Ratio(10));
    // A small archive may have any ratio.
    for bytes in all_formats(&[PYPROJECT, ("a.py", &zeros[..1 << 20])]) {
        let limits = Limits {
            ratio: 10,
            ..Limits::default()
        };
        let unpacked = unpack(&mut Cursor::new(&bytes), None, &limits, &|_| true);
        assert_eq!(unpacked.unwrap().files["a.py"].len(), 1 << 20);
    }
}

#[test]
fn zeros_behind_a_tar_archive_count() {
    let mut bytes = tar(&[tar_entry(b'0', PYPROJECT.0, PYPROJECT.1)]);
    bytes.resize(5 << 20, 0);
    let limits = Limits {
        ratio: 10,
        ..Limits::default()
    };
    assert_eq!(excess(&gzip(&bytes), &limits, true), Excess::Ratio(10));
    assert!(open(&bytes).is_ok());
}

#[test]
fn entries_are_limited() {
    let files: Vec<String> = (0..100).map(|n| format!("{n}.py")).collect();
    let mut files: Vec<(&str, &[u8])> = files.iter().map(|n| (n.as_str(), &b""[..])).collect();
    files.push(PYPROJECT);
    for bytes in all_formats(&files) {
        assert_eq!(excess(&bytes, &SMALL, false), Excess::Entries(100));
    }
    files.remove(0);
    for bytes in all_formats(&files) {
        assert!(unpack(&mut Cursor::new(&bytes), None, &SMALL, &|_| false).is_ok());
    }
}

#[test]
fn the_names_of_folders_count() {
    // Each of these needs fifty folders.
    let deep = "a/".repeat(45);
    let files: Vec<String> = (0..90).map(|n| format!("{n}/{deep}x")).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|n| (n.as_str(), &b""[..])).collect();
    for bytes in all_formats(&files) {
        assert_eq!(excess(&bytes, &SMALL, false), Excess::Kept(200_000));
    }
}

#[test]
fn paths_are_limited() {
    let long = "x".repeat(99);
    for bytes in all_formats(&[PYPROJECT, (&long, b"")]) {
        let limits = Limits { path: 98, ..SMALL };
        let error = unpack(&mut Cursor::new(&bytes), None, &limits, &|_| false).unwrap_err();
        assert!(
            matches!(
                error,
                ArchiveError::BadPath {
                    fault: PathFault::TooLong { limit: 98 },
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn sizes_in_headers_are_not_believed() {
    for size in [1, 1000, 1 << 20, u32::MAX - 1] {
        let mut entry = zip_entry("a.py", vec![b'x'; 5000]);
        entry.size = Some(size);
        let error = open(&zip(&[zip_entry(PYPROJECT.0, ""), entry])).unwrap_err();
        let is_damage =
            matches!(&error, ArchiveError::Damaged { path: Some(path), .. } if path == "a.py");
        assert!(is_damage, "{size}: {error}");
    }
    for size in [5633, 1 << 20, 1 << 33, (1 << 62) - 1, 1 << 63] {
        let entry = tar_sized(b'0', "a.py", size, vec![b'x'; 5000]);
        let bytes = tar(&[tar_entry(b'0', PYPROJECT.0, ""), entry]);
        assert!(open(&bytes).is_err(), "{size}");
        assert!(open(&gzip(&bytes)).is_err(), "{size}");
    }
}

#[test]
fn entries_that_share_one_content_are_counted_each_time() {
    // As in the known bombs: many entries of the directory point to one large file.
    let one = zip(&[
        zip_entry(PYPROJECT.0, ""),
        zip_entry("a000.py", vec![0; 1 << 20]),
    ]);
    let find = |magic: &[u8]| memchr::memmem::rfind(&one, magic).unwrap();
    let (last, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    let mut bytes = one[..end].to_vec();
    for n in 1..200 {
        let mut entry = one[last..end].to_vec();
        let at = entry.len() - 6;
        entry[at..at + 3].copy_from_slice(format!("{n:03}").as_bytes());
        bytes.extend(entry);
    }
    let mut tail = one[end..].to_vec();
    tail[8..10].copy_from_slice(&201_u16.to_le_bytes());
    tail[10..12].copy_from_slice(&201_u16.to_le_bytes());
    bytes.extend(tail);
    let limits = Limits::default();
    assert_eq!(excess(&bytes, &limits, true), Excess::Ratio(200));
    let limits = Limits {
        ratio: u64::MAX,
        ..limits
    };
    assert_eq!(excess(&bytes, &limits, true), Excess::Kept(64 << 20));
}
