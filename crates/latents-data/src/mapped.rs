//! A memory-mapped file as a slice of bytes, for collections that are larger than memory: the system reads the pages in use and
//! drops others. The meaning of the bytes is not known here.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::Mmap;

/// A mapped file. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Mapped(Arc<Mmap>);

impl Mapped {
    /// Maps a file that only this crate writes: a temporary file without a name, or a file of the cache, which is never changed
    /// but replaced as a whole.
    ///
    /// # Errors
    /// Those of the system.
    #[allow(unsafe_code)]
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: a mapped slice must not change while it lives. These files are written completely before they get their name
        // (`latents_files::write_with`) and replaced by renaming, which leaves the mapped file as it was; nothing here opens one
        // for writing. Another process that can write into the user's cache can also write into this process's memory. This is
        // the one exception to the rule that only the engine's kernels are unsafe: there is no safe interface to a mapping,
        // because no system guarantees what this comment argues.
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
    use crate::{Depth, Images, Pixels};

    #[test]
    fn mapped_images_are_those_in_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..30).collect::<Vec<u8>>()).unwrap();
        let file = Mapped::new(&file).unwrap();
        let mut mapped = Images::mapped(&file, 2..26, [2, 1, 3], Depth::Eight).unwrap();
        let mut memory = Images::new(2, 1, 3, (2..26).collect()).unwrap();
        assert_eq!(mapped, memory);
        assert_eq!(mapped.digest(), memory.digest());
        assert_eq!((mapped.len(), mapped.image(3)), (4, Pixels::Bytes(&[20, 21, 22, 23, 24, 25])));
        mapped.truncate(3);
        memory.truncate(3);
        assert_eq!(mapped, memory);
        mapped.truncate(9);
        assert_eq!((mapped.len(), mapped.pixels().len()), (3, 18));
        let words = Images::mapped(&file, 2..26, [2, 1, 3], Depth::Sixteen).unwrap();
        let first = u16::from_ne_bytes([2, 3]);
        assert_eq!((words.len(), words.image(0)), (2, words.pixels().slice(0..6)));
        assert!(matches!(words.pixels(), Pixels::Words([x, ..]) if *x == first));
        assert!(Images::mapped(&file, 0..29, [1, 2, 2], Depth::Eight).is_err());
    }
}
