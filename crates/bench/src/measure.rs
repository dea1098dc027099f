//! One run: fills a fresh store with a number of users and measures everything on it.

use std::cell::Cell;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use roster_domain::values::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::http::{Connection, Request};
use crate::load::{Load, Turn, load, load_for};
use crate::outcome::{Outcome, tell};
use crate::population::{PASSWORD, Population};
use crate::scenarios::{self, FIRST_PAGE, Goal, HEALTH, OWN_ACCOUNT, Scenario};
use crate::server::{Program, Server};
use crate::store::{Kind, Store};
use crate::table::{Column, millis, short};

/// What signs the tokens of these servers.
const SECRET_KEY: &str = "the key of a benchmark, known to everybody";

/// What a hash costs by default, and what it may cost at least.
const COST: u32 = 12;
const LEAST_COST: u32 = 4;

/// How often an endpoint and `/health` take turns, so that what else the machine does meets both.
const SLICES: u32 = 3;

/// How often the server is started to tell how long that takes.
const STARTS: usize = 5;

/// How long a total is kept on MongoDB, and a little more.
const TOTAL_IS_OLD_AFTER: Duration = Duration::from_millis(5_200);

/// What the operator asked for.
pub(crate) struct Plan {
    pub(crate) roster: Program,
    pub(crate) kind: Kind,
    pub(crate) duration: Duration,
    pub(crate) connections: usize,
    pub(crate) log_ins: usize,
}

/// The figures of one number of users.
pub(crate) struct Figures {
    pub(crate) column: Column,
    /// The p50 of the first page, which is to be much the same at any number of users.
    pub(crate) first_page: Duration,
}

/// Fills a store, and measures a server on it. `smallest` is the p50 of the first page at the smallest number of users.
pub(crate) async fn measure(
    plan: &Plan,
    store: &Store<'_>,
    folder: &Path,
    users: u64,
    smallest: Option<Duration>,
) -> Outcome<Figures> {
    let mut all = Population::new(users, SECRET_KEY, bcrypt::hash(PASSWORD, COST)?, now()?);
    tell(&format!("{users} users: filling the store"));
    let archive = store.archive().await?;
    let start = Instant::now();
    all.fill(&*archive).await?;
    let filled = f64::from(u32::try_from(users + all.trashed())?) / start.elapsed().as_secs_f64();
    drop(archive);
    all.renew(now()?);
    let embedded = plan.kind == Kind::Sqlite;

    let run = Run { plan, store, folder };
    let mut rest = Column::default();
    rest.group("Starting and memory");
    rest.tell("accounts a second that were filled in", short(filled));
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let server = run.start(COST).await?;
        starts.push(server.ready_after);
    }
    let start = median(starts);
    let limit = if embedded { 100 } else { 300 };
    rest.judge(
        format!("start of the process to its first 200, median of {STARTS}, ms"),
        millis(start),
        format!("≤ {limit} ms"),
        start <= Duration::from_millis(limit),
    );

    let server = run.start(COST).await?;
    sleep(Duration::from_secs(1)).await;
    let (idle_limit, loaded_limit) = if embedded { (20, 64) } else { (30, 80) };
    memory(&mut rest, "resident memory, idle, MB", &server, idle_limit)?;
    let mut comparison = Comparison::of(plan, &server, smallest);
    for scenario in scenarios::ordinary(&all, plan.kind) {
        tell(&format!("{users} users: {}", scenario.name));
        comparison.add(&scenario).await?;
    }
    if !embedded {
        comparison.with_bare_find_one(&run, &all).await?;
        comparison.with_old_totals(&all).await?;
    }
    tell(&format!("{users} users: log-ins"));
    let log_ins = log_ins(plan, &server, &all).await?;
    memory(&mut rest, "resident memory after all of this, MB", &server, loaded_limit)?;
    drop(server);

    tell(&format!("{users} users: sign-ups"));
    let server = run.start(LEAST_COST).await?;
    comparison.address = server.address;
    comparison.add_sign_up(&scenarios::sign_up(&all, plan.kind)).await?;
    drop(server);

    let Comparison { alone, together, first_page, .. } = comparison;
    let groups = [alone, together, log_ins, rest];
    let column = Column { figures: groups.into_iter().flat_map(|group| group.figures).collect() };
    Ok(Figures { column, first_page: first_page.unwrap_or_default() })
}

