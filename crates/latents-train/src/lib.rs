//! The training loop: epochs, metrics, checkpoints, resume.
