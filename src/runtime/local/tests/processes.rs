//! Which processes are ours. A wrong answer ends a foreign process, or leaves one that answers
//! instead of the next one.

use std::path::PathBuf;

use super::*;

#[tokio::test]
async fn children_in_sessions_of_their_own_end_too() {
    for script in [
        "setsid sleep 300 & echo child $!; exec sleep 300",
        // A child that lost its mark, in the session of one that has it.
        "setsid sh -c 'env -u TERRAFORM_PROVIDER_FLOWER_PROCESS sleep 300 & echo child $!; wait' & \
         exec sleep 300",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (runtime, object) = claimed(dir.path()).await;
        start(&runtime, &object, script);
        let found = |line: &str| line.strip_prefix("child ").map(str::to_owned);
        let child = runtime
            .wait_log(&object, "superlink", &found)
            .await
            .unwrap();
        // The child starts before it has lost its mark.
        tokio::time::sleep(Duration::from_millis(200)).await;
        remove(&runtime, &object, &[]).await.unwrap();
        let state = fs::read_to_string(format!("/proc/{child}/stat"));
        assert!(
            state.is_err() || state.unwrap().contains(") Z "),
            "the child lives: {script}"
        );
    }
}

#[tokio::test]
async fn a_recycled_pid_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let (ours, theirs) = (object("a"), object("b"));
    claim(&runtime, &ours).await.unwrap();
    claim(&runtime, &theirs).await.unwrap();
    let identity = start(&runtime, &theirs, "exec sleep 300");
    take_for_ours(&runtime, &ours, &theirs);
    let observed = runtime.observe(&ours, &[]).await.unwrap().unwrap();
    assert_eq!(observed.readiness, Readiness::Stopped, "it counts as gone");
    remove(&runtime, &ours, &[]).await.unwrap();
    assert!(identity.lives(), "it was left alone");
    remove(&runtime, &theirs, &[]).await.unwrap();
    assert!(!identity.lives());
}

/// Changes the record of `ours` to the process of `theirs`, with another start time: a process that
/// is not ours, and got its pid after ours ended.
fn take_for_ours(runtime: &LocalRuntime, ours: &ObjectRef, theirs: &ObjectRef) {
    let path = runtime.record_path(ours);
    let text = fs::read_to_string(runtime.record_path(theirs)).unwrap();
    let other = text.replace('@', "1@").replace("/b/home:", "/a/home:");
    assert_ne!(other, text);
    fs::write(path, other).unwrap();
}

#[tokio::test]
async fn children_of_a_recycled_pid_are_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let (ours, theirs) = (object("a"), object("b"));
    claim(&runtime, &ours).await.unwrap();
    claim(&runtime, &theirs).await.unwrap();
    // Their leader ends, and a child continues in its session.
    let leader = start(&runtime, &theirs, "sleep 300 & echo child $!; sleep 1");
    let found = |line: &str| line.strip_prefix("child ").map(str::to_owned);
    let child = runtime.wait_log(&theirs, "superlink", &found).await;
    let child: u32 = child.unwrap().parse().unwrap();
    while leader.lives() {
        tokio::time::sleep(LOOK).await;
    }
    take_for_ours(&runtime, &ours, &theirs);
    remove(&runtime, &ours, &[]).await.unwrap();
    assert!(running::start_of(child).is_some(), "it was left alone");
    remove(&runtime, &theirs, &[]).await.unwrap();
    assert!(running::start_of(child).is_none());
}

/// A workload with one script, in an environment that already exists.
pub(super) async fn with_environment(
    runtime: &LocalRuntime,
    object: &ObjectRef,
    script: &str,
) -> Workload {
    let workload = Workload {
        python: PythonEnvironment {
            flower_version: "1.42.0".to_owned(),
            oldest: (3, 0),
            newest: None,
            requirements: Vec::new(),
            simulation: false,
        },
        processes: vec![shell(object, script).0],
        files: BTreeMap::new(),
        pod: PodSettings::default(),
        exposure: None,
        storage: None,
        artifacts: false,
    };
    let cache = runtime.cache_dir.join("environments");
    environment::pretend(&cache, &runtime.python, &workload.python).await;
    workload
}

