use std::fs::File;

use tempfile::TempDir;

use crate::program::{ended, roster, run};

#[rstest::rstest]
#[case(&["--port=80"])]
#[case(&["serve", "now"])]
#[case(&["unknown"])]
#[case(&["completions"])]
#[case(&["--nothing"])]
fn wrong_usage_is_exit_code_2_and_nothing_is_made(#[case] arguments: &[&str]) {
    let folder = TempDir::new().unwrap();
    let ended = run(folder.path(), arguments, &[]);
    assert!(ended.code == 2 && ended.stdout.is_empty(), "{ended:?}");
    assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains("\nUsage: roster"), "{ended:?}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn it_tells_its_version_and_its_commands() {
    let folder = TempDir::new().unwrap();
    let version = run(folder.path(), &["--version"], &[]).done();
    assert_eq!(version, concat!("roster ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = run(folder.path(), &["--help"], &[]).done();
    for command in ["serve", "health", "openapi"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
}

#[test]
fn the_document_that_it_prints_is_the_committed_one() {
    let folder = TempDir::new().unwrap();
    let printed = run(folder.path(), &["openapi"], &[]).done();
    assert!(printed == include_str!("../../../../docs/openapi.json"));
}

#[test]
fn what_can_not_be_written_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let line = ended(roster(folder.path(), &["openapi"], &[]).stdout(full)).failed(1);
    assert!(line.contains("standard output"), "{line}");
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["completions", "bash"] as &[&str], &["completions", "zsh"], &["man"]] {
        let text = run(folder.path(), arguments, &[]).done();
        for command in ["serve", "health", "openapi"] {
            assert!(text.contains(command), "{command} is missing in {arguments:?}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = TempDir::new().unwrap();
    let pages: [&[&str]; 5] = [&[], &["migrate"], &["admin"], &["admin", "create"], &["check"]];
    for command in pages {
        let page = run(folder.path(), &[&["man"], command].concat(), &[]).done();
        let name = [&["roster"], command].concat().join("\\-");
        assert!(page.contains(&format!("\n.SH NAME\n{name} ")), "{page}");
        assert!(page.contains("\n.SH SYNOPSIS\n") && !page.contains("EXTRA"), "{page}");
    }
    let migrate = run(folder.path(), &["man", "migrate"], &[]).done();
    assert!(
        migrate.contains("images\\-from") && migrate.contains("Stop the service on the source first"),
        "{migrate}"
    );
    run(folder.path(), &["man", "nothing"], &[]).failed(2);
}
