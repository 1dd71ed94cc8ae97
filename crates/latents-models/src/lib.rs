//! Autoencoders as network specs, and their weights on disk.
