use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}
