//! Counted ids are what the port promises of ids, apart from being random.

use roster_domain::ports::Ids;
use roster_domain_testkit::fakes::CountingIds;

#[test]
fn ids_of_users_and_trash_entries_grow() {
    let ids = CountingIds::new();
    let users: Vec<_> = (0..300).map(|_| ids.user_id()).collect();
    assert!(users.is_sorted_by(|one, next| one < next));
    let entries: Vec<_> = (0..300).map(|_| ids.trash_entry_id()).collect();
    assert!(entries.is_sorted_by(|one, next| one < next));
}

#[test]
fn letters_are_as_many_as_asked_for_and_differ_from_the_last_ones() {
    let ids = CountingIds::new();
    let mut last = String::new();
    for count in [1, 2, 2, 3, 64] {
        let letters = ids.letters(count);
        assert!(letters.len() == count && letters.bytes().all(|letter| letter.is_ascii_lowercase()));
        assert_ne!(letters, last);
        last = letters;
    }
}
