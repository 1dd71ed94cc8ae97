//! The kinds of models that `cargo xtask versus pythae` compares, and our settings of each. The weights of penalties and the numbers of codes
//! and components are those of pythae's configurations for MNIST; pythae's side has them in `xtask/python/pythae_models.py`.

use super::{Architecture, Options};

/// Images in a step if both sides train in the same way.
pub(super) const BATCH: &str = "256";
/// Images in a step of pythae's own configurations.
pub(super) const PYTHAE_BATCH: &str = "100";
/// The learning rate of pythae's configurations, which we take too if both sides train in the same way.
pub(super) const RATE: &str = "1e-3";

/// A kind of model. Our settings are flags of `latents train COMMAND`, as they are typed.
pub(super) struct Kind {
    /// The name that both sides have for it.
    pub(super) name: &'static str,
    /// Our command.
    pub(super) command: &'static str,
    /// What makes a model one of this kind.
    loss: &'static str,
    /// What else is set if both sides train in the same way.
    same: &'static str,
    /// What else is set if ours has some minutes.
    best: &'static [&'static str],
    /// Our networks that are the study's, and those that are nearest to pythae's.
    networks: [&'static str; 2],
    /// Whether both sides have a bound on log p(x), of the same likelihood.
    pub(super) has_bound: bool,
    /// Our samplers, the kind's own first.
    pub(super) samplers: &'static [&'static str],
}

const NETWORKS: [&str; 2] = [
    "--stages 8k4s2p1,16k4s2p1,32k3s2p0",
    "--stages 128k4s2p1,256k4s2p1,512k4s2p1,1024k4s2p1 --normalize",
];
const FITTED: &[&str] = &["mixture", "flow"];
const FROM_PRIOR: &[&str] = &["prior", "mixture", "flow"];

/// Wider networks with residual blocks, whose settings were chosen by the bound on validation images.
const DEEP: &str = "--stages 32k4s2p1,64k4s2p1,128k3s2p0 --blocks 1 --hidden 256 --nonlinearity silu \
     --batch-size 128 --lr 2e-3 --schedule cosine --validation 0.1 --patience 100";

/// A variational autoencoder, which the others differ from.
const VAE: Kind = Kind {
    name: "vae",
    command: "vae",
    loss: "",
    same: "--weight-decay 0",
    best: &[DEEP],
    networks: NETWORKS,
    has_bound: true,
    samplers: FROM_PRIOR,
};

pub(super) const KINDS: [Kind; 8] = [
    Kind {
        name: "ae",
        command: "ae",
        same: "--design study --dropout 0 --weight-decay 0",
        best: &["--design residual"],
        has_bound: false,
        samplers: FITTED,
        ..VAE
    },
    Kind { best: &[DEEP, "--prior mixture --prior-components 500"], ..VAE },
    Kind { name: "beta-vae", loss: "--beta 2", ..VAE },
    // With this deviation, -log p(x|z) is the squared error of an image and a constant, the loss of pythae's WAE, RAE and VQ-VAE.
    Kind {
        name: "wae",
        loss: "--regularizer mmd --beta 10 --likelihood gaussian --sigma 0.70710678",
        has_bound: false,
        ..VAE
    },
    Kind {
        name: "rae",
        loss: "--regularizer l2 --beta 1e-2 --weight-decay 1e-4 --likelihood gaussian --sigma 0.70710678",
        same: "",
        has_bound: false,
        samplers: FITTED,
        ..VAE
    },
    Kind {
        name: "vqvae",
        command: "vqvae",
        best: &[],
        // Nearly as many codes as pythae's table has, 250 and 256, and a prior whose epoch takes no longer than that of pythae's.
        same: "--levels 5,5,5,2 --schedule constant --prior-channels 32 --prior-blocks 2 --nonlinearity relu --likelihood gaussian --sigma 0.70710678 --weight-decay 0",
        networks: [
            "--stages 8k4s2p1,16k4s2p1 --blocks 0",
            "--stages 64k4s2p1,128k4s2p1,128k3s2p1 --blocks 2",
        ],
        has_bound: false,
        samplers: &["prior"],
        ..VAE
    },
    Kind { name: "iwae", loss: "--draws 5", ..VAE },
    // As many pseudo-inputs as pythae's configuration for MNIST has.
    Kind { name: "vamp", loss: "--prior vamp --prior-components 50", ..VAE },
];

/// The names of all kinds.
pub(super) fn names() -> [&'static str; 8] {
    KINDS.each_ref().map(|kind| kind.name)
}

impl Kind {
    /// Our flags, without those of data and output.
    pub(super) fn settings(&self, options: &Options) -> Vec<String> {
        let mut flags: Vec<String> = self.loss.split_whitespace().map(str::to_owned).collect();
        let mut add = |line: &str| flags.extend(line.split_whitespace().map(str::to_owned));
        if !self.has_codes() {
            add(&format!("--latent-dim {}", options.latent_dim));
        }
        if let Some(minutes) = options.minutes {
            add(&format!("--minutes {minutes}"));
            self.best.iter().copied().for_each(add);
            return flags;
        }
        add(&format!("--epochs {} --batch-size {BATCH} --lr {RATE}", options.epochs));
        // All images are trained on, and the last epoch is kept.
        add("--validation 0");
        add(self.same);
        let [study, pythae] = self.networks;
        add(if options.architecture == Architecture::Study { study } else { pythae });
        flags
    }

    /// Our settings that are no flags, as a configuration: pythae's networks have no hidden linear layer.
    pub(super) fn config(&self, options: &Options) -> Option<String> {
        let is_theirs = options.minutes.is_none() && options.architecture == Architecture::Pythae;
        let text = format!("[model]\nkind = \"{}\"\nhidden = []\n", self.command);
        (is_theirs && !self.has_codes()).then_some(text)
    }

    /// Whether its latents are codes of a table.
    fn has_codes(&self) -> bool {
        self.command == "vqvae"
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::options;
    use super::*;

    fn flags(kind: &str, words: &[&str]) -> String {
        let options = options(words);
        let kind = KINDS.iter().find(|one| one.name == kind).unwrap();
        let config = kind.config(&options).unwrap_or_default();
        format!("{} {config}", kind.settings(&options).join(" "))
    }

    #[test]
    fn settings_follow_the_mode() {
        let same = "--beta 2 --latent-dim 16 --epochs 3 --batch-size 256 --lr 1e-3 --validation 0 --weight-decay 0 \
            --stages 8k4s2p1,16k4s2p1,32k3s2p0 ";
        assert_eq!(flags("beta-vae", &["--epochs", "3"]), same);
        let best = "--latent-dim 8 --minutes 2 --design residual ";
        assert_eq!(flags("ae", &["--minutes", "2", "--latent-dim", "8"]), best);
        let theirs = flags("vamp", &["--architecture", "pythae"]);
        assert!(theirs.ends_with("1024k4s2p1 --normalize [model]\nkind = \"vae\"\nhidden = []\n"));
        let codes = flags("vqvae", &["--architecture", "pythae"]);
        assert!(codes.ends_with("--blocks 2 ") && !codes.contains("latent-dim"), "{codes}");
    }
}
