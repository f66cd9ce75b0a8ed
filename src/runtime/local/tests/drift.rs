//! The files that processes depend on, and what happens without them. A running process proves
//! nothing: it writes to files that no one can find, and cannot start programs any more.

use std::path::PathBuf;

use super::processes::with_environment;
use super::*;
use crate::runtime::{Content, Storage, Workload};

/// The object "a" in a folder that can be moved, with its environment outside of this folder.
async fn started(dir: &Path) -> (LocalRuntime, ObjectRef, Workload) {
    let runtime = LocalRuntime {
        data_dir: dir.join("one/data"),
        cache_dir: dir.join("cache"),
        python: "python3".to_owned(),
    };
    let object = object("a");
    claim(&runtime, &object).await.unwrap();
    let workload = with_environment(&runtime, &object, "exec sleep 300").await;
    start_it(&runtime, &workload).await.unwrap();
    (runtime, object, workload)
}

/// Starts the object "a" and records it.
async fn start_it(runtime: &LocalRuntime, workload: &Workload) -> Result<(), RuntimeError> {
    let managed = managed(&object("a"));
    let stop = CancellationToken::new();
    runtime.start(&managed, workload, &stop).await?;
    let nothing = serde_json::Value::Null;
    runtime.record_configuration(&managed, &nothing).await
}

/// The readiness, the outdated inputs, and the missing parts of a SuperLink with a database.
async fn look(runtime: &LocalRuntime, object: &ObjectRef) -> (Readiness, Vec<String>, Vec<String>) {
    let observed = runtime.observe(object, &[Part::Volume]).await;
    let observed = observed.unwrap().unwrap();
    let missing = observed.missing.into_iter().map(|one| one.words);
    (observed.readiness, observed.outdated, missing.collect())
}

fn well() -> (Readiness, Vec<String>, Vec<String>) {
    (Readiness::Ready, Vec::new(), Vec::new())
}

fn process(runtime: &LocalRuntime, object: &ObjectRef) -> Identity {
    runtime.record(object).unwrap().processes["superlink"]
        .identity
        .clone()
}

/// Moves the folder, and recreates at its old path what Flower recreates.
fn move_away(runtime: &LocalRuntime, dir: &Path) -> LocalRuntime {
    fs::rename(dir.join("one"), dir.join("two")).unwrap();
    let apps = runtime.home(&object("a")).join("apps/deep");
    fs::create_dir_all(&apps).unwrap();
    fs::write(apps.join("x"), "x").unwrap();
    LocalRuntime {
        data_dir: dir.join("two/data"),
        ..runtime.clone()
    }
}

#[tokio::test]
async fn a_folder_that_was_moved_is_drift_and_what_ran_for_the_old_one_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (old, object, workload) = started(dir.path()).await;
    let first = process(&old, &object);
    let stray = {
        let (process, _) = shell(&object, "exec sleep 300");
        let digest = "digest".to_owned();
        let started = old.spawn(&object, &process, Path::new("/bin"), digest);
        started.unwrap().identity
    };
    let runtime = move_away(&old, dir.path());
    let (readiness, outdated, _) = look(&runtime, &object).await;
    assert_eq!(readiness, Readiness::Ready);
    assert_eq!(outdated.len(), 1, "{outdated:?}");
    assert!(outdated[0].contains("was started in") && outdated[0].contains("two/data"));

    start_it(&runtime, &workload).await.unwrap();
    assert!(!first.lives() && !stray.lives());
    assert!(process(&runtime, &object).lives());
    assert!(
        !dir.path().join("one").exists(),
        "what was made there again"
    );
    assert_eq!(look(&runtime, &object).await, well());
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!runtime.data_dir.exists());
}

#[tokio::test]
async fn a_destroy_after_a_move_leaves_nothing_at_either_place() {
    let dir = tempfile::tempdir().unwrap();
    let (old, object, _) = started(dir.path()).await;
    let first = process(&old, &object);
    let runtime = move_away(&old, dir.path());
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!first.lives());
    assert!(!dir.path().join("one").exists());
    assert!(!runtime.data_dir.exists());
}

#[tokio::test]
async fn what_was_at_the_old_place_before_or_belongs_to_others_stays() {
    let dir = tempfile::tempdir().unwrap();
    let older = dir.path().join("older");
    fs::create_dir(&older).unwrap();
    let base = LocalRuntime {
        data_dir: older.join("one/data"),
        ..runtime(dir.path())
    };
    let object = object("a");
    claim(&base, &object).await.unwrap();
    start(&base, &object, "exec sleep 300");
    let runtime = move_away(&base, &older);
    let kept = older.join("one/notes");
    fs::write(&kept, "mine").unwrap();
    remove(&runtime, &object, &[]).await.unwrap();
    assert_eq!(fs::read_dir(older.join("one")).unwrap().count(), 1);
    assert!(kept.exists());
}

#[tokio::test]
async fn a_copy_of_the_folder_neither_ends_nor_takes_what_runs_for_the_original() {
    let dir = tempfile::tempdir().unwrap();
    let (original, object, workload) = started(dir.path()).await;
    let first = process(&original, &object);
    let two = dir.path().join("two");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(dir.path().join("one"))
        .arg(&two)
        .status();
    assert!(copied.unwrap().success());
    let copy = LocalRuntime {
        data_dir: two.join("data"),
        ..original.clone()
    };
    let (readiness, outdated, _) = look(&copy, &object).await;
    assert_eq!(readiness, Readiness::Stopped);
    assert!(outdated[0].contains("is a copy"), "{outdated:?}");
    let refused = start_it(&copy, &workload).await.unwrap_err();
    assert!(matches!(refused, RuntimeError::Copied { .. }), "{refused}");
    remove(&copy, &object, &[]).await.unwrap();
    assert!(first.lives(), "it is the original's");
    assert_eq!(look(&original, &object).await, well());
    remove(&original, &object, &[]).await.unwrap();
    assert!(!first.lives());
}

