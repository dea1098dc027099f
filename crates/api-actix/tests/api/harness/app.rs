use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use reqwest::Method;
use roster_adapter_mongo::MongoStore;
use roster_adapter_sqlite::SqliteStore;
use roster_domain::ports::AccountArchive;
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::{START, change, original_image};
use roster_test_mongo::{Database, asked_topology};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::sync::watch;

use super::User;
use super::http::Call;
use super::server::{Log, Server};
use super::tokens::SECRET_KEY;

/// A database of a test's own; none where the test's folder holds it. Which it is, is the program's: this suite is compiled
/// twice, and `api_on_mongodb` runs it over a MongoDB.
async fn database() -> Option<Arc<Database>> {
    match env!("CARGO_CRATE_NAME") {
        "api_on_mongodb" => Some(Arc::new(Database::fresh(asked_topology()).await)),
        _ => None,
    }
}

/// How a Roster is started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    /// From the first start on, where the store is not in the test's folder.
    database: Option<Arc<Database>>,
    in_folder: bool,
    command: Vec<String>,
}

impl Setup {
    /// Quick hashes, logs for machines, a free port, a key that the test knows, and anybody may become an admin.
    pub(crate) fn new() -> Self {
        Self { variables: BTreeMap::new(), database: None, in_folder: false, command: Vec::new() }
            .set("PORT", "0")
            .set("BCRYPT_COST", "4")
            .set("ADMIN_SIGNUP", "open")
            .set("RATE_LIMITS", "off")
            .set("LOG_FORMAT", "json")
            .set("SECRET_KEY", SECRET_KEY)
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Keeps its data in the test's folder, whatever the store of this run is.
    pub(crate) fn on_sqlite(mut self) -> Self {
        self.in_folder = true;
        self
    }

    /// Starts it as the last word of a command that becomes it.
    pub(crate) fn by(mut self, command: &[&str]) -> Self {
        self.command = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub(crate) fn command(&self) -> &[String] {
        &self.command
    }

    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Starts it in a new folder.
    pub(crate) async fn start(self) -> TestApp {
        self.start_in(tempfile::Builder::new().prefix("roster-api-").tempdir().expect("a folder")).await
    }

    /// Starts it in a folder that is there.
    pub(crate) async fn start_in(mut self, folder: TempDir) -> TestApp {
        if self.database.is_none() && !self.in_folder {
            self.database = database().await;
        }
        if let Some(database) = self.database.clone() {
            self = self.set("DATABASE_URL", database.url()).set("DB_NAME", database.name());
        }
        let server = Server::spawn(folder.path(), &self.variables, &self.command);
        let Some(address) = server.logged(address).await else {
            panic!("it does not start; it said {:#?}", server.log().lines);
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(super::PATIENCE * 2)
            .build()
            .expect("a client");
        TestApp { server, folder, setup: self, address, client }
    }
}

fn address(log: &Log) -> Option<SocketAddr> {
    let line = log.lines.iter().find(|line| line.contains("listening on"))?;
    let (_, after) = line.split_once("http://")?;
    let end = after.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).unwrap_or(after.len());
    after[..end].parse().ok()
}

/// A running Roster. It ends, and its folder goes, with this value.
#[derive(Debug)]
pub(crate) struct TestApp {
    // Before the folder: fields are dropped in order.
    server: Server,
    folder: TempDir,
    setup: Setup,
    address: SocketAddr,
    client: reqwest::Client,
}

impl TestApp {
    /// As the documentation has it: anybody may become an admin.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where an uploaded image lies.
    pub(crate) fn image(&self, user_id: &str, file_name: &str) -> PathBuf {
        self.folder().join("data/images").join(user_id).join(file_name)
    }

    /// Every file below the folder of images.
    pub(crate) fn images(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder().join("data/images")];
        while let Some(folder) = folders.pop() {
            // One that is not there (yet, or any more) holds nothing.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found
    }

    /// Gives a user an image of the FastAPI service, as if the account had been taken over with it.
    pub(crate) async fn give_original(&self, user: &User, image: &str) {
        let archive: Box<dyn AccountArchive> = if let Some(database) = &self.setup.database {
            let (clock, ids) = (Arc::new(ManualClock::new(START)), Arc::new(CountingIds::new()));
            let store = MongoStore::connect(database.url(), database.name(), clock, ids).await;
            Box::new(store.expect("the database"))
        } else {
            Box::new(SqliteStore::open(&self.folder().join("data/roster.db")).expect("the database"))
        };
        let mut accounts = archive.read(None, 1_000).await.expect("accounts");
        accounts.retain(|account| account.user.id.to_string() == user.id);
        for account in &mut accounts {
            account.user.profile_image = Some(original_image(image).into());
        }
        assert_eq!(accounts.len(), 1, "{} is there", user.id);
        archive.write(&accounts, &change()).await.expect("an account is written");
    }

    /// The database's name in the metrics, and the operation that creates a user there.
    pub(crate) fn creation(&self) -> (&'static str, &'static str) {
        if self.setup.database.is_some() { ("MongoDB", "insert") } else { ("SQLite", "create") }
    }

    pub(crate) fn log(&self) -> watch::Ref<'_, Log> {
        self.server.log()
    }

    /// Waits until the log holds something; `None` where it never does.
    pub(crate) async fn logged<T>(&self, look: impl Fn(&Log) -> Option<T>) -> Option<T> {
        self.server.logged(look).await
    }

    pub(crate) fn pid(&self) -> Pid {
        self.server.pid()
    }

    /// How many bytes of memory it has resident.
    pub(crate) fn resident_memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.server.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("kibibytes") * 1024
    }

    /// How many files it has open, sockets included.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(self.server.proc("fd")).expect("it runs").count()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    /// Waits for its end, which something else brings about.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.server.ended().await
    }

    /// Stops it in good order and starts it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        self.restart_as(|setup| setup).await
    }

    /// Restarts it with other settings.
    pub(crate) async fn restart_as(mut self, change: impl FnOnce(Setup) -> Setup) -> Self {
        self.server.signal(Signal::TERM);
        let status = self.server.ended().await;
        assert_eq!(status.code(), Some(0), "it stops in good order; its log: {:#?}", self.log().lines);
        change(self.setup).start_in(self.folder).await
    }

    /// Kills it without a warning, and starts it again on the same data.
    pub(crate) async fn crash_and_restart(mut self) -> Self {
        self.server.signal(Signal::KILL);
        self.server.ended().await;
        self.start_again().await
    }

    /// Starts it again on the same data, once it has ended.
    pub(crate) async fn start_again(self) -> Self {
        self.setup.start_in(self.folder).await
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let name = format!("{method} {path}");
        Call::new(name, self.client.request(method, format!("http://{}{path}", self.address)))
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }
}
