//! The rules of docs/architecture.md that a compiler does not keep.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Imports, sources};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).features(CargoOpt::AllFeatures);
    // For this machine alone: what other systems need may not have been downloaded.
    let options = ["--offline", "--locked", "--filter-platform", "host-tuple"];
    command.other_options(options.map(str::to_owned).to_vec()).exec().unwrap()
}

/// The packages that each package needs to be built and used; not those of its tests.
fn dependencies(metadata: &Metadata) -> BTreeMap<&PackageId, Vec<&PackageId>> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let normal = |node: &'_ cargo_metadata::Node| {
        let of_node = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        of_node.map(|dependency| dependency.pkg.clone()).collect::<Vec<_>>()
    };
    let ids: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (package.id.clone(), &package.id)).collect();
    nodes.iter().map(|node| (&node.id, normal(node).iter().map(|id| ids[id]).collect())).collect()
}

/// Everything that a package needs, directly or not.
fn all_dependencies(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let direct = dependencies(metadata);
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|found| (&found.id, found.name.to_string())).collect();
    let mut open: Vec<_> =
        metadata.packages.iter().filter(|found| *found.name == package).map(|found| &found.id).collect();
    assert_eq!(open.len(), 1, "{package}");
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(&direct[id]);
        }
    }
    seen.into_iter().map(|id| names[id].clone()).filter(|name| name != package).collect()
}

/// The crates of this workspace that each of them needs, tests apart.
fn own_dependencies(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let own: BTreeSet<_> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let needs = |package: &cargo_metadata::Package| {
        let normal = package.dependencies.iter().filter(|needed| needed.kind == DependencyKind::Normal);
        normal.map(|needed| needed.name.clone()).filter(|name| own.contains(name)).collect()
    };
    metadata.workspace_packages().iter().map(|package| (package.name.to_string(), needs(package))).collect()
}

#[test]
fn the_domain_needs_no_crate_that_does_io() {
    const BANNED: &[&str] = &[
        "actix",
        "aws",
        "axum",
        "bson",
        "cap-std",
        "diesel",
        "fs-err",
        "h2",
        "hyper",
        "libsqlite3-sys",
        "mio",
        "mongodb",
        "object_store",
        "redis",
        "reqwest",
        "rusqlite",
        "rustix",
        "rustls",
        "sea-orm",
        "socket2",
        "sqlx",
        "tempfile",
        "tokio",
    ];
    let metadata = metadata();
    // `mocks` is for the tests of others; it is all that brings mockall.
    let needed = all_dependencies(&metadata, "roster-domain");
    assert!(needed.contains("async-trait"), "the graph is read: {needed:?}");
    for name in &needed {
        let banned = BANNED.iter().find(|banned| name == *banned || name.starts_with(&format!("{banned}-")));
        assert_eq!(banned, None, "roster-domain needs {name}");
    }
    assert!(
        !needed.iter().any(|name| name.starts_with("roster-")),
        "roster-domain needs nobody of ours: {needed:?}"
    );
}

/// Whether a path leads to files, sockets or processes, or is of all of `std` or `std::net`, through which one may.
fn leads_outside(path: &[String]) -> bool {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["std"] | ["std", "net"] | ["std", "env" | "fs" | "os" | "process", ..] => true,
        ["std", "net", name, ..] => {
            ["Tcp", "Udp", "ToSocketAddrs"].iter().any(|socket| name.starts_with(socket))
        }
        _ => false,
    }
}

/// The paths in these sources that lead outside.
fn paths_outside(sources: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let imports = Imports::of("roster_domain", sources);
    let outside = imports.named().filter(|(_, path)| leads_outside(path));
    outside.map(|(file, path)| format!("{file}: {}", path.join("::"))).collect()
}

#[test]
fn the_domain_opens_no_file_and_no_socket_and_starts_no_process() {
    assert_eq!(paths_outside(sources(&root().join("crates/domain/src"))), [""; 0]);
}

#[test]
fn what_leads_outside_is_found_however_it_is_named() {
    let outside = |source: &str| paths_outside([("lib.rs".to_owned(), source.to_owned())]).len();
    for source in [
        "use std::{fs, io};",
        "use std::{io, net::{IpAddr, TcpStream as Stream}};",
        "pub(crate) use std::process::Command;",
        "use std as s;",
        "use std::net;",
        "use std::net::*;",
        "fn f() { std::fs::read(\"x\"); }",
        "fn f(_: ::std::net::UdpSocket) {}",
        "fn f() { assert!(std::fs::exists(\"x\")); }",
    ] {
        assert_eq!(outside(source), 1, "{source}");
    }
    for source in ["use std::net::IpAddr;", "use std::io;", "#[cfg(test)] mod tests { use std::fs; }"] {
        assert_eq!(outside(source), 0, "{source}");
    }
}

#[test]
fn adapters_need_the_domain_alone_and_never_one_another() {
    let own = own_dependencies(&metadata());
    let adapters: Vec<_> = own.iter().filter(|(name, _)| name.starts_with("roster-adapter-")).collect();
    assert!(adapters.len() >= 4, "{adapters:?}");
    for (name, needed) in adapters {
        // Beside it, what knows nothing of Roster and could be anybody's.
        let knows_roster = |needed: &&String| !own[*needed].is_empty() || *needed == "roster-domain";
        let of_roster: Vec<_> = needed.iter().filter(knows_roster).collect();
        assert_eq!(of_roster, ["roster-domain"], "{name}");
        assert!(
            !needed.iter().any(|needed| needed.starts_with("roster-adapter-")),
            "{name} needs {needed:?}"
        );
    }
}

