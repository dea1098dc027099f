//! The tokens without cryptography keep the contract all the same.

use std::future::{Ready, ready};
use std::sync::Arc;

use roster_domain_testkit::contract::TokenPorts;
use roster_domain_testkit::fakes::PlainTokens;
use roster_domain_testkit::tokens_contract;

fn fresh() -> Ready<(TokenPorts, ())> {
    let ports = TokenPorts {
        tokens: Arc::new(PlainTokens::new("key")),
        with_another_key: Arc::new(PlainTokens::new("another key")),
    };
    ready((ports, ()))
}

tokens_contract!(fresh);
