/// What use cases that write, and the jobs, run on: beside the threads that serve, and not on the one that takes signals.
#[expect(clippy::expect_used, reason = "without threads there is nothing to serve with, nor anybody to tell")]
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads")
}
