//! The hasher that hides nothing keeps the contract all the same.

use std::future::{Ready, ready};
use std::sync::Arc;

use roster_domain::ports::{PasswordHasher, Verdict};
use roster_domain::values::Password;
use roster_domain_testkit::fakes::PlainHasher;
use roster_domain_testkit::fixtures::asker;
use roster_domain_testkit::hasher_contract;

fn fresh() -> Ready<(Arc<dyn PasswordHasher>, ())> {
    ready((Arc::new(PlainHasher), ()))
}

hasher_contract!(fresh);

#[tokio::test]
async fn an_outdated_hash_matches_its_password_alone() {
    let password = |text: &str| Password::parse(text.to_owned()).unwrap();
    let today = PlainHasher.hash(password("secret"), asker()).await.unwrap();
    for (text, verdict) in [("secret", Verdict::MatchOutdated(today)), ("other", Verdict::Mismatch)] {
        let outdated = Some(PlainHasher::outdated("secret"));
        let found = PlainHasher.verify(password(text), outdated, asker()).await.unwrap();
        assert_eq!(found, verdict);
    }
}
