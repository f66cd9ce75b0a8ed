//! What holds for an archive of any format.

// The sizes here are small, and known.
#![allow(clippy::cast_possible_truncation, clippy::large_stack_arrays)]

mod limits;
mod mutation;
mod roots;
mod tar;
mod zip;

use crate::flower::fab;
use crate::flower::fab::decides_bundle;
use std::io::{Cursor, Write};

use super::test_archives::*;
use super::*;
use crate::flower::app_source::AppTree;
use crate::flower::app_source::entry_path::PathFault;

/// The same files as zip (deflated and stored), tar and tar.gz archives.
pub(super) fn all_formats(files: &[(&str, &[u8])]) -> Vec<Vec<u8>> {
    let deflated: Vec<ZipEntry> = files.iter().map(|(n, c)| zip_entry(n, c)).collect();
    let mut stored = deflated.clone();
    for entry in &mut stored {
        entry.method = STORED;
    }
    let tared: Vec<Vec<u8>> = files.iter().map(|(n, c)| tar_entry(b'0', n, c)).collect();
    let tared = tar(&tared);
    vec![zip(&deflated), zip(&stored), gzip(&tared), tared]
}

pub(super) fn open(bytes: &[u8]) -> Result<Unpacked, ArchiveError> {
    unpack(&mut Cursor::new(bytes), None, &Limits::default(), &|_| true)
}

pub(super) fn open_at(bytes: &[u8], subdirectory: &str) -> Result<Unpacked, ArchiveError> {
    let limits = Limits::default();
    unpack(
        &mut Cursor::new(bytes),
        Some(subdirectory),
        &limits,
        &|_| true,
    )
}

pub(super) fn names(unpacked: &Unpacked) -> Vec<&str> {
    unpacked.files.keys().map(String::as_str).collect()
}

pub(super) const PYPROJECT: (&str, &[u8]) = ("pyproject.toml", b"[project]\n");

/// The error for a file with this name, in each format.
fn errors_for(name: &str) -> Vec<ArchiveError> {
    let archives = all_formats(&[PYPROJECT, (name, b"x")]);
    archives
        .iter()
        .map(|bytes| open(bytes).unwrap_err())
        .collect()
}

#[test]
fn every_format_gives_the_same_files() {
    let files: [(&str, &[u8]); 5] = [
        ("app/client.py", "é\r\n\u{1F600}".as_bytes()),
        ("app/empty.py", b""),
        ("app/server.py", &[7; 70_000]),
        ("app/\u{1F600} é.py", b"\0\xff"),
        PYPROJECT,
    ];
    for bytes in all_formats(&files) {
        let unpacked = open(&bytes).unwrap();
        let found: Vec<(&str, &[u8])> = unpacked
            .files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice()))
            .collect();
        assert_eq!(found, files);
        assert_eq!(unpacked.left_out, 0);
    }
}

#[test]
fn a_file_is_read_like_bytes() {
    for bytes in all_formats(&[PYPROJECT, ("a.py", &[1; 100_000])]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let from_file = unpack(&mut file, None, &Limits::default(), &|_| true).unwrap();
        assert!(from_file == open(&bytes).unwrap());
    }
}

#[test]
fn paths_that_leave_the_app_are_refused_in_every_format() {
    for (name, fault) in [
        ("../x.py", PathFault::Parent),
        ("a/../../x.py", PathFault::Parent),
        ("/etc/x.py", PathFault::Absolute),
        ("C:/x.py", PathFault::Drive),
        ("c:x.py", PathFault::Drive),
        ("a\\x.py", PathFault::Backslash),
        ("..\\x.py", PathFault::Backslash),
        ("a\nb.py", PathFault::Control),
        ("a\u{1b}[2J.py", PathFault::Control),
        (".", PathFault::Empty),
    ] {
        for error in errors_for(name) {
            assert!(
                matches!(&error, ArchiveError::BadPath { fault: found, .. } if *found == fault),
                "{name:?}: {error}"
            );
        }
    }
}

#[test]
fn names_that_collide_are_refused_in_every_format() {
    for other in ["a/b.py", "./a/b.py", "a//b.py", "a/./b.py"] {
        for bytes in all_formats(&[PYPROJECT, ("a/b.py", b"1"), (other, b"2")]) {
            let error = open(&bytes).unwrap_err();
            assert!(
                matches!(&error, ArchiveError::Duplicate { path } if path == "a/b.py"),
                "{other}: {error}"
            );
        }
    }
    for (one, other) in [("a", "a/b.py"), ("a/b.py", "a"), ("a/b.py/c.py", "a/b.py")] {
        for bytes in all_formats(&[PYPROJECT, (one, b"1"), (other, b"2")]) {
            let error = open(&bytes).unwrap_err();
            assert!(
                matches!(&error, ArchiveError::FileAndFolder { .. }),
                "{error}"
            );
        }
    }
    // The case counts: these are two files.
    for bytes in all_formats(&[PYPROJECT, ("a.py", b"1"), ("A.py", b"2")]) {
        assert_eq!(
            names(&open(&bytes).unwrap()),
            ["A.py", "a.py", "pyproject.toml"]
        );
    }
}

#[test]
fn a_name_that_is_not_utf8_counts_only_if_the_file_does() {
    let archives = [
        zip(&[
            zip_entry(PYPROJECT.0, PYPROJECT.1),
            zip_entry(b"caf\xe9.py", "x"),
        ]),
        tar(&[
            tar_entry(b'0', PYPROJECT.0, PYPROJECT.1),
            tar_entry(b'0', b"caf\xe9.py", "x"),
        ]),
    ];
    for bytes in archives {
        let error = open(&bytes).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::NotUtf8 { path } if path == "caf\u{fffd}.py"),
            "{error}"
        );
        let keep = |path: &str| path == PYPROJECT.0;
        let unpacked = unpack(&mut Cursor::new(&bytes), None, &Limits::default(), &keep);
        assert_eq!(names(&unpacked.unwrap()), ["pyproject.toml"]);
    }
}

