//! What only a zip archive can contain.

use super::super::test_archives::*;
use super::*;

fn with(entry: ZipEntry) -> Result<Unpacked, ArchiveError> {
    open(&zip(&[zip_entry(PYPROJECT.0, PYPROJECT.1), entry]))
}

#[test]
fn another_writer_is_read() {
    use ::zip::write::SimpleFileOptions;
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer.add_directory("r/", options).unwrap();
    writer.add_directory("r/q/", options).unwrap();
    writer.start_file("r/pyproject.toml", options).unwrap();
    writer.write_all(b"[project]\n").unwrap();
    writer
        .start_file("r/q/large.py", options.large_file(true))
        .unwrap();
    writer.write_all(&[b'x'; 100_000]).unwrap();
    writer
        .add_symlink("r/link.py", "q/large.py", options)
        .unwrap();
    writer.set_comment("0123456789abcdef").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let unpacked = open(&bytes).unwrap();
    assert_eq!(names(&unpacked), ["pyproject.toml", "q/large.py"]);
    assert_eq!(unpacked.files["q/large.py"].len(), 100_000);
    assert!(unpacked.links.contains("link.py"));
}

#[test]
fn a_streamed_archive_is_read() {
    // The sizes follow the content, as `git archive` and pipes write it.
    use ::zip::write::SimpleFileOptions;
    let mut writer = ::zip::ZipWriter::new_stream(Vec::new());
    writer
        .start_file("pyproject.toml", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&[b'x'; 10_000]).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(open(&bytes).unwrap().files["pyproject.toml"].len(), 10_000);
}

