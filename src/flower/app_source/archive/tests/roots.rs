//! Which folder of an archive is the app.

use super::super::test_archives::*;
use super::*;
use crate::flower::fab::decides_bundle;

fn at(files: &[&str], subdirectory: Option<&str>) -> Result<Vec<String>, String> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|path| (*path, &b"x"[..])).collect();
    let results: Vec<Result<Vec<String>, String>> = all_formats(&files)
        .iter()
        .map(|bytes| {
            let limits = Limits::default();
            let unpacked = unpack(&mut Cursor::new(bytes), subdirectory, &limits, &|_| true);
            let names = |unpacked: Unpacked| unpacked.files.into_keys().collect();
            unpacked.map(names).map_err(|error| error.to_string())
        })
        .collect();
    assert!(
        results.windows(2).all(|pair| pair[0] == pair[1]),
        "{results:?}"
    );
    results[0].clone()
}

fn found(files: &[&str], subdirectory: Option<&str>) -> Vec<String> {
    at(files, subdirectory).unwrap()
}

#[test]
fn a_single_top_folder_is_the_root() {
    let expected = ["a.py", "pyproject.toml"];
    assert_eq!(found(&["pyproject.toml", "a.py"], None), expected);
    assert_eq!(found(&["r/pyproject.toml", "r/a.py"], None), expected);
    assert_eq!(found(&["./r/pyproject.toml", "./r/a.py"], None), expected);
    // Only one level.
    let error = at(&["r/s/pyproject.toml", "r/s/a.py"], None).unwrap_err();
    assert_eq!(
        error,
        "the root of the archive has no pyproject.toml; these have a pyproject.toml: \"s\""
    );
}

#[test]
fn a_top_folder_with_a_neighbour_is_not_the_root() {
    assert_eq!(
        found(&["pyproject.toml", "r/pyproject.toml"], None).len(),
        2
    );
    let error = at(&["README.md", "r/pyproject.toml"], None).unwrap_err();
    assert!(
        error.ends_with("these have a pyproject.toml: \"r\""),
        "{error}"
    );
    assert_eq!(
        found(&["README.md", "r/pyproject.toml"], Some("r")),
        ["pyproject.toml"]
    );
    let error = at(&["q/a.py", "r/pyproject.toml"], None).unwrap_err();
    assert!(
        error.ends_with("these have a pyproject.toml: \"r\""),
        "{error}"
    );
}

#[test]
fn what_macos_adds_is_left_out() {
    let files: [(&str, &[u8]); 6] = [
        ("._r", b"\0\x05\x16\x07"),
        ("__MACOSX/r/._a.py", b"\0\x05\x16\x07"),
        ("__MACOSX/r/b.py", b"x"),
        ("r/._a.py", b"\0\x05\x16\x07..."),
        ("r/._own.py", b"x"),
        ("r/pyproject.toml", b""),
    ];
    for bytes in all_formats(&files) {
        assert_eq!(
            names(&open(&bytes).unwrap()),
            ["._own.py", "pyproject.toml"]
        );
    }
}

#[test]
fn a_subdirectory_is_relative_to_the_root() {
    let files = [
        "r/README.md",
        "r/apps/a/pyproject.toml",
        "r/apps/a/x.py",
        "r/apps/b/y.py",
    ];
    for path in ["apps/a", "./apps/a/", "apps//a"] {
        assert_eq!(found(&files, Some(path)), ["pyproject.toml", "x.py"]);
    }
    let error = at(&files, Some("apps/b")).unwrap_err();
    assert_eq!(
        error,
        "the folder \"apps/b\" of the archive has no pyproject.toml; these have a \
         pyproject.toml: \"apps/a\""
    );
    for path in ["", ".", "./"] {
        let error = at(&files, Some(path)).unwrap_err();
        assert!(
            error.starts_with("the root of the archive has no pyproject.toml"),
            "{error}"
        );
    }
}

#[test]
fn a_missing_subdirectory_lists_the_apps() {
    let mut files = vec!["pyproject.toml".to_owned(), "z/x.py".to_owned()];
    files.extend((10..25).map(|n| format!("apps/a{n}/pyproject.toml")));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let error = at(&files, Some("nowhere")).unwrap_err();
    assert_eq!(
        error,
        "the archive has no folder \"nowhere\"; these have a pyproject.toml: \".\", \
         \"apps/a10\", \"apps/a11\", \"apps/a12\", \"apps/a13\", \"apps/a14\", \"apps/a15\", \
         \"apps/a16\", \"apps/a17\", \"apps/a18\" and 6 more"
    );
    let error = at(&files, Some("z/x.py")).unwrap_err();
    assert!(
        error.starts_with("the archive has no folder \"z/x.py\": it is a file;"),
        "{error}"
    );
    for path in ["..", "/apps", "a\\b", "C:/x"] {
        let error = at(&files, Some(path)).unwrap_err();
        assert!(
            error.contains("cannot be a subdirectory of an archive"),
            "{error}"
        );
    }
}

