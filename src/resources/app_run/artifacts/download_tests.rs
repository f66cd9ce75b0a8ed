//! Downloads from a store that breaks as a network and a hostile app may break it.

use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc::Sender;

use super::super::list::{self, LIST};
use super::*;

/// What happens to the reads, one after the other.
#[derive(Clone, Copy)]
enum Fault {
    /// The connection ends after this many bytes.
    CutAfter(usize),
    /// The bytes are others.
    Damage,
    /// More bytes arrive than were listed.
    Grow,
}

#[derive(Default)]
struct Store {
    files: BTreeMap<&'static str, Vec<u8>>,
    faults: Vec<Fault>,
    /// The offsets of the reads.
    reads: Vec<u64>,
}

fn cut() -> ArtifactError {
    ArtifactError::Cut {
        cause: "reset".to_owned(),
    }
}

#[async_trait]
impl ArtifactStore for Store {
    async fn list(&mut self) -> Result<Option<Listing>, ArtifactError> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let files = self.files.iter();
        let files = files.map(|(path, bytes)| (path.parse().unwrap(), bytes.len() as u64));
        let mut listing = Listing::default();
        listing.files = files.collect();
        Ok(Some(listing))
    }

    async fn sha256(&mut self, path: &ArtifactPath, _: u64) -> Result<String, ArtifactError> {
        Ok(hex::encode(Sha256::digest(&self.files[path.as_str()])))
    }

    async fn read(
        &mut self,
        path: &ArtifactPath,
        from: u64,
        to: Sender<Bytes>,
    ) -> Result<(), ArtifactError> {
        self.reads.push(from);
        let mut bytes = self.files[path.as_str()].clone();
        let fault = (!self.faults.is_empty()).then(|| self.faults.remove(0));
        match fault {
            Some(Fault::Damage) => bytes.iter_mut().for_each(|byte| *byte ^= 1),
            Some(Fault::Grow) => bytes.push(0),
            Some(Fault::CutAfter(_)) | None => {}
        }
        let rest = bytes.split_off(usize::try_from(from).unwrap());
        let rest = match fault {
            Some(Fault::CutAfter(count)) => &rest[..count.min(rest.len())],
            _ => &rest,
        };
        for chunk in rest.chunks(3) {
            if to.send(Bytes::copy_from_slice(chunk)).await.is_err() {
                return Ok(());
            }
        }
        match fault {
            Some(Fault::CutAfter(_)) => Err(cut()),
            _ => Ok(()),
        }
    }
}

fn store<const N: usize>(files: [(&'static str, &str); N]) -> Store {
    let files = files.map(|(path, text)| (path, text.as_bytes().to_vec()));
    Store {
        files: files.into(),
        ..Store::default()
    }
}

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    (dir, path)
}

/// Everything in the folder but the list.
fn held(path: &Path) -> Vec<String> {
    fn walk(folder: &Path, above: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{above}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else if name != LIST {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(path, "", &mut found);
    found.sort();
    found
}

async fn of_run(
    store: &mut Store,
    path: &Path,
    run: &str,
) -> Result<Option<Download>, DownloadError> {
    download(store, path, run, 1000).await
}

async fn run(store: &mut Store, path: &Path) -> Result<Option<Download>, DownloadError> {
    of_run(store, path, "1").await
}

#[tokio::test]
async fn files_arrive_once_and_are_verified() {
    let (_dir, path) = folder();
    let mut store = store([
        ("model.bin", "0123456789"),
        ("logs/a b.txt", ""),
        ("x/y/z", "zz"),
    ]);
    let brought = run(&mut store, &path).await.unwrap().unwrap();
    assert_eq!(held(&path), ["logs/a b.txt", "model.bin", "x/y/z"]);
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), b"0123456789");
    let model = &brought.files[&"model.bin".parse().unwrap()];
    assert_eq!(model.sha256, hex::encode(Sha256::digest(b"0123456789")));
    assert_eq!(store.reads.len(), 3);
    // What is there is not read again.
    let again = run(&mut store, &path).await.unwrap().unwrap();
    assert_eq!((again, store.reads.len()), (brought, 3));
    // A changed copy is.
    fs::write(path.join("model.bin"), "012345678X").unwrap();
    run(&mut store, &path).await.unwrap();
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), b"0123456789");
    assert_eq!(store.reads.len(), 4);
}

