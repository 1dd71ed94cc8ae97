//! Learn, tune and explore latent spaces of image collections on an ordinary CPU.