#[test]
fn only_the_composition_root_is_built_on_adapters() {
    for (name, needed) in own_dependencies(&metadata()) {
        if !matches!(name.as_str(), "roster-api-actix" | "roster-bench") {
            assert!(
                !needed.iter().any(|needed| needed.starts_with("roster-adapter-")),
                "{name} needs {needed:?}"
            );
        }
    }
}

/// What each crate needs of the others, where it is neither an adapter nor what puts all together, nor for tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("roster-bcrypt-lanes", &[]),
    ("roster-domain", &[]),
    ("roster-fastapi-body", &[]),
    ("roster-http-server", &[]),
    ("roster-jobs", &["roster-domain"]),
    ("roster-settings", &["roster-domain"]),
    ("roster-telemetry", &["roster-domain", "roster-settings"]),
    ("roster-transfer", &["roster-domain"]),
];

#[test]
fn a_crate_needs_those_that_its_purpose_says_and_no_other() {
    let own = own_dependencies(&metadata());
    let is_special = |name: &str| {
        let kinds = ["roster-adapter-", "roster-test-"];
        let all_together = ["roster-api-actix", "roster-bench", "roster-domain-testkit"];
        kinds.iter().any(|kind| name.starts_with(kind)) || all_together.contains(&name)
    };
    let found: BTreeMap<_, Vec<_>> = own
        .iter()
        .filter(|(name, _)| !is_special(name))
        .map(|(name, needed)| (name.as_str(), needed.iter().map(String::as_str).collect()))
        .collect();
    let expected: BTreeMap<_, _> = ARROWS.iter().map(|(name, needed)| (*name, needed.to_vec())).collect();
    assert_eq!(found, expected);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn one_module_of_the_api_names_adapters() {
    let source = root().join("crates/api-actix/src");
    let names_adapters = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("roster_adapter_");
    let files: Vec<_> = rust_files(&source).into_iter().filter(names_adapters).collect();
    let composition = source.join("composition");
    assert!(!files.is_empty() && files.iter().all(|file| file.starts_with(&composition)), "{files:?}");
}

/// How many lines the HTTP crate may have beside its endpoints, its commands and its tests. It stays thin: what is no route, no
/// translation to HTTP and no composition has a crate of its own, where it is tested without a server.
const LINES_OF_THE_API: usize = 2_700;

#[test]
fn the_api_stays_thin() {
    let is_elsewhere = |path: &str| {
        ["http/endpoints/", "http/tests/", "commands/"].iter().any(|part| path.starts_with(part))
    };
    let lines = |source: &str| {
        let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        code.lines().count()
    };
    let sources = sources(&root().join("crates/api-actix/src"));
    let counted = sources.iter().filter(|(path, _)| !is_elsewhere(path)).map(|(_, source)| lines(source));
    let counted: usize = counted.sum();
    assert!(counted > 1_000, "the lines are read: {counted}");
    assert!(counted <= LINES_OF_THE_API, "{counted} lines: what of it could stand elsewhere?");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let (mut arrows, mut circles) = (0, Vec::new());
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let imports =
            Imports::of(&format!("roster_{}", name.replace('-', "_")), sources(&folder.join("src")));
        let imported = imports.arrows();
        arrows += imported.values().map(BTreeSet::len).sum::<usize>();
        for circle in imports.circles() {
            for file in &circle {
                let others: Vec<_> = imported[file].intersection(&circle).collect();
                circles.push(format!("{name}: {file} imports {others:?}"));
            }
        }
    }
    assert!(arrows > 300, "the imports are read: {arrows}");
    assert!(circles.is_empty(), "{circles:#?}");
}

/// What stands between backticks or as a link's target, where it looks like a path of this repository.
fn paths_in(text: &str) -> BTreeSet<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let rooms = ["crates/", "docs/", "deploy/", "fuzz/", ".github/"];
    let files =
        ["Cargo.toml", "clippy.toml", "deny.toml", "rustfmt.toml", ".env_example", "README.md", "Cargo.lock"];
    let is_path = |text: &&str| rooms.iter().any(|room| text.starts_with(room)) || files.contains(text);
    let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
    let relative =
        links.map(|target| target.split('#').next().unwrap_or_default()).filter(|target| !target.is_empty());
    let relative = relative
        .map(|target| target.strip_prefix("../").map_or_else(|| format!("docs/{target}"), str::to_owned));
    spans.filter(is_path).filter(plain).map(str::to_owned).chain(relative).collect()
}

#[test]
fn every_path_that_the_architecture_page_names_exists() {
    let root = root();
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("docs/architecture.md");
    let paths = paths_in(&text);
    assert!(paths.len() >= 5, "a map names places: {paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "docs/architecture.md names what is not there: {missing:?}");
}

#[test]
fn every_crate_stands_on_the_architecture_page() {
    let root = root();
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("docs/architecture.md");
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(text.contains(&name), "docs/architecture.md does not mention crates/{name}");
    }
}

/// The arguments of the macro call that begins there, behind its opening parenthesis.
fn arguments(text: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

#[test]
fn every_log_line_has_a_message() {
    let mut lines = 0;
    for file in rust_files(&root().join("crates")) {
        if !file.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for level in ["trace", "debug", "info", "warn", "error"] {
            for (at, call) in text.match_indices(&format!("tracing::{level}!(")) {
                let line = arguments(&text[at + call.len()..]).trim_end().trim_end_matches(',');
                let message = line.strip_suffix('"').and_then(|line| line.rsplit_once('"'));
                // What stands behind `=` is a field's.
                let has_message = message.is_some_and(|(before, _)| {
                    let before = before.trim_end();
                    before.is_empty() || before.ends_with(',')
                });
                assert!(has_message, "{}: {line}", file.display());
                lines += 1;
            }
        }
    }
    assert!(lines > 50, "{lines}");
}
