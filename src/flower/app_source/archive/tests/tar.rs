//! What only a tar archive can contain.

use super::super::test_archives::*;
use super::*;
use crate::flower::fab::decides_bundle;

fn with(entries: &[Vec<u8>]) -> Result<Unpacked, ArchiveError> {
    let mut all = vec![tar_entry(b'0', PYPROJECT.0, PYPROJECT.1)];
    all.extend_from_slice(entries);
    open(&tar(&all))
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (1..9)
            .find(|digits| (rest + digits).to_string().len() == *digits)
            .unwrap();
        data.extend(format!("{} {key}=", rest + length).bytes());
        data.extend(*value);
        data.push(b'\n');
    }
    tar_entry(b'x', "PaxHeader", data)
}

#[test]
fn other_writers_are_read() {
    let long = format!("{}x.py", "long-name/".repeat(20));
    let mut builder = ::tar::Builder::new(Vec::new());
    for (mut header, path) in [
        (::tar::Header::new_gnu(), long.as_str()),
        (::tar::Header::new_ustar(), "pyproject.toml"),
        (::tar::Header::new_old(), "old.py"),
    ] {
        header.set_size(3);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, &b"abc"[..]).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    for bytes in [gzip(&bytes), bytes] {
        let unpacked = open(&bytes).unwrap();
        assert_eq!(names(&unpacked), [&long, "old.py", "pyproject.toml"]);
        assert_eq!(unpacked.files[&long], b"abc");
    }
}

#[test]
fn long_names_are_read_in_every_way() {
    let long = format!("{}.py", "é".repeat(150));
    let mut prefixed = tar_header(b'0', b"x.py", b"", 0);
    prefixed[345..348].copy_from_slice(b"p/q");
    let mut header = ::tar::Header::from_byte_slice(&prefixed).clone();
    header.set_cksum();
    for (entries, name) in [
        (
            vec![
                tar_entry(b'L', "././@LongLink", format!("{long}\0")),
                tar_entry(b'0', "x", ""),
            ],
            long.as_str(),
        ),
        (
            vec![
                tar_entry(b'L', "././@LongLink", &long),
                tar_entry(b'0', "x", ""),
            ],
            &long,
        ),
        (
            vec![
                pax(&[("mtime", b"1.5"), ("path", long.as_bytes())]),
                tar_entry(b'0', "x", ""),
            ],
            &long,
        ),
        (vec![header.as_bytes().to_vec()], "p/q/x.py"),
    ] {
        let unpacked = with(&entries).unwrap();
        assert!(unpacked.files.contains_key(name), "{name}: {unpacked:?}");
    }
}

#[test]
fn extended_headers_apply_to_one_entry() {
    let entries = [
        pax(&[("path", b"a.py")]),
        tar_entry(b'0', "x", "1"),
        tar_entry(b'0', "b.py", "2"),
    ];
    assert_eq!(
        names(&with(&entries).unwrap()),
        ["a.py", "b.py", "pyproject.toml"]
    );
    let resized = [pax(&[("size", b"3")]), tar_sized(b'0', "a.py", 0, "abc")];
    assert_eq!(with(&resized).unwrap().files["a.py"], b"abc");
}

#[test]
fn a_value_may_contain_a_line_break() {
    // A parser of lines would find a path here.
    let value = b"binary\n20 path=../../x.py\n\xff";
    let entries = [
        pax(&[("SCHILY.xattr.user.x", value), ("path", b"a.py")]),
        tar_entry(b'0', "x", ""),
    ];
    assert_eq!(names(&with(&entries).unwrap()), ["a.py", "pyproject.toml"]);
}