#[tokio::test]
async fn a_process_that_nobody_recorded_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime(dir.path());
    let (object, near) = (object("a"), object("a2"));
    let stop = CancellationToken::new();
    claim(&runtime, &object).await.unwrap();
    claim(&runtime, &near).await.unwrap();
    let neighbour = start(&runtime, &near, "exec sleep 300");
    let spawn = || {
        let (process, _) = shell(&object, "exec sleep 300");
        let digest = "digest".to_owned();
        let started = runtime.spawn(&object, &process, Path::new("/bin"), digest);
        let identity = started.unwrap().identity;
        // While a program replaces another one, the kernel shows no environment.
        let comm = format!("/proc/{}/comm", identity.pid);
        while fs::read_to_string(&comm).unwrap() != "sleep\n" {
            std::thread::sleep(Duration::from_millis(5));
        }
        identity
    };
    // The provider was killed before it wrote the record.
    let stray = spawn();
    let workload = with_environment(&runtime, &object, "exec sleep 300").await;
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    assert!(!stray.lives(), "it would answer in the other one's place");
    let started = |record: Record| record.processes["superlink"].identity.clone();
    let recorded = started(runtime.record(&object).unwrap());
    assert!(recorded.lives());
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    assert!(recorded.lives(), "what is recorded goes on");

    // A folder that was removed by hand is claimed again.
    let stray = spawn();
    fs::remove_dir_all(runtime.dir(&object)).unwrap();
    assert_eq!(claim(&runtime, &object).await.unwrap(), Claim::New);
    assert!(!recorded.lives() && !stray.lives());

    let stray = spawn();
    remove(&runtime, &object, &[]).await.unwrap();
    assert!(!stray.lives());
    assert!(neighbour.lives(), "another object's is left alone");
    remove(&runtime, &near, &[]).await.unwrap();
}

#[tokio::test]
async fn an_environment_that_is_gone_is_drift_and_its_processes_are_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let stop = CancellationToken::new();
    let workload = with_environment(&runtime, &object, "exec sleep 300").await;
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    let outdated = async || {
        let observed = runtime.observe(&object, &[]).await;
        observed.unwrap().unwrap().outdated.concat()
    };
    let running = || {
        let record = runtime.record(&object).unwrap();
        record.processes["superlink"].identity.clone()
    };
    assert_eq!(outdated().await, "");
    let first = running();
    fs::remove_dir_all(&runtime.cache_dir).unwrap();
    let words = outdated().await;
    assert!(words.contains("cannot be used"), "{words}");
    with_environment(&runtime, &object, "").await;
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    assert_ne!(running(), first, "what it would load next is another one's");
    assert_eq!(outdated().await, "");
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn a_port_that_somebody_took_is_no_port_to_start_on() {
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let stop = CancellationToken::new();
    let port = port(&runtime, &object).await;
    let workload = with_environment(&runtime, &object, "exec sleep 300").await;
    let other = std::net::TcpListener::bind((LOOPBACK, port)).unwrap();
    let refused = runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, RuntimeError::PortTaken { port: taken, .. } if taken == port),
        "{refused}"
    );
    drop(other);
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn one_without_the_program_that_it_keeps_beside_it_is_down() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    let stop = CancellationToken::new();
    let beside = dir.path().join("flower-superexec");
    fs::write(&beside, "#!/bin/sh\nwhile :; do sleep 1; done\n").unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "sleep 0.5; setsid {} & echo child $!; wait; exec sleep 300",
        beside.display()
    );
    let mut workload = with_environment(&runtime, &object, &script).await;
    workload.processes[0].keeps = Some("flower-superexec");
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    let readiness = async || {
        let observed = runtime.observe(&object, &[]).await;
        observed.unwrap().unwrap().readiness
    };
    let leader = || runtime.record(&object).unwrap().processes["superlink"].clone();
    assert_eq!(readiness().await, Readiness::NotReady);
    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    let first = leader().identity;
    runtime.ready(&object).await.unwrap();
    assert_eq!(
        leader().identity,
        first,
        "it was given the time that it took"
    );
    assert_eq!(readiness().await, Readiness::Ready);

    let kill = format!(
        "kill -9 $(sed -n 's/^child //p' {})",
        runtime.log_path(&object, "superlink").display()
    );
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let wait_policy = WaitPolicy {
        scheduling: None,
        starting: None,
        until: tokio::time::Instant::now(),
    };
    let failure = runtime.watch_failure(&object, wait_policy).await;
    assert!(
        failure.how.contains("flower-superexec ended"),
        "{failure:?}"
    );
    assert!(first.lives());
    assert_eq!(readiness().await, Readiness::Stopped);

    runtime
        .start(&managed(&object), &workload, &stop)
        .await
        .unwrap();
    runtime.ready(&object).await.unwrap();
    assert_ne!(leader().identity, first);
    assert_eq!(readiness().await, Readiness::Ready);
    remove(&runtime, &object, &[]).await.unwrap();
}

