//! Records, notes and secrets as files: complete, readable only by their owner, and deleted with
//! their object.

use zeroize::Zeroizing;

use super::*;

#[tokio::test]
async fn a_note_that_cannot_be_read_is_never_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    assert!(runtime.notes("run-").await.unwrap().is_empty());
    let note = serde_json::json!({ "any": "thing" });
    runtime.write_note("run-1", &note, "").await.unwrap();
    let found = runtime.notes("run-").await.unwrap();
    assert_eq!((&found[0].note, found[0].owner_lives), (&note, true));
    let path = runtime.note_path("run-1");
    let written = fs::read_to_string(&path).unwrap();

    fs::write(&path, written.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let newer = runtime.notes("run-").await;
    assert!(matches!(newer, Err(RuntimeError::Format { .. })));
    for damaged in ["", "{", "{}", "{\"format\": 1}"] {
        fs::write(&path, damaged).unwrap();
        let damaged = runtime.notes("run-").await.unwrap_err();
        assert!(matches!(damaged, RuntimeError::DamagedNote { .. }));
        assert!(damaged.to_string().contains("run-1.json"), "{damaged}");
    }
    // Notes of other work are ignored.
    assert!(runtime.notes("else-").await.unwrap().is_empty());

    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.parent().unwrap(), "no folder").unwrap();
    let unreadable = runtime.notes("run-").await;
    assert!(matches!(unreadable, Err(RuntimeError::File { .. })));
}

#[tokio::test]
async fn a_removal_that_is_cut_short_leaves_nothing_for_the_next_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let path = |name: &str| runtime.dir(&object).join(name);
    for name in ["files", "state", "home", "logs"] {
        runtime
            .files()
            .write(&path(name).join("old"), b"old")
            .unwrap();
    }
    runtime.clear(&object).unwrap();
    let observed = runtime.observe(&object, &[]).await.unwrap();
    assert!(observed.is_some(), "the next removal still finds it");

    runtime
        .files()
        .write(&path("state").join("old"), b"old")
        .unwrap();
    runtime
        .files()
        .remove(&runtime.record_path(&object))
        .unwrap();
    claim(&runtime, &object).await.unwrap();
    assert!(!path("state").exists(), "a new object has no old database");
    assert!(path("logs").exists(), "logs are kept where that was asked");
}

#[tokio::test]
async fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let entries: SecretEntries = [("k".to_owned(), Zeroizing::new("v".to_owned()))].into();
    runtime
        .put_secret(&managed(&object("a")), "s", &entries)
        .await
        .unwrap();
    assert_eq!(
        runtime.secret(&object("a"), "s").await.unwrap(),
        Some(entries)
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&runtime.secret_path("s")), 0o600);
    assert_eq!(mode(&runtime.data_dir), 0o700);
    let secrets = ["s".to_owned()];
    remove(&runtime, &object("a"), &secrets).await.unwrap();
    remove(&runtime, &object("a"), &secrets).await.unwrap();
    assert_eq!(runtime.secret(&object("a"), "s").await.unwrap(), None);
}

#[tokio::test]
async fn what_a_killed_provider_was_writing_goes_with_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let other = start(&runtime, &object, "exec sleep 60");
    let half = |folder: &Path, writer: &Identity| {
        runtime.files().make_folder(folder).unwrap();
        let path = folder.join(format!(".unfinished-{}.x", writer.label()));
        fs::write(&path, "half a secr").unwrap();
        path
    };
    let vault = runtime.data_dir.join("vault");
    let living = half(&vault, &Identity::own());
    let killed = half(&vault, &other);
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!killed.exists(), "its writer was ended");
    assert!(living.exists(), "its writer goes on");

    fs::remove_file(living).unwrap();
    half(&vault, &other);
    half(&runtime.data_dir.join("journal"), &other);
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!runtime.data_dir.exists(), "nothing is left");
}

#[test]
fn what_is_being_written_is_known_by_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blocked/x.json");
    // A folder cannot be replaced by a file: the last step fails, and no file may be left.
    fs::create_dir_all(path.join("full")).unwrap();
    let files = files::OwnFiles::below(dir.path(), |_| true);
    assert!(files.write(&path, b"x").is_err());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "only what was there");
    assert!(Identity::lives_by(&Identity::own().label()));
    for label in [
        "",
        "-",
        "1",
        "1-",
        "x-y",
        "4294967296-0",
        "1-0000000000000000",
    ] {
        assert!(!Identity::lives_by(label), "{label}");
    }
}

#[tokio::test]
async fn a_file_of_the_vault_that_is_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let entries = [("k".to_owned(), Zeroizing::new("v".to_owned()))].into();
    let owner = managed(&object);
    runtime.put_secret(&owner, "s", &entries).await.unwrap();
    let parts = [Part::Service, Part::Volume, Part::Secret("s".to_owned())];
    let missing = async || {
        let observed = runtime.observe(&object, &parts).await;
        observed.unwrap().unwrap().missing
    };
    assert_eq!(missing().await, []);
    fs::remove_file(runtime.secret_path("s")).unwrap();
    let gone = missing().await;
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].part, parts[2]);
    assert!(
        gone[0].words.ends_with("s.json no longer exists"),
        "{gone:?}"
    );
}