#[test]
fn special_files_are_refused() {
    for (mode, kind) in [
        (0o020_644, Special::Device),
        (0o060_644, Special::Device),
        (0o010_644, Special::Pipe),
        (0o140_644, Special::Socket),
    ] {
        let mut entry = zip_entry("x", "");
        entry.mode = mode;
        let error = with(entry).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::Special { path, kind: found } if path == "x" && *found == kind),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_read_matters_only_if_it_is_wanted() {
    let mut encrypted = zip_entry("a.py", "secret");
    encrypted.flags |= 1;
    let mut bzip2 = zip_entry("a.py", "BZh9");
    bzip2.method = 12;
    for (entry, text) in [
        (
            encrypted,
            "cannot read \"a.py\" in the archive: it is encrypted",
        ),
        (
            bzip2,
            "it is compressed with bzip2, and only deflate is supported",
        ),
    ] {
        let bytes = zip(&[zip_entry(PYPROJECT.0, PYPROJECT.1), entry]);
        let error = open(&bytes).unwrap_err();
        assert!(error.to_string().ends_with(text), "{error}");
        assert!(error.remedy().is_some());
        let limits = Limits::default();
        let keep = |path: &str| path == PYPROJECT.0;
        let unpacked = unpack(&mut Cursor::new(&bytes), None, &limits, &keep).unwrap();
        assert_eq!(unpacked.left_out, 1);
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    for method in [STORED, DEFLATED] {
        let mut entry = zip_entry("a.py", "print()");
        entry.method = method;
        entry.crc = Some(1);
        let error = with(entry).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the zip archive is damaged at \"a.py\": Invalid checksum"
        );
    }
}

#[test]
fn data_before_the_archive_is_refused() {
    let bytes = zip(&[zip_entry(PYPROJECT.0, PYPROJECT.1)]);
    for prefix in [
        &b"\x7fELF"[..],
        b"MZ",
        b"#!/usr/bin/python3\n",
        b"PK\x03\x04",
        b"\0",
    ] {
        let error = open(&[prefix, &bytes].concat()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("a zip archive behind other data") || text.contains("is damaged"),
            "{text}"
        );
    }
}

#[test]
fn the_directory_must_be_complete() {
    let bytes = zip(&[zip_entry(PYPROJECT.0, PYPROJECT.1), zip_entry("a.py", "x")]);
    let end = bytes.len() - 22;
    // The number of entries, on this disk and in total.
    for (count, text) in [
        (0_u16, "the directory is larger than its entries"),
        (1, "the directory is larger than its entries"),
        (3, "incomplete"),
        (9999, "incomplete"),
    ] {
        let mut changed = bytes.clone();
        changed[end + 8..end + 10].copy_from_slice(&count.to_le_bytes());
        changed[end + 10..end + 12].copy_from_slice(&count.to_le_bytes());
        let error = open(&changed).unwrap_err();
        assert!(error.to_string().contains(text), "{count}: {error}");
    }
    // Where the directory starts.
    for start in [0_u32, 1, end as u32, end as u32 + 1, u32::MAX] {
        let mut changed = bytes.clone();
        changed[end + 16..end + 20].copy_from_slice(&start.to_le_bytes());
        assert!(open(&changed).is_err(), "{start}");
    }
}

#[test]
fn two_directories_are_refused() {
    // Programs that know zip64 and programs that do not would see different files.
    let bytes = zip(&[zip_entry(PYPROJECT.0, PYPROJECT.1)]);
    let end = bytes.len() - 22;
    let start = u64::from(u32::from_le_bytes(
        bytes[end + 16..end + 20].try_into().unwrap(),
    ));
    for entries in [0_u64, 1, 2] {
        let mut changed = bytes[..end].to_vec();
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        record.extend(entries.to_le_bytes());
        record.extend(entries.to_le_bytes());
        record.extend((end as u64 - start).to_le_bytes());
        record.extend(start.to_le_bytes());
        changed.extend(&record);
        changed.extend(b"PK\x06\x07\0\0\0\0");
        changed.extend((end as u64).to_le_bytes());
        changed.extend(1_u32.to_le_bytes());
        changed.extend(&bytes[end..]);
        assert_eq!(open(&changed).is_ok(), entries == 1, "{entries}");
    }
}

#[test]
fn a_folder_may_come_last_or_not_at_all() {
    let mut folder = zip_entry("a/", "");
    folder.mode = 0o040_755;
    let mut unmarked = zip_entry("b", "");
    unmarked.mode = 0o040_755;
    let files = [
        zip_entry(PYPROJECT.0, PYPROJECT.1),
        zip_entry("a/x.py", ""),
        folder.clone(),
        unmarked,
    ];
    assert_eq!(
        names(&open(&zip(&files)).unwrap()),
        ["a/x.py", "pyproject.toml"]
    );
    let error = open(&zip(&[
        zip_entry(PYPROJECT.0, ""),
        zip_entry("a", ""),
        folder,
    ]))
    .unwrap_err();
    assert!(
        matches!(error, ArchiveError::FileAndFolder { .. }),
        "{error}"
    );
}

#[test]
fn a_link_is_read_only_as_far_as_a_path_goes() {
    let mut link = zip_entry("a.py", vec![b'x'; 1 << 20]);
    link.mode = 0o120_777;
    let error = with(link).unwrap_err();
    let is_long = matches!(
        error,
        ArchiveError::BadPath {
            fault: PathFault::TooLong { .. },
            ..
        }
    );
    assert!(is_long, "{error}");
}

#[test]
fn a_name_in_an_extra_field_counts() {
    // Info-ZIP's Unicode path: a checksum of the plain name, and the name.
    let hidden = |name: &str| {
        let bytes = zip(&[zip_entry("pyproject.toml", "")]);
        let end = bytes.len() - 22;
        let mut extra = vec![0x75, 0x70];
        extra.extend((5 + name.len() as u16).to_le_bytes());
        extra.push(1);
        extra.extend(crc32fast::hash(b"pyproject.toml").to_le_bytes());
        extra.extend(name.as_bytes());
        let mut changed = bytes[..end].to_vec();
        changed.extend(&extra);
        let directory = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
        changed[directory + 30..directory + 32]
            .copy_from_slice(&(extra.len() as u16).to_le_bytes());
        let mut tail = bytes[end..].to_vec();
        let size = (end - directory + extra.len()) as u32;
        tail[12..16].copy_from_slice(&size.to_le_bytes());
        changed.extend(tail);
        open(&changed)
    };
    assert!(matches!(
        hidden("../x.py"),
        Err(ArchiveError::BadPath { .. })
    ));
    assert_eq!(
        names(&hidden("r/pyproject.toml").unwrap()),
        ["pyproject.toml"]
    );
}