#[tokio::test]
async fn a_process_gets_no_more_of_its_user_than_it_needs() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (runtime, object) = claimed(dir.path()).await;
    // Like a shell that leaves a file open for its children.
    let open = fs::File::create(dir.path().join("open")).unwrap();
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
    let script = "echo x > made; mkdir folder; echo ready; read forever < fifo";
    let (mut process, _) = shell(&object, &format!("mkfifo fifo; {script}"));
    process
        .env
        .insert("SET".to_owned(), "by the user".to_owned());
    let started = runtime.spawn(&object, &process, Path::new("/bin"), "digest".to_owned());
    let mut record = runtime.record(&object).unwrap();
    record
        .processes
        .insert("superlink".to_owned(), started.unwrap());
    runtime.save(&object, &record).unwrap();
    let ready = |line: &str| (line == "ready").then(String::new);
    runtime
        .wait_log(&object, "superlink", &ready)
        .await
        .unwrap();

    let home = runtime.home(&object);
    let proc = PathBuf::from(format!(
        "/proc/{}",
        record.processes["superlink"].identity.pid
    ));
    let environ = fs::read_to_string(proc.join("environ")).unwrap();
    let mut names: Vec<_> = environ
        .split_terminator('\0')
        .map(|one| one.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    let expected = [
        "HOME",
        "LANG",
        "PATH",
        "PYTHONUNBUFFERED",
        "SET",
        running::MARK,
    ];
    assert_eq!(names, expected);
    assert!(environ.contains(&format!("HOME={}\0", home.display())));
    assert_eq!(
        fs::read_link(proc.join("cwd")).unwrap(),
        home.canonicalize().unwrap()
    );
    let status = fs::read_to_string(proc.join("status")).unwrap();
    assert!(status.contains("Umask:\t0077\n"), "{status}");
    let open = fs::read_dir(proc.join("fd")).unwrap();
    let open = open.map(|one| one.unwrap().file_name().into_string().unwrap());
    let open: BTreeMap<_, _> = open
        .map(|fd| (fd.clone(), fs::read_link(proc.join("fd").join(fd)).unwrap()))
        .filter(|(_, path)| !path.ends_with("fifo"))
        .collect();
    assert_eq!(open.keys().collect::<Vec<_>>(), ["0", "1", "2"], "{open:?}");
    let log = runtime.log_path(&object, "superlink");
    for (path, expected) in [
        (home.join("made"), 0o600),
        (home.join("folder"), 0o700),
        (log, 0o600),
        (home, 0o700),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{}", path.display());
    }
    remove(&runtime, &object, &[]).await.unwrap();
}
