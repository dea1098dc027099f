//! Opens the store: reaches the server, explains in one line why it can't be reached, and prepares the database.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use mongodb::error::ErrorKind;
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, ServerAddress, WriteConcern,
};
use roster_domain::ports::{Clock, Identity, Ids, Occupancy};
use tokio::time::{sleep, timeout};

use crate::MongoStore;
use crate::adoption::Conflicts;
use crate::format::{NEWEST, Newer};
use crate::lease::Lease;
use crate::server::{DEADLINE, Server, ServerFailure};
use crate::told;
use crate::totals::Totals;

/// How long an operation looks for a server that can take it: a dead database is told within it.
///
/// The driver retries a write whose server has died. With the two below, it has noticed the death and found another server
/// before [`DEADLINE`]: a retry that came later would change what somebody was told had failed.
const SERVER_SELECTION: Duration = Duration::from_secs(2);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);

/// How often a server is asked whether it lives. One that has not answered for this and [`CONNECT`] together is dead.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How many connections are made to a server at most, unless the URL says otherwise.
const CONNECTIONS: u32 = 32;

/// How often it is looked whether another instance has adopted all users.
const ADOPTION_POLL: Duration = Duration::from_millis(500);

/// The code of a command that the user may not run.
const UNAUTHORIZED: i32 = 13;

/// Why the store was not opened, in one line for an operator. No secret of the URL is part of it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL can't be understood.
    #[error("not a MongoDB URL: {reason}; it looks like mongodb://user:password@host:27017/?replicaSet=rs0")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The database's name can't be one.
    #[error("{name:?} can't be the name of a MongoDB database: take letters, digits, - and _, 63 at most")]
    DatabaseName {
        /// The name.
        name: String,
    },
    /// No server answers.
    #[error("no MongoDB answers at {hosts} within {} seconds: {reason}", SERVER_SELECTION.as_secs())]
    Unreachable {
        /// Where it was looked for.
        hosts: String,
        /// What the system says.
        reason: String,
    },
    /// A server answers, but none of its replica set takes writes.
    #[error("the MongoDB replica set at {hosts} has no primary")]
    NoPrimary {
        /// Where it was looked for.
        hosts: String,
    },
    /// The server belongs to another replica set, or to none.
    #[error("the MongoDB at {host} {}, and not of replicaSet={asked}", found.as_ref().map_or_else(
        || "is a server of no replica set".to_owned(),
        |found| format!("is a server of the replica set {found}"),
    ))]
    ReplicaSetName {
        /// Which server.
        host: String,
        /// The name in the URL.
        asked: String,
        /// The server's own name, where it has one.
        found: Option<String>,
    },
    /// User or password are wrong.
    #[error("the MongoDB at {hosts} refused the user or the password (is authSource right?)")]
    Credentials {
        /// Which servers.
        hosts: String,
    },
    /// The user may not do what has to be done.
    #[error(
        "the user of the URL may not read and write the database {database} (it needs the role readWrite there)"
    )]
    Forbidden {
        /// Which database.
        database: String,
    },
    /// Users share names: somebody has to decide, and nothing was changed.
    #[error("users of {database} share names, and nothing was changed: {conflicts}; then start again")]
    Conflicts {
        /// Which database.
        database: String,
        /// Who shares what.
        conflicts: Conflicts,
    },
    /// A newer Roster has opened it before.
    #[error(
        "the database {database} has the format {found} of a newer Roster; this one knows up to {known}: use the newer one"
    )]
    Newer {
        /// Which database.
        database: String,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i32,
    },
    /// Users got others' names while they were being taken over, after they had been looked at: somebody has to decide. Those who
    /// were taken over stay so.
    #[error(
        "users of {database} were given the names of others while they were taken over: {}; give them other names, then start \
         again",
        users.join(" ")
    )]
    NamesTaken {
        /// Which database.
        database: String,
        /// The ids of those users.
        users: Vec<String>,
    },
    /// What others wrote there is of no use.
    #[error("the database {database} can't be used: {reason}")]
    Unfit {
        /// Which database.
        database: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server answers, but not with what was asked of it.
    #[error("the MongoDB at {hosts} failed: {reason}")]
    Failed {
        /// Which servers.
        hosts: String,
        /// What it said.
        reason: String,
    },
}

