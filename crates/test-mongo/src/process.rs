//! MongoDB as plain processes.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::{Client, options::ClientOptions};
use tokio::net::TcpSocket;

use crate::guardian::Guardian;
use crate::{NoServer, Topology, fetch};

/// The name of the replica sets that tests start.
pub const SET_NAME: &str = "rs0";

/// How long an election or a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One `mongod`.
pub struct Node {
    command: Vec<String>,
    program: PathBuf,
    folder: PathBuf,
    port: Port,
    replica_set: bool,
    guardian: Mutex<Option<Guardian>>,
}

impl Node {
    /// Starts one on a free port, with a folder of its own.
    pub fn start(replica_set: bool) -> Result<Self, NoServer> {
        let folder = tempfile::Builder::new()
            .prefix("roster-test-mongo-")
            .tempdir()
            .map_err(NoServer::while_doing("making a folder for mongod's data"))?
            .keep();
        Self::start_by(&[], folder, replica_set)
    }

    /// Starts one with its data in that folder, as the last word of a command that becomes it.
    pub fn start_by(command: &[&str], folder: PathBuf, replica_set: bool) -> Result<Self, NoServer> {
        let node = Self {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            program: fetch::mongod()?,
            folder,
            port: Port::reserve()?,
            replica_set,
            guardian: Mutex::new(None),
        };
        node.restart()?;
        Ok(node)
    }

    /// Starts it on its data and port, where it does not run.
    ///
    /// # Panics
    /// Where another thread panicked in here.
    #[expect(clippy::expect_used, reason = "a poisoned lock is a failed test")]
    pub fn restart(&self) -> Result<(), NoServer> {
        let mut guardian = self.guardian.lock().expect("no thread has panicked with it");
        if guardian.is_none() {
            let program = self.program.display().to_string();
            let mut words = self.command.iter().cloned().chain([program]).chain(self.arguments());
            let first = words.next().map(PathBuf::from).unwrap_or_default();
            *guardian = Some(Guardian::of_program(&first, words, &self.folder, "Waiting for connections")?);
        }
        Ok(())
    }

    /// `kill -9`. Its data stay.
    ///
    /// # Panics
    /// Where another thread panicked in here.
    #[expect(clippy::expect_used, reason = "a poisoned lock is a failed test")]
    pub fn kill(&self) -> Result<(), NoServer> {
        let guardian = self.guardian.lock().expect("no thread has panicked with it").take();
        guardian.map_or(Ok(()), Guardian::kill_and_keep_folder)
    }

    /// Stops it where it is, as `SIGSTOP` does: it takes connections and answers nothing.
    pub fn pause(&self) -> Result<(), NoServer> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<(), NoServer> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), NoServer> {
        // It keeps its process id there for as long as it runs.
        let process = std::fs::read_to_string(self.folder.join("mongod.lock"))
            .map_err(NoServer::while_doing("looking for mongod's process"))?;
        fetch::run(Command::new("kill").args([signal, process.trim()])).map(drop)
    }

    /// Lets every write wait until [`unlock_writes`](Self::unlock_writes); reads go on.
    pub async fn lock_writes(&self) -> Result<(), NoServer> {
        self.command(doc! { "fsync": 1, "lock": true }).await
    }

    /// Lets writes go on.
    pub async fn unlock_writes(&self) -> Result<(), NoServer> {
        self.command(doc! { "fsyncUnlock": 1 }).await
    }

    /// Lets a primary be none for so many seconds.
    pub async fn step_down(&self, seconds: u32) -> Result<(), NoServer> {
        self.command(doc! { "replSetStepDown": seconds, "force": true }).await
    }

    async fn command(&self, command: Document) -> Result<(), NoServer> {
        let name = command.keys().next().cloned().unwrap_or_default();
        let url = format!("mongodb://{}/?directConnection=true", self.address());
        let ran = client(&url, PATIENCE).await?.database("admin").run_command(command).await;
        ran.map(drop).map_err(NoServer::while_doing(&name))
    }

    /// Its host and port.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    /// Whether it follows a primary and may become one, as it says itself.
    pub async fn is_secondary(&self) -> bool {
        let hello = hello(&format!("mongodb://{}/?directConnection=true", self.address())).await;
        hello.is_ok_and(|hello| matches!(hello.get_bool("secondary"), Ok(true)))
    }

    /// Where its data are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--bind_ip",
            "127.0.0.1",
            "--oplogSize",
            "64",
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--wiredTigerEngineConfigString",
            "log=(prealloc=false)",
            "--dbpath",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(self.folder.display().to_string());
        arguments.extend(["--port".to_owned(), self.port.number.to_string()]);
        if self.replica_set {
            arguments.extend(["--replSet".to_owned(), SET_NAME.to_owned()]);
        }
        arguments
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let running = self.guardian.get_mut().is_ok_and(|guardian| guardian.take().is_some());
        if !running {
            // Killed before, so no guardian removes it; where that fails, a folder in the temporary one is all that stays.
            let _removed = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A replica set of plain processes, whose nodes can be killed.
pub struct ReplicaSet {
    /// Its nodes.
    pub nodes: Vec<Node>,
}

impl ReplicaSet {
    /// Starts one, and waits for its primary.
    pub async fn start(nodes: usize) -> Result<Self, NoServer> {
        let nodes: Vec<Node> = (0..nodes).map(|_| Node::start(true)).collect::<Result<_, _>>()?;
        let members: Vec<Document> =
            nodes.iter().zip(0_i32..).map(|(node, id)| doc! { "_id": id, "host": node.address() }).collect();
        let set = Self { nodes };
        initiate(&set.nodes[0].address(), members).await?;
        wait_for_primary(&set.url()).await?;
        Ok(set)
    }

    /// Where a client finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(Node::address).collect();
        format!("mongodb://{}/?replicaSet={SET_NAME}", hosts.join(","))
    }

    /// Which node is the primary now, as the nodes that answer say.
    pub async fn primary(&self) -> Option<&Node> {
        for node in &self.nodes {
            let hello = hello(&format!("mongodb://{}/?directConnection=true", node.address())).await;
            if hello.is_ok_and(|hello| is_primary(&hello)) {
                return Some(node);
            }
        }
        None
    }
}

