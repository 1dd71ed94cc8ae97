//! A file of our own as a slice of bytes, for collections that are larger than memory: the system reads what is looked at and drops
//! what is not. What the bytes mean is not known here.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::Mmap;

/// A mapped file. Copies share it.
#[derive(Clone, Debug)]
pub(crate) struct Mapped(Arc<Mmap>);

impl Mapped {
    /// Maps a file that only this program writes: one that it has just made and that has no name any more, or one of the cache,
    /// where files are never changed but replaced whole.
    ///
    /// # Errors
    /// What the system says.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: a mapped slice must not change while it lives. These files are written whole before they get their name
        // (`latents_files::write_with`) and replaced by renaming, which leaves the mapped one as it was; nothing of ours opens
        // one for writing. Whoever else writes into the user's own cache can as well write into this process's memory. This is the
        // one exception to the rule that only the engine's kernels are unsafe: no safe interface to a mapping can be had,
        // because no system can promise what this comment does.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Arc::new(map)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::Images;

    #[test]
    fn mapped_images_are_those_in_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..30).collect::<Vec<u8>>()).unwrap();
        let file = Mapped::new(&file).unwrap();
        let mut mapped = Images::mapped(&file, 2..26, [2, 1, 3]).unwrap();
        let mut memory = Images::new(2, 1, 3, (2..26).collect()).unwrap();
        assert_eq!(mapped, memory);
        assert_eq!(mapped.digest(), memory.digest());
        assert_eq!((mapped.len(), mapped.image(3)), (4, &[20, 21, 22, 23, 24, 25][..]));
        mapped.truncate(3);
        memory.truncate(3);
        assert_eq!(mapped, memory);
        mapped.truncate(9);
        assert_eq!((mapped.len(), mapped.pixels().len()), (3, 18));
        assert!(Images::mapped(&file, 0..29, [1, 2, 2]).is_err());
    }
}