struct Run<'a> {
    plan: &'a Plan,
    store: &'a Store<'a>,
    folder: &'a Path,
}

impl Run<'_> {
    async fn start(&self, bcrypt_cost: u32) -> Outcome<Server> {
        let mut settings = self.store.settings();
        settings.extend([
            ("PORT", "0".to_owned()),
            ("IMAGES_URL", format!("file://{}", self.folder.join("images").display())),
            ("SECRET_KEY", SECRET_KEY.to_owned()),
            ("ADMIN_SIGNUP", "closed".to_owned()),
            ("RATE_LIMITS", "off".to_owned()),
            ("BCRYPT_COST", bcrypt_cost.to_string()),
            ("LOG_FORMAT", "json".to_owned()),
            ("TMPDIR", std::env::temp_dir().display().to_string()),
        ]);
        Server::start(&self.plan.roster, self.folder, &settings).await
    }
}

/// Endpoints beside `/health`: alone, and with many connections.
struct Comparison<'a> {
    plan: &'a Plan,
    address: SocketAddr,
    alone: Column,
    together: Column,
    first_page: Option<Duration>,
    smallest: Option<Duration>,
}

impl<'a> Comparison<'a> {
    fn of(plan: &'a Plan, server: &Server, smallest: Option<Duration>) -> Self {
        let (mut alone, mut together) = (Column::default(), Column::default());
        alone.group("One connection: p50, p99 in ms");
        together.group(&format!(
            "{} connections: requests a second (share of `/health`'s); p50, p99 in ms",
            plan.connections
        ));
        Self { plan, address: server.address, alone, together, first_page: None, smallest }
    }

    async fn add(&mut self, scenario: &Scenario<'_>) -> Outcome {
        if let Some(total) = scenario.total {
            check_total(self.address, scenario, total).await?;
        }
        let mut alone = load_for(self.address, 1, &scenario.turn, self.plan.duration).await?;
        let p50 = alone.percentile(50);
        let text = times(&mut alone);
        let is_whole = alone.refused == 0;
        match scenario.goal {
            Goal::None | Goal::Share(_) => self.alone.tell(&scenario.name, text),
            Goal::Within(most) => {
                let goal = format!("p50 ≤ {} ms", most.as_millis());
                self.alone.judge(&scenario.name, text, goal, is_whole && p50 <= most);
            }
            Goal::WithinAndFlat(most) => {
                let is_flat = self.smallest.is_none_or(|smallest| p50 <= 2 * smallest);
                let goal = format!("p50 ≤ {} ms, ≤ 2 × the first column's", most.as_millis());
                self.alone.judge(&scenario.name, text, goal, is_whole && p50 <= most && is_flat);
            }
            Goal::TimesFirstPage(factor) => {
                let most = self.first_page.unwrap_or_default().mul_f64(factor);
                let goal = format!("p50 ≤ {factor} × the first page's");
                self.alone.judge(&scenario.name, text, goal, is_whole && p50 <= most);
            }
        }
        if scenario.name == FIRST_PAGE {
            self.first_page = Some(p50);
        }
        self.add_together(scenario).await
    }

    async fn add_together(&mut self, scenario: &Scenario<'_>) -> Outcome {
        let health: Turn<'_> = Box::new(|| vec![Request::get("/health", None)]);
        let (mut load, of_health) = self.in_turns(self.address, &scenario.turn, &health).await?;
        if scenario.name == HEALTH {
            load.add(of_health);
            let text = format!("{}; {}", short(load.rate()), times(&mut load));
            self.together.tell(&scenario.name, text);
            return Ok(());
        }
        let share = load.rate() / of_health.rate();
        let text = format!("{} ({}); {}", short(load.rate()), short(share), times(&mut load));
        if let Goal::Share(least) = scenario.goal {
            let goal = format!("≥ {least} of `/health`");
            self.together.judge(&scenario.name, text, goal, load.refused == 0 && share >= least);
        } else {
            self.together.tell(&scenario.name, text);
        }
        Ok(())
    }

