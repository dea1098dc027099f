//! MongoDB as a container.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mongodb::bson::doc;
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::guardian::Guardian;
use crate::process::{SET_NAME, initiate, wait_for_primary};
use crate::{NoServer, Topology, fetch, setting, tell};

/// What is pulled unless `ROSTER_TEST_MONGO_IMAGE` says otherwise.
pub const DEFAULT_IMAGE: &str = "mongo:8.0";

/// What is made where that can't be pulled. The name is ours, never a real image's.
const LOCAL_NAME: &str = "roster-test/mongod";

/// Containers that tests start carry this label, with the test process's id as its value.
const LABEL: &str = "roster-test-run";

const PORT: ContainerPort = ContainerPort::Tcp(27017);

/// Whether a Docker engine answers, and the command `docker` with which to clean up is there.
#[must_use]
pub fn engine_answers() -> bool {
    let mut command = Command::new("docker");
    command.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(crate) async fn start(topology: Topology) -> Result<(String, String), NoServer> {
    if !engine_answers() {
        return Err(NoServer("a container was asked for, but no Docker engine answers".to_owned()));
    }
    let replica_set = match topology {
        Topology::Standalone => false,
        Topology::ReplicaSet(0 | 1) => true,
        Topology::ReplicaSet(_) => return Err(NoServer("a container is one node".to_owned())),
    };
    let (name, tag) = image()?;

    let run = std::process::id().to_string();
    // Before the container, so that there is no moment in which nobody would remove it.
    let guardian = Guardian::of_containers(&format!("{LABEL}={run}"))?;
    let mut command = vec!["--bind_ip_all"];
    if replica_set {
        command.extend(["--replSet", SET_NAME]);
    }
    let container = GenericImage::new(name.clone(), tag.clone())
        .with_exposed_port(PORT)
        .with_wait_for(WaitFor::message_on_stdout("Waiting for connections"))
        .with_cmd(command)
        .with_label(LABEL, run)
        .start()
        .await
        .map_err(NoServer::while_doing("starting a container"))?;
    let address = address(&container).await?;
    if replica_set {
        initiate(&address, vec![doc! { "_id": 0, "host": "localhost:27017" }]).await?;
    }
    // Inside, the set's one member calls itself by a name that is not ours: the client must not follow it.
    let url = format!("mongodb://{address}/?directConnection=true");
    wait_for_primary(&url).await?;

    // Both last as long as the process; the guardian outlives it by the moment that it needs.
    std::mem::forget(container);
    std::mem::forget(guardian);
    Ok((url, format!("a container of {name}:{tag}")))
}

async fn address(container: &ContainerAsync<GenericImage>) -> Result<String, NoServer> {
    let port = container
        .get_host_port_ipv4(PORT)
        .await
        .map_err(NoServer::while_doing("asking for the container's port"))?;
    Ok(format!("127.0.0.1:{port}"))
}

/// The image's name and tag: the one asked for where it is here or can be pulled, else one made here.
fn image() -> Result<(String, String), NoServer> {
    let asked = setting("ROSTER_TEST_MONGO_IMAGE").unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
    if docker(&["image", "inspect", &asked]).is_ok() {
        return Ok(split(&asked));
    }
    let Err(error) = docker(&["pull", "--quiet", &asked]) else {
        return Ok(split(&asked));
    };
    let local = format!("{LOCAL_NAME}:{}", fetch::VERSION);
    tell(&format!("{error}\n{asked} can't be pulled; taking {local}, made here of a fetched mongod"));
    if docker(&["image", "inspect", &local]).is_err() {
        make_image(&local)?;
    }
    Ok(split(&local))
}

fn split(image: &str) -> (String, String) {
    match image.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (image.to_owned(), "latest".to_owned()),
    }
}

fn docker(arguments: &[&str]) -> Result<String, NoServer> {
    fetch::run(Command::new("docker").args(arguments))
}

/// Makes an image of a fetched `mongod` and the libraries that it is linked with.
fn make_image(name: &str) -> Result<(), NoServer> {
    let mongod = fetch::fetched()?;
    let root = tempfile::tempdir().map_err(NoServer::while_doing("making a folder for an image"))?;
    fill_root(root.path(), &mongod).map_err(NoServer::while_doing("gathering an image's files"))?;
    let script = r#"tar -C "$1" -c . | docker import --change 'ENTRYPOINT ["/usr/bin/mongod"]' \
        --change 'CMD ["--bind_ip_all"]' --change 'EXPOSE 27017' --change 'VOLUME /data/db' - "$2""#;
    fetch::run(Command::new("sh").args(["-c", script, "sh"]).arg(root.path()).arg(name)).map(drop)
}

fn fill_root(root: &Path, mongod: &Path) -> std::io::Result<()> {
    for folder in ["usr/bin", "etc", "tmp", "data/db"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(mongod, root.join("usr/bin/mongod"))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/usr/bin/mongod\n")?;
    let listed = Command::new("ldd").arg(mongod).output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // `libm.so.6 => /lib/…/libm.so.6 (0x…)`, and the loader by its path alone.
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from) {
        let inside = root.join(library.strip_prefix("/").unwrap_or(&library));
        if let Some(folder) = inside.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&library, inside)?;
    }
    // Where /lib is a link to usr/lib, the loader may look for either.
    if !root.join("lib64").exists() {
        symlink("usr/lib64", root.join("lib64"))?;
    }
    Ok(())
}
