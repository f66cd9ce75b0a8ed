//! Planted files in our folders: the provider refuses files and links of other users, and neither
//! follows, changes nor trusts them.

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::super::private::PrivateFolder;
use super::*;
use crate::runtime::{Distrust, Whereabouts};

/// A user other than the one who runs the tests.
const STRANGER: u32 = 54_321;

/// Why the operation was refused.
fn refused<T: std::fmt::Debug>(tried: Result<T, RuntimeError>) -> (PathBuf, Distrust) {
    match tried.unwrap_err() {
        error @ RuntimeError::Distrusted { .. } => {
            let remedy = error.remedy().unwrap();
            let RuntimeError::Distrusted { path, why } = error else {
                unreachable!()
            };
            assert!(remedy.contains("Remove it, or") || remedy.contains(&*path.to_string_lossy()));
            (path, why)
        }
        other => panic!("{other}"),
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A runtime with something of each kind in its folder, and the folders and files that it trusts.
async fn filled(dir: &Path) -> (LocalRuntime, Vec<PathBuf>) {
    let (runtime, object) = claimed(dir).await;
    let entries = [("k".to_owned(), Zeroizing::new("v".to_owned()))].into();
    let owner = managed(&object);
    runtime.put_secret(&owner, "s", &entries).await.unwrap();
    let note = serde_json::json!({});
    runtime.write_note("run-1", &note, "").await.unwrap();
    let record = runtime.record_path(&object);
    let believed = [
        runtime.data_dir.clone(),
        runtime.data_dir.join("superlinks"),
        runtime.dir(&object),
        record,
        runtime.data_dir.join("vault"),
        runtime.secret_path("s"),
        runtime.data_dir.join("journal"),
        runtime.note_path("run-1"),
    ];
    (runtime, believed.into())
}

/// All reads from the folder, with the paths that were refused.
async fn reads(runtime: &LocalRuntime) -> Vec<Result<(), RuntimeError>> {
    let object = object("a");
    vec![
        runtime.observe(&object, &[]).await.map(drop),
        runtime.secret(&object, "s").await.map(drop),
        runtime.notes("run-").await.map(drop),
    ]
}

#[tokio::test]
async fn what_a_planted_link_names_is_neither_truncated_nor_locked() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let victim = dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir(&runtime.data_dir).unwrap();
    let lock = runtime.data_dir.join(".lock");
    symlink(&victim, &lock).unwrap();
    let claim = claim(&runtime, &object("a")).await;
    assert_eq!(refused(claim), (lock, Distrust::Link));
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[tokio::test]
async fn links_below_the_folder_are_not_followed_and_one_to_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, believed) = filled(dir.path()).await;
    for path in believed.iter().skip(1) {
        // The target of the link would be trusted.
        let aside = dir.path().join("aside");
        fs::rename(path, &aside).unwrap();
        symlink(&aside, path).unwrap();
        let found: Vec<_> = reads(&runtime)
            .await
            .into_iter()
            .filter(Result::is_err)
            .collect();
        assert_eq!(found.len(), 1, "{}", path.display());
        for tried in found {
            assert_eq!(refused(tried), (path.clone(), Distrust::Link));
        }
        fs::remove_file(path).unwrap();
        fs::rename(&aside, path).unwrap();
    }
    let linked = LocalRuntime {
        data_dir: dir.path().join("linked"),
        ..runtime.clone()
    };
    symlink(&runtime.data_dir, &linked.data_dir).unwrap();
    assert!(reads(&linked).await.into_iter().all(|read| read.is_ok()));
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, believed) = filled(dir.path()).await;
    for path in &believed {
        let all = path == &runtime.data_dir;
        if chown(path, Some(STRANGER), None).is_err() {
            // Only root can change the owner of a file; without root, other tests cover the check
            // of owners.
            assert_ne!(rustix::process::geteuid().as_raw(), 0);
            return;
        }
        let found: Vec<_> = reads(&runtime)
            .await
            .into_iter()
            .filter(Result::is_err)
            .collect();
        assert_eq!(found.len(), if all { 3 } else { 1 }, "{}", path.display());
        let why = Distrust::Owner {
            owner: STRANGER,
            user: 0,
        };
        for tried in found {
            assert_eq!(refused(tried), (path.clone(), why));
        }
        if all {
            assert_eq!(
                refused(claim(&runtime, &object("b")).await),
                (path.clone(), why)
            );
            let entries = SecretEntries::new();
            let put = runtime
                .put_secret(&managed(&object("a")), "t", &entries)
                .await;
            assert_eq!(refused(put), (path.clone(), why));
            runtime.tidy();
            assert!(path.join(".lock").exists(), "nothing in it was changed");
        }
        chown(path, Some(0), None).unwrap();
    }
    assert!(reads(&runtime).await.into_iter().all(|read| read.is_ok()));
}

#[tokio::test]
async fn what_others_may_have_written_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, believed) = filled(dir.path()).await;
    for path in believed.iter().filter(|path| path.is_file()) {
        for open in [0o620, 0o602] {
            chmod(path, open);
            let found = reads(&runtime).await.into_iter().find(Result::is_err);
            let (at, why) = refused(found.unwrap());
            assert_eq!((&at, why), (path, Distrust::Writable { mode: open }));
        }
        chmod(path, 0o644);
        assert!(reads(&runtime).await.into_iter().all(|read| read.is_ok()));
    }
}

