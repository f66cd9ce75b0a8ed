use super::*;
use crate::flower::app_source::AppTree;
use crate::flower::app_source::archive::test_archives::{
    DEFLATED, STORED, ZipEntry, zip, zip_entry,
};
use crate::flower::fab;

const PYPROJECT_TEXT: &str = "[project]\nname = 'a'\nversion = '1'\n\
     [tool.flwr.app]\npublisher = 'p'\n\
     [tool.flwr.app.components]\nserverapp = 'q.s:app'\nclientapp = 'q.s:app'\n";

fn built() -> Bytes {
    let files = [
        ("pyproject.toml", PYPROJECT_TEXT),
        ("q/__init__.py", ""),
        ("q/s.py", "app = 1"),
        ("é/leer.py", "x"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    fab::build(&AppTree::from_files(files.into()).unwrap())
        .unwrap()
        .bytes
}

fn check(bytes: impl Into<Bytes>) -> Result<FabFile, FabFileError> {
    verify(bytes.into(), &Limits::default())
}

/// The files of a bundle, and the lines of its list.
fn parts() -> (Vec<(String, Vec<u8>)>, Vec<String>) {
    let files: Vec<(String, Vec<u8>)> = check(built()).unwrap().files.into_iter().collect();
    let lines = files.iter().map(|(path, content)| line(path, content));
    let lines = lines.collect();
    (files, lines)
}

fn line(path: &str, content: &[u8]) -> String {
    format!(
        "{path},{},{}",
        hex::encode(Sha256::digest(content)),
        content.len() * 8
    )
}

fn packed(files: &[(String, Vec<u8>)], lines: &[String]) -> Vec<u8> {
    let mut entries: Vec<ZipEntry> = files.iter().map(|(p, c)| zip_entry(p, c)).collect();
    entries.push(zip_entry(CONTENT, lines.join("\n")));
    for (index, entry) in entries.iter_mut().enumerate() {
        entry.method = if index % 2 == 0 { STORED } else { DEFLATED };
    }
    zip(&entries)
}

/// The error of a bundle after a change of its files and lines.
fn error(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>, &mut Vec<String>)) -> FabFileError {
    let (mut files, mut lines) = parts();
    change(&mut files, &mut lines);
    let error = check(packed(&files, &lines)).unwrap_err();
    assert!(error.remedy().is_some(), "{error}");
    error
}

#[test]
fn a_built_bundle_is_returned_unchanged() {
    let bytes = built();
    let found = check(bytes.clone()).unwrap();
    assert_eq!(found.bytes, bytes);
    assert_eq!(found.hash, FabHash::of(&bytes));
    let paths: Vec<&str> = found.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        ["pyproject.toml", "q/__init__.py", "q/s.py", "é/leer.py"]
    );
    // Flower compressed its bundles in earlier releases.
    let (files, lines) = parts();
    assert!(check(packed(&files, &lines)).is_ok());
}

#[test]
fn every_kind_of_damage_has_its_error() {
    let found = error(|files, _| files[1].1 = b"app = 2".to_vec());
    assert!(matches!(found, FabFileError::WrongSize { .. }), "{found}");
    let found = error(|files, _| files[2].1 = b"app = 2".to_vec());
    assert!(
        matches!(&found, FabFileError::WrongHash { path, .. } if path == "q/s.py"),
        "{found}"
    );
    let found = error(|files, _| drop(files.remove(1)));
    assert!(
        matches!(&found, FabFileError::Missing { path } if path == "q/__init__.py"),
        "{found}"
    );
    let found = error(|files, _| files.push(("q/more.py".to_owned(), b"1".to_vec())));
    assert!(
        matches!(&found, FabFileError::Unlisted { path } if path == "q/more.py"),
        "{found}"
    );
    let found = error(|files, _| files.push((".info/METADATA".to_owned(), b"1".to_vec())));
    assert!(matches!(&found, FabFileError::Unlisted { .. }), "{found}");
    let found = error(|_, lines| lines.push(lines[0].clone()));
    assert!(
        matches!(&found, FabFileError::ListedTwice { .. }),
        "{found}"
    );
    let found = error(|files, lines| {
        files.remove(0);
        lines.remove(0);
    });
    assert!(matches!(&found, FabFileError::NoPyproject), "{found}");
    let found = error(|files, lines| {
        files.clear();
        lines.clear();
    });
    assert!(matches!(&found, FabFileError::NoPyproject), "{found}");
    // The list of contents does not list itself.
    let found = error(|_, lines| lines.push(line(CONTENT, b"")));
    assert!(matches!(&found, FabFileError::Missing { .. }), "{found}");
}

