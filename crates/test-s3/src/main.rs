//! The same server to be run by hand, for whoever has no S3 at hand. It is for trying things out: it keeps objects in a folder
//! without syncing them.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use roster_test_s3::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
roster-test-s3: an S3 server for trying things out. It is set up by environment variables:
  S3_ADDRESS             where it listens (127.0.0.1:9000)
  S3_FOLDER              where it keeps its objects (data/s3)
  S3_BUCKET              the bucket that it has (images)
  AWS_ACCESS_KEY_ID      the key that it knows (roster-test)
  AWS_SECRET_ACCESS_KEY  that key's secret (a secret of the tests)";

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is for the person at the terminal")]
async fn main() -> ExitCode {
    if env::args().len() > 1 {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is for the person at the terminal")]
async fn run() -> Result<(), String> {
    let folder = PathBuf::from(setting("S3_FOLDER").unwrap_or_else(|| "data/s3".to_owned()));
    let mut config = Config::local(&folder);
    let address = setting("S3_ADDRESS").unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    config.address = address.parse().map_err(|error| format!("S3_ADDRESS is {address:?}: {error}"))?;
    config.bucket = setting("S3_BUCKET").unwrap_or(config.bucket);
    config.access_key_id = setting("AWS_ACCESS_KEY_ID").unwrap_or(config.access_key_id);
    config.secret_access_key = setting("AWS_SECRET_ACCESS_KEY").unwrap_or(config.secret_access_key);
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder.display().to_string(), &error))?;

    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| failed("waiting for signals", &error))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| failed("waiting for signals", &error))?;
    let server = Server::bind(&config).map_err(|error| failed(&address, &error))?;
    let address = server.address().map_err(|error| failed(&address, &error))?;
    println!("the bucket {} is at http://{address}, kept in {}", config.bucket, folder.display());
    tokio::select! {
        () = server.serve() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn failed(what: &str, error: &dyn Display) -> String {
    format!("{what}: {error}")
}

/// An environment variable; empty is not set.
fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