#[tokio::test]
async fn a_cut_download_continues_where_it_stopped() {
    let (_dir, path) = folder();
    let mut store = store([("model.bin", "0123456789")]);
    store.faults = vec![Fault::CutAfter(4), Fault::CutAfter(0), Fault::CutAfter(3)];
    run(&mut store, &path).await.unwrap().unwrap();
    assert_eq!(store.reads, [0, 4, 4, 7]);
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), b"0123456789");
    assert_eq!(held(&path), ["model.bin"]);
}

#[tokio::test]
async fn a_download_that_brings_nothing_ends_and_the_next_apply_continues() {
    let (_dir, path) = folder();
    let mut store = store([("model.bin", "0123456789")]);
    store.faults = vec![Fault::CutAfter(4)];
    store.faults.extend([Fault::CutAfter(0); 5]);
    let error = run(&mut store, &path).await.unwrap_err();
    assert!(matches!(
        error,
        DownloadError::Store(ArtifactError::Cut { .. })
    ));
    assert!(!path.join("model.bin").exists());
    store.reads.clear();
    run(&mut store, &path).await.unwrap().unwrap();
    assert_eq!(store.reads, [4]);
    assert_eq!(held(&path), ["model.bin"]);
}

#[tokio::test]
async fn other_bytes_never_get_the_name_of_the_file() {
    let (_dir, path) = folder();
    let mut store = store([("model.bin", "0123456789")]);
    store.faults = vec![Fault::Damage];
    run(&mut store, &path).await.unwrap().unwrap();
    assert_eq!(store.reads, [0, 0]);
    store.files.insert("model.bin", b"9876543210".to_vec());
    store.faults = vec![Fault::Damage, Fault::Damage];
    let error = run(&mut store, &path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), b"0123456789");
    store.faults = vec![Fault::Grow];
    let error = run(&mut store, &path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Grown { .. }), "{error}");
    assert_eq!(fs::read(path.join("model.bin")).unwrap(), b"0123456789");
}

#[tokio::test]
async fn more_than_the_limit_is_refused_before_anything_is_written() {
    let (_dir, path) = folder();
    let mut store = store([("model.bin", "0123456789"), ("b", "1")]);
    let error = download(&mut store, &path, "1", 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the artifacts have 11 bytes together, and `max_bytes` is 10"
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn files_of_others_are_neither_replaced_nor_removed() {
    let (dir, path) = folder();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("main.tf"), "mine").unwrap();
    let mut hostile = store([("main.tf", "theirs")]);
    let error = run(&mut hostile, &path).await.unwrap_err();
    assert!(matches!(
        error,
        DownloadError::Target(TargetError::NotOurs { .. })
    ));
    assert_eq!(fs::read(path.join("main.tf")).unwrap(), b"mine");
    assert!(list::check(&path).is_err());

    // Nor in a folder of downloads.
    let path = dir.path().join("other");
    list::check(&path).unwrap();
    run(&mut store([("model.bin", "1")]), &path).await.unwrap();
    list::check(&path).unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    let error = run(&mut store([("notes.txt", "theirs")]), &path).await;
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        DownloadError::Target(TargetError::Taken { .. })
    ));
    run(&mut store([("new.bin", "1")]), &path).await.unwrap();
    assert_eq!(held(&path), ["new.bin", "notes.txt"]);
}

