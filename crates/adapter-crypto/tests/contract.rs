//! The contracts of the hasher and of tokens, kept by bcrypt and JWTs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::{Ready, ready};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use roster_adapter_crypto::{BcryptHasher, HasherConfig, JwtTokens};
use roster_domain::ports::PasswordHasher;
use roster_domain_testkit::contract::TokenPorts;
use roster_domain_testkit::{hasher_contract, tokens_contract};

fn hasher() -> Ready<(Arc<dyn PasswordHasher>, ())> {
    let config = HasherConfig {
        cost: 4,
        dearest: 4,
        queue: 64,
        deadline: Duration::from_mins(1),
        threads: NonZero::<usize>::MIN,
    };
    ready((Arc::new(BcryptHasher::start(config).unwrap()), ()))
}

fn tokens() -> Ready<(TokenPorts, ())> {
    let ports = TokenPorts {
        tokens: Arc::new(JwtTokens::new("key".into(), None)),
        with_another_key: Arc::new(JwtTokens::new("another key".into(), None)),
    };
    ready((ports, ()))
}

hasher_contract!(hasher);
tokens_contract!(tokens);
