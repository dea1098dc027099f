use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use metrics::counter;
use roster_domain::entities::Request;
use roster_domain::ports::{Expired, Ids, Store};
use roster_domain::use_cases::RemovalProgress;
use roster_domain::{Chain, Error, Roster};
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::expiry;

/// How often trash that is too old is looked for.
const PURGE_EVERY: Duration = Duration::from_hours(1);

/// How often images that are to be removed are looked for.
const REMOVE_EVERY: Duration = Duration::from_secs(30);

/// How long a job waits after its first failure in a row, and how long at most, unless its pause is longer.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LAST_RETRY: Duration = Duration::from_mins(10);

/// The jobs that run.
pub struct Jobs {
    ids: Arc<dyn Ids>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Jobs {
    /// Starts them all on this runtime. Each runs at once, and then again after its pause.
    pub fn start(roster: &Arc<Roster>, ids: &Arc<dyn Ids>, store: Arc<dyn Store>) -> Self {
        let jobs = Self::none(ids);
        let (purging, purge_ids) = (Arc::clone(roster), Arc::clone(ids));
        let told = Arc::new(AtomicBool::new(false));
        jobs.spawn("trash retention", PURGE_EVERY, move || {
            let (roster, ids, told) = (Arc::clone(&purging), Arc::clone(&purge_ids), Arc::clone(&told));
            async move {
                if !told.load(Ordering::Relaxed) {
                    tell_of_expired_trash(&roster).await?;
                    told.store(true, Ordering::Relaxed);
                }
                while roster.purge_expired_trash(Request::of_roster(ids.request_id())).await? > 0 {}
                Ok(())
            }
        });
        let (removing, remove_ids) = (Arc::clone(roster), Arc::clone(ids));
        let told = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Mutex::new(RemovalProgress::default()));
        jobs.spawn("image removal", REMOVE_EVERY, move || {
            let (roster, request) = (Arc::clone(&removing), Request::of_roster(remove_ids.request_id()));
            let (told, progress) = (Arc::clone(&told), Arc::clone(&progress));
            async move {
                if !told.load(Ordering::Relaxed) {
                    tell_of_removals_out_of_reach(&roster).await?;
                    told.store(true, Ordering::Relaxed);
                }
                roster.remove_images(&mut *progress.lock().await, request).await
            }
        });
        if let Some(every) = store.upkeep_every() {
            jobs.spawn("store upkeep", every, move || {
                let store = Arc::clone(&store);
                async move { Ok(store.upkeep().await?) }
            });
        }
        jobs
    }

