//! `serve:` of `model.yaml`: which versions answer when a model is asked directly. Reads only what is written; which
//! versions there are is looked at elsewhere.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// Which versions the model doors serve, besides those that aliases name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPolicy {
    /// The highest numbers that can serve.
    Latest(u32),
    All,
    /// These.
    Versions(Vec<u32>),
}

impl Default for VersionPolicy {
    fn default() -> Self {
        Self::Latest(1)
    }
}

impl<'de> Deserialize<'de> for VersionPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    #[serde(default)]
    latest: Option<u32>,
    #[serde(default)]
    versions: Option<Vec<u32>>,
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = VersionPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all`, `{ latest: 1 }` or `{ versions: [1, 2] }`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<VersionPolicy, E> {
        if word == "all" { Ok(VersionPolicy::All) } else { Err(E::unknown_variant(word, &["all"])) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VersionPolicy, A::Error> {
        let Chosen { latest, versions } = Chosen::deserialize(MapAccessDeserializer::new(map))?;
        match (latest, versions) {
            (Some(0), _) => Err(A::Error::custom("`latest` must be 1 or more")),
            (Some(count), None) => Ok(VersionPolicy::Latest(count)),
            (None, Some(versions)) => Ok(VersionPolicy::Versions(versions)),
            _ => Err(A::Error::custom("`serve` needs either `latest` or `versions`")),
        }
    }
}
