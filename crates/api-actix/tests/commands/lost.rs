//! A database that is gone is not taken for a new one.

use std::fs;
use std::path::Path;

use roster_adapter_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::program::{run, run_with_input};

const COMMANDS: [&[&str]; 4] = [
    &["serve"],
    &["check"],
    &["purge"],
    &["admin", "create", "--email", "ada@example.com", "--username", "ada"],
];

fn make_an_admin(folder: &Path) {
    run_with_input(folder, COMMANDS[3], &[("BCRYPT_COST", "4")], "a password\n").done();
}

/// Each command that opens the database refuses, names what remains, and makes nothing.
fn is_refused(folder: &Path, remains: &str) {
    let file = folder.join("data/roster.db");
    let length = file.metadata().ok().map(|found| found.len());
    for command in COMMANDS {
        let ended = match command {
            ["admin", ..] => run_with_input(folder, command, &[("PORT", "0")], "a password\n"),
            _ => run(folder, command, &[("PORT", "0")]),
        };
        assert_eq!(ended.code, 1, "{command:?} {ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for part in ["data/roster.db is missing or empty", remains, "put the database back", "move"] {
            assert!(said.contains(part), "{command:?} {part:?} {said}");
        }
        assert_eq!(file.metadata().ok().map(|found| found.len()), length, "{command:?}");
    }
}

#[test]
fn a_database_that_is_missing_or_empty_beside_a_key_or_images_stops_the_start() {
    for empty in [false, true] {
        for (remains, content) in [
            ("data/secret_key", "whatever"),
            ("data/images/670000000000000000000001/00000000000000000000000000000000.png", "an image"),
        ] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join(remains);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            if empty {
                fs::write(folder.path().join("data/roster.db"), "").unwrap();
            }
            let named = if remains.contains("images") { "data/images" } else { remains };
            is_refused(folder.path(), named);

            // Once what remains is moved away, an empty one is made.
            fs::rename(folder.path().join(named), folder.path().join("elsewhere")).unwrap();
            make_an_admin(folder.path());
            assert!(folder.path().join("data/roster.db").metadata().unwrap().len() > 0);
        }
    }
}

#[test]
fn a_database_with_nobody_in_it_and_files_of_others_are_no_reason_to_stop() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    drop(SqliteStore::open(&data.join("roster.db")).unwrap());
    fs::create_dir_all(data.join("images/670000000000000000000001")).unwrap();
    fs::write(data.join("images/670000000000000000000001/a.png"), "an image").unwrap();
    run(folder.path(), &["purge"], &[]).done();

    let folder = TempDir::new().unwrap();
    let images = folder.path().join("data/images");
    fs::create_dir_all(images.join("670000000000000000000001")).unwrap();
    fs::write(images.join("of_the_fastapi_service.png"), "an image").unwrap();
    make_an_admin(folder.path());
}