    /// Loads one server, and another with another kind of request, in turns.
    async fn in_turns(
        &self,
        other_address: SocketAddr,
        turn: &Turn<'_>,
        other: &Turn<'_>,
    ) -> Outcome<(Load, Load)> {
        let (mut load, mut of_other) = (Load::default(), Load::default());
        let slice = self.plan.duration / SLICES;
        for _ in 0..SLICES {
            of_other.add(load_for(other_address, self.plan.connections, other, slice).await?);
            load.add(load_for(self.address, self.plan.connections, turn, slice).await?);
        }
        Ok((load, of_other))
    }

    /// The own account beside a server that does nothing but a `find_one`.
    async fn with_bare_find_one(&mut self, run: &Run<'_>, all: &Population) -> Outcome {
        let program = Program { path: std::env::current_exe()?, arguments: vec!["bare-find-one".to_owned()] };
        let bare = Server::start(&program, run.folder, &run.store.settings()).await?;
        let read: Turn<'_> = Box::new(|| vec![Request::get(&format!("/{}", all.any_caller().id), None)]);
        let own = scenarios::own_account(all);
        let (load, mut of_bare) = self.in_turns(bare.address, &own, &read).await?;
        let text = format!("{}; {}", short(of_bare.rate()), times(&mut of_bare));
        self.together.tell("a bare handler around one `find_one`", text);
        let share = load.rate() / of_bare.rate();
        self.together.judge(
            format!("{OWN_ACCOUNT} ÷ the bare handler"),
            short(share),
            "≥ 0.95",
            share >= 0.95,
        );
        Ok(())
    }

    /// The first page where its total is too old to be told again.
    async fn with_old_totals(&mut self, all: &Population) -> Outcome {
        let first_page = Request::get("/api/v1/auth/users", Some(&all.admin().access));
        let mut connection = Connection::open(self.address).await?;
        let mut times = Vec::new();
        for _ in 0..3 {
            sleep(TOTAL_IS_OLD_AFTER).await;
            let start = Instant::now();
            connection.ask(&first_page.bytes).await?;
            times.push(start.elapsed());
        }
        let row = "first page when nobody asked for 5 s, median of 3";
        self.alone.tell(row, millis(median(times)));
        Ok(())
    }

    /// Sign-ups: alone without their hash, together with it.
    async fn add_sign_up(&mut self, scenario: &Scenario<'_>) -> Outcome {
        let hash = time_of_hash(LEAST_COST, 25)?;
        let mut alone = load_for(self.address, 1, &scenario.turn, self.plan.duration).await?;
        for time in &mut alone.times {
            *time = time.saturating_sub(hash);
        }
        let p50 = alone.percentile(50);
        if let Goal::Within(most) = scenario.goal {
            let goal = format!("p50 ≤ {} ms", most.as_millis());
            let is_reached = alone.refused == 0 && p50 <= most;
            self.alone.judge("sign-up, less one hash of cost 4", times(&mut alone), goal, is_reached);
        }
        let name = "sign-up with a hash of cost 4".to_owned();
        self.add_together(&Scenario {
            name,
            turn: Box::new(|| (scenario.turn)()),
            goal: Goal::None,
            total: None,
        })
        .await
    }
}