#[tokio::test]
async fn a_folder_of_ours_is_closed_to_those_who_could_write_it_unless_it_is_shared() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, believed) = filled(dir.path()).await;
    for path in believed.iter().filter(|path| path.is_dir()) {
        chmod(path, 0o777);
        assert!(reads(&runtime).await.into_iter().all(|read| read.is_ok()));
        assert_eq!(mode(path), 0o755, "{}", path.display());
    }
    // A user may have shared it with a group on purpose.
    fs::write(runtime.data_dir.join("main.tf"), "").unwrap();
    chmod(&runtime.data_dir, 0o775);
    let (path, why) = refused(claim(&runtime, &object("b")).await);
    assert_eq!(
        (path, why),
        (runtime.data_dir.clone(), Distrust::Writable { mode: 0o775 })
    );
    assert_eq!(mode(&runtime.data_dir), 0o775);
}

#[test]
fn a_cache_in_which_others_can_put_programs_is_refused_by_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let cache = &runtime.cache_dir;
    fs::create_dir_all(cache.join("environments")).unwrap();
    chmod(cache, 0o777);
    runtime.can_install(&[]).unwrap();
    assert_eq!(mode(cache), 0o755, "closed, for all in it is ours");
    fs::create_dir(cache.join("of-somebody")).unwrap();
    chmod(cache, 0o777);
    let (path, why) = refused(runtime.can_install(&[]));
    assert_eq!((&path, why), (cache, Distrust::Writable { mode: 0o777 }));
}

#[tokio::test]
async fn what_is_no_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, believed) = filled(dir.path()).await;
    for path in believed.iter().filter(|path| path.is_file()) {
        let aside = dir.path().join("aside");
        fs::rename(path, &aside).unwrap();
        let made = Command::new("mkfifo").arg("-m600").arg(path).status();
        assert!(made.unwrap().success());
        let found = reads(&runtime).await.into_iter().find(Result::is_err);
        assert_eq!(refused(found.unwrap()), (path.clone(), Distrust::NoFile));
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        let found = reads(&runtime).await.into_iter().find(Result::is_err);
        assert_eq!(refused(found.unwrap()), (path.clone(), Distrust::NoFile));
        fs::remove_dir(path).unwrap();
        fs::rename(&aside, path).unwrap();
    }
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let opened = PrivateFolder::open(&file, |_| true);
    assert_eq!(
        refused(opened.map(|found| found.is_some())),
        (file, Distrust::NoFolder)
    );
}

#[test]
fn two_never_hold_the_lock_though_it_is_removed_all_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let inside = dir.path().join("inside");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let lock = runtime.lock().unwrap();
                    // Fails if another thread holds the lock.
                    fs::File::create_new(&inside).unwrap();
                    std::thread::yield_now();
                    fs::remove_file(&inside).unwrap();
                    drop(lock);
                    runtime.tidy();
                }
            });
        }
    });
    assert!(!runtime.data_dir.exists(), "nothing is left");
}

#[tokio::test]
async fn git_does_not_see_the_folder_and_its_ignore_file_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let ignore = runtime.data_dir.join(".gitignore");
    assert!(
        fs::read_to_string(&ignore)
            .unwrap()
            .lines()
            .any(|line| line == "*")
    );
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!runtime.data_dir.exists());
    // A folder with other files is under version control because of them; our files in it are
    // ignored.
    fs::create_dir(&runtime.data_dir).unwrap();
    chmod(&runtime.data_dir, 0o755);
    let main = runtime.data_dir.join("main.tf");
    fs::write(&main, "").unwrap();
    claim(&runtime, &object).await.unwrap();
    let text = fs::read_to_string(&ignore).unwrap();
    assert!(text.contains("/vault\n") && !text.contains("*\n"), "{text}");
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!ignore.exists() && main.exists());
    claim(&runtime, &object).await.unwrap();
    fs::write(&ignore, "*.log\n").unwrap();
    remove(&runtime, &object, &[]).await.unwrap();
    assert_eq!(fs::read_to_string(ignore).unwrap(), "*.log\n");
    assert!(main.exists());
}

#[tokio::test]
async fn an_object_of_the_same_name_in_another_folder_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let (one, object) = claimed(dir.path()).await;
    let place = one.place().await.unwrap();
    let other = runtime(&dir.path().join("other"));
    let seen = async |from: &LocalRuntime| from.whereabouts(&object, &place).await.unwrap();
    assert_eq!(seen(&one).await, Whereabouts::Here);
    assert_eq!(seen(&other).await, Whereabouts::OutOfReach);
    claim(&other, &object).await.unwrap();
    assert_eq!(seen(&other).await, Whereabouts::Elsewhere);
    // The objects move with the folder.
    fs::remove_dir_all(&one.data_dir).unwrap();
    assert_eq!(seen(&other).await, Whereabouts::Here);
}