#[test]
fn the_header_of_git_archive_is_accepted() {
    let mut global = pax(&[("comment", b"0123456789abcdef")]);
    global[156] = b'g';
    let mut header = ::tar::Header::from_byte_slice(&global[..512]).clone();
    header.set_cksum();
    global[..512].copy_from_slice(header.as_bytes());
    let file = tar_entry(b'0', "r/pyproject.toml", "");
    assert_eq!(
        names(&open(&tar(&[global.clone(), file])).unwrap()),
        ["pyproject.toml"]
    );
    let mut hostile = pax(&[("path", b"x.py")]);
    hostile[156] = b'g';
    let mut header = ::tar::Header::from_byte_slice(&hostile[..512]).clone();
    header.set_cksum();
    hostile[..512].copy_from_slice(header.as_bytes());
    assert!(matches!(
        with(&[hostile]),
        Err(ArchiveError::Damaged { .. })
    ));
}

#[test]
fn malformed_extended_headers_are_damage() {
    for data in [
        &b"path=x.py\n"[..],
        b"12 path=x.py",
        b"999 path=x.py\n",
        b"5 path=x.py\n",
        b"0 path=x.py\n",
        b"-1 path=x.py\n",
        b"99999999999999999999999999 path=x.py\n",
        b"10 nothing\n",
        b"11 size=-1\n",
        b"10 size=x\n",
        b" \n",
        b"\n",
    ] {
        let result = with(&[tar_entry(b'x', "p", data), tar_entry(b'0', "a.py", "")]);
        assert!(
            matches!(&result, Err(ArchiveError::Damaged { .. })),
            "{:?}: {result:?}",
            String::from_utf8_lossy(data)
        );
    }
    for kind in [b'x', b'L', b'K', b'g'] {
        let large = tar_sized(kind, "p", 2 << 20, "");
        let result = with(&[large]);
        assert!(
            matches!(&result, Err(ArchiveError::Damaged { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn paths_in_extended_headers_are_checked() {
    for path in [
        &b"../x.py"[..],
        b"/x.py",
        b"a\\x.py",
        b"C:x.py",
        b"a\0b",
        b"a\nb",
    ] {
        let entries = [pax(&[("path", path)]), tar_entry(b'0', "x.py", "")];
        let error = with(&entries).unwrap_err();
        assert!(matches!(error, ArchiveError::BadPath { .. }), "{error}");
    }
    let entries = [
        tar_entry(b'L', "l", "a/../../x.py"),
        tar_entry(b'0', "x.py", ""),
    ];
    assert!(matches!(with(&entries), Err(ArchiveError::BadPath { .. })));
    let entries = [
        tar_entry(b'L', "l", "x".repeat(100_000)),
        tar_entry(b'0', "x.py", ""),
    ];
    let text = with(&entries).unwrap_err().to_string();
    assert!(text.len() < 500, "{text}");
}

#[test]
fn special_files_are_refused() {
    for (kind, text) in [
        (b'3', "a device"),
        (b'4', "a device"),
        (b'6', "a named pipe"),
    ] {
        let error = with(&[tar_entry(kind, "a.py", "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the archive contains \"a.py\", which is {text}")
        );
    }
    for kind in [b'M', b'V', b'N', b'A', b'9', 0x80, b'D'] {
        let error = with(&[tar_entry(kind, "a.py", "")]).unwrap_err();
        let reason = Unsupported::EntryType(char::from(kind));
        assert!(
            matches!(&error, ArchiveError::Unsupported { reason: found, .. } if *found == reason),
            "{error}"
        );
    }
    for kind in [b'7', 0] {
        assert!(with(&[tar_entry(kind, "a.py", "x")]).is_ok());
    }
}

#[test]
fn sparse_files_matter_only_if_they_are_wanted() {
    let old = vec![tar_entry(b'S', "a.py", "x")];
    let new = vec![
        pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"a.py")]),
        tar_entry(b'0', "a.py", "x"),
    ];
    for entries in [old, new] {
        let error = with(&entries).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read \"a.py\" in the archive: it is a sparse file"
        );
        let mut all = vec![tar_entry(b'0', PYPROJECT.0, PYPROJECT.1)];
        all.extend(entries);
        let limits = Limits::default();
        let keep = |path: &str| path == PYPROJECT.0;
        assert!(unpack(&mut Cursor::new(tar(&all)), None, &limits, &keep).is_ok());
    }
}

#[test]
fn a_hard_link_matters_only_if_it_is_wanted() {
    let file = tar_entry(b'0', "a.py", "x");
    let error = with(&[file.clone(), tar_link(b'1', "b.py", "a.py")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the archive contains the file \"b.py\" only as a hard link to \"a.py\""
    );
    assert!(error.remedy().unwrap().contains("--hard-dereference"));
    let bytes = tar(&[
        tar_entry(b'0', PYPROJECT.0, PYPROJECT.1),
        file,
        tar_link(b'1', "b.csv", "/etc/passwd"),
    ]);
    let limits = Limits::default();
    let unpacked = unpack(&mut Cursor::new(bytes), None, &limits, &decides_bundle).unwrap();
    assert_eq!(names(&unpacked), ["a.py", "pyproject.toml"]);
}

#[test]
fn entries_without_content_have_no_size() {
    for kind in [b'1', b'2', b'3', b'5', b'6'] {
        let error = with(&[tar_entry(kind, "a", "hidden")]).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{error}");
    }
}

#[test]
fn an_old_folder_ends_with_a_slash() {
    let unpacked = with(&[tar_entry(0, "a/", ""), tar_entry(b'0', "a/x.py", "")]).unwrap();
    assert_eq!(names(&unpacked), ["a/x.py", "pyproject.toml"]);
}

#[test]
fn the_end_mark_counts() {
    let file = tar_entry(b'0', PYPROJECT.0, PYPROJECT.1);
    let other = tar_entry(b'0', "a.py", "x");
    let zero = vec![0; 512];
    for (bytes, complete) in [
        (file.clone(), false),
        ([&file[..], &zero].concat(), true),
        ([&file[..], &zero, &zero].concat(), true),
        ([&file[..], &zero, &zero[..100]].concat(), true),
        ([&file[..], &zero, &other].concat(), false),
        (
            [&file[..], &zero, &zero, &other, &zero, &zero].concat(),
            false,
        ),
    ] {
        assert_eq!(open(&bytes).is_ok(), complete);
        assert_eq!(open(&gzip(&bytes)).is_ok(), complete);
    }
}

#[test]
fn several_gzip_members_are_one_file() {
    let bytes = tar(&[
        tar_entry(b'0', PYPROJECT.0, PYPROJECT.1),
        tar_entry(b'0', "a.py", "x"),
    ]);
    let (one, two) = bytes.split_at(700);
    let members = [gzip(one), gzip(b""), gzip(two)].concat();
    assert_eq!(open(&members).unwrap().files.len(), 2);
    // Zeros may follow, as on tapes, but nothing else, and no member after them.
    let padded = [&members[..], &[0; 1000]].concat();
    assert!(open(&padded).is_ok());
    for after in [
        &b"\x1f"[..],
        b"\x1f\x8b",
        b"x",
        b"\0\x1f\x8b\x08",
        b"\0\0\0x",
    ] {
        assert!(open(&[&members[..], after].concat()).is_err(), "{after:?}");
    }
    // Another archive in a second member.
    assert!(open(&[gzip(&bytes), gzip(&bytes)].concat()).is_err());
}

#[test]
fn a_damaged_gzip_file_is_noticed() {
    let bytes = gzip(&tar(&[tar_entry(b'0', PYPROJECT.0, PYPROJECT.1)]));
    for at in 0..8 {
        let mut changed = bytes.clone();
        let at = changed.len() - 1 - at;
        changed[at] ^= 1;
        let error = open(&changed).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    let mut bytes = tar(&[
        tar_entry(b'0', PYPROJECT.0, PYPROJECT.1),
        tar_entry(b'0', "a.py", "x"),
    ]);
    bytes[1024] = b'b';
    let error = open(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tar archive is damaged: a header has a wrong checksum"
    );
}
