//! The password hasher, through its port.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::num::NonZero;
use std::time::Duration;

use proptest::prelude::*;
use roster_adapter_crypto::{BcryptHasher, HasherConfig, StartError};
use roster_domain::ports::{Asker, HashError, PasswordHasher, StillWanted, Verdict};
use roster_domain::values::{Password, PasswordHash};
use roster_domain_testkit::fixtures::asker;
use rstest::rstest;

const CONFIG: HasherConfig = HasherConfig {
    cost: 4,
    dearest: 4,
    queue: 16,
    deadline: Duration::from_mins(1),
    threads: NonZero::<usize>::MIN,
};

fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).unwrap()
}

/// What the hash of one password says to another.
async fn verdict(hasher: &BcryptHasher, one: &str, other: &str) -> Result<Verdict, HashError> {
    let hash = hasher.hash(password(one), asker()).await?;
    hasher.verify(password(other), Some(hash), asker()).await
}

#[rstest]
#[case::short("secret")]
#[case::with_spaces_around(" secret ")]
#[case::with_a_nul("sec\0ret")]
#[case::of_71_bytes(&"x".repeat(71))]
#[case::of_72_bytes(&"x".repeat(72))]
#[case::of_1024_code_points(&"✓".repeat(1024))]
#[tokio::test]
async fn a_password_matches_its_hash_and_no_other_does(#[case] text: &str) {
    let hasher = BcryptHasher::start(CONFIG).unwrap();
    assert_eq!(verdict(&hasher, text, text).await.unwrap(), Verdict::Match);
    let mut other = text.to_owned();
    other.pop();
    other.push('y');
    assert_eq!(verdict(&hasher, text, &other).await.unwrap(), Verdict::Mismatch);
}

#[tokio::test]
async fn without_a_hash_nothing_matches() {
    let hasher = BcryptHasher::start(CONFIG).unwrap();
    assert_eq!(hasher.verify(password("secret"), None, asker()).await.unwrap(), Verdict::Mismatch);
}

#[tokio::test]
async fn the_same_password_is_hashed_with_another_salt_each_time() {
    let hasher = BcryptHasher::start(CONFIG).unwrap();
    for text in ["secret", &"x".repeat(72)] {
        let (one, other) = (
            hasher.hash(password(text), asker()).await.unwrap(),
            hasher.hash(password(text), asker()).await.unwrap(),
        );
        assert_ne!(one, other);
    }
}

#[tokio::test]
async fn a_hash_of_another_cost_is_outdated_and_todays_comes_with_the_verdict() {
    let dearer = BcryptHasher::start(HasherConfig { cost: 5, ..CONFIG }).unwrap();
    let hasher = BcryptHasher::start(CONFIG).unwrap();
    let hash = dearer.hash(password("secret"), asker()).await.unwrap();
    let Verdict::MatchOutdated(new) = hasher.verify(password("secret"), Some(hash), asker()).await.unwrap()
    else {
        panic!("it is of another cost");
    };
    assert!(new.expose().starts_with("$2b$04$"));
    assert_eq!(hasher.verify(password("secret"), Some(new), asker()).await.unwrap(), Verdict::Match);
}

#[tokio::test]
async fn of_a_lower_cost_new_hashes_are_made_and_older_ones_still_match() {
    let dearer = BcryptHasher::start(HasherConfig { cost: 6, ..CONFIG }).unwrap();
    let hasher = BcryptHasher::start(HasherConfig { dearest: 6, ..CONFIG }).unwrap();
    let hash = dearer.hash(password("secret"), asker()).await.unwrap();
    let verdict = hasher.verify(password("secret"), Some(hash.clone()), asker()).await.unwrap();
    assert!(matches!(verdict, Verdict::MatchOutdated(new) if new.expose().starts_with("$2b$04$")));
    assert_eq!(hasher.verify(password("other"), Some(hash), asker()).await.unwrap(), Verdict::Mismatch);
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_not_hashed() {
    let hasher = BcryptHasher::start(CONFIG).unwrap();
    let asker = Asker { still_wanted: StillWanted::as_long_as(|| false), ..asker() };
    let refused = hasher.verify(password("secret"), None, asker).await;
    assert!(matches!(refused, Err(HashError::NotWanted)));
}

/// A hash of cost 4 takes a millisecond, and one of 16 thousands of times as long.
#[tokio::test]
async fn a_log_in_does_not_miss_its_deadline_for_the_sake_of_a_new_hash() {
    let hash = BcryptHasher::start(CONFIG).unwrap().hash(password("secret"), asker()).await.unwrap();
    let config = HasherConfig { cost: 16, deadline: Duration::from_secs(2), ..CONFIG };
    let hasher = BcryptHasher::start(config).unwrap();
    // A machine that is busy enough may make even the check miss it, but hardly each time.
    let mut verdicts = Vec::new();
    for _ in 0..5 {
        verdicts.extend(hasher.verify(password("secret"), Some(hash.clone()), asker()).await.ok());
    }
    assert!(
        !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Verdict::Match),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let hasher = BcryptHasher::start(HasherConfig { threads: NonZero::new(3).unwrap(), ..CONFIG }).unwrap();
    let hash = hasher.hash(password("secret"), asker()).await.unwrap();
    let check = |text| hasher.verify(password(text), Some(hash.clone()), asker());
    let verdicts = tokio::join!(check("secret"), check("a"), check("secret"), check("b"));
    let verdicts = <[_; 4]>::from(verdicts).map(Result::unwrap);
    assert_eq!(verdicts, [Verdict::Match, Verdict::Mismatch, Verdict::Match, Verdict::Mismatch]);
}

#[tokio::test]
async fn what_cannot_be_hashed_in_time_is_refused() {
    let hasher = BcryptHasher::start(HasherConfig { deadline: Duration::ZERO, ..CONFIG }).unwrap();
    assert!(matches!(hasher.hash(password("secret"), asker()).await, Err(HashError::Overloaded)));
    assert!(matches!(hasher.verify(password("secret"), None, asker()).await, Err(HashError::Overloaded)));
}

#[rstest]
#[case(3)]
#[case(17)]
fn a_cost_outside_4_to_16_does_not_start(#[case] cost: u32) {
    let refused = BcryptHasher::start(HasherConfig { cost, ..CONFIG });
    assert!(matches!(refused, Err(StartError::Cost(named)) if named == cost));
}

proptest! {
    #[test]
    fn passwords_that_differ_only_past_byte_72_are_two(
        (start, end, changed) in ("[a-zé✓]{72}", "[a-z\0é]{1,40}", "[a-z\0é]{0,40}")
    ) {
        prop_assume!(end != changed);
        let (text, other) = (format!("{start}{end}"), format!("{start}{changed}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let hasher = BcryptHasher::start(CONFIG).unwrap();
            prop_assert_eq!(verdict(&hasher, &text, &text).await.unwrap(), Verdict::Match);
            prop_assert_eq!(verdict(&hasher, &text, &other).await.unwrap(), Verdict::Mismatch);
            Ok(())
        })?;
    }

    #[test]
    fn whatever_is_stored_is_compared_without_a_panic(
        hash in r"(\$2[abxy]\$|\$bcrypt-sha256\$v=2,t=2b,r=)?[$0-9]{0,3}\PC{0,70}"
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let hasher = BcryptHasher::start(CONFIG).unwrap();
        let verdict = runtime.block_on(hasher.verify(password("secret"), Some(PasswordHash::new(hash)), asker()));
        prop_assert_eq!(verdict.unwrap(), Verdict::Mismatch);
    }
}
