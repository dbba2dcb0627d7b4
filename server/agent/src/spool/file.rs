//! The spool's file: frames one after another, the first of them telling whose records follow. A frame is a
//! length, a check sum and a body; whatever does not check at the end was being written when the machine stopped.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use userlock_core::{
    id::{Chain, OriginId, hash128},
    record::MAX_PAYLOAD_BYTES,
};

use super::SpoolError;
use crate::{
    files::{FileError, create_private, sync_dir},
    system::wall_ms,
};

const NAME: &str = "spool.log";
const NEW_NAME: &str = "spool.log.new";
/// Length and check sum, four bytes each.
const HEAD: usize = 8;
/// The largest body of a frame: a payload and what surrounds it.
const MAX_BODY: usize = MAX_PAYLOAD_BYTES + 256;
/// A file is not written anew for less than this.
const WORTH_REWRITING: u64 = 256 * 1024;

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Frame {
    /// Whose records follow, and the number and chain before the first.
    Header { origin: OriginId, rank: u64, seq: u64, chain: Chain },
    /// The next record.
    Record { chain: Chain, kind: u16, at: i64, payload: Vec<u8> },
    /// The records up to this number were dropped.
    Gone { last: u64, chain: Chain },
}

/// The open file.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    dir: PathBuf,
    length: u64,
    freed: u64,
}

/// A file just written.
pub(super) struct Written {
    log: Log,
    places: Vec<(u64, u32)>,
}

impl Written {
    pub(super) fn places(&self) -> &[(u64, u32)] {
        &self.places
    }

    pub(super) fn opened(self) -> Log {
        self.log
    }
}

/// Opens the file of a folder and shows its frames, with their offsets and lengths, one after another to `take`, until
/// it declines one; `None` when there is no file. From the first frame that is torn or declined on, the file is cut off;
/// when there is more behind than one torn frame, the file is put aside as it is before that.
pub(super) fn open(dir: &Path, take: &mut dyn FnMut(u64, u32, Frame) -> bool) -> Result<Option<Log>, SpoolError> {
    let path = dir.join(NAME);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new("open", &path)(error).into()),
    };
    let length = file.metadata().map_err(FileError::new("read", &path))?.len();
    let mut log = Log { file, dir: dir.to_owned(), length, freed: 0 };
    let mut reader = BufReader::new(log.file.try_clone().map_err(FileError::new("read", &path))?);
    let (offset, end) = read_all(&mut reader, take).map_err(FileError::new("read", &path))?;
    if offset == 0 {
        return Err(SpoolError::NotASpool(log.name()));
    }
    let bytes = length.saturating_sub(offset);
    if end == End::Declined || log.frame_after(offset).map_err(FileError::new("read", &path))? {
        let aside = log.put_aside(offset)?;
        tracing::error!(
            spool.bytes = bytes,
            aside = %aside.display(),
            "the spool is damaged: what follows the damage is cut off; the whole file is kept aside"
        );
    } else if bytes > 0 {
        tracing::warn!(spool.bytes = bytes, "the end of the spool was not written whole and is cut off");
        log.cut(offset)?;
    }
    Ok(Some(log))
}

/// How the reading of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At the end, or at something that is not a whole frame.
    Torn,
    /// At a whole frame that does not fit those before it.
    Declined,
}

/// Shows the frames to `take`; gives back where the first begins that is not taken.
fn read_all(reader: &mut impl Read, take: &mut dyn FnMut(u64, u32, Frame) -> bool) -> io::Result<(u64, End)> {
    let mut offset = 0;
    while let Some((frame, whole)) = next_frame(reader)? {
        if !take(offset, whole, frame) {
            return Ok((offset, End::Declined));
        }
        offset += u64::from(whole);
    }
    Ok((offset, End::Torn))
}

/// The next frame; `None` at the end, and where it is not whole.
fn next_frame(reader: &mut impl Read) -> io::Result<Option<(Frame, u32)>> {
    let mut bytes = vec![0; HEAD];
    if !read_whole(reader, &mut bytes)? {
        return Ok(None);
    }
    let Some(length) = body_length(&bytes) else { return Ok(None) };
    bytes.resize(HEAD + length, 0);
    if !read_whole(reader, bytes.get_mut(HEAD..).unwrap_or_default())? {
        return Ok(None);
    }
    Ok(decode(&bytes).and_then(|frame| Some((frame, u32::try_from(bytes.len()).ok()?))))
}