/// Starts a server that lives as long as this process.
pub(crate) async fn start(topology: Topology) -> Result<(String, String), NoServer> {
    let program = fetch::mongod()?;
    let told = format!("plain processes of {}", program.display());
    match topology {
        Topology::Standalone => {
            let node = Box::leak(Box::new(Node::start(false)?));
            Ok((format!("mongodb://{}/", node.address()), told))
        }
        Topology::ReplicaSet(nodes) => {
            let set = Box::leak(Box::new(ReplicaSet::start(nodes.max(1)).await?));
            Ok((set.url(), told))
        }
    }
}

/// Makes a replica set of the members, over the first.
pub(crate) async fn initiate(first: &str, members: Vec<Document>) -> Result<(), NoServer> {
    let client = client(&format!("mongodb://{first}/?directConnection=true"), PATIENCE).await?;
    // Short elections: the tests wait for them.
    let settings = doc! { "electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500 };
    let config = doc! { "_id": SET_NAME, "members": members, "settings": settings };
    client
        .database("admin")
        .run_command(doc! { "replSetInitiate": config })
        .await
        .map(drop)
        .map_err(NoServer::while_doing("replSetInitiate"))
}

/// Waits until a write would find its server. With a direct connection the driver takes any server for the right one, so
/// it has to be asked what it is.
pub(crate) async fn wait_for_primary(url: &str) -> Result<(), NoServer> {
    let client = client(url, PATIENCE).await?;
    let database = client.database("admin");
    let ask = async {
        loop {
            let hello = database.run_command(doc! { "hello": 1 }).await;
            let hello = hello.map_err(NoServer::while_doing("asking for the primary"))?;
            if is_primary(&hello) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let elected = tokio::time::timeout(PATIENCE, ask).await;
    elected.unwrap_or_else(|_| Err(NoServer(format!("no primary was elected within {PATIENCE:?}"))))
}

fn is_primary(hello: &Document) -> bool {
    matches!(hello.get_bool("isWritablePrimary"), Ok(true))
}

async fn hello(url: &str) -> Result<Document, NoServer> {
    let client = client(url, Duration::from_secs(1)).await?;
    let database = client.database("admin");
    database.run_command(doc! { "hello": 1 }).await.map_err(NoServer::while_doing("asking for the primary"))
}

async fn client(url: &str, patience: Duration) -> Result<Client, NoServer> {
    let mut options = ClientOptions::parse(url).await.map_err(NoServer::while_doing("reading the URL"))?;
    options.server_selection_timeout = Some(patience);
    Client::with_options(options).map_err(NoServer::while_doing("making a client"))
}

/// A port that nobody else gets as long as this lives, whether its node runs or not: it stays bound, and never listens, so
/// that mongod, which shares addresses as well, can.
struct Port {
    number: u16,
    _kept_by: TcpSocket,
}

impl Port {
    fn reserve() -> Result<Self, NoServer> {
        let reserve = || -> io::Result<Self> {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            Ok(Self { number: socket.local_addr()?.port(), _kept_by: socket })
        };
        reserve().map_err(NoServer::while_doing("looking for a free port"))
    }
}