impl ConnectError {
    /// Whether it may go away by itself: a server that starts, or an election.
    #[must_use]
    pub const fn is_worth_retrying(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoPrimary { .. } | Self::Failed { .. })
    }
}

impl MongoStore {
    /// Opens the database of that name and makes it ready: takes over the users that the FastAPI service kept there, and makes
    /// the indexes.
    ///
    /// # Errors
    /// The reason in one line. Where users share names, nothing was changed.
    pub async fn connect(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, ConnectError> {
        let (store, target) = Self::reach(url, database, clock, ids).await?;
        store.make_ready(&target).await?;
        Ok(store)
    }

    /// Looks who is in the database of that name and whether it could be opened, and changes nothing: one that is not there is
    /// not made.
    ///
    /// # Errors
    /// The reason in one line why [`connect`](Self::connect) would fail.
    pub async fn examine(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Occupancy, ConnectError> {
        let (store, target) = Self::reach(url, database, clock, ids).await?;
        store.look_at(&target).await
    }

    /// The store on a database that was [`examine`](Self::examine)d, which nothing is made ready in, what the URL leads to, and who is
    /// there.
    pub(crate) async fn examined(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<(Self, Target, Occupancy), ConnectError> {
        let (store, target) = Self::reach(url, database, clock, ids).await?;
        let found = store.look_at(&target).await?;
        Ok((store, target, found))
    }

    /// What tells the database of that name from others; `None` where it is not there.
    pub(crate) async fn identity_of(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<Identity>, ConnectError> {
        let (store, target) = Self::reach(url, database, clock, ids).await?;
        match store.identity().await {
            Ok(identity) => Ok(identity),
            Err(failure) => Err(target.explain(&failure).await),
        }
    }

    async fn look_at(&self, target: &Target) -> Result<Occupancy, ConnectError> {
        self.refuse_newer(target).await?;
        let found = match self.who_is_there().await {
            Ok(found) => found,
            Err(failure) => return Err(target.explain(&failure).await),
        };
        if found != Occupancy::Unadopted {
            return Ok(found);
        }
        match self.conflicts().await {
            Ok(conflicts) if conflicts.is_empty() => Ok(found),
            Ok(conflicts) => Err(target.conflicts(conflicts)),
            Err(failure) => Err(target.explain(&failure).await),
        }
    }

    async fn who_is_there(&self) -> Result<Occupancy, ServerFailure> {
        if self.has_unadopted().await? {
            return Ok(Occupancy::Unadopted);
        }
        let anybody = self.server.exists(doc! { "roster.tombstone": { "$ne": true } }).await?;
        Ok(if anybody { Occupancy::Users } else { Occupancy::Nobody })
    }

    /// The store on a server that answers; nothing is made ready yet.
    async fn reach(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<(Self, Target), ConnectError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if database.is_empty() || database.len() > 63 || !database.chars().all(is_name) {
            return Err(ConnectError::DatabaseName { name: database.to_owned() });
        }
        let options = options(url).await?;
        let target = Target::new(&options, database);
        let client = || Client::with_options(options.clone()).map_err(|error| url_error(&error));
        let store = Self {
            server: Server::new(&client()?, &client()?, database),
            totals: Arc::new(Totals::default()),
            had_admin: Arc::new(AtomicBool::new(false)),
            has_compared: Arc::new(AtomicBool::new(false)),
            compare_every: None,
            clock,
            ids,
        };
        let database = store.server.database.clone();
        let ping = store
            .server
            .run_within(2 * DEADLINE, "ping", async move { database.run_command(doc! { "ping": 1 }).await });
        match ping.await {
            Ok(_) => Ok((store, target)),
            Err(failure) => Err(target.explain(&failure).await),
        }
    }

    /// Writes nothing where a newer Roster was here.
    async fn refuse_newer(&self, target: &Target) -> Result<(), ConnectError> {
        match self.newer_format().await {
            Ok(None) => Ok(()),
            Ok(Some(newer)) => Err(target.newer(newer)),
            Err(failure) => Err(target.explain(&failure).await),
        }
    }

    async fn make_ready(&self, target: &Target) -> Result<(), ConnectError> {
        let failed = async |failure: ServerFailure| target.explain(&failure).await;
        self.refuse_newer(target).await?;
        let adoption = match self.adoption_lease().await {
            Ok(adoption) => adoption,
            Err(failure) => return Err(failed(failure).await),
        };
        let has_unadopted = adoption.is_some();
        if has_unadopted {
            match self.conflicts().await {
                Ok(conflicts) if conflicts.is_empty() => {}
                Ok(conflicts) => return Err(target.conflicts(conflicts)),
                Err(failure) => return Err(failed(failure).await),
            }
        }
        match self.claim_format().await {
            Ok(None) => {}
            Ok(Some(newer)) => return Err(target.newer(newer)),
            Err(failure) => return Err(failed(failure).await),
        }
        if let Err(failure) = self.make_indexes().await {
            return Err(failed(failure).await);
        }
        if has_unadopted {
            match self.adopt_all().await {
                Ok(refused) if refused.is_empty() => {}
                Ok(refused) => return Err(target.names_taken(&refused)),
                Err(failure) => return Err(failed(failure).await),
            }
        }
        if let Some(adoption) = adoption {
            adoption.give_back().await;
        }
        if let Err(failure) = self.take_up_newer_entries().await {
            return Err(failed(failure).await);
        }
        if let Err(failure) = self.remove_raw_tokens().await {
            return Err(failed(failure).await);
        }
        match self.had_admin().await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failed(failure).await),
        }
    }
}

impl MongoStore {
    /// The lease of the adoption; `None` where there is nobody to adopt, or nobody any more once another instance has done it.
    async fn adoption_lease(&self) -> Result<Option<Lease>, ServerFailure> {
        let mut told = false;
        while self.has_unadopted().await? {
            if let Some(lease) = self.lease("adoption").await? {
                return Ok(Some(lease));
            }
            if !told {
                tracing::info!(event = "users being adopted", "another instance adopts them; waiting for it");
            }
            told = true;
            sleep(ADOPTION_POLL).await;
        }
        Ok(None)
    }
}

/// The options of the URL, and what is ours to decide: what was acknowledged is on a majority's disks, reads are the
/// primary's, and nothing waits for long.
async fn options(url: &str) -> Result<ClientOptions, ConnectError> {
    let mut options = match timeout(DEADLINE, ClientOptions::parse(url)).await {
        Ok(Ok(options)) => options,
        Ok(Err(error)) => return Err(url_error(&error)),
        Err(_) => return Err(unresolved("the name server does not answer")),
    };
    options.app_name = Some("roster".to_owned());
    options.heartbeat_freq = Some(HEARTBEAT);
    options.server_selection_timeout = Some(SERVER_SELECTION);
    options.connect_timeout = Some(CONNECT);
    options.max_pool_size = options.max_pool_size.or(Some(CONNECTIONS));
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.read_concern = None;
    options.write_concern =
        Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(DEADLINE).build());
    options.retry_writes = Some(true);
    options.retry_reads = Some(true);
    Ok(options)
}

/// The driver's reasons name options and their rules. Those that could repeat a part of the URL are not told.
fn url_error(error: &mongodb::error::Error) -> ConnectError {
    match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } => unresolved("its name can't be resolved"),
        ErrorKind::InvalidTlsConfig { message, .. } => ConnectError::Url { reason: message.clone() },
        ErrorKind::InvalidArgument { message, .. } if !message.contains(['@', '/', '"', '\'', '`']) => {
            ConnectError::Url { reason: message.replace('\n', " ") }
        }
        _ => ConnectError::Url { reason: "its parts or options can't be read".to_owned() },
    }
}

