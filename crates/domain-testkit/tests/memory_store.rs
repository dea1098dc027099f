//! The store in memory keeps the contract that it is the reference for.

use std::future::{Ready, ready};

use roster_domain_testkit::contract::{Failing, Sourced, Stores};
use roster_domain_testkit::memory::MemoryStore;
use roster_domain_testkit::{interrupted_contract, source_contract, store_contract};

fn fresh() -> Ready<(Stores, ())> {
    ready((MemoryStore::new().stores(), ()))
}

store_contract!(fresh);

fn fresh_source() -> Ready<(Sourced, ())> {
    ready((MemoryStore::new().sourced(), ()))
}

source_contract!(fresh_source);

fn fresh_that_fails() -> Ready<(Failing, ())> {
    ready((MemoryStore::new().failing(), ()))
}

interrupted_contract!(fresh_that_fails);