#[test]
fn lines_are_read_strictly() {
    let good = line("q/s.py", b"app = 1");
    let hash = good.split(',').nth(1).unwrap();
    for (text, fault) in [
        (String::new(), LineFault::Fields),
        ("q/s.py".to_owned(), LineFault::Fields),
        (format!("q/s.py,{hash}"), LineFault::Fields),
        (format!("q/s.py,{hash},56,"), LineFault::Fields),
        (format!("q/s,1.py,{hash},56"), LineFault::Fields),
        (
            format!("../s.py,{hash},56"),
            LineFault::Path(PathFault::Parent),
        ),
        (
            format!("./q/s.py,{hash},56"),
            LineFault::Path(PathFault::NotNormal),
        ),
        (format!(",{hash},56"), LineFault::Path(PathFault::Empty)),
        (
            format!("q/s.py,{},56", hash.to_uppercase()),
            LineFault::Hash,
        ),
        (format!("q/s.py,{},56", &hash[1..]), LineFault::Hash),
        (format!("q/s.py,{hash}é,56"), LineFault::Hash),
        (format!("q/s.py,{hash},"), LineFault::Size),
        (format!("q/s.py,{hash},+56"), LineFault::Size),
        (format!("q/s.py,{hash}, 56"), LineFault::Size),
        (format!("q/s.py,{hash},56\r"), LineFault::Size),
        (
            format!("q/s.py,{hash},99999999999999999999"),
            LineFault::Size,
        ),
    ] {
        let found = error(|_, lines| lines[2].clone_from(&text));
        assert!(
            matches!(&found, FabFileError::BadLine { line: 3, fault: actual } if *actual == fault),
            "{text}: {found}"
        );
    }
    // Flower writes no line end after the last line.
    let found = error(|_, lines| lines.push(String::new()));
    assert!(
        matches!(&found, FabFileError::BadLine { line: 5, .. }),
        "{found}"
    );
}

#[test]
fn the_list_must_be_there_and_be_text() {
    let (files, lines) = parts();
    let entries: Vec<ZipEntry> = files.iter().map(|(p, c)| zip_entry(p, c)).collect();
    assert!(matches!(check(zip(&entries)), Err(FabFileError::NoContent)));
    let mut with_list = entries.clone();
    with_list.push(zip_entry(CONTENT, b"\xff"));
    assert!(matches!(check(zip(&with_list)), Err(FabFileError::NotUtf8)));
    let mut twice = entries.clone();
    twice.push(zip_entry(CONTENT, lines.join("\n")));
    twice.push(zip_entry(CONTENT, "x"));
    let found = check(zip(&twice)).unwrap_err();
    let is_duplicate = matches!(
        &found,
        FabFileError::Archive(ArchiveError::Duplicate { path }) if path == CONTENT
    );
    assert!(is_duplicate, "{found}");
    let mut link = zip_entry("q/link.py", "s.py");
    link.mode = 0o120_777;
    let mut with_link = entries;
    with_link.push(link);
    with_link.push(zip_entry(CONTENT, lines.join("\n")));
    assert!(matches!(
        check(zip(&with_link)),
        Err(FabFileError::Link { .. })
    ));
}

#[test]
fn other_files_are_named() {
    for (bytes, text) in [
        (&b""[..], "an empty file"),
        (b"<html>", "an HTML page"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"print()", "a text"),
    ] {
        let found = check(Bytes::from_static(bytes)).unwrap_err();
        assert!(found.to_string().ends_with(text), "{found}");
    }
}

#[test]
fn every_changed_byte_is_noticed_or_changes_no_file() {
    let bytes = built();
    let whole = check(bytes.clone()).unwrap();
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] ^= bit;
            if let Ok(found) = check(changed.clone()) {
                // Fields such as the date are no content; the hash tells the bundles apart.
                assert!(found.files == whole.files, "{at}");
                assert_eq!(found.bytes, changed);
                assert_ne!(found.hash, whole.hash);
            }
        }
        assert!(check(bytes.slice(..at)).is_err());
    }
    assert!(check([&bytes[..], b"x"].concat()).is_err());
    assert!(check([b"x", &bytes[..]].concat()).is_err());
}
