//! On what it was measured: from the kernel, without anybody's name.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

use crate::{
    failure::Result,
    figures::{Spread, number},
};

/// How often the disk is tried.
const SYNCS: usize = 200;

/// The machine, as lines of Markdown.
pub fn described(dir: &Path) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = field(&cpu, "model name").or_else(|| field(&cpu, "Model")).unwrap_or_else(|| "unknown".to_owned());
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = field(&fs::read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let (filesystem, device) = mount_of(dir)?;
    let sync = sync_ms(dir)?;
    Ok(format!(
        "- processor: {model}, {cores} cores for all processes together, the load generator included\n\
         - memory: {} GB; kernel: Linux {kernel}\n\
         - disk of the servers' state: {filesystem} on {device}; a write of 4 KiB with `fdatasync` takes {} ms (median; from {} to {}, {SYNCS} writes)\n",
        number(kib / 1024.0 / 1024.0),
        number(sync.median()),
        number(sync.min()),
        number(sync.max()),
    ))
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system that a folder is on, and the kind of its device.
fn mount_of(dir: &Path) -> Result<(String, String)> {
    let dir = dir.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mut best: Option<(usize, String, String)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
        if dir.starts_with(point) && best.as_ref().is_none_or(|(length, ..)| point.len() >= *length) {
            best = Some((point.len(), kind.to_owned(), device.to_owned()));
        }
    }
    let (_, kind, device) = best.unwrap_or_default();
    let block = device.strip_prefix("/dev/").map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
    let spins = block.and_then(|name| fs::read_to_string(format!("/sys/block/{name}/queue/rotational")).ok());
    let device = match (device.starts_with("/dev/vd"), spins.as_deref().map(str::trim)) {
        (true, _) => "a virtual block device",
        (_, Some("1")) => "a spinning disk",
        (_, Some("0")) => "a solid-state disk",
        _ => "a device that does not tell its kind",
    };
    Ok((kind, device.to_owned()))
}

/// How long a small write takes until it is on the disk.
fn sync_ms(dir: &Path) -> Result<Spread> {
    let path = dir.join("sync-test");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begin = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    fs::remove_file(&path)?;
    Ok(Spread::ms(times))
}