/// Log-ins beside what the processor can do, and what others notice of them.
async fn log_ins(plan: &Plan, server: &Server, all: &Population) -> Outcome<Column> {
    let address = server.address;
    let log_in = scenarios::log_in(all);
    let before = time_of_hash(COST, 5)?;
    let mut load_alone = load_for(address, plan.log_ins, &log_in, 5 * plan.duration).await?;
    let hash = (before + time_of_hash(COST, 5)?) / 2;
    let cores = f64::from(u32::try_from(thread::available_parallelism()?.get())?);
    let share = load_alone.rate() * hash.as_secs_f64() / cores;

    let mut column = Column::default();
    column.group(&format!("{} log-ins at once", plan.log_ins));
    column.tell("one hash of cost 12, ms", millis(hash));
    column.tell("log-ins a second; p50, p99 in ms", {
        format!("{}; {}", short(load_alone.rate()), times(&mut load_alone))
    });
    column.judge("log-ins ÷ limit (cores ÷ time of one hash)", short(share), "≥ 1.8", share >= 1.8);

    let health: Turn<'_> = Box::new(|| vec![Request::get("/health", None)]);
    let own = scenarios::own_account(all);
    let idle_health = load_for(address, plan.connections, &health, plan.duration).await?;
    let idle_own = load_for(address, plan.connections, &own, plan.duration).await?;

    let (begun, is_over) = (Cell::new(0), Cell::new(false));
    let counted: Turn<'_> = Box::new(|| {
        begun.set(begun.get() + 1);
        log_in()
    });
    let waiting = load(address, plan.log_ins, &counted, || !is_over.get());
    let others = async {
        // One more has begun than can wait, so one is answered, and the queue is full.
        while begun.get() <= plan.log_ins {
            sleep(Duration::from_millis(10)).await;
        }
        let alone = load_for(address, 1, &health, plan.duration).await?;
        let health = load_for(address, plan.connections, &health, plan.duration).await?;
        let own = load_for(address, plan.connections, &own, plan.duration).await?;
        is_over.set(true);
        Ok((alone, health, own))
    };
    let (waiting, (mut alone, mut health, mut own)) = tokio::try_join!(waiting, others)?;

    column.group("Meanwhile, while they wait");
    let limit = Duration::from_millis(25);
    let is_quick = |load: &mut Load| load.percentile(99) <= limit;
    let is_reached = is_quick(&mut alone);
    column.judge("`/health`, one connection: p50, p99 in ms", times(&mut alone), "p99 ≤ 25 ms", is_reached);
    let is_reached = is_quick(&mut health);
    let beside = |load: &mut Load, idle: &Load| {
        let share = load.rate() / idle.rate();
        (share, format!("{} ({}); {}", short(load.rate()), short(share), times(load)))
    };
    let row = |name| {
        format!("{name}, {} connections: requests a second (share of idle); p50, p99 in ms", plan.connections)
    };
    column.judge(row(HEALTH), beside(&mut health, &idle_health).1, "p99 ≤ 25 ms", is_reached);
    let (share, text) = beside(&mut own, &idle_own);
    column.judge(row(OWN_ACCOUNT), text, "≥ 0.40 of idle", share >= 0.4);
    let refused = waiting.refused;
    column.tell(
        "log-ins a second meanwhile; refused with 503",
        format!("{}; {refused}", short(waiting.rate())),
    );
    Ok(column)
}

/// The answer must tell the total that is known, or something else than meant is measured.
async fn check_total(address: SocketAddr, scenario: &Scenario<'_>, total: u64) -> Outcome {
    let mut connection = Connection::open(address).await?;
    for request in (scenario.turn)() {
        let answer = connection.ask(&request.bytes).await?;
        let body: Value = serde_json::from_slice(answer.body)?;
        if body["total"] != total {
            return Err(format!("{}: {total} were expected of {body}", scenario.name).into());
        }
    }
    Ok(())
}

fn memory(column: &mut Column, row: &str, server: &Server, most: u32) -> Outcome {
    let megabytes = f64::from(u32::try_from(server.resident()? / 1_000)?) / 1e3;
    column.judge(row, short(megabytes), format!("≤ {most} MB"), megabytes <= f64::from(most));
    Ok(())
}

fn times(load: &mut Load) -> String {
    let (p50, p99) = (millis(load.percentile(50)), millis(load.percentile(99)));
    let refused = load.refused;
    if refused > 0 { format!("{p50}, {p99}, {refused} refused") } else { format!("{p50}, {p99}") }
}

/// The median time of one hash on this thread.
fn time_of_hash(cost: u32, hashes: usize) -> Outcome<Duration> {
    let mut times = Vec::new();
    for _ in 0..hashes {
        let start = Instant::now();
        black_box(bcrypt::hash(PASSWORD, cost)?);
        times.push(start.elapsed());
    }
    Ok(median(times))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the tokens are for a server that goes by the machine's clock")]
fn now() -> Outcome<Timestamp> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(0).plus(since_1970))
}