/// Whether there were so many bytes. A disk that fails is not the end of a file.
fn read_whole(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a new file with these frames and puts it in the place of the one that is there, durably.
pub(super) fn create(dir: &Path, frames: &[Frame]) -> Result<Written, SpoolError> {
    let new = dir.join(NEW_NAME);
    let (bytes, places) = encode_all(frames, 0)?;
    let mut file = create_private(&new)?;
    file.write_all(&bytes).map_err(FileError::new("write", &new))?;
    file.sync_all().map_err(FileError::new("sync", &new))?;
    let path = dir.join(NAME);
    fs::rename(&new, &path).map_err(FileError::new("replace", &path))?;
    sync_dir(dir)?;
    Ok(Written { log: Log { file, dir: dir.to_owned(), length: bytes.len() as u64, freed: 0 }, places })
}

impl Log {
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn name(&self) -> String {
        self.dir.join(NAME).display().to_string()
    }

    /// Whether a whole frame begins anywhere behind this place, where none does.
    fn frame_after(&self, offset: u64) -> io::Result<bool> {
        let rest = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; rest];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok((1..rest).any(|at| bytes.get(at..).is_some_and(|bytes| decode(bytes).is_some())))
    }

    /// Puts the file aside as it is, and goes on with a new one that has what stands before this place. At no moment is
    /// there no file.
    fn put_aside(&mut self, length: u64) -> Result<PathBuf, SpoolError> {
        let (path, new) = (self.dir.join(NAME), self.dir.join(NEW_NAME));
        let aside = self.dir.join(format!("{NAME}.damaged-{}", wall_ms()));
        let mut file = create_private(&new)?;
        let mut good = File::open(&path).map_err(FileError::new("open", &path))?.take(length);
        io::copy(&mut good, &mut file).map_err(FileError::new("copy", &path))?;
        file.sync_all().map_err(FileError::new("sync", &new))?;
        // Where a file can have but one name, it is copied.
        let kept = fs::hard_link(&path, &aside).or_else(|_| fs::copy(&path, &aside).map(drop));
        kept.map_err(FileError::new("put aside", &path))?;
        fs::rename(&new, &path).map_err(FileError::new("replace", &path))?;
        sync_dir(&self.dir)?;
        (self.file, self.length) = (file, length);
        Ok(aside)
    }

    /// Shortens the file to this length.
    fn cut(&mut self, length: u64) -> Result<(), SpoolError> {
        let path = self.dir.join(NAME);
        self.file.set_len(length).map_err(FileError::new("shorten", &path))?;
        self.file.sync_all().map_err(FileError::new("sync", &path))?;
        self.length = length;
        Ok(())
    }

    /// Writes frames at the end; when it returns they are on the disk. On an error none of them is there.
    pub(super) fn append(&mut self, frames: &[Frame]) -> Result<Vec<(u64, u32)>, SpoolError> {
        let (bytes, places) = encode_all(frames, self.length)?;
        let written = self.file.write_all_at(&bytes, self.length).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // If even this fails, the next append writes over it, and what may stick out behind does not check.
            let _ = self.file.set_len(self.length);
            return Err(FileError::new("write", &self.dir.join(NAME))(error).into());
        }
        self.length += bytes.len() as u64;
        Ok(places)
    }

    /// Reads a frame.
    pub(super) fn read(&self, offset: u64, length: u32) -> Result<Frame, SpoolError> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(FileError::new("read", &self.dir.join(NAME)))?;
        decode(&bytes).ok_or_else(|| SpoolError::NotASpool(self.name()))
    }

    /// So many bytes more are of no use. Whether it is worth to write the file anew.
    pub(super) fn freed(&mut self, bytes: u64) -> bool {
        self.freed += bytes;
        self.freed >= WORTH_REWRITING && self.freed * 2 >= self.length
    }
}

type Encoded = (Vec<u8>, Vec<(u64, u32)>);

fn encode_all(frames: &[Frame], mut offset: u64) -> Result<Encoded, SpoolError> {
    let mut bytes = Vec::new();
    let mut places = Vec::with_capacity(frames.len());
    for frame in frames {
        let body = postcard::to_allocvec(frame).map_err(|error| SpoolError::Payload(error.to_string()))?;
        let length = u32::try_from(body.len()).map_err(|error| SpoolError::Payload(error.to_string()))?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&check_sum(&body));
        bytes.extend_from_slice(&body);
        let whole = length + HEAD as u32;
        places.push((offset, whole));
        offset += u64::from(whole);
    }
    Ok((bytes, places))
}

fn check_sum(body: &[u8]) -> [u8; 4] {
    let hash = hash128("userlock spool 1", &[body]);
    let mut sum = [0; 4];
    sum.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    sum
}

fn body_length(head: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(head.get(..4)?.try_into().ok()?) as usize;
    (1..=MAX_BODY).contains(&length).then_some(length)
}

/// The frame that these bytes are; `None` when they are not whole.
fn decode(bytes: &[u8]) -> Option<Frame> {
    let body = bytes.get(HEAD..HEAD + body_length(bytes)?)?;
    if check_sum(body) != bytes.get(4..HEAD)? {
        return None;
    }
    postcard::from_bytes(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that fails after what it has given.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }

    #[test]
    fn a_disk_that_fails_is_not_the_end_of_the_file() {
        let frame = |last| Frame::Gone { last, chain: Chain::NIL };
        let (bytes, places) = encode_all(&[frame(1), frame(2)], 0).unwrap();
        let mut taken = 0;
        let mut take = |_, _, _| {
            taken += 1;
            true
        };
        for length in [places[1].0 as usize, places[1].0 as usize + 3, bytes.len() - 1] {
            let whole = read_all(&mut &bytes[..length], &mut take).unwrap();
            assert_eq!(whole, (places[1].0, End::Torn));
            let error = read_all(&mut bytes[..length].chain(Broken), &mut take).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(5), "at {length}");
        }
        assert_eq!(taken, 6);
    }
}
