//! The time limit of a request. kube itself waits for a reply without end, and retries as often and
//! as long as a busy API server asks for: a plan would hang in a network that drops packets.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

/// How long a reply may take, with all retries.
const ANSWER: Duration = Duration::from_secs(30);
/// The same for large replies: lists and logs.
const LONG_ANSWER: Duration = Duration::from_mins(1);
/// The first pause before a retry with a busy API server, doubled each time.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, whatever the API server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const PAUSES: u32 = 5;

/// A request without a reply.
#[derive(Debug, thiserror::Error)]
#[error("no answer to {asked} within {} s", limit.as_secs())]
pub(super) struct NoAnswer {
    /// Method and path.
    pub asked: String,
    pub limit: Duration,
}

/// A client whose requests have a time limit.
pub(super) fn with_request_timeout(client: Client, namespace: &str) -> Client {
    Client::new(WithRequestTimeout(client), namespace)
}

struct WithRequestTimeout(Client);

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl Service<Request<Body>> for WithRequestTimeout {
    type Response = Response<Body>;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Boxed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.0.clone();
        let no_answer = NoAnswer {
            asked: format!("{} {}", request.method(), request.uri().path()),
            limit: limit(&request),
        };
        let is_stream = is_stream(&request);
        Box::pin(async move {
            let until = Instant::now() + no_answer.limit;
            let answer = timeout_at(until, async {
                let answer = ask(&client, request).await?;
                if is_stream && answer.status().is_success()
                    || answer.status() == StatusCode::SWITCHING_PROTOCOLS
                {
                    return Ok(answer);
                }
                // The network can also drop the rest of a reply.
                let (parts, body) = answer.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, Boxed>(Response::from_parts(parts, Body::from(body)))
            });
            answer.await.unwrap_or_else(|_| Err(no_answer.into()))
        })
    }
}

/// Retries a few times while the API server is busy; returns its last reply.
async fn ask(client: &Client, mut request: Request<Body>) -> Result<Response<Body>, Boxed> {
    for tried in 0..PAUSES {
        let Some(next) = again(&request) else {
            break;
        };
        let answer = send(client, request).await?;
        let Some(pause) = pause(&answer, tried) else {
            return Ok(answer);
        };
        tokio::time::sleep(pause).await;
        request = next;
    }
    send(client, request).await
}

/// Logs one line for each request, so that the requests of a plan or apply can be counted.
async fn send(client: &Client, request: Request<Body>) -> Result<Response<Body>, Boxed> {
    let (method, path) = (request.method(), request.uri().path());
    let goes_on = is_stream(&request);
    tracing::debug!(%method, path, goes_on, "kubernetes");
    Ok(client.send(request).await?)
}

fn again(request: &Request<Body>) -> Option<Request<Body>> {
    let mut again = Request::new(request.body().try_clone()?);
    again.method_mut().clone_from(request.method());
    again.uri_mut().clone_from(request.uri());
    again.headers_mut().clone_from(request.headers());
    again.extensions_mut().clone_from(request.extensions());
    Some(again)
}

/// Whether a retry may get another reply a moment later. It is safe if the server has already done
/// the work: a record that is created twice is recognised by its lease.
fn is_busy(status: StatusCode) -> bool {
    let never = [
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ];
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() && !never.contains(&status)
}

/// The pause before a retry with a busy API server; `None` if it was not busy.
fn pause<B>(answer: &Response<B>, tried: u32) -> Option<Duration> {
    if !is_busy(answer.status()) {
        return None;
    }
    let ours = PAUSE * 2_u32.pow(tried);
    let theirs = answer.headers().get(header::RETRY_AFTER);
    let theirs = theirs
        .and_then(|text| text.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    Some(
        theirs
            .map_or(ours, |theirs| theirs.max(ours))
            .min(LONGEST_PAUSE),
    )
}

fn limit<B>(request: &Request<B>) -> Duration {
    if request.method() == Method::GET && request.uri().query().is_some() && !is_stream(request) {
        LONG_ANSWER
    } else {
        ANSWER
    }
}

/// Whether the reply is a stream without a fixed end.
fn is_stream<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query
        .split('&')
        .any(|one| ["watch=true", "follow=true"].contains(&one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn an_object_is_answered_sooner_than_a_list() {
        assert_eq!(limit(&asked("/api/v1/namespaces/a")), ANSWER);
        assert_eq!(limit(&asked("/api/v1/pods?&labelSelector=a")), LONG_ANSWER);
        for stream in [
            "/api/v1/pods?&watch=true&timeoutSeconds=60",
            "/log?follow=true&",
        ] {
            assert!(is_stream(&asked(stream)));
            assert_eq!(limit(&asked(stream)), ANSWER);
        }
    }

    #[test]
    fn what_a_busy_server_asks_for_is_bounded() {
        let answer = |code: u16, after: &str| {
            let answer = Response::builder()
                .status(code)
                .header("retry-after", after);
            answer.body(()).unwrap()
        };
        assert_eq!(pause(&answer(200, "9"), 0), None);
        for final_one in [400, 409, 501, 505] {
            assert_eq!(pause(&answer(final_one, "9"), 0), None, "{final_one}");
        }
        for busy in [429, 500, 502, 503, 504] {
            assert!(pause(&answer(busy, ""), 0).is_some(), "{busy}");
        }
        assert_eq!(pause(&answer(429, "1"), 0), Some(Duration::from_secs(1)));
        assert_eq!(pause(&answer(429, "86400"), 0), Some(LONGEST_PAUSE));
        assert_eq!(pause(&answer(503, "soon"), 1), Some(PAUSE * 2));
        assert!((0..PAUSES).all(|tried| pause(&answer(504, "0"), tried) <= Some(LONGEST_PAUSE)));
        assert!(LONGEST_PAUSE * PAUSES < ANSWER);
    }
}
