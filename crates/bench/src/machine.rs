//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::thread;

/// The machine, and how busy it was, in one line.
pub(crate) fn describe(folder: &Path) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processor = value("/proc/cpuinfo", "model name");
    let memory = value("/proc/meminfo", "MemTotal");
    let memory = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024 / 1_000_000_000;
    let kernel = read("/proc/sys/kernel/osrelease");
    let disk = disk(folder);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores of {processor}, {memory} GB of memory, Linux {}, temporary files on {disk}; load at the start {load}.",
        kernel.trim()
    )
}

/// The device and the file system of a folder.
fn disk(folder: &Path) -> String {
    let mounts = read("/proc/self/mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let nearest = mounts.filter(|(_, at, _)| folder.starts_with(at)).max_by_key(|(_, at, _)| at.len());
    nearest.map_or_else(|| "an unknown disk".to_owned(), |(device, _, kind)| format!("{device} ({kind})"))
}

fn value(file: &str, name: &str) -> String {
    let text = read(file);
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
}

/// Elsewhere than on Linux there is nothing to read, and the line says so.
fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default()
}