#[tokio::test]
async fn another_spelling_of_the_same_folder_is_no_move() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object, _) = started(dir.path()).await;
    std::os::unix::fs::symlink(dir.path().join("one"), dir.path().join("link")).unwrap();
    for spelling in ["link/data", "one/../one/data"] {
        let same = LocalRuntime {
            data_dir: dir.path().join(spelling),
            ..runtime.clone()
        };
        assert_eq!(look(&same, &object).await, well(), "{spelling}");
    }
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_gone_is_missing_and_no_empty_one_is_made_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object, mut workload) = started(dir.path()).await;
    workload.storage = Some(Storage {
        size: String::new(),
        storage_class: None,
        file: "x.db",
    });
    start_it(&runtime, &workload).await.unwrap();
    assert_eq!(look(&runtime, &object).await, well(), "there was none yet");
    let database = runtime.dir(&object).join("state/x.db");
    fs::write(&database, "runs").unwrap();
    start_it(&runtime, &workload).await.unwrap();
    let first = process(&runtime, &object);
    assert_eq!(look(&runtime, &object).await, well());

    // It is created while the first file exists, so it certainly is another file.
    let backup = dir.path().join("backup");
    fs::write(&backup, "runs").unwrap();
    let gone = vec![format!("{} no longer exists", database.display())];
    let refused = async || {
        let (_, _, missing) = look(&runtime, &object).await;
        assert_eq!(missing, gone);
        let refused = start_it(&runtime, &workload).await.unwrap_err();
        assert!(
            matches!(refused, RuntimeError::StateLost { .. }),
            "{refused}"
        );
    };
    fs::write(&database, "").unwrap();
    refused().await;
    fs::remove_dir_all(database.parent().unwrap()).unwrap();
    refused().await;
    assert!(first.lives(), "nothing was changed");

    // The file was restored; the running processes have the old one open.
    fs::create_dir(database.parent().unwrap()).unwrap();
    fs::rename(&backup, &database).unwrap();
    let (readiness, outdated, missing) = look(&runtime, &object).await;
    assert_eq!(
        (readiness, outdated.len(), missing.len()),
        (Readiness::Ready, 1, 0)
    );
    start_it(&runtime, &workload).await.unwrap();
    assert!(!first.lives());
    assert_eq!(look(&runtime, &object).await, well());
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn programs_and_files_that_are_gone_are_drift() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let programs = dir.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let sh = programs.join("sh");
    let python = programs.join("python");
    let interpreter = dir.path().join("python3.11");
    fs::copy("/bin/sh", &sh).unwrap();
    fs::write(&interpreter, "").unwrap();
    std::os::unix::fs::symlink(&interpreter, &python).unwrap();
    let (process, _) = shell(&object, "exec sleep 300");
    let started = runtime.spawn(&object, &process, &programs, "digest".to_owned());
    let mut record = runtime.record(&object).unwrap();
    record
        .processes
        .insert("superlink".to_owned(), started.unwrap());
    record.files = ["ca.crt".to_owned()].into();
    runtime.save(&object, &record).unwrap();
    let ca = runtime.dir(&object).join("files/ca.crt");
    runtime.files().write(&ca, b"CA").unwrap();
    assert_eq!(look(&runtime, &object).await, well());
    for gone in [&interpreter, &sh, &ca] {
        let aside: PathBuf = dir.path().join("aside");
        fs::rename(gone, &aside).unwrap();
        let named = if gone == &interpreter { &python } else { gone };
        let (readiness, outdated, _) = look(&runtime, &object).await;
        assert_eq!(readiness, Readiness::Ready);
        assert_eq!(outdated.len(), 1, "{outdated:?}");
        assert!(
            outdated[0].contains(&*named.to_string_lossy()),
            "{outdated:?}"
        );
        fs::rename(&aside, gone).unwrap();
    }
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn a_program_that_was_made_anew_is_started_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object, workload) = started(dir.path()).await;
    let first = process(&runtime, &object);
    start_it(&runtime, &workload).await.unwrap();
    assert!(first.lives());
    let mut record = runtime.record(&object).unwrap();
    let started = record.processes.get_mut("superlink").unwrap();
    let other = dir.path().join("other");
    fs::write(&other, "").unwrap();
    started.program = Some(super::super::file_id::Program::at(&other));
    fs::remove_file(&other).unwrap();
    runtime.save(&object, &record).unwrap();
    start_it(&runtime, &workload).await.unwrap();
    assert!(!first.lives());
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn files_are_replaced_and_those_that_are_not_wanted_any_more_go() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object, mut workload) = started(dir.path()).await;
    let files = |names: &[&str]| -> BTreeMap<String, Content> {
        let content = |name: &&str| ((*name).to_owned(), Content::Public((*name).to_owned()));
        names.iter().map(content).collect()
    };
    for names in [["a", "b"], ["b", "c"]] {
        workload.files = files(&names);
        start_it(&runtime, &workload).await.unwrap();
        let found = fs::read_dir(runtime.dir(&object).join("files")).unwrap();
        let mut found: Vec<_> = found.map(|one| one.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, names);
    }
    remove(&runtime, &object, &[]).await.unwrap();
}
