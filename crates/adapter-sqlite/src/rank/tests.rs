use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::open;

fn database() -> (Connection, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open::writer(&folder.path().join("roster.db")).unwrap(), folder)
}

/// The id of this number: ids are ordered as their numbers are.
fn id(number: u128) -> UserId {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&number.to_be_bytes()[4..]);
    UserId::from_bytes(bytes)
}

fn insert(connection: &Connection, number: u128) {
    let rank = for_new(connection, id(number)).unwrap();
    execute(
        connection,
        "INSERT INTO users (rank, id, email, email_key, username, username_key, username_folded, role, password_hash)
         VALUES (?1, ?2, ?3, ?3, ?3, ?3, ?3, 'regular', '')",
        (rank, id(number).as_bytes(), format!("member{number}")),
    )
    .unwrap();
}

/// Inserts these in this order, and checks that both the rows and a search give them in the order of their ids.
fn assert_ordered(numbers: impl IntoIterator<Item = u128>) {
    let (connection, _folder) = database();
    let mut expected = Vec::new();
    for number in numbers {
        insert(&connection, number);
        expected.push(id(number));
    }
    expected.sort_unstable();
    let by_rank =
        all(&connection, "SELECT id FROM users ORDER BY rank", [], |row| crate::rows::user_id(row, 0))
            .unwrap();
    assert_eq!(by_rank, expected);
    let found = all(
        &connection,
        "SELECT id FROM username_search JOIN users ON users.rank = username_search.rowid
         WHERE username_search MATCH '\"member\"' ORDER BY username_search.rowid",
        [],
        |row| crate::rows::user_id(row, 0),
    )
    .unwrap();
    assert_eq!(found, expected);
}

#[test]
fn ids_that_bisect_one_gap_again_and_again_are_kept_in_order() {
    let (mut low, mut high) = (0, 1 << 90);
    let mut numbers = vec![low, high];
    for turn in 0..80 {
        let middle = u128::midpoint(low, high);
        numbers.push(middle);
        if turn % 3 == 0 { low = middle } else { high = middle }
    }
    assert_ordered(numbers);
}

#[test]
fn ids_that_keep_coming_in_below_the_last_are_kept_in_order() {
    assert_ordered(std::iter::once(1_000_000).chain(0..300));
}

#[test]
fn ids_that_keep_coming_in_above_the_first_are_kept_in_order() {
    assert_ordered(std::iter::once(0).chain((1..300).rev()));
}

#[test]
fn two_generators_that_interleave_are_kept_in_order() {
    // Two processes: the same second, and after it each one's own number, which it counts up.
    let of = |second: u128, process: u128, count: u128| second << 64 | process << 32 | count;
    let second = |second| (0..40).flat_map(move |count| [of(second, 2, count), of(second, 1, count)]);
    assert_ordered((0..5).flat_map(second));
}

#[test]
fn a_step_that_would_leave_the_numbers_is_not_taken() {
    let (connection, _folder) = database();
    insert(&connection, 5);
    insert(&connection, 6);
    execute(&connection, "UPDATE users SET rank = ?1 WHERE rank = 0", [i64::MIN + 1]).unwrap();
    execute(&connection, "UPDATE users SET rank = ?1 WHERE rank = ?2", (i64::MAX - 1, STEP)).unwrap();
    for number in [7, 8, 4, 3] {
        insert(&connection, number);
    }
    let by_rank =
        all(&connection, "SELECT id FROM users ORDER BY rank", [], |row| crate::rows::user_id(row, 0))
            .unwrap();
    assert_eq!(by_rank, [3, 4, 5, 6, 7, 8].map(id));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn ids_in_any_order_are_kept_in_order(numbers in prop::collection::hash_set(0u64..200, 1..60)) {
        assert_ordered(numbers.into_iter().map(u128::from));
    }
}
