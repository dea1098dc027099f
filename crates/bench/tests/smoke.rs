//! The benchmark runs to its end, on few users and for moments; what it measures then means nothing.

use std::process::Command;

#[test]
fn the_benchmark_prints_its_table() {
    let output = Command::new(env!("CARGO_BIN_EXE_roster-bench"))
        .args([
            "--built-in",
            "--users",
            "200,300",
            "--seconds",
            "0.2",
            "--connections",
            "4",
            "--log-ins",
            "4",
        ])
        .output()
        .unwrap();
    let (table, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows[0][2], "200 users", "{table}");
    for begin in ["own account", "page 100", "search", "sign-up", "log-ins ÷ limit", "resident memory, idle"]
    {
        let row = rows.iter().find(|row| row[1].starts_with(begin));
        let row = row.unwrap_or_else(|| panic!("no row of {begin} in {table}"));
        assert!(row[2].starts_with(|c: char| c.is_ascii_digit()), "{row:?}");
    }
}
