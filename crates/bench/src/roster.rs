//! The binary that is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::Program;
use crate::{Outcome, tell};

/// Whether this program, and so the binary that it measures, is built to be fast.
pub(crate) const IS_RELEASE: bool = !cfg!(debug_assertions);

/// Builds `roster` as this program was built, and tells where it is.
pub(crate) fn build() -> Outcome<Program> {
    tell("building roster");
    // Cargo names itself to what it runs.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["build", "--locked", "--package", "roster-api-actix", "--bin", "roster"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(IS_RELEASE.then_some("--release"))
        .stderr(Stdio::inherit());
    // What `cargo run` says about this package: a build script that watches it, ring's, would have it all built anew.
    let of_this_package =
        |name: &String| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in std::env::vars().map(|(name, _)| name).filter(of_this_package) {
        command.env_remove(name);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["name"] == "roster");
    let program = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    let path = program.ok_or("cargo built no program named roster")?;
    Ok(Program { path, arguments: Vec::new() })
}

/// The server that is built into this program.
pub(crate) fn built_in() -> Outcome<Program> {
    Ok(Program { path: std::env::current_exe()?, arguments: vec!["serve".to_owned()] })
}