#[tokio::test]
async fn the_next_run_replaces_the_files_of_the_last_one_when_it_is_complete() {
    let (_dir, path) = folder();
    run(&mut store([("a", "1"), ("b/c", "2"), ("d/e", "3")]), &path)
        .await
        .unwrap();
    let mut next = store([("d/f", "4")]);
    next.faults = [Fault::CutAfter(0); 5].to_vec();
    of_run(&mut next, &path, "2").await.unwrap_err();
    assert!(held(&path).contains(&"d/e".to_owned()));
    // A file where a folder was, and a folder where a file was.
    of_run(&mut store([("a/x", "4"), ("b", "5")]), &path, "2")
        .await
        .unwrap();
    assert_eq!(held(&path), ["a/x", "b"]);
    assert!(!path.join("d").exists());
}

#[tokio::test]
async fn names_that_change_with_each_attempt_do_not_fill_the_disk() {
    let (_dir, path) = folder();
    for names in [["a", "z"], ["b", "z"], ["c", "z"]] {
        let mut store = store(names.map(|name| (name, "0123456789")));
        store.files.insert("z", names[0].repeat(10).into_bytes());
        store.faults = vec![Fault::Damage; 4];
        run(&mut store, &path).await.unwrap_err();
        assert!(held(&path).len() <= 2, "{:?}", held(&path));
    }
}

#[tokio::test]
async fn files_that_the_superlink_lost_do_not_remove_their_copies() {
    let (_dir, path) = folder();
    run(&mut store([("a", "1")]), &path).await.unwrap();
    let error = run(&mut Store::default(), &path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Vanished), "{error}");
    // Nor does a later run that left none.
    let none = of_run(&mut Store::default(), &path, "2").await.unwrap();
    assert_eq!(none, None);
    assert_eq!(held(&path), ["a"]);
}

#[tokio::test]
async fn a_folder_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = folder();
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let error = run(&mut store([("a", "1")]), &path).await.unwrap_err();
    assert!(matches!(
        error,
        DownloadError::Target(TargetError::Shared { .. })
    ));
    assert_eq!(held(&path), Vec::<String>::new());
}

/// Another user may replace a part of the path by a link while files are brought.
#[tokio::test]
async fn a_path_that_leads_elsewhere_by_now_is_not_followed() {
    let (dir, path) = folder();
    let mut target = Target::open(&path).unwrap();
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (name.parse().unwrap(), 1))
            .collect()
    };
    target.expect("1", &names(&["a", "victim"])).unwrap();
    let victim = dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("victim"), "mine").unwrap();
    fs::rename(&path, dir.path().join("away")).unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    target.finish("1", &names(&["a"])).unwrap();
    assert!(victim.join("victim").exists());
}

#[tokio::test]
async fn no_link_in_the_folder_is_followed() {
    let (dir, path) = folder();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    run(&mut store([("a", "1")]), &path).await.unwrap();
    std::os::unix::fs::symlink(&outside, path.join("b")).unwrap();
    run(&mut store([("a", "1"), ("b/c", "2")]), &path)
        .await
        .unwrap_err();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A copy that became a link is replaced, and not what the link names.
    let target = outside.join("t");
    fs::write(&target, "mine").unwrap();
    fs::remove_file(path.join("a")).unwrap();
    fs::remove_file(path.join("b")).unwrap();
    std::os::unix::fs::symlink(&target, path.join("a")).unwrap();
    run(&mut store([("a", "1")]), &path).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    assert_eq!(fs::read(path.join("a")).unwrap(), b"1");
}

#[tokio::test]
async fn two_applies_do_not_share_a_folder() {
    let (_dir, path) = folder();
    let held = Target::open(&path).unwrap();
    let error = run(&mut store([("a", "1")]), &path).await.unwrap_err();
    assert!(matches!(
        error,
        DownloadError::Target(TargetError::Busy { .. })
    ));
    drop(held);
    run(&mut store([("a", "1")]), &path).await.unwrap();
}

#[tokio::test]
async fn a_run_without_a_folder_has_no_files() {
    let (_dir, path) = folder();
    assert_eq!(run(&mut Store::default(), &path).await.unwrap(), None);
    assert!(!path.exists());
}
