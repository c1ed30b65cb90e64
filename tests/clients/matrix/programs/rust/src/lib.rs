//! Prints the lines of programs/python/checks.py.
use serde_json::json;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::time::Duration;

pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;
type Act = Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// How long a fact is waited for: an original takes its time to start again.
pub fn longest() -> Duration {
    Duration::from_secs(env("MATRIX_SECONDS").parse().unwrap_or(30))
}

/// A name that no other run has used.
pub fn named(name: &str) -> String {
    format!("{}-rust-{}", env("MATRIX_RUN"), name)
}

pub struct Checks;

impl Checks {
    pub fn begin(client: &str, version: &str) -> Self {
        println!("{}", json!({"client": client, "version": version}));
        Checks
    }

    /// In a task of its own, so that a panic is a failure like others.
    pub async fn check(&self, name: &str, act: Act) {
        let limited = tokio::time::timeout(2 * longest(), act);
        let failed = match tokio::spawn(limited).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(_)) => Some(format!("not within {:?}", 2 * longest())),
            Err(panic) => Some(panic.to_string()),
        };
        match failed {
            None => println!("{}", json!({"check": name, "ok": true})),
            Some(why) => println!("{}", json!({"check": name, "failed": why})),
        }
    }
}

/// The version of a library that the lock file has.
pub fn version(library: &str) -> String {
    let wanted = format!("name = \"{library}\"\nversion = \"");
    let lock = include_str!("../Cargo.lock");
    lock.split_once(&wanted)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or(String::new(), |(version, _)| version.to_string())
}

/// Lets all connections be cut (kill), or the broker go and come back (restart).
pub async fn happen(what: &'static str) -> Outcome {
    tokio::task::spawn_blocking(move || {
        let control = env("MATRIX_CONTROL").replace("http://", "");
        let mut stream = TcpStream::connect(&control)?;
        let path = format!("/{}/{}", env("MATRIX_PROTOCOL"), what);
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure(
            answer.contains(" 200 "),
            answer.lines().next().unwrap_or(""),
        )
    })
    .await?
}

pub fn ensure(fact: bool, otherwise: &str) -> Outcome {
    if fact {
        Ok(())
    } else {
        Err(otherwise.into())
    }
}
