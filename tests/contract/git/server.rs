//! An HTTP server around `git http-backend`, with logins, TLS and faults.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What a handler does with a request: pass it to git, answer with this text, or never answer.
pub enum Answer {
    Git,
    Text(String),
    Never,
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(
        root: &Path,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(root, None, handler)
    }

    /// Asks for the login `me` with this password.
    pub fn with_login(root: &Path, password: &str) -> Self {
        Self::start(root, login(password))
    }

    pub fn with_tls(
        root: &Path,
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (root, handler): (PathBuf, Arc<Handler>) = (root.to_owned(), Arc::new(handler));
        let seen = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (root, handler, tls, seen) =
                    (root.clone(), handler.clone(), tls.clone(), seen.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let Some(tls) = tls else {
                        let mut stream: TcpStream = stream;
                        return serve(&mut stream, &root, &*handler, &seen);
                    };
                    let connection = rustls::ServerConnection::new(tls).unwrap();
                    let mut stream = rustls::StreamOwned::new(connection, stream);
                    serve(&mut stream, &root, &*handler, &seen);
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/app.git", self.address)
    }

    /// Whether a request had this header.
    pub fn saw(&self, header: &str) -> bool {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .any(|request| request.header(header).is_some())
    }
}

pub fn login(password: &str) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let expected = format!("Basic {}", STANDARD.encode(format!("me:{password}")));
    move |request| match request.header("authorization") {
        Some(given) if given == expected => Answer::Git,
        given => Answer::Text(format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nX: {given:?}\r\nContent-Length: 0\r\n\r\n"
        )),
    }
}

pub fn text(status: &str, kind: &str, body: &str) -> Answer {
    Answer::Text(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}

pub fn redirect(to: &str) -> Answer {
    Answer::Text(format!(
        "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ))
}

fn serve(
    stream: &mut (impl Read + Write),
    root: &Path,
    handler: &Handler,
    seen: &Mutex<Vec<Request>>,
) {
    let Some(request) = read_request(stream) else {
        return;
    };
    match handler(&request) {
        Answer::Git => backend(stream, root, &request),
        Answer::Text(text) => stream.write_all(text.as_bytes()).unwrap(),
        Answer::Never => std::thread::sleep(std::time::Duration::from_mins(1)),
    }
    seen.lock().unwrap().push(request);
}

fn read_request(stream: &mut impl Read) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Runs `git http-backend` and passes its output on as it comes.
fn backend(stream: &mut impl Write, root: &Path, request: &Request) {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or(""))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env(
            "HTTP_CONTENT_ENCODING",
            request.header("content-encoding").unwrap_or(""),
        )
        .env("GIT_PROTOCOL", request.header("git-protocol").unwrap_or(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&request.body)
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut head = Vec::new();
    let end = loop {
        let size = output.read(&mut buffer).unwrap();
        head.extend_from_slice(&buffer[..size]);
        if let Some(end) = head.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        assert!(size > 0);
    };
    let headers = String::from_utf8(head[..end].to_vec()).unwrap();
    let status = headers
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(&head[end + 4..]);
    loop {
        let size = output.read(&mut buffer).unwrap();
        if size == 0 || stream.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    let _ = stream.flush();
    drop(output);
    child.wait().unwrap();
}