    fn none(ids: &Arc<dyn Ids>) -> Self {
        Self { ids: Arc::clone(ids), tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    fn spawn<R, F>(&self, name: &'static str, pause: Duration, run: R)
    where
        R: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        // A run may be dropped in its middle: every step is atomic, and what is left is done after the next start.
        let job = repeat(Arc::clone(&self.ids), name, pause, run);
        let job = self.stop.clone().run_until_cancelled_owned(job);
        self.tasks.spawn(job);
    }

    /// Stops them, in the middle of what they do.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Tells the operator, once a start and before anybody is purged, of those who are past the retention.
async fn tell_of_expired_trash(roster: &Roster) -> Result<(), Error> {
    let expired = roster.expired_trash().await?;
    if let Some(told) = expiry::told(expired, "now") {
        let (event, Expired { due, spared, .. }) = ("trash past the retention", expired);
        tracing::warn!(event, due, spared, "{told}");
    }
    Ok(())
}

/// Tells the operator, once a start, of images that can't be removed as long as their store is not configured.
async fn tell_of_removals_out_of_reach(roster: &Roster) -> Result<(), Error> {
    for store in roster.removals_out_of_reach().await? {
        tracing::warn!(
            event = "images left behind",
            store = store.as_str(),
            "this store is not configured; what is to be removed there is removed once it is again"
        );
    }
    Ok(())
}

/// Runs a job for ever. Of failures in a row only the first is a warning: a store that is down must not fill the log.
async fn repeat<R, F>(ids: Arc<dyn Ids>, job: &'static str, pause: Duration, mut run: R)
where
    R: FnMut() -> F,
    F: Future<Output = Result<(), Error>>,
{
    let [ok, failed] =
        ["ok", "failed"].map(|outcome| counter!("roster_job_runs_total", "job" => job, "outcome" => outcome));
    let mut failures: u32 = 0;
    loop {
        let panicked = |_| Err(Error::Internal("it panicked".into()));
        match AssertUnwindSafe(run()).catch_unwind().await.unwrap_or_else(panicked) {
            Ok(()) => {
                ok.increment(1);
                if failures > 0 {
                    tracing::info!(event = "job works again", job, failures, "the job works again");
                }
                failures = 0;
            }
            Err(error) => {
                failed.increment(1);
                if failures == 0 {
                    tracing::warn!(
                        event = "job failed",
                        job,
                        error = %Chain(&error),
                        "the job failed; it is tried again"
                    );
                } else {
                    tracing::debug!(
                        event = "job failed again",
                        job,
                        failures,
                        error = %Chain(&error),
                        "the job failed again"
                    );
                }
                failures = failures.saturating_add(1);
            }
        }
        // Only the randomness counts: the id names no request.
        let [random, ..] = *ids.request_id().as_bytes();
        sleep(jittered(next_pause(pause, failures), random)).await;
    }
}

/// A tenth shorter or longer at most, as a random byte has it, so that what starts together does not stay together.
fn jittered(pause: Duration, random: u8) -> Duration {
    pause.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u8::MAX))
}

/// The pause, or after so many failures in a row twice as long for each.
fn next_pause(pause: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => pause,
        Some(doublings) => {
            FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(LAST_RETRY.max(pause))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use roster_domain::ports::ImageStore;
    use roster_domain::use_cases::PURGE_BATCH;
    use roster_domain::values::{ImageRef, StoreName};
    use roster_domain_testkit::fakes::CountingIds;
    use roster_domain_testkit::fixtures::{
        START, change_at, image_key, new_user, next_user_id, page, spool, trashed,
    };
    use roster_domain_testkit::{RosterBuilder, TestRoster};
    use tokio::sync::mpsc;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[test]
    fn a_job_that_fails_waits_longer_each_time() {
        let pauses = |pause| [0, 1, 2, 3, 6, 40].map(|failures| next_pause(pause, failures).as_secs());
        assert_eq!(pauses(REMOVE_EVERY), [30, 30, 60, 120, 600, 600]);
        assert_eq!(pauses(PURGE_EVERY), [3600, 30, 60, 120, 960, 3600]);
    }

    fn ids() -> Arc<dyn Ids> {
        Arc::new(CountingIds::new())
    }

    #[test]
    fn a_pause_is_a_tenth_shorter_or_longer_at_most() {
        let pause = |random| jittered(Duration::from_secs(10), random).as_secs_f64();
        assert!((pause(0) - 9.0).abs() < 1e-6 && (pause(u8::MAX) - 11.0).abs() < 1e-6);
    }

    /// A user in the trash, whose image is stored.
    async fn trash_one(world: &TestRoster, name: &str) {
        let (user, change) = (new_user(name), change_at(START));
        let image = ImageRef { store: world.images.name(), key: image_key(user.id) };
        let later = START.plus(Duration::from_hours(1));
        world.ports.accounts.create(&user, &change).await.unwrap();
        world.ports.profile_images.reserve(user.id, &image, later, &change).await.unwrap();
        world.images.put(&image.key, spool(b"an image")).await.unwrap();
        world.ports.profile_images.set(user.id, &image.clone().into(), &change).await.unwrap();
        world.ports.trash.put(user.id, &trashed(), &change).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn old_trash_is_purged_in_one_go_and_its_images_follow() {
        let world = RosterBuilder::new().build();
        for number in 0..=PURGE_BATCH {
            trash_one(&world, &format!("user{number}")).await;
        }
        world.clock.advance(Duration::from_hours(31 * 24));
        let jobs = Jobs::start(&world.roster, &world.ports.ids, Arc::new(world.store.clone()));
        // The clock of the tests only moves on when all tasks wait.
        sleep(REMOVE_EVERY * 2).await;
        jobs.stop().await;
        assert_eq!(world.ports.trash.list(page(1, 10)).await.unwrap().total, 0);
        assert_eq!(world.images.keys(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_to_be_removed_from_a_store_that_is_not_configured_waits() {
        let world = RosterBuilder::new().build();
        let (owner, change) = (next_user_id(), change_at(START));
        let elsewhere = ImageRef { store: StoreName::new("s3://gone"), key: image_key(owner) };
        let here = ImageRef { store: world.images.name(), key: image_key(owner) };
        for image in [&elsewhere, &here] {
            world.ports.profile_images.reserve(owner, image, START, &change).await.unwrap();
        }
        let jobs = Jobs::start(&world.roster, &world.ports.ids, Arc::new(world.store.clone()));
        sleep(REMOVE_EVERY * 5).await;
        jobs.stop().await;
        assert_eq!(world.ports.profile_images.stores().await.unwrap(), [elsewhere.store]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_is_kept_up_at_once_and_then_as_often_as_it_says() {
        let world = RosterBuilder::new().build();
        let store = world.store.clone().kept_up_every(Duration::from_secs(45));
        let jobs = Jobs::start(&world.roster, &world.ports.ids, Arc::new(store.clone()));
        for (wait, upkeeps) in [(1, 1), (99, 3)] {
            sleep(Duration::from_secs(wait)).await;
            assert_eq!(store.upkeeps(), upkeeps);
        }
        jobs.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_needs_no_upkeep_has_none() {
        let world = RosterBuilder::new().build();
        let jobs = Jobs::start(&world.roster, &world.ports.ids, Arc::new(world.store.clone()));
        sleep(Duration::from_mins(10)).await;
        assert_eq!(world.store.upkeeps(), 0);
        jobs.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_at_once_and_then_after_its_pause_whatever_happened_before() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let jobs = Jobs::none(&ids());
        let runs = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        jobs.spawn("test", Duration::from_mins(1), move || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            tell.send((run, started.elapsed())).unwrap();
            async move {
                match run {
                    1 => Err(Error::NotInTrash),
                    2 => panic!("a bug"),
                    _ => Ok(()),
                }
            }
        });
        let mut at = Vec::new();
        for expected in 0..5 {
            let (run, elapsed) = told.recv().await.unwrap();
            assert_eq!(run, expected);
            at.push(elapsed.as_secs_f64());
        }
        let pauses: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(at[0] < 0.1, "{at:?}");
        for (pause, expected) in pauses.iter().zip([60.0, 30.0, 60.0, 60.0]) {
            assert!((expected * 0.89..expected * 1.11).contains(pause), "{pauses:?}");
        }
        jobs.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_a_run_that_hangs() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let jobs = Jobs::none(&ids());
        jobs.spawn("test", Duration::from_mins(1), move || {
            tell.send(()).unwrap();
            std::future::pending()
        });
        told.recv().await.unwrap();
        timeout(Duration::from_secs(1), jobs.stop()).await.unwrap();
    }
}
