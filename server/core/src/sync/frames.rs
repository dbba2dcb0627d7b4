//! A stream of frames: four bytes of length (big-endian), then so many bytes.

/// The largest frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 32 * 1024 * 1024;

/// Why a stream of frames cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame says that it is larger than [`MAX_FRAME_BYTES`].
    #[error("a frame of {0} bytes is larger than the {MAX_FRAME_BYTES} allowed")]
    TooLarge(usize),
    /// The stream ended within a frame.
    #[error("the stream ended within a frame")]
    Cut,
}

/// Appends a frame.
pub fn push_frame(out: &mut Vec<u8>, frame: &[u8]) {
    // Frames are made below the bound, which is far below what 32 bits hold.
    out.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(frame);
}

/// Takes frames out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Adds bytes that have arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if it has arrived.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`].
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.taken + 4;
        self.taken = start + length;
        Ok(self.buffer.get(start..start + length))
    }

    /// Called at the end of the stream.
    ///
    /// # Errors
    /// [`FrameError::Cut`] when part of a frame is left.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.buffer.len() == self.taken { Ok(()) } else { Err(FrameError::Cut) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_are_read_back_however_they_arrive(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10),
            piece in 1usize..40,
        ) {
            let mut bytes = Vec::new();
            frames.iter().for_each(|frame| push_frame(&mut bytes, frame));
            let mut reader = Frames::default();
            let mut read = Vec::new();
            for piece in bytes.chunks(piece) {
                reader.feed(piece);
                while let Some(frame) = reader.next_frame().unwrap() {
                    read.push(frame.to_vec());
                }
            }
            prop_assert_eq!(read, frames);
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn a_frame_too_large_and_a_cut_stream_are_refused() {
        let mut reader = Frames::default();
        reader.feed(&[0xff; 4]);
        assert!(matches!(reader.next_frame(), Err(FrameError::TooLarge(_))));
        let mut reader = Frames::default();
        reader.feed(&[0, 0, 0, 2, 1]);
        assert_eq!(reader.next_frame(), Ok(None));
        assert_eq!(reader.finish(), Err(FrameError::Cut));
    }
}