#[test]
fn folders_that_never_ship_hide_no_app_and_no_file() {
    let files = [
        "r/pyproject.toml",
        "r/.venv/lib/pyproject.toml",
        "r/.flwr/x.py",
        "r/a/__pycache__/x.py",
        "r/a/.git/x.py",
        "r/a/.terraform/x.py",
        "r/a/.venv/kept.py",
    ];
    assert_eq!(found(&files, None), ["a/.venv/kept.py", "pyproject.toml"]);
    let error = at(&files, Some("nowhere")).unwrap_err();
    assert!(
        error.ends_with("these have a pyproject.toml: \".\""),
        "{error}"
    );
}

#[test]
fn only_files_that_are_wanted_are_kept() {
    let files: [(&str, &[u8]); 4] = [
        ("r/pyproject.toml", b""),
        ("r/LICENSE", b""),
        ("r/a/LICENSE", b""),
        ("r/data/train.csv", b"1,2"),
    ];
    for bytes in all_formats(&files) {
        let limits = Limits::default();
        let unpacked = unpack(&mut Cursor::new(&bytes), None, &limits, &decides_bundle).unwrap();
        assert_eq!(names(&unpacked), ["LICENSE", "pyproject.toml"]);
        assert_eq!(unpacked.left_out, 2);
    }
}

/// An archive with these symbolic links, in both formats.
fn with_links(links: &[(&str, &str)]) -> [Vec<u8>; 2] {
    let mut zipped = vec![zip_entry("r/pyproject.toml", "")];
    let mut tared = vec![tar_entry(b'0', "r/pyproject.toml", "")];
    for (path, target) in links {
        let mut entry = zip_entry(path, target);
        entry.mode = 0o120_777;
        zipped.push(entry);
        tared.push(tar_link(b'2', path, target));
    }
    [zip(&zipped), tar(&tared)]
}

#[test]
fn links_are_left_out_and_remembered() {
    let links = [
        ("r/a.py", "b.py"),
        ("r/lib", "../r/./other/.."),
        ("r/q/up", "../pyproject.toml"),
        ("r/.venv/bin/python", "/usr/bin/python3"),
        ("r/.venv2", "nowhere"),
    ];
    // `../r` leaves the root `r`, even if it returns.
    for bytes in with_links(&links) {
        let error = open(&bytes).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::LinkLeaves { path, .. } if path == "r/lib"),
            "{error}"
        );
    }
    let links: Vec<_> = links.into_iter().filter(|link| link.0 != "r/lib").collect();
    for bytes in with_links(&links) {
        let tree = AppTree::from_unpacked(open(&bytes).unwrap()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["pyproject.toml"]);
        assert!(tree.is_behind_link("a.py"));
        assert!(tree.is_behind_link("q/up"));
        assert!(tree.is_behind_link(".venv2/x.py"));
        assert!(!tree.is_behind_link(".venv/bin/python"));
    }
}

#[test]
fn a_link_out_of_the_archive_is_refused() {
    for target in [
        "/etc/passwd",
        "../../etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "C:\\Windows",
        "\\\\host\\share",
        "..\\..\\x",
    ] {
        for bytes in with_links(&[("r/a.py", target)]) {
            let error = open(&bytes).unwrap_err();
            assert!(
                matches!(&error, ArchiveError::LinkLeaves { .. }),
                "{target}: {error}"
            );
        }
        // Outside the app, a link changes nothing.
        for bytes in with_links(&[("r/q/pyproject.toml", "x"), ("r/other/a.py", target)]) {
            if let Err(error) = open_at(&bytes, "q") {
                panic!("{target}: {error}");
            }
        }
    }
}

#[test]
fn a_folder_is_not_found_behind_a_link() {
    for bytes in with_links(&[("r/apps", "real")]) {
        let error = open_at(&bytes, "apps").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("it is a symbolic link, which is not followed"),
            "{error}"
        );
    }
    // The classic attack: a file that is written through a link.
    let files =
        |link: Vec<u8>, file: Vec<u8>| tar(&[tar_entry(b'0', "pyproject.toml", ""), link, file]);
    let link = tar_link(b'2', "q", "/etc");
    let file = tar_entry(b'0', "q/x.py", "x");
    for bytes in [files(link.clone(), file.clone()), files(file, link)] {
        let error = open(&bytes).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::FileAndFolder { path } if path == "q"),
            "{error}"
        );
    }
}