fn unresolved(reason: &str) -> ConnectError {
    ConnectError::Unreachable { hosts: "the host of the URL".to_owned(), reason: reason.to_owned() }
}

/// What the URL leads to, for telling what went wrong.
pub(crate) struct Target {
    options: ClientOptions,
    database: String,
    hosts: String,
}

impl Target {
    fn new(options: &ClientOptions, database: &str) -> Self {
        let hosts: Vec<String> = options.hosts.iter().map(ToString::to_string).collect();
        Self { options: options.clone(), database: database.to_owned(), hosts: hosts.join(", ") }
    }

    fn conflicts(&self, conflicts: Conflicts) -> ConnectError {
        ConnectError::Conflicts { database: self.database.clone(), conflicts }
    }

    fn names_taken(&self, users: &[ObjectId]) -> ConnectError {
        let users = users.iter().map(|id| id.to_hex()).collect();
        ConnectError::NamesTaken { database: self.database.clone(), users }
    }

    fn newer(&self, Newer(found): Newer) -> ConnectError {
        ConnectError::Newer { database: self.database.clone(), found, known: NEWEST }
    }

    pub(crate) async fn explain(&self, failure: &ServerFailure) -> ConnectError {
        let hosts = self.hosts.clone();
        let error = match failure {
            ServerFailure::Driver(error) => error,
            ServerFailure::Unfit(reason) => {
                return ConnectError::Unfit { database: self.database.clone(), reason: reason.clone() };
            }
            ServerFailure::Newer(found) => return self.newer(Newer(*found)),
            failure => return ConnectError::Failed { hosts, reason: failure.to_string() },
        };
        match error.kind.as_ref() {
            ErrorKind::Authentication { .. } => ConnectError::Credentials { hosts },
            ErrorKind::Command(error) if error.code == UNAUTHORIZED => {
                ConnectError::Forbidden { database: self.database.clone() }
            }
            ErrorKind::ServerSelection { message, .. } => self.explain_selection(message).await,
            _ => ConnectError::Failed { hosts, reason: told::reason(error) },
        }
    }

