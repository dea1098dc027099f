//! The binary that is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::outcome::{Outcome, tell};
use crate::server::Program;

/// The Cargo profile that built this program, and builds the binary that it measures: the name of the folder it stands in, in
/// which `dev` is `debug`.
pub(crate) fn profile() -> String {
    let folder =
        std::env::current_exe().ok().and_then(|path| path.parent()?.file_name()?.to_str().map(str::to_owned));
    match folder {
        Some(folder) if folder != "debug" => folder,
        _ => "dev".to_owned(),
    }
}

/// Builds `roster` with the profile of this program, and returns where it is.
///
/// Both packages are named, as they were when this program was built: what they share is built with the same features, once.
pub(crate) fn build() -> Outcome<Program> {
    tell("building roster");
    // Cargo names itself to what it runs.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args([
            "build",
            "--locked",
            "--package",
            "roster-bench",
            "--package",
            "roster-api-actix",
            "--bin",
            "roster",
        ])
        .args(["--profile", &profile(), "--message-format", "json-render-diagnostics"])
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
