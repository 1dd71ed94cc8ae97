//! Lists of kinds, such as samplers, that users choose by name. What a kind does is written beside its implementations.

/// Defines an enum from a list of variants, each with its name in files and on the command line and one sentence about it.
macro_rules! kinds {
    (
        $(#[$meta:meta])*
        pub enum $Kind:ident: $what:literal {
            $($(#[$attr:meta])* $Variant:ident = $name:literal: $about:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $Kind {
            $(
                #[doc = concat!($about, ".")]
                #[serde(rename = $name)]
                $(#[$attr])*
                $Variant,
            )+
        }

        impl $Kind {
            /// All of them, in the order in which they are listed for people.
            pub const ALL: &[Self] = &[$(Self::$Variant,)+];

            /// Its name, as in files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// One sentence about it, without the full stop.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$Variant => $about,)+
                }
            }
        }

        impl std::fmt::Display for $Kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $Kind {
            type Err = $crate::Error;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let named = Self::ALL.iter().copied().find(|kind| kind.name() == name);
                named.ok_or_else(|| $crate::Error::UnknownName {
                    what: $what,
                    name: name.into(),
                    known: Self::ALL.iter().map(|kind| kind.name()).collect(),
                })
            }
        }
    };
}

pub(crate) use kinds;
