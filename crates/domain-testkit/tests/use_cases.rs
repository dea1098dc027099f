//! Whatever is done in whatever order, over the stores in memory: names stay unique, whoever is in the trash is there
//! once, an ended token never works again, a restore gives back what a deletion took, and no image is left behind.

mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use world::{Step, World};

fn step() -> impl Strategy<Value = Step> {
    let whom = || 0_usize..8;
    let name = || 0_usize..5;
    prop_oneof![
        4 => (name(), name(), any::<bool>())
            .prop_map(|(email, username, admin)| Step::SignUp { email, username, admin }),
        4 => whom().prop_map(|whom| Step::LogIn { whom }),
        1 => whom().prop_map(|whom| Step::LogInOften { whom }),
        3 => (whom(), any::<bool>(), proptest::option::of(name()), proptest::option::of(name()))
            .prop_map(|(whom, by_itself, email, username)| Step::Edit { whom, by_itself, email, username }),
        3 => (whom(), any::<bool>()).prop_map(|(whom, by_itself)| Step::Delete { whom, by_itself }),
        2 => vec(whom(), 1..4).prop_map(|whom| Step::BulkDelete { whom }),
        4 => whom().prop_map(|whom| Step::Restore { whom }),
        2 => whom().prop_map(|whom| Step::Purge { whom }),
        3 => whom().prop_map(|whom| Step::Upload { whom }),
        1 => whom().prop_map(|whom| Step::DeleteImage { whom }),
        2 => (0_u64..50_000).prop_map(|minutes| Step::Wait { minutes }),
        2 => (0_u64..40).prop_map(|minutes| Step::Wait { minutes }),
        2 => Just(Step::Housekeeping),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 96, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_sequence_of_use_cases_keeps_the_invariants(steps in vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.take(&step).await;
                world.check(&step).await;
            }
        });
    }
}
