//! Load in numbers: so many requests over so many connections, and what they took.

use super::http::Connection;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One request: method, path, body.
pub type Request = (&'static str, String, String);

/// What a run took.
#[derive(Debug, Clone)]
pub struct Run {
    /// The time of each request, sorted.
    pub times: Vec<Duration>,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Answers that were no success.
    pub errors: usize,
    /// Bytes of the last answer.
    pub bytes: usize,
}

impl Run {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// The time that `part` (0 to 1) of the requests stayed below, in milliseconds.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let at = ((self.times.len() as f64 * part) as usize).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    }
}

/// Sends `count` requests made by `request(n)` over `concurrency` connections.
pub async fn run(
    host: &str,
    concurrency: usize,
    count: usize,
    request: impl Fn(usize) -> Request + Send + Sync + 'static,
) -> io::Result<Run> {
    run_as(host, "", concurrency, count, request).await
}

/// As [`run`], as whose token that is.
pub async fn run_as(
    host: &str,
    token: &str,
    concurrency: usize,
    count: usize,
    request: impl Fn(usize) -> Request + Send + Sync + 'static,
) -> io::Result<Run> {
    let next = Arc::new(AtomicUsize::new(0));
    let request = Arc::new(request);
    let mut connections = Vec::new();
    for _ in 0..concurrency {
        connections.push(Connection::open_as(host, token).await?);
    }
    let start = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(client(connection, next.clone(), count, request.clone())))
        .collect();
    let mut all = Run { times: Vec::new(), wall: Duration::ZERO, errors: 0, bytes: 0 };
    for task in tasks {
        let (times, errors, bytes) = task.await.map_err(io::Error::other)??;
        all.times.extend(times);
        all.errors += errors;
        all.bytes = all.bytes.max(bytes);
    }
    all.wall = start.elapsed();
    all.times.sort_unstable();
    Ok(all)
}

async fn client(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    count: usize,
    request: Arc<impl Fn(usize) -> Request>,
) -> io::Result<(Vec<Duration>, usize, usize)> {
    let (mut times, mut errors, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return Ok((times, errors, bytes));
        }
        let (method, path, body) = request(n);
        let start = Instant::now();
        let answer = connection.send(method, &path, &body).await?;
        times.push(start.elapsed());
        errors += usize::from(!(200..300).contains(&answer.status));
        bytes = answer.body.len();
    }
}
