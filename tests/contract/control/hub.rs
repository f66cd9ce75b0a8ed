//! Apps of Flower Hub: a SuperLink fetches them, here from a server of the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::SystemTime;

use bytes::Bytes;
use terraform_provider_flower::flower::control::{ControlError, StartRun, Submission, find_lost};
use terraform_provider_flower::flower::launch::Isolation;

use super::rig::{SuperLink, app};

/// The URL of a Flower Hub with one app, `@acme/probe`.
fn hub(fab: Bytes) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&stream.unwrap(), &own, &fab);
        }
    });
    url
}

fn answer(mut stream: &TcpStream, url: &str, fab: &[u8]) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let lengths = head.iter();
    let mut lengths = lengths.filter_map(|line| line.strip_prefix("content-length:"));
    let length = lengths
        .next()
        .map_or(0, |text| text.trim().parse().unwrap());
    let mut asked = vec![0; length];
    reader.read_exact(&mut asked).unwrap();
    let asked = String::from_utf8(asked).unwrap();
    let (status, body) = if head[0].starts_with("get ") {
        ("200 OK", fab.to_vec())
    } else if asked.contains("\"@acme/probe\"") {
        let link = format!("{{\"fab_url\": \"{url}/probe.fab\"}}");
        ("200 OK", link.into_bytes())
    } else {
        ("404 Not Found", b"{\"detail\": \"no such app\"}".to_vec())
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    stream.write_all(&body).unwrap();
}

#[tokio::test]
async fn an_app_of_flower_hub_is_fetched_and_its_run_is_found_by_its_name() {
    let fab = app("print('done')");
    let bundle = StartRun::new(fab.clone(), BTreeMap::new(), "");
    let mut superlink = SuperLink::plain(Isolation::Process);
    superlink.processes.clear();
    let variables = &mut superlink.settings.environment.variables;
    variables.insert("FLWR_SUPERGRID_API_URL".to_owned(), hub(fab));
    superlink.launch();
    let client = superlink.healthy().await;
    let of_hub = |app: &str| StartRun::of_hub(app.parse().unwrap(), BTreeMap::new(), "");
    for app in ["@acme/probe==1.0.0", "@acme/probe"] {
        let submission = Submission {
            start: of_hub(app),
            since: SystemTime::now(),
            known: BTreeSet::new(),
        };
        let id = client.start_run(&submission.start).await.unwrap();
        let run = client.run(id).await.unwrap();
        assert_eq!(run.app_id, "acme/probe");
        assert_eq!(run.app_version, "1.0.0");
        assert_eq!(Some(run.fab_hash.as_str()), bundle.fab_hash());
        // As a process would that did not get the reply.
        assert_eq!(find_lost(&client, &submission).await, Ok(Some(id)));
    }
    let missing = client.start_run(&of_hub("@acme/none")).await.unwrap_err();
    assert!(matches!(missing, ControlError::Refused(_)), "{missing:?}");
}