#[test]
fn every_end_that_is_too_early_is_noticed() {
    for bytes in all_formats(&[PYPROJECT, ("a.py", &[b'x'; 3000])]) {
        // The last block of a tar archive is padding.
        let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let padding = if bytes.starts_with(b"pyproject") {
            zeros - 1
        } else {
            0
        };
        for length in 0..bytes.len() - padding.min(1023) {
            assert!(open(&bytes[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn data_behind_the_archive_is_refused() {
    for bytes in all_formats(&[PYPROJECT]) {
        let mut longer = bytes.clone();
        longer.extend(b"garbage");
        let error = open(&longer).unwrap_err();
        assert!(matches!(error, ArchiveError::Trailing(_)), "{error}");
        let twice = [bytes.clone(), bytes].concat();
        assert!(open(&twice).is_err());
    }
}

#[test]
fn what_is_no_archive_is_named() {
    let xz = b"\xfd7zXZ\0\0\x04".to_vec();
    for (bytes, text) in [
        (Vec::new(), "an empty file"),
        (
            b"<!DOCTYPE html><title>Sign in</title>".to_vec(),
            "an HTML page",
        ),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "a 7z archive"),
        (xz.clone(), "an xz file, such as .tar.xz"),
        (b"BZh91AY&SY".to_vec(), "a bzip2 file, such as .tar.bz2"),
        (
            b"\x28\xb5\x2f\xfd\x04\x58".to_vec(),
            "a Zstandard file, such as .tar.zst",
        ),
        (b"# v2 git bundle\n".to_vec(), "a git bundle"),
        (b"print('hello')\n".repeat(100), "a text"),
        (
            [b"#!/bin/sh\n".to_vec(), zip(&[zip_entry("a", "x")])].concat(),
            "a zip archive behind other data",
        ),
        (vec![0xee; 1000], "data of an unknown type"),
        (gzip(b"print('hello')"), "a text"),
        (gzip(&gzip(&tar(&[]))), "a gzip file"),
        (gzip(&zip(&[])), "a zip archive"),
        (gzip(&xz), "an xz file, such as .tar.xz"),
        (gzip(b""), "an empty file"),
    ] {
        let error = open(&bytes).unwrap_err();
        assert!(error.to_string().ends_with(text), "{text}: {error}");
        assert!(error.remedy().is_some());
    }
}

#[test]
fn an_archive_of_nothing_has_no_app() {
    for bytes in all_formats(&[]) {
        let error = open(&bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the root of the archive has no pyproject.toml; no folder of the archive has a \
             pyproject.toml"
        );
    }
}

#[test]
fn contents_are_in_no_message() {
    for bytes in all_formats(&[PYPROJECT, ("a.py", b"token = 'hunter2'")]) {
        assert!(!format!("{:?}", open(&bytes).unwrap()).contains("hunter2"));
    }
}

#[test]
fn archives_and_folders_give_the_same_bundle() {
    let files: [(&str, &[u8]); 8] = [
        (
            "pyproject.toml",
            b"[project]\nname = 'a'\nversion = '1'\n[tool.flwr.app]\npublisher = 'p'\n\
              [tool.flwr.app.components]\nserverapp = 'q.s:app'\nclientapp = 'q.s:app'\n",
        ),
        (".gitignore", b"secret.py\n"),
        ("secret.py", b"1"),
        ("q/__init__.py", b""),
        ("q/s.py", b"app = 1"),
        ("data/train.csv", b"1,2"),
        (".git/refs/heads/x.py", b"0123"),
        (".venv/lib/x.py", b"x"),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let expected = fab::build(&AppTree::from_dir(dir.path(), &[]).unwrap()).unwrap();
    let prefixed = files.map(|(path, content)| (format!("repo-abc/{path}"), content));
    let prefixed: Vec<(&str, &[u8])> = prefixed.iter().map(|(p, c)| (p.as_str(), *c)).collect();
    for bytes in [all_formats(&files), all_formats(&prefixed)].concat() {
        let limits = Limits::default();
        let unpacked = unpack(&mut Cursor::new(&bytes), None, &limits, &decides_bundle).unwrap();
        assert!(!unpacked.files.contains_key("data/train.csv"));
        let fab = fab::build(&AppTree::from_unpacked(unpacked).unwrap()).unwrap();
        assert_eq!(fab.hash, expected.hash);
    }
}

proptest::proptest! {
    #[test]
    fn any_tree_is_the_same_in_every_format(
        files in proptest::collection::btree_map(
            "[a-zé ]{1,8}(/[a-z0-9_-]{1,20}){0,3}\\.py",
            proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000),
            0..12,
        ),
        top in "(|repo-[0-9a-f]{7}/)",
    ) {
        let mut named: Vec<(String, &[u8])> =
            files.iter().map(|(p, c)| (format!("{top}{p}"), c.as_slice())).collect();
        named.push((format!("{top}pyproject.toml"), b""));
        let named: Vec<(&str, &[u8])> = named.iter().map(|(p, c)| (p.as_str(), *c)).collect();
        for bytes in all_formats(&named) {
            let mut unpacked = open(&bytes).unwrap();
            proptest::prop_assert!(unpacked.files.remove("pyproject.toml").is_some());
            proptest::prop_assert!(unpacked.files == files);
        }
    }
}