    /// Why no server was found that takes writes. With a replica set's name in the URL the servers are asked for their own.
    async fn explain_selection(&self, message: &str) -> ConnectError {
        let mut answered = false;
        for host in &self.options.hosts {
            let Some(found) = self.replica_set_of(host).await else { continue };
            answered = true;
            if let Some(asked) = &self.options.repl_set_name
                && found.as_ref() != Some(asked)
            {
                return ConnectError::ReplicaSetName { host: host.to_string(), asked: asked.clone(), found };
            }
        }
        if answered {
            return ConnectError::NoPrimary { hosts: self.hosts.clone() };
        }
        let reason = told::io_error(message).unwrap_or("it is not there, or does not answer");
        ConnectError::Unreachable { hosts: self.hosts.clone(), reason: reason.replace('\n', " ") }
    }

    /// The name of the replica set of a server, asked directly and without a user; `None` where it does not answer.
    async fn replica_set_of(&self, host: &ServerAddress) -> Option<Option<String>> {
        let mut options = ClientOptions::builder().hosts(vec![host.clone()]).build();
        options.tls.clone_from(&self.options.tls);
        options.direct_connection = Some(true);
        options.server_selection_timeout = Some(CONNECT);
        options.connect_timeout = Some(CONNECT);
        let client = Client::with_options(options).ok()?;
        let ask =
            tokio::spawn(async move { client.database("admin").run_command(doc! { "hello": 1 }).await });
        let answer = timeout(DEADLINE, ask).await.ok()?.ok()?.ok()?;
        Some(answer.get_str("setName").ok().map(str::to_owned))
    }
}
