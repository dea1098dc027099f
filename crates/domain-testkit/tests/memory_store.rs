//! The store in memory keeps the contract that it is the reference for.

use std::future::{Ready, ready};

use roster_domain_testkit::contract::Stores;
use roster_domain_testkit::memory::MemoryStore;
use roster_domain_testkit::store_contract;

fn fresh() -> Ready<(Stores, ())> {
    ready((MemoryStore::new().stores(), ()))
}

store_contract!(fresh);
