//! The codes of every finding about a recipe or a model folder, and what each means.
//! `docs/diagnostics/` has a page for each; the list here is what tests enumerate.

pub const RECIPE: &str = "M101";
pub const FOLDER_NAME: &str = "M201";
pub const NO_ARTEFACT: &str = "M202";
pub const BAD_ARTEFACT: &str = "M203";
pub const OTHER_DIGEST: &str = "M204";
pub const BAD_CARD: &str = "M205";
pub const ALIAS: &str = "M206";
pub const UNREADABLE: &str = "M207";
pub const BAD_REFERENCE: &str = "M208";
pub const REMOTE_SERVER: &str = "B070";
pub const REMOTE_MODEL: &str = "B071";
pub const REMOTE_LIMIT: &str = "B072";
pub const REMOTE_TENSOR: &str = "B073";
pub const REMOTE_KEY: &str = "B074";
pub const REMOTE_AND_VERSIONS: &str = "B075";

/// Every code of this room, with what it says.
pub const ALL: &[(&str, &str)] = &[
    (RECIPE, "a recipe (`train.yaml`) contradicts itself or names what does not exist"),
    (FOLDER_NAME, "a folder in `models/` is not named as a model or a version"),
    (NO_ARTEFACT, "a version has no `model.json`"),
    (BAD_ARTEFACT, "a version's `model.json` is not a model that can serve"),
    (OTHER_DIGEST, "a version's card was written for another `model.json`"),
    (BAD_CARD, "a version's card is missing or cannot be read"),
    (ALIAS, "an alias is misnamed, or names a version that does not exist"),
    (UNREADABLE, "a file in `models/` cannot be read"),
    (BAD_REFERENCE, "a reference of `references/` is not one of its version"),
    (REMOTE_SERVER, "a server of `remote.yaml` is not `http://host:port`"),
    (REMOTE_MODEL, "a model, version or alias of `remote.yaml` cannot be asked for"),
    (REMOTE_LIMIT, "a time or number of `remote.yaml` is out of its range"),
    (REMOTE_TENSOR, "an input or output of `remote.yaml` cannot be sent or read"),
    (REMOTE_KEY, "a `remote.yaml` holds a key, or what is no name of a variable"),
    (REMOTE_AND_VERSIONS, "a model has both a `remote.yaml` and versions of its own"),
];
